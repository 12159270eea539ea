"""`framelens score` on inputs of growing size: does its speed stay, does its memory?"""

from __future__ import annotations

import platform
import shutil
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from benchmarks.dumps import WRITERS
from benchmarks.measure import run, show

SCORE = [sys.executable, "-m", "framelens", "score"]


@contextmanager
def folder_for(size: int) -> Iterator[Path]:
    """A folder that goes when the block ends; refused where the disk has no room for `size` bytes in it."""
    with tempfile.TemporaryDirectory(prefix="framelens-benchmark-") as name:
        free = shutil.disk_usage(name).free
        if free < 2 * size:
            raise click.ClickException(
                f"{name} has {show(free)} free, {show(2 * size)} are needed: set TMPDIR, or a smaller --size"
            )
        yield Path(name)


def machine() -> dict[str, Any]:
    """Where it was measured."""
    from framelens.features.arrow import cores

    model = platform.processor()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return {"cpu": model, "cores": cores(), "python": platform.python_version(), "system": platform.system()}


def growth(sizes: Sequence[int], kind: str, seed: int) -> dict[str, Any]:
    """One size after the other, each deleted before the next; prints a line each, returns the figures."""
    ending, write = WRITERS[kind]
    rows = []
    for size in sizes:
        with folder_for(size * (25 if kind == "warc" else 1)) as folder:
            source = folder / f"all{ending}"
            articles = write(source, size, seed=seed)
            took = run([*SCORE, str(source), "-o", str(folder / "scores.parquet")])
            row = {
                "bytes": size,
                "articles": articles,
                "file_bytes": source.stat().st_size,
                "seconds": took.seconds,
                "cpu_seconds": took.cpu,
                "mb_per_s": size / 1e6 / took.seconds,
                "articles_per_s": articles / took.seconds,
                "peak_bytes": took.peak,
            }
        rows.append(row)
        click.echo(
            f"{show(size):>8} of text, {articles:>10,} articles in {show(row['file_bytes']):>8}: "
            f"{took.seconds:>8.1f} s, {row['mb_per_s']:>6.1f} MB/s, {row['articles_per_s']:>7,.0f} a second, "
            f"{took.cpu:>8.1f} s of computing, {show(took.peak):>8} at most"
        )
    return {"machine": machine(), "kind": kind, "growth": rows}
