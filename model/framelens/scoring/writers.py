"""Scores to a file that appears only when it is whole: Parquet, JSON lines or CSV, by its ending."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from framelens.errors import UserError

if TYPE_CHECKING:
    import pyarrow as pa

ENDINGS = (".parquet", ".jsonl", ".ndjson", ".csv")


class Writer(Protocol):
    """Takes tables of one schema, one after the other."""

    def write(self, table: pa.Table) -> None:
        """Append the rows."""

    def close(self) -> None:
        """Write what is left; the file stays open."""


def open_writer(ending: str, file: BinaryIO) -> Writer:
    """The writer for one of `ENDINGS`."""
    if ending == ".parquet":
        return _ParquetWriter(file)
    return _CsvWriter(file) if ending == ".csv" else _JsonLinesWriter(file)


def check_output(path: Path) -> str:
    """The ending of an output, lower-case; a `UserError` for one that cannot be written."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise UserError(f"{path} ends in none of {', '.join(ENDINGS)}, which say how to write it")
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the name of a file")
    return ending


@contextmanager
def moved_into_place(path: Path) -> Iterator[BinaryIO]:
    """A file beside `path` that takes its place when the block ends well and is deleted when it does not.

    Raises
    ------
    UserError
        When it cannot be written, or another run is writing it.
    """
    partial = path.with_name(f"{path.name}.partial")
    try:
        with partial.open("ab") as file:
            _lock(file, path)
            file.truncate(0)
            try:
                yield file
                file.flush()
                partial.replace(path)
            except BaseException:
                with suppress(OSError):
                    partial.unlink()
                raise
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from None


def _lock(file: BinaryIO, path: Path) -> None:
    """The lock goes with the process, so that what a killed run left behind is no obstacle."""
    try:
        import fcntl
    except ModuleNotFoundError:  # not a POSIX system
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f"another run is writing {path}; wait for it, or choose another output") from None


class _ParquetWriter:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        import pyarrow.parquet as pq

        if self._writer is None:
            self._writer = pq.ParquetWriter(self._file, table.schema, compression="zstd")
        self._writer.write_table(table)

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class _JsonLinesWriter:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, table: pa.Table) -> None:
        import orjson

        self._file.write(b"".join(orjson.dumps(row) + b"\n" for row in table.to_pylist()))

    def close(self) -> None:
        """Nothing is held back."""


class _CsvWriter:
    """Reasons are joined by semicolons."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._begun = False

    def write(self, table: pa.Table) -> None:
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        if not self._begun:
            writer.writerow(table.column_names)
            self._begun = True
        for row in table.to_pylist():
            writer.writerow([";".join(v) if isinstance(v, list) else v for v in row.values()])
        self._file.write(text.getvalue().encode())

    def close(self) -> None:
        """Nothing is held back."""


class RejectsFile:
    """``OUT.rejects.jsonl``: file, row and reason; it is there only if a row was rejected."""

    def __init__(self, output: Path) -> None:
        self.path = output.with_name(f"{output.name}.rejects.jsonl")
        self._partial = self.path.with_name(f"{self.path.name}.partial")
        self._partial.unlink(missing_ok=True)
        self.count = 0

    def add(self, file: str, row: int, reason: str) -> None:
        """Note one row."""
        with self._partial.open("a", encoding="utf-8", errors="backslashreplace") as out:
            out.write(json.dumps({"file": file, "row": row, "reason": reason}) + "\n")
        self.count += 1

    def finish(self) -> None:
        """Put the list in its place, or remove that of an earlier run."""
        if self.count:
            self._partial.replace(self.path)
        else:
            self.path.unlink(missing_ok=True)

    def discard(self) -> None:
        """Forget the list of a run that failed."""
        self._partial.unlink(missing_ok=True)
