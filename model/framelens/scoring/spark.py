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
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from framelens.artifact import CARD, MANIFEST, TERMS, WEIGHTS
from framelens.errors import UserError
from framelens.predictor import CHAMPION, Model, load
from framelens.scoring.readers import read_rows
from framelens.scoring.rows import LONGEST_LINE, Columns, Names, Reject, Rows
from framelens.scoring.run import Counts
from framelens.scoring.score import kept_name, score_table
from framelens.scoring.sources import Source, find_sources

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
_NOTES = ("_file", "_row", "_reason", "_bytes")
"""Columns for the run itself: where a rejected row was and why, null for an answer; bytes of text."""

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
        columns that the local engine writes, kept ones as text; the order of rows is not the input's. Rows
        that cannot be scored go to the folder ``OUTPUT.rejects.jsonl``. Where `output` is a path it appears
        only when it is whole, and the rejects only if there are any; where it is a URI, the files
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
        rejected = sf.col("_reason").isNotNull()
        total = scored.agg(sf.count("*"), sf.count("_reason"), sf.sum("_bytes")).first()
        assert total is not None
        counts = Counts(total[0] - total[1], total[1], total[2] or 0)
        if max_rejects is not None and counts.rejected > max_rejects:
            raise UserError(
                f"{counts.rejected} rows were rejected, more than {max_rejects}; nothing is written"
            )
        _write(scored.where(~rejected).drop(*_NOTES), output)
        named = [sf.col(name).alias(name.removeprefix("_")) for name in _NOTES[:3]]
        rejects = f"{output}.rejects.jsonl"
        if counts.rejected or _URI.match(output):
            _write(scored.where(rejected).select(*named), rejects)
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
        from framelens_train.track import download_model

        folder = Path(download_model(model))
    else:
        folder = Path(model)
    return {name: (folder / name).read_bytes() for name in (MANIFEST, WEIGHTS, TERMS, CARD)}


@lru_cache(maxsize=2)
def _load_once(files: tuple[tuple[str, bytes], ...]) -> Model:
    with tempfile.TemporaryDirectory(prefix="framelens-model-") as folder:
        for name, content in files:
            (Path(folder) / name).write_bytes(content)
        return load(folder)


def _answers(session: SparkSession, inputs: Sequence[str], columns: Columns, files: Any) -> DataFrame:
    """Answers and rejects of all inputs, with the columns `_NOTES` behind."""
    session.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", ARROW_ROWS)
    kept = "".join(f", `{kept_name(name).replace('`', '``')}` string" for name in columns.keep)
    schema = f"{_ANSWERS}{kept}, _file string, _row bigint, _reason string, _bytes bigint"
    uris = [name for name in inputs if _URI.match(name)]
    paths = [name for name in inputs if not _URI.match(name)]
    if "-" in paths:
        raise UserError("standard input (-) is for the local engine; give Spark files")
    found = []
    if paths:
        found.append(_of_paths(session, find_sources(paths), columns, files, schema))
    for lines in (True, False):
        if some := [uri for uri in uris if uri.lower().endswith(_LINES) == lines]:
            found.append((_of_lines if lines else _of_parquet)(session, some, columns, files, schema))
    whole = found[0]
    for more in found[1:]:
        whole = whole.union(more)
    return whole


def _of_paths(
    session: SparkSession, sources: list[Source], columns: Columns, files: Any, schema: str
) -> DataFrame:
    """A task reads its files one after the other; every task gets about the same number of bytes."""
    tasks = max(1, min(len(sources), 8 * session.sparkContext.defaultParallelism))
    by_size = sorted((replace(s, path=str(Path(s.path).absolute())) for s in sources), key=lambda s: -s.size)
    groups = [by_size[i::tasks] for i in range(tasks)]
    read = partial(_read_paths, groups=groups, columns=columns)
    return session.range(0, tasks, 1, tasks).mapInArrow(_Worker(files, columns.keep, read), schema)


def _of_lines(session: SparkSession, uris: list[str], columns: Columns, files: Any, schema: str) -> DataFrame:
    from framelens.scoring.readers.jsonl import find_names

    lines = session.read.option("lineSep", "\n").text(uris)
    head = "\n".join(row[0] for row in lines.limit(50).collect()).encode("utf-8", "replace")
    names = find_names(uris[0], head, columns)
    if names is None:
        raise UserError(f"{uris[0]} has no line of JSON in its first 50 lines")
    chosen = lines.select("value", "_metadata.file_path", "_metadata.file_block_start")
    return chosen.mapInArrow(_Worker(files, columns.keep, partial(_read_lines, names=names)), schema)


def _of_parquet(
    session: SparkSession, uris: list[str], columns: Columns, files: Any, schema: str
) -> DataFrame:
    for uri in uris:
        if not uri.lower().rstrip("/").endswith((".parquet", "*")):
            raise UserError(
                f"{uri} is neither .jsonl, .ndjson (plain or .gz) nor .parquet, which Spark reads"
            )
    table = session.read.parquet(*uris)
    names = columns.resolve(uris[0], table.columns)
    kind = dict(table.dtypes)[names.text]
    if not kind.startswith(("string", "varchar", "char")):
        raise UserError(
            f"{uris[0]}: {names.text!r} is {kind}, not text: name the right column with --text-column"
        )
    quoted = (f"`{name.replace('`', '``')}`" for name in names.all)
    chosen = table.select(*quoted, "_metadata.file_path", "_metadata.row_index")
    return chosen.mapInArrow(_Worker(files, columns.keep, partial(_read_parquet, names=names)), schema)


Batches = Iterator["pa.RecordBatch"]


@dataclass(frozen=True)
class _Worker:
    """What a task does: read, score, say what cannot be scored."""

    files: Any
    kept: tuple[str, ...]
    read: Callable[[Batches], Iterator[Rows | Reject]]

    def __call__(self, batches: Batches) -> Batches:
        model = _load_once(tuple(sorted(self.files.value.items())))
        for item in self.read(batches):
            table = self._rejected(item) if isinstance(item, Reject) else self._scored(model, item)
            yield from table.combine_chunks().to_batches()

    def _scored(self, model: Model, rows: Rows) -> pa.Table:
        import pyarrow as pa
        import pyarrow.compute as pc

        from framelens.scoring.columns import as_strings

        answers = score_table(model, rows.table, self.kept)
        for i in range(len(answers.columns) - len(self.kept), len(answers.columns)):
            text = as_strings(answers.column(i).combine_chunks())
            answers = answers.set_column(i, answers.column_names[i], text)
        nothing = pa.nulls(answers.num_rows, pa.string())
        size = pc.cast(pc.binary_length(rows.table.column(1)), pa.int64())
        notes = (nothing, pa.nulls(answers.num_rows, pa.int64()), nothing, size)
        for name, column in zip(_NOTES, notes, strict=True):
            answers = answers.append_column(name, column)
        return answers

    def _rejected(self, reject: Reject) -> pa.Table:
        import pyarrow as pa

        strings, row = pa.string(), {"_file": [reject.file], "_row": [reject.row], "_reason": [reject.reason]}
        types = [
            *(("id", strings), ("label", strings), ("p_state", pa.float64()), ("score", pa.float64())),
            *(("reasons", pa.list_(strings)), ("n_words", pa.int32()), ("model", strings)),
            *((kept_name(name), strings) for name in self.kept),
            *(("_file", strings), ("_row", pa.int64()), ("_reason", strings), ("_bytes", pa.int64())),
        ]
        columns = [pa.array(row.get(name, [None]), type=kind) for name, kind in types]
        return pa.table(columns, names=[name for name, _ in types])


def _read_paths(batches: Batches, groups: list[list[Source]], columns: Columns) -> Iterator[Rows | Reject]:
    for batch in batches:
        for number in batch.column(0).to_pylist():
            for source in groups[number]:
                yield from read_rows(source, columns)


def _read_lines(batches: Batches, names: Names) -> Iterator[Rows | Reject]:
    """Lines by the local engine's parser. Rows are counted from where a file was split, ``FILE@BYTE``."""
    import pyarrow as pa

    from framelens.scoring.readers.jsonl import parse

    at, before = ("", -1), 0
    for batch in batches:
        for file, start, stretch in _stretches(batch):
            if (file, start) != at:
                at, before = (file, start), 0
            name = f"{file}@{start}" if start else file
            lines = stretch.column(0).cast(pa.binary()).to_pylist()
            for i, line in enumerate(lines):
                if len(line) > LONGEST_LINE:
                    why = f"the line is longer than {LONGEST_LINE >> 20} MB"
                    yield Reject(name, before + i + 1, why)
                    lines[i] = b""
            content = b"\n".join(lines)
            if not before and not start:
                content = content.removeprefix(b"\xef\xbb\xbf")
            rows, rejects = parse(name, before, content, names)
            if rows is not None:
                yield rows
            yield from rejects
            before += len(lines)


def _read_parquet(batches: Batches, names: Names) -> Iterator[Rows | Reject]:
    from framelens.scoring.readers.arrow import cut

    for batch in batches:
        for file, first, stretch in _stretches(batch, contiguous=True):
            for block in cut(file, stretch, names, first):
                if block.rows is not None:
                    yield block.rows
                yield from block.rejects


def _stretches(
    batch: pa.RecordBatch, *, contiguous: bool = False
) -> Iterator[tuple[str, int, pa.RecordBatch]]:
    """Rows of one file that stand together: its name, the value of the last column in the first row, and the
    rows. That column is the same in all of them, or counts on by one where they are `contiguous`.
    """
    import numpy as np

    if not batch.num_rows:
        return
    files = batch.column(batch.num_columns - 2).dictionary_encode()
    codes = files.indices.to_numpy()
    places = batch.column(batch.num_columns - 1).to_numpy()
    step = 1 if contiguous else 0
    cuts = np.flatnonzero((np.diff(codes) != 0) | (np.diff(places) != step)) + 1
    for first, last in zip([0, *cuts.tolist()], [*cuts.tolist(), batch.num_rows], strict=True):
        file = unquote(files.dictionary[int(codes[first])].as_py())
        yield (
            re.sub(r"^(\w+):/(?=[^/])", r"\1:///", file),
            int(places[first]),
            batch.slice(first, last - first),
        )


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
