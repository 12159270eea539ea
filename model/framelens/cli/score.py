"""`framelens score`: every article of a file or many."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click

from framelens.errors import UserError
from framelens.predictor import load
from framelens.scoring.checkpoint import Counts
from framelens.scoring.rows import Columns
from framelens.scoring.run import Watch, score_files
from framelens.scoring.sources import Source


@click.command("score")
@click.argument("inputs", metavar="INPUT...", nargs=-1, required=True)
@click.option("-o", "--output", required=True, help="OUT.parquet, .jsonl or .csv; for Spark a folder or URI.")
@click.option(
    "--engine",
    type=click.Choice(["local", "spark"]),
    default="local",
    show_default=True,
    help="spark: a cluster's, by spark-submit, or all cores of this machine.",
)
@click.option("--text-column", help="Found by its name if not given (text, body, content ...).")
@click.option("--id-column", help="Found by its name if not given (id, url ...); else FILE:ROW.")
@click.option("--model", "model_path", help="A model's folder or MLflow address; the champion if not given.")
@click.option(
    "--keep",
    multiple=True,
    metavar="NAME,...",
    help="Columns to pass through to the output; may be given more than once.",
)
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped or killed.")
@click.option(
    "--max-rejects", type=click.IntRange(min=0), help="Give up when more rows than this are rejected."
)
def score_command(
    inputs: tuple[str, ...],
    output: str,
    engine: str,
    text_column: str | None,
    id_column: str | None,
    model_path: str | None,
    keep: tuple[str, ...],
    resume: bool,
    max_rejects: int | None,
) -> int:
    """Label every article of JSON lines, CSV, TSV, Parquet, Arrow or WARC files, of folders of .txt or .html,
    or of standard input (-); files may be compressed by gzip or zstd.

    The output has a row for every article and appears only when it is whole; until then OUT.partial keeps
    what is done. Rows that cannot be scored go to OUT.rejects.jsonl, and the exit code is 1 if there are any.
    """
    names = tuple(name.strip() for given in keep for name in given.split(",") if name.strip())
    columns = Columns(text_column, id_column, names)
    watch = _Shown()
    if engine == "spark":
        if resume:
            raise UserError("--resume is for the local engine; Spark repeats what failed by itself")
        from framelens.scoring.spark import new_session, score_with_spark

        session = new_session()
        started = time.monotonic()
        counts = score_with_spark(session, inputs, output, columns, model=model_path, max_rejects=max_rejects)
    else:
        model = load(model_path)
        started = time.monotonic()
        with watch:
            counts = score_files(
                model,
                list(inputs),
                Path(output),
                columns,
                resume=resume,
                max_rejects=max_rejects,
                watch=watch,
            )
    seconds = max(time.monotonic() - started, 1e-9)
    said = f"scored {counts.scored:,} rows to {output} in {seconds:.1f} s"
    said += f", {(counts.bytes - watch.earlier.bytes) / 1e6 / seconds:.1f} MB/s"
    if watch.earlier.scored:
        said += f"; {watch.earlier.scored:,} of them earlier"
    if counts.passed:
        said += f"; passed over {counts.passed:,} that are no articles by their kind"
    if counts.rejected:
        said += f"; {counts.rejected:,} rejected, see {output}.rejects.jsonl"
    click.echo(said, err=True)
    return 1 if counts.rejected else 0


class _Shown(Watch):
    """A progress bar on stderr, where that is a terminal."""

    def __init__(self) -> None:
        self.earlier = Counts()
        self._before: list[int] = []
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> _Shown:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import (
                BarColumn,
                Progress,
                TextColumn,
                TimeRemainingColumn,
                TransferSpeedColumn,
            )

            columns = (
                BarColumn(),
                TransferSpeedColumn(),
                TimeRemainingColumn(),
                TextColumn("{task.description}"),
            )
            self._bar = Progress(*columns, console=Console(stderr=True))
            self._task = self._bar.add_task("", total=None)
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begin(self, sources: list[Source], counts: Counts) -> None:
        """The bar counts bytes as they lie on the disk."""
        self.earlier = counts
        sizes = [source.size for source in sources]
        self._before = [sum(sizes[:i]) for i in range(len(sizes))]
        if self._bar is not None:
            self._bar.update(self._task, total=sum(sizes) or None)

    def read(self, file: int, size: int, counts: Counts) -> None:
        """Rows so far, beside the bar."""
        if self._bar is not None:
            said = f"{counts.scored:,} rows, {counts.rejected:,} rejected"
            self._bar.update(self._task, completed=self._before[file] + size, description=said)
