"""Rows of articles from files: JSON lines (plain, .gz, .zst), CSV, TSV, Parquet.

A reader yields an `Article` or a `Reject` for every row, in order, and never stops at a broken one. A file
that breaks off (a truncated archive, say) ends with a `Reject` that says so.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from framelens.errors import UserError

TEXT_COLUMNS = ("text", "body", "content", "article", "maintext", "article_text", "full_text")
ID_COLUMNS = ("id", "doc_id", "uuid", "url", "address", "link")
LONGEST_LINE = 64 << 20
"""Bytes; a longer line of JSON is no article."""
_PARQUET_ROWS = 512


@dataclass(frozen=True, slots=True)
class Article:
    """One row to score; `row` counts from 1 in its file (lines of JSON lines, records of a table)."""

    file: str
    row: int
    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Reject:
    """One row, or the rest of a file, that cannot be scored, and why."""

    file: str
    row: int
    reason: str


@dataclass(frozen=True, slots=True)
class Columns:
    """The names that the user gave; None where they are to be found."""

    text: str | None = None
    id: str | None = None

    def resolve(self, file: str, available: list[str]) -> tuple[str, str | None]:
        """The text column and the id column, if any, of one file; a `UserError` lists what there is."""
        by_lower = {name.lower(): name for name in reversed(available)}
        text = self.text or next((by_lower[name] for name in TEXT_COLUMNS if name in by_lower), None)
        identifier = self.id or next((by_lower[name] for name in ID_COLUMNS if name in by_lower), None)
        for option, wanted in (("--text-column", text), ("--id-column", identifier if self.id else text)):
            if wanted not in available:
                what = f"no column {wanted!r}" if wanted else "no column of text"
                have = ", ".join(map(repr, available[:12])) or "none"
                raise UserError(f"{file} has {what}; it has {have}: name the right one with {option}")
        assert text is not None
        return text, identifier


Rows = Iterator[Article | Reject]
Progress = Callable[[int], object]
"""Called with the number of bytes read of the file so far."""


def read_rows(path: str, columns: Columns, progress: Progress = lambda _: None) -> Rows:
    """Every row of one file, or of standard input (``-``, JSON lines).

    Raises
    ------
    UserError
        When the kind of file is not known, or it has no column of text.
    """
    reader = _reader_for(path)
    last = 0
    try:
        for item in reader(path, columns, progress):
            last = item.row
            yield item
    except (OSError, EOFError, ValueError, NotImplementedError) as error:  # pyarrow's errors are among these
        yield Reject(path, last + 1, f"the file cannot be read from here on: {' '.join(str(error).split())}")


def check_inputs(paths: list[str]) -> None:
    """Refuse, before anything is read, what is missing, unreadable or of no known kind."""
    for path in paths:
        _reader_for(path)
        if path == "-":
            continue
        if Path(path).is_dir():
            raise UserError(f"{path} is a folder; name its files, for instance {path}/*.jsonl")
        try:
            Path(path).open("rb").close()
        except OSError as error:
            raise UserError(f"cannot read {path}: {error.strerror}") from None


def _reader_for(path: str) -> Callable[[str, Columns, Progress], Rows]:
    name = path.lower().removesuffix(".gz").removesuffix(".zst")
    if path == "-" or name.endswith((".jsonl", ".ndjson")):
        return _read_json_lines
    if name.endswith((".csv", ".tsv")):
        return _read_table
    if name.endswith(".parquet") and name == path.lower():
        return _read_parquet
    raise UserError(f"{path} is none of .jsonl, .ndjson, .csv, .tsv (each also .gz, .zst) and .parquet")


def _open(path: str, progress: Progress) -> BinaryIO:
    """A buffered binary stream, decompressed by its ending."""
    import pyarrow as pa

    if path == "-":
        return sys.stdin.buffer
    raw = _Counted(path, progress)
    kind = {".gz": "gzip", ".zst": "zstd"}.get(Path(path).suffix.lower())
    if kind is None:
        return io.BufferedReader(raw, 1 << 20)
    packed = pa.CompressedInputStream(pa.PythonFile(raw, mode="r"), kind)
    return io.BufferedReader(packed, 1 << 20)


class _Counted(io.FileIO):
    """A raw file that tells how much of it was read."""

    def __init__(self, path: str, progress: Progress) -> None:
        super().__init__(path)
        self._progress, self._seen = progress, 0

    def _count(self, n: int) -> None:
        self._seen += n
        self._progress(self._seen)

    def readinto(self, buffer: Any) -> int | None:
        """Called by Python's buffers."""
        n = super().readinto(buffer)
        self._count(n or 0)
        return n

    def read(self, size: int | None = -1) -> bytes:
        """Called by pyarrow."""
        content = super().read(-1 if size is None else size) or b""
        self._count(len(content))
        return content


def _read_json_lines(path: str, columns: Columns, progress: Progress) -> Rows:
    import orjson

    names: tuple[str, str | None] | None = None
    with _open(path, progress) as stream:
        for row, line in enumerate(_lines(stream), start=1):
            if line is None:
                yield Reject(path, row, f"the line is longer than {LONGEST_LINE >> 20} MB")
                continue
            if not line.strip():
                continue
            try:
                record = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                yield Reject(path, row, f"not JSON: {error}")
                continue
            if not isinstance(record, dict):
                yield Reject(path, row, f"not a JSON object but {type(record).__name__}")
                continue
            names = names or columns.resolve(path, list(record))
            yield _article(path, row, record, names)


def _lines(stream: BinaryIO) -> Iterator[bytes | None]:
    """Lines; None for one that is too long, which is read over without keeping it."""
    while line := stream.readline(LONGEST_LINE + 1):
        if len(line) <= LONGEST_LINE or line.endswith(b"\n"):
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = stream.readline(LONGEST_LINE)
        yield None


def _read_table(path: str, columns: Columns, progress: Progress) -> Rows:
    delimiter = "\t" if ".tsv" in path.lower()[-8:] else ","
    csv.field_size_limit(LONGEST_LINE)
    with _open(path, progress) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8-sig", errors="surrogateescape", newline="")
        records = csv.reader(text, delimiter=delimiter)
        header = next(records, [])
        names = columns.resolve(path, header)
        row = 0
        while True:
            row += 1
            try:
                fields = next(records)
            except StopIteration:
                return
            except csv.Error as error:
                yield Reject(path, row, f"not a row of the table: {error}")
                continue
            if len(fields) == len(header):
                yield _article(path, row, dict(zip(header, fields, strict=True)), names)
            elif fields:
                yield Reject(path, row, f"{len(fields)} fields where the header has {len(header)}")


def _read_parquet(path: str, columns: Columns, progress: Progress) -> Rows:
    import pyarrow.parquet as pq

    with Path(path).open("rb") as file, pq.ParquetFile(file) as parquet:
        names = columns.resolve(path, parquet.schema_arrow.names)
        wanted = [name for name in names if name is not None]
        row, rows = 0, max(1, parquet.metadata.num_rows)
        size = Path(path).stat().st_size
        for batch in parquet.iter_batches(batch_size=_PARQUET_ROWS, columns=wanted):
            for record in batch.to_pylist():
                row += 1
                yield _article(path, row, record, names)
            progress(size * row // rows)


def _article(path: str, row: int, record: dict[str, Any], names: tuple[str, str | None]) -> Article | Reject:
    column, id_column = names
    if column not in record:
        return Reject(path, row, f"it has no {column!r}")
    text = record[column]
    if not isinstance(text, str):
        kind = "null" if text is None else type(text).__name__
        return Reject(path, row, f"{column!r} is {kind}, not text")
    given = record.get(id_column) if id_column else None
    identifier = f"{path}:{row}" if given is None else str(given)
    for name, value in ((column, text), (id_column, identifier)):
        try:
            value.encode()
        except UnicodeEncodeError:
            return Reject(path, row, f"{name!r} is not valid UTF-8")
    return Article(path, row, identifier, text)
