"""Invented articles as dumps have them: JSON lines, Parquet, or pages in a WARC file.

A page holds the article among what pages hold today: menus, links to other articles, style sheets and
scripts, `PAGE_BYTES` in all, of which gzip leaves about a fifth.
"""

from __future__ import annotations

import base64
import gzip
import html
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from benchmarks.articles import Articles

PAGE_BYTES = 250_000
_CLUTTER = 2000


def write_json_lines(path: Path, size: int, *, seed: int = 0, start: int = 0) -> int:
    """`size` bytes of text as JSON lines; returns the number of articles. Memory does not grow with it."""
    articles = 0
    with path.open("wb", buffering=1 << 20) as file:
        for article in Articles(seed).stream(size, start=start):
            file.write(orjson.dumps(article) + b"\n")
            articles += 1
    return articles


def write_parquet(path: Path, size: int, *, seed: int = 0) -> int:
    """The same as Parquet, compressed by zstd, 1,000 rows a group, as collections of text are published."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    articles = 0
    stream = Articles(seed).stream(size)
    schema = pa.Table.from_pylist(list(Articles(seed).stream(1))).schema
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        while rows := list(islice(stream, 1000)):
            writer.write_table(pa.Table.from_pylist(rows, schema=schema))
            articles += len(rows)
    return articles


def write_warc(path: Path, size: int, *, seed: int = 0) -> int:
    """The same as responses in a WARC file, each record compressed by itself, as crawlers write them."""
    articles = 0
    with path.open("wb", buffering=1 << 20) as file:
        for page, url in _pages(size, seed):
            answer = b"HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n" + page
            head = (
                f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:example:{articles}>\r\n"
                f"WARC-Target-URI: {url}\r\nWARC-Date: 2024-05-01T00:00:00Z\r\n"
                f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(answer)}\r\n\r\n"
            )
            file.write(gzip.compress(head.encode() + answer + b"\r\n\r\n", 6, mtime=0))
            articles += 1
    return articles


WRITERS: dict[str, tuple[str, Callable[..., int]]] = {
    "jsonl": (".jsonl", write_json_lines),
    "parquet": (".parquet", write_parquet),
    "warc": (".warc.gz", write_warc),
}


def _pages(size: int, seed: int) -> Iterator[tuple[bytes, str]]:
    rng = np.random.default_rng([seed, 2])
    clutter = [_clutter(rng) for _ in range(_CLUTTER)]
    for number, article in enumerate(Articles(seed).stream(size)):
        yield _page(article, clutter, rng), f"https://news.example/{number}"


def _clutter(rng: np.random.Generator) -> str:
    """About 1.5 kB of a page that is no article."""
    noise = base64.b64encode(rng.bytes(int(rng.integers(100, 500)))).decode()
    name, number = noise[:8], int(rng.integers(10**6))
    kind = rng.integers(3)
    if kind == 0:
        body = (
            f"function(e,t){{return e.{name}(t)||window.layer.push({{id:{number},key:t.{noise[8:16]}}})}};"
            * 8
        )
        return f"<script>var {name}={body}var data='{noise}';</script>"
    if kind == 1:
        margin, color = number % 40, f"#{number % 4096:03x}"
        rule = f".{name}-item{{display:flex;margin:0 {margin}px;padding:4px 8px;color:{color}}}"
        return f"<style>{rule * 12}/*{noise}*/</style>"
    link = (
        f'<li class="menu-item {name}"><a href="/section/{number}" data-key="{noise[:40]}">Section</a></li>'
    )
    return f'<nav class="menu"><ul>{link * 10}</ul></nav>'


def _page(article: dict[str, Any], clutter: list[str], rng: np.random.Generator) -> bytes:
    paragraphs = "".join(f"<p>{html.escape(line)}</p>" for line in article["text"].split("\n") if line)
    title = html.escape(article["title"])
    before, after = [], []
    length = len(paragraphs)
    while length < PAGE_BYTES:
        part = clutter[int(rng.integers(len(clutter)))]
        (before if length < PAGE_BYTES // 2 else after).append(part)
        length += len(part)
    return (
        f"<!DOCTYPE html><html lang='en'><head><title>{title}</title></head><body>{''.join(before)}"
        f"<main><article><h1>{title}</h1>{paragraphs}</article></main>{''.join(after)}</body></html>"
    ).encode()
