"""The engine for what outgrows a machine: the local engine's readers and scorer inside Spark's tasks.

An input is either a path or a URI. A path (files, folders, patterns) is read by the local engine's own
readers, one file a task, so every kind of file is read and every row is answered or rejected as on one
machine; the executors must see it in the same place. A URI (``s3a://``, ``hdfs://``, ``file://`` ...) of JSON
lines or Parquet is read by Spark, from wherever Spark can read, and big files are split.

The model's files are broadcast and verified and loaded once by each Python worker. Nothing of the driver's
but this goes to the executors, so framelens must be installed in their Python.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framelens.artifact import CARD, MANIFEST, TERMS, WEIGHTS
from framelens.errors import UserError
from framelens.predictor import CHAMPION, load
from framelens.scoring.checkpoint import Counts
from framelens.scoring.kept import KeptTypes, kept_types
from framelens.scoring.rows import Block, Columns
from framelens.scoring.score import kept_name
from framelens.scoring.sources import Source, find_sources
from framelens.scoring.spark_task import NOTES, Batches, Worker, read_lines, read_parquet, read_paths

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame, SparkSession

ENDINGS = (".parquet", ".jsonl")
ARROW_ROWS = 700
"""Rows that Spark hands over at a time: about as much text as one core scores at once."""
_URI = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_LINES = (".jsonl", ".ndjson", ".jsonl.gz", ".ndjson.gz")
_ANSWERS = (
    "id string, label string, p_state double, score double, reasons array<string>, n_words int, model string"
)
ModelFiles = dict[str, bytes]


def score_with_spark(
    session: SparkSession,
    inputs: Sequence[str],
    output: str,
    columns: Columns = Columns(),  # noqa: B008 -- frozen
    *,
    model: str | None = None,
    max_rejects: int | None = None,
) -> Counts:
    """Score every row of the inputs.

    Parameters
    ----------
    session
        A classic Spark session (not Spark Connect: the model is broadcast).
    inputs
        Paths or URIs, as the module's docstring says.
    output
        A folder to be, path or URI, that ends in one of `ENDINGS`. It holds Spark's part files, with the
        columns that the local engine writes (kept ones as text if an input is a URI), in no order of rows.
        Rows that cannot be scored go to the folder ``OUTPUT.rejects.jsonl``. Where `output` is a path it
        appears only when it is whole, and the rejects only if there are any; where it is a URI, the files
        ``_SUCCESS`` say that both are whole.
    model
        As for `framelens.load`.
    max_rejects
        Leave no output if more rows than this were rejected; None for never.

    Raises
    ------
    UserError
        When an input, the output or the model cannot be used, the executors lack framelens, or too many rows
        are rejected.
    """
    from pyspark import StorageLevel
    from pyspark.sql import functions as sf

    _check_output(output)
    files = session.sparkContext.broadcast(model_files(model))
    scored = None
    try:
        scored = _answers(session, inputs, columns, files).persist(StorageLevel.DISK_ONLY)
        sums = sf.count("_bytes"), sf.count("_reason"), sf.sum("_bytes"), sf.sum("_passed")
        total = scored.agg(*sums).first()
        assert total is not None
        counts = Counts(*(value or 0 for value in total))
        if max_rejects is not None and counts.rejected > max_rejects:
            raise UserError(
                f"{counts.rejected} rows were rejected, more than {max_rejects}; nothing is written"
            )
        _write(scored.where("_bytes is not null").drop(*NOTES), output)
        named = [sf.col(name).alias(name.removeprefix("_")) for name in NOTES[:3]]
        rejects = f"{output}.rejects.jsonl"
        if counts.rejected or _URI.match(output):
            _write(scored.where("_reason is not null").select(*named), rejects)
        else:
            shutil.rmtree(rejects, ignore_errors=True)  # an earlier run's
    except Exception as error:
        raise _explained(error) from error
    finally:
        if scored is not None:
            scored.unpersist()
        files.unpersist()
    return counts


def new_session() -> SparkSession:
    """The session that spark-submit set up, or one on all cores of this machine."""
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)  # or it takes the python3 that it finds
    try:
        session = SparkSession.builder.appName("framelens score").getOrCreate()
    except PySparkException as error:
        if "JAVA_GATEWAY_EXITED" not in str(error):
            raise
        raise UserError(
            "Spark did not start: it needs Java 17 or newer; install it or set JAVA_HOME"
        ) from None
    return session


def model_files(model: str | None) -> ModelFiles:
    """The files of a model that loads, by name."""
    load(model)  # says what is wrong with it, here and not on some executor
    if model is None:
        folder = CHAMPION
    elif model.startswith(("models:/", "runs:/")):
        from framelens_train.registry import download_model

        folder = Path(download_model(model))
    else:
        folder = Path(model)
    return {name: (folder / name).read_bytes() for name in (MANIFEST, WEIGHTS, TERMS, CARD)}


def _answers(session: SparkSession, inputs: Sequence[str], columns: Columns, files: Any) -> DataFrame:
    """Answers and rejects of all inputs, with the columns `NOTES` behind."""
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", ARROW_ROWS)
    if "-" in inputs:
        raise UserError("standard input (-) is for the local engine; give Spark files")
    uris = [name for name in inputs if _URI.match(name)]
    sources = find_sources([name for name in inputs if not _URI.match(name)])
    types = kept_types(sources, columns)
    plan = _Plan(session, columns, files, types if not uris else dict.fromkeys(types, _text()))
    found = [plan.of_paths(sources)] if sources else []
    for lines in (True, False):
        if some := [uri for uri in uris if uri.lower().endswith(_LINES) == lines]:
            found.append(plan.of_lines(some) if lines else plan.of_parquet(some))
    whole = found[0]
    for more in found[1:]:
        whole = whole.union(more)
    return whole


def _text() -> pa.DataType:
    import pyarrow as pa

    return pa.string()


class _Plan:
    """Makes the part of the job that one kind of input asks for."""

    def __init__(self, session: SparkSession, columns: Columns, files: Any, types: KeptTypes) -> None:
        from pyspark.sql.pandas.types import from_arrow_type

        self._session, self._columns, self._files, self._types = session, columns, files, types
        kept = ""
        for name, kind in types.items():
            try:
                shown = from_arrow_type(kind).simpleString()
            except Exception:  # Spark has no such type
                types[name], shown = _text(), "string"
            kept += f", `{kept_name(name).replace('`', '``')}` {shown}"
        notes = "_file string, _row bigint, _reason string, _bytes bigint, _passed bigint"
        self._schema = f"{_ANSWERS}{kept}, {notes}"

    def _scored(self, table: DataFrame, read: Callable[[Batches], Iterator[Block]]) -> DataFrame:
        return table.mapInArrow(Worker(self._files, self._types, read), self._schema)

    def of_paths(self, sources: list[Source]) -> DataFrame:
        """A task reads its files one after the other; every task gets about the same number of bytes."""
        first = str(Path(sources[0].path).absolute())
        tasks = max(1, min(len(sources), 8 * self._session.sparkContext.defaultParallelism))
        by_size = sorted(sources, key=lambda source: -source.size)
        placed = [replace(source, path=str(Path(source.path).absolute())) for source in by_size]
        groups = [placed[i::tasks] for i in range(tasks)]
        read = partial(read_paths, groups=groups, columns=self._columns, first=first)
        return self._scored(self._session.range(0, tasks, 1, tasks), read)

    def of_lines(self, uris: list[str]) -> DataFrame:
        """Spark splits the files into lines, and the local engine's parser reads them."""
        from framelens.scoring.readers.jsonl import find_names

        lines = self._session.read.option("lineSep", "\n").text(uris)
        head = "\n".join(row[0] for row in lines.limit(50).collect()).encode("utf-8", "replace")
        names = find_names(uris[0], head, self._columns)
        if names is None:
            raise UserError(f"{uris[0]} has no line of JSON in its first 50 lines")
        chosen = lines.select("value", "_metadata.file_path", "_metadata.file_block_start")
        return self._scored(chosen, partial(read_lines, names=names))

    def of_parquet(self, uris: list[str]) -> DataFrame:
        """Spark reads the columns, the local engine looks at them."""
        for uri in uris:
            if not uri.lower().rstrip("/").endswith((".parquet", "*")):
                raise UserError(f"{uri} is none of .jsonl, .ndjson (or .gz of these) and .parquet")
        table = self._session.read.parquet(*uris)
        names = self._columns.resolve(uris[0], table.columns)
        kind = dict(table.dtypes)[names.text]
        if not kind.startswith(("string", "varchar", "char")):
            raise UserError(
                f"{uris[0]}: {names.text!r} is {kind}, not text: name the right column with --text-column"
            )
        quoted = (f"`{name.replace('`', '``')}`" for name in names.all)
        chosen = table.select(*quoted, "_metadata.file_path", "_metadata.row_index")
        return self._scored(chosen, partial(read_parquet, names=names))


def _write(table: DataFrame, output: str) -> None:
    """A folder of part files, moved into place where it is on this machine's disk."""
    if _URI.match(output):
        _write_to(table, output, output)
        return
    target = Path(output).absolute()
    beside = target.with_name(f"{target.name}.partial")
    _write_to(table, output, f"file://{beside}")
    if target.exists():
        shutil.rmtree(target)
    beside.replace(target)


def _write_to(table: DataFrame, output: str, uri: str) -> None:
    writer = table.write.mode("overwrite")
    if output.endswith(".parquet"):
        writer.option("compression", "zstd").parquet(uri)
    else:
        writer.option("ignoreNullFields", "false").json(uri)


def _check_output(output: str) -> None:
    if not output.endswith(ENDINGS):
        raise UserError(f"{output} ends in none of {', '.join(ENDINGS)}, which say how Spark is to write it")
    for name in (output, f"{output}.rejects.jsonl"):
        target = Path(name)
        if not _URI.match(name) and target.exists() and not (target / "_SUCCESS").exists():
            raise UserError(f"{name} exists and is no earlier output of Spark; choose another name")


def _explained(error: Exception) -> Exception:
    """A worker's error as one line, where the user can mend it."""
    text = str(error)
    if found := re.search(r"framelens\.errors\.UserError: ([^\n]+)", text):
        return UserError(found[1])
    if missing := re.search(r"ModuleNotFoundError: No module named '(\S+)'", text):
        return UserError(
            f"the executors' Python has no {missing[1]}: ship an environment with framelens by --archives "
            "and set spark.pyspark.python to its Python, or install framelens on every node"
        )
    if "PATH_NOT_FOUND" in text and (missing := re.search(r"Path does not exist: (\S+?)\.? ", text + " ")):
        return UserError(f"cannot read {missing[1]}: Spark finds nothing there")
    return error
