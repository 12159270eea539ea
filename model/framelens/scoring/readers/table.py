"""CSV and TSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import numpy as np

from framelens.scoring import rows as limits
from framelens.scoring.readers.streams import Stream
from framelens.scoring.rows import Block, Blocks, Columns, Names, Position, Reject, make_rows, refuse
from framelens.scoring.sources import Kind, Source


def read_table(source: Source, columns: Columns, start: Position) -> Blocks:
    """Every record after the header."""
    file = source.path
    csv.field_size_limit(limits.LONGEST_LINE)
    with Stream(source) as stream:
        buffered = io.BufferedReader(stream, 1 << 20)
        text = io.TextIOWrapper(buffered, encoding="utf-8-sig", errors="surrogateescape", newline="")
        records = csv.reader(text, delimiter="\t" if source.kind is Kind.TSV else ",")
        header = next(records, [])
        names = columns.resolve(file, header)
        maker = _Maker(file, header, names)
        for item in _records(records):
            maker.add(item)
            if maker.full:
                yield maker.block(stream.consumed)
        yield maker.block(stream.consumed)


def _records(records: Iterator[list[str]]) -> Iterator[list[str] | str | Exception]:
    """Records, what is wrong with one, or what ends the file."""
    while True:
        try:
            yield next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"not a row of the table: {error}"
        except (OSError, ValueError) as error:
            yield error
            return


class _Maker:
    """Gathers records into blocks."""

    def __init__(self, file: str, header: list[str], names: Names) -> None:
        self._file, self._width, self._names = file, len(header), names
        self._at = {name: header.index(name) for name in names.all}
        self._row = 0
        self._begin()

    def _begin(self) -> None:
        self._numbers: list[int] = []
        self._records: list[list[str]] = []
        self._rejects: list[Reject] = []
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether it is time for a block."""
        enough = len(self._records) >= limits.BLOCK_ROWS or len(self._rejects) >= limits.BLOCK_ROWS
        return enough or self._size >= limits.BLOCK_BYTES

    def add(self, record: list[str] | str | Exception) -> None:
        """One more record."""
        self._row += 1
        if isinstance(record, str):
            return self._refuse(record)
        if isinstance(record, Exception):
            return self._refuse(f"the file cannot be read from here on: {' '.join(str(record).split())}")
        if len(record) != self._width:
            return (
                self._refuse(f"{len(record)} fields where the header has {self._width}") if record else None
            )
        fields = [record[at] for at in self._at.values()]
        for name, value in zip(self._at, fields, strict=True):
            try:
                value.encode()
            except UnicodeEncodeError:
                return self._refuse(f"{name!r} is not valid UTF-8")
        self._numbers.append(self._row)
        self._records.append(fields)
        self._size += sum(map(len, fields))
        return None

    def _refuse(self, reason: str) -> None:
        self._rejects.append(Reject(self._file, self._row, reason))

    def block(self, size: int) -> Block:
        """What was gathered since the last."""
        import pyarrow as pa

        rows, rejects = None, self._rejects
        if self._numbers:
            values = dict(zip(self._at, zip(*self._records, strict=True), strict=True))
            names = self._names
            rows, long = refuse(
                make_rows(
                    self._file,
                    np.array(self._numbers, dtype=np.int64),
                    pa.array(values[names.id], type=pa.string()) if names.id else None,
                    pa.array(values[names.text], type=pa.large_string()),
                    {name: pa.array(values[name], type=pa.string()) for name in names.keep},
                ),
                names.text,
            )
            rejects = sorted([*rejects, *long], key=lambda reject: reject.row)
        self._begin()
        return Block(rows, tuple(rejects), Position(self._row), size)
