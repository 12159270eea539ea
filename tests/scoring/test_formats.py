"""Every kind of file, as other tools write it, gives the same rows; its name may be wrong or missing."""

from __future__ import annotations

import csv
import datetime
import io
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest
from fastwarc.stream_io import GzipWriter
from fastwarc.warc import WarcRecord, WarcRecordType

from framelens.predictor import Model
from framelens.scoring import rows as limits

COUNT = 120
Rows = list[dict[str, Any]]


def frame(rows: Rows) -> pd.DataFrame:
    return pd.DataFrame(rows)


def tool(name: str, content: bytes, *arguments: str) -> bytes:
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name} here")
    return subprocess.run([name, *arguments], input=content, capture_output=True, check=True).stdout


def by_pandas(write: Callable[[pd.DataFrame, io.BytesIO], object]) -> Callable[[Rows], bytes]:
    def made(rows: Rows) -> bytes:
        buffer = io.BytesIO()
        write(frame(rows), buffer)
        return buffer.getvalue()

    return made


def lines(rows: Rows) -> bytes:
    return by_pandas(lambda f, b: f.to_json(b, orient="records", lines=True))(rows)


def arrow_stream(rows: Rows) -> bytes:
    sink = io.BytesIO()
    table = pa.Table.from_pandas(frame(rows))
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=50)
    return sink.getvalue()


def parquet(rows: Rows) -> bytes:
    return by_pandas(lambda f, b: f.to_parquet(b, row_group_size=31))(rows)


MADE: dict[str, Callable[[Rows], bytes]] = {
    "plain.jsonl": lines,
    "escaped.ndjson": lambda rows: b"".join(json.dumps(row).encode() + b"\n" for row in rows),
    "windows.jsonl": lambda rows: lines(rows).replace(b"\n", b"\r\n"),
    "byte_order_mark.jsonl": lambda rows: b"\xef\xbb\xbf" + lines(rows),
    "no_last_newline.jsonl": lambda rows: lines(rows).rstrip(),
    "tool.jsonl.gz": lambda rows: tool("gzip", lines(rows), "-c"),
    "members.jsonl.gz": lambda rows: tool("gzip", lines(rows[:9])) + tool("gzip", lines(rows[9:])),
    "tool.jsonl.zst": lambda rows: tool("zstd", lines(rows), "-c"),
    "frames.jsonl.zst": lambda rows: tool("zstd", lines(rows[:9])) + tool("zstd", lines(rows[9:])),
    "pandas.csv": by_pandas(lambda f, b: f.to_csv(b, index=False)),
    "quoted.csv": by_pandas(lambda f, b: f.to_csv(b, quoting=csv.QUOTE_ALL, lineterminator="\r\n")),
    "excel.csv": by_pandas(lambda f, b: f.to_csv(b, index=False, encoding="utf-8-sig")),
    "pandas.tsv": by_pandas(lambda f, b: f.to_csv(b, index=False, sep="\t")),
    "tool.csv.gz": lambda rows: tool("gzip", MADE["pandas.csv"](rows)),
    "tool.tsv.zst": lambda rows: tool("zstd", MADE["pandas.tsv"](rows)),
    "pandas.parquet": parquet,
    "dictionary.parquet": by_pandas(lambda f, b: f.astype({"text": "category"}).to_parquet(b)),
    "pandas.feather": by_pandas(lambda f, b: f.to_feather(b)),
    "batches.arrow": by_pandas(
        lambda f, b: pyarrow.feather.write_feather(f, b, compression="lz4", chunksize=31)
    ),
    "stream.arrows": arrow_stream,
    "stream.arrows.zst": lambda rows: tool("zstd", arrow_stream(rows)),
}


def given(count: int = COUNT) -> Rows:
    from_conftest = [
        {"id": f"a{i}", "text": f"{TEXT * (1 + i % 3)} It was day {i}.", "views": i * 7} for i in range(count)
    ]
    return from_conftest


# Invented; with what CSV and JSON must escape.
TEXT = 'The minister, "stressed" that\nthe two sides’ friendly cooperation\tis so — she said “yes”. '


def assert_answers(score: Any, model: Model, rows: Rows) -> None:
    assert [row["id"] for row in score.output] == [row["id"] for row in rows]
    for answer, article in zip(score.output, rows, strict=True):
        expected = model.predict(article["text"])
        assert (answer["label"], answer["n_words"]) == (expected.label, expected.words)
        assert answer["score"] == pytest.approx(expected.score, abs=1e-9)


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("size", [limits.BLOCK_BYTES, 2_000], ids=["one_block", "many_blocks"])
def test_a_file_of_another_tool_is_read(
    score: Any, model: Model, name: str, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "BLOCK_BYTES", size)
    rows = given()
    Path(name).write_bytes(MADE[name](rows))
    assert score(name, "--keep", "views") == 0
    assert_answers(score, model, rows)
    assert [int(row["views"]) for row in score.output] == [row["views"] for row in rows]


@pytest.mark.parametrize(
    ("made", "called"),
    [
        ("tool.jsonl.gz", "x.jsonl"),
        ("tool.jsonl.zst", "x.jsonl.gz"),
        ("plain.jsonl", "x.csv"),
        ("plain.jsonl", "x.jsonl.gz"),
        ("plain.jsonl", "x.txt"),
        ("plain.jsonl", "dump"),
        ("tool.jsonl.gz", "dump.2024"),
        ("pandas.csv", "dump"),
        ("pandas.csv", "x.jsonl"),
        ("pandas.tsv", "x.csv"),
        ("pandas.parquet", "x.jsonl"),
        ("pandas.parquet", "dump"),
        ("pandas.feather", "dump"),
        ("stream.arrows", "x.arrow"),
    ],
)
def test_what_a_file_holds_counts_not_its_name(score: Any, model: Model, made: str, called: str) -> None:
    rows = given(8)
    Path(called).write_bytes(MADE[made](rows))
    assert score(called) == 0
    assert_answers(score, model, rows)


def test_many_inputs_and_patterns_are_read_in_order(score: Any) -> None:
    rows = given(6)
    Path("deep/er").mkdir(parents=True)
    for name, part in (("b.jsonl", rows[2:3]), ("a.jsonl", rows[1:2]), ("deep/er/c.jsonl", rows[3:4])):
        Path(name).write_bytes(lines(part))
    Path("first.csv").write_bytes(MADE["pandas.csv"](rows[:1]))
    Path("[odd].jsonl").write_bytes(lines(rows[4:5]))
    assert score("first.csv", "[ab].jsonl", "deep/**/*.jsonl", "[odd].jsonl") == 0
    assert [row["id"] for row in score.output] == ["a0", "a1", "a2", "a3", "a4"]
    assert score("*.parquet") == 2
    assert "no file matches *.parquet" in score.err


@pytest.mark.parametrize("name", ["plain.jsonl", "tool.jsonl.gz", "tool.jsonl.zst"])
def test_standard_input_may_be_compressed(score: Any, model: Model, name: str) -> None:
    rows = given()
    code = "import sys; from framelens.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "score", "-", "-o", "out.jsonl", "--model", str(score.model_path)]
    subprocess.run(command, input=MADE[name](rows), check=True, capture_output=True)
    assert_answers(score, model, rows)


# -- pages -----------------------------------------------------------------------------------------------


def page(article: dict[str, Any], *, head: str = "") -> bytes:
    """A page with all that is around an article."""
    paragraphs = "".join(f"<p>{part}</p>" for part in article["text"].split("\n"))
    links = "".join(f'<li><a href="/{i}">Section {i}</a></li>' for i in range(20))
    return (
        f"<!doctype html><html><head><title>A page</title>{head}<script>var nothing = 1;</script></head>"
        f"<body><nav><ul>{links}</ul></nav><main><article><h1>A headline</h1>{paragraphs}</article></main>"
        "<footer>Subscribe to our newsletter</footer></body></html>"
    ).encode()


def response(
    article: dict[str, Any], *, kind: str = "text/html; charset=utf-8", status: str = "200 OK"
) -> bytes:
    content = page(article)
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


CRAWLED = [(WarcRecordType.request, "request"), (WarcRecordType.response, "response")]


def warc(responses: list[tuple[str, bytes]], *, packed: bool) -> bytes:
    """As a crawler writes it: a warcinfo, then a request and a response for each address."""
    buffer = io.BytesIO()
    for number, (address, content) in enumerate([("", b"software: invented\r\n"), *responses]):
        for kind, called in CRAWLED if number else [(WarcRecordType.warcinfo, "")]:
            record = WarcRecord()
            record.init_headers(kind)
            if address:
                record.headers["WARC-Target-URI"] = address
                record.headers["Content-Type"] = f"application/http; msgtype={called}"
            record.set_bytes_content(content if called != "request" else b"GET / HTTP/1.1\r\n\r\n")
            if packed:
                with GzipWriter(buffer) as member:
                    record.write(member)
            else:
                record.write(buffer)
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["crawl.warc", "crawl.warc.gz", "CC-NEWS-20240102"])
def test_the_pages_of_a_warc_are_read(score: Any, name: str) -> None:
    rows = given(5)
    responses = [(f"https://paper.example/{row['id']}", response(row)) for row in rows]
    responses.insert(2, ("https://paper.example/logo", response(rows[0], kind="image/png")))
    responses.insert(3, ("https://paper.example/gone", response(rows[0], status="404 Not Found")))
    empty = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html><body></body></html>"
    responses.insert(4, ("https://paper.example/empty", empty))
    Path(name).write_bytes(warc(responses, packed=name != "crawl.warc"))
    assert score(name, "--id-column", "url", "--keep", "id,date") == 1
    assert [row["id"] for row in score.output] == [f"https://paper.example/a{i}" for i in range(5)]
    assert all(row["n_words"] >= 10 for row in score.output)
    assert score.output[0]["n_words"] < score.output[1]["n_words"]
    assert all(row["input_id"].startswith("urn:uuid:") for row in score.output)
    assert all(row["date"][:4].isdigit() for row in score.output)
    assert score.rejects == [{"file": name, "row": 5, "reason": "the page holds no article text"}]
    assert "passed over 2 that are no articles" in score.err


def test_a_folder_of_articles_is_read_in_the_order_of_names(score: Any, model: Model) -> None:
    rows = given(4)
    for name in ("b/2.txt", "b/1.html", "a.txt", "c/d/x.HTM", "c/picture.png", "z.txt"):
        Path("articles", name).parent.mkdir(parents=True, exist_ok=True)
        Path("articles", name).write_bytes(b"caf\xe9")
    Path("articles/a.txt").write_text(rows[0]["text"], encoding="utf-8-sig")
    Path("articles/b/1.html").write_bytes(page(rows[1]))
    Path("articles/b/2.txt").write_text(rows[2]["text"], encoding="utf-8")
    Path("articles/c/d/x.HTM").write_bytes(page(rows[3], head='<meta charset="utf-8">'))
    assert score("articles") == 1
    assert [row["id"] for row in score.output] == ["a.txt", "b/1.html", "b/2.txt", "c/d/x.HTM"]
    assert score.output[0]["score"] == pytest.approx(model.predict(rows[0]["text"]).score)
    assert all(row["n_words"] > 10 for row in score.output)
    assert score.rejects == [{"file": "articles/z.txt", "row": 5, "reason": "the text is not valid UTF-8"}]
    assert "passed over 1 " in score.err
    assert score("articles/a.txt", "articles/b/1.html") == 0
    assert [row["id"] for row in score.output] == ["articles/a.txt", "articles/b/1.html"]


def test_what_stands_around_an_article_is_not_scored(score: Any) -> None:
    from framelens.scoring.readers.html import Page, extract

    text, _ = extract(Page(page(given(1)[0])))
    assert text is not None
    assert "friendly cooperation" in text
    assert "’" in text
    assert "Section 3" not in text
    assert "newsletter" not in text
    assert "nothing = 1" not in text


@pytest.mark.parametrize("charset", ["nonsense", "utf8", "", None])
def test_a_page_whose_server_names_no_encoding_is_read_by_its_content(charset: str | None) -> None:
    from framelens.scoring.readers.html import Page, extract

    text, _ = extract(Page(page(given(1)[0]), charset))
    assert text is not None
    assert "’" in text


def test_a_page_of_elements_within_elements_is_refused_at_once(score: Any) -> None:
    from framelens.scoring.readers.html import Page, extract

    deep, many = b"<div>" * 100_000 + b"text", b"<p>a<br><img>" * 10_000
    assert extract(Page(deep)).reason == "the page's elements are nested more than 2,000 deep"
    assert extract(Page(many)).text is not None
    assert extract(Page(b"<div>" * 500 + b"<p>text of it" + b"</div>" * 500)).text == "text of it"


def test_processes_that_die_cost_no_page() -> None:
    from framelens.scoring.readers.html import Page, _Workers, extract

    pages = [Page(page(row)) for row in given(3)]
    workers = _Workers(1)
    try:
        expected = [extract(one) for one in pages]
        assert workers.result(workers.submit(pages), pages) == expected
        assert workers._pool is not None
        for process in list(workers._pool._processes.values()):
            process.kill()
        assert workers.result(workers.submit(pages), pages) == expected
    finally:
        workers.close()


def test_the_extra_is_named_where_it_is_missing(score: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.html").write_bytes(page(given(1)[0]))
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert score("a.html") == 2
    assert "pip install 'framelens[dumps]'" in score.err
    assert score.err.count("\n") == 1


# -- kept columns ----------------------------------------------------------------------------------------


def test_kept_columns_of_lines_are_strings(score: Any) -> None:
    values = ["2024-01-01", 7, 1.5, True, None, ["a", 1], {"b": "ü"}]
    rows = [{"id": str(i), "text": TEXT, "other": v, "label": "state"} for i, v in enumerate(values)]
    rows.append({"id": "none", "text": TEXT})
    Path("in.jsonl").write_bytes(b"".join(json.dumps(row).encode() + b"\n" for row in rows))
    assert score("in.jsonl", "--keep", "other,label", "--keep", "id") == 0
    assert list(score.output[0])[7:] == ["other", "input_label", "input_id"]
    expected = ["2024-01-01", "7", "1.5", "true", None, '["a",1]', '{"b":"ü"}', None]
    assert [row["other"] for row in score.output] == expected
    assert score.output[0]["input_label"] == "state"
    assert score("in.jsonl", "--keep", "author") == 2
    assert "has no column 'author'; it has 'id', 'text', 'other', 'label'" in score.err
    assert "--keep" in score.err


def test_kept_columns_of_parquet_keep_their_type_where_all_files_agree(score: Any) -> None:
    day = datetime.date(2024, 1, 2)
    table = pa.table({"text": [TEXT], "day": [day], "n": pa.array([3], pa.int16()), "tags": [["a", "b"]]})
    pq.write_table(table, "one.parquet")
    pq.write_table(table.set_column(2, "n", pa.array([4], pa.int64())), "two.parquet")
    assert score("one.parquet", "--keep", "day,n,tags", out="out.parquet") == 0
    assert (
        pq.read_table("out.parquet")
        .select(["day", "n", "tags"])
        .schema.equals(table.select(["day", "n", "tags"]).schema)
    )
    assert score("one.parquet", "two.parquet", "--keep", "day,n,tags", out="out.parquet") == 0
    both = pq.read_table("out.parquet")
    assert both.schema.field("n").type == pa.string()
    assert both.schema.field("day").type == pa.date32()
    assert both["n"].to_pylist() == ["3", "4"]
    Path("three.jsonl").write_text(json.dumps({"text": TEXT, "day": "-", "n": 5, "tags": ["c"]}))
    assert score("one.parquet", "three.jsonl", "--keep", "day,n,tags", out="out.csv") == 0
    with Path("out.csv").open(newline="") as file:
        told = [(row["day"], row["n"], row["tags"]) for row in csv.DictReader(file)]
    assert told == [("2024-01-02", "3", '["a","b"]'), ("-", "5", '["c"]')]


def test_a_terminal_is_shown_how_far_it_is(score: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in.jsonl").write_bytes(lines(given(30)) + b"{\n")
    monkeypatch.setattr(limits, "BLOCK_BYTES", 2_000)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("TERM", "xterm")
    assert score("in.jsonl") == 1
    assert "30 rows, 1 rejected" in score.err
    assert "/s" in score.err
