"""Read labelled articles row by row from JSON lines, CSV or Parquet, whatever compression they are in."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from framelens.errors import UserError

Row = dict[str, Any]

SUFFIXES = (".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
COMPRESSIONS = (".gz", ".zst")
_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd", b"PAR1": "Parquet", b"PK\x03\x04": "zip or Excel"}
_LONGEST_CSV_FIELD = 1 << 28


def iterate_rows(path: Path) -> Iterator[tuple[int, Row]]:
    """Rows of a file of articles with their numbers, counted from 1 (JSON lines: lines; others: records).

    Raises
    ------
    UserError
        When the file is absent, empty, of an unknown kind, not what its name says, or broken at some row.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a .jsonl, .csv or .parquet file of articles")
    if path.stat().st_size == 0:
        raise UserError(f"{path}: the file is empty; it must hold at least one article of each class")
    kind, compression = _kind_of(path)
    try:
        if kind == ".parquet":
            yield from _parquet(path)
            return
        with _open(path, compression) as stream:
            if kind in (".csv", ".tsv"):
                yield from _csv(path, stream, "," if kind == ".csv" else "\t")
            else:
                yield from _jsonl(path, stream)
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path}: byte {error.start} of a block is not UTF-8 ({error.reason}); save the file as UTF-8"
        ) from None
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise UserError(
            f"{path}: cannot be read to its end ({error}); fetch or compress the file again"
        ) from None


def _kind_of(path: Path) -> tuple[str, str]:
    """Suffix that names the format and suffix that names the compression, checked against the first bytes."""
    compression = path.suffix.lower() if path.suffix.lower() in COMPRESSIONS else ""
    kind = Path(path.stem if compression else path.name).suffix.lower()
    if kind not in SUFFIXES or (kind == ".parquet" and compression):
        known = ", ".join(SUFFIXES)
        raise UserError(
            f"{path}: unknown kind of file; its name must end in one of {known} (text: also .gz, .zst)"
        )
    with path.open("rb") as stream:
        start = stream.read(4)
    expected = {".gz": "gzip", ".zst": "zstd"}.get(compression, "Parquet" if kind == ".parquet" else "text")
    found = next((name for magic, name in _MAGIC.items() if start.startswith(magic)), "text")
    if found != expected:
        raise UserError(
            f"{path}: the name says {expected}, the content is {found}; rename or convert the file"
        )
    return kind, compression


def _open(path: Path, compression: str) -> IO[str]:
    raw: IO[bytes]
    if compression == ".gz":
        raw = cast(IO[bytes], gzip.open(path, "rb"))  # noqa: SIM115 - the text wrapper closes it
    elif compression == ".zst":
        import zstandard

        raw = zstandard.open(path, "rb")
    else:
        raw = path.open("rb")
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def _jsonl(path: Path, stream: IO[str]) -> Iterator[tuple[int, Row]]:
    import orjson
    import zstandard

    number = 0
    try:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            try:
                row = orjson.loads(line)
            except orjson.JSONDecodeError as error:
                raise UserError(
                    f"{path}, line {number}: not JSON ({error}); write one JSON object a line"
                ) from None
            if not isinstance(row, dict):
                raise UserError(
                    f"{path}, line {number}: a JSON {type(row).__name__}; write one JSON object a line"
                )
            yield number, row
    except zstandard.ZstdError as error:
        raise UserError(f"{path}, after line {number}: broken zstd ({error}); fetch the file again") from None


def _csv(path: Path, stream: IO[str], delimiter: str) -> Iterator[tuple[int, Row]]:
    import zstandard

    limit = csv.field_size_limit(_LONGEST_CSV_FIELD)
    number = 0
    try:
        reader = csv.DictReader(stream, delimiter=delimiter, strict=True)
        for number, row in enumerate(reader, 1):
            if None in row:
                raise UserError(
                    f"{path}, row {number}: more fields than columns; quote fields that hold commas"
                )
            yield number, row
    except csv.Error as error:
        raise UserError(
            f"{path}, row {number + 1}: not CSV ({error}); quote fields as RFC 4180 says"
        ) from None
    except zstandard.ZstdError as error:
        raise UserError(f"{path}, after row {number}: broken zstd ({error}); fetch the file again") from None
    finally:
        csv.field_size_limit(limit)


def _parquet(path: Path) -> Iterator[tuple[int, Row]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=2048):
                for row in batch.to_pylist():
                    number += 1
                    yield number, row
    except (pa.ArrowException, pa.ArrowInvalid) as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"{path}, after row {number}: broken Parquet ({first}); write the file again"
        ) from None
