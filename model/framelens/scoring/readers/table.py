"""CSV and TSV: a block of records at once by Arrow's parser, record by record where that refuses.

The slow way says what is right: Python's `csv`. A block goes the fast way if its quotes stand where a writer
puts them (around whole fields, doubled within), so that both parsers see the same records, and Arrow finds as
many records of as many fields. Where quotes stand elsewhere it is not certain where a record ends: the rest
of the file goes the slow way.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from framelens.scoring import rows as limits
from framelens.scoring.readers.streams import Stream
from framelens.scoring.rows import Block, Blocks, Columns, Names, Position, Reject, Rows, make_rows, refuse
from framelens.scoring.sources import Kind, Source

if TYPE_CHECKING:
    import pyarrow as pa

_BOM = b"\xef\xbb\xbf"
_QUOTE, _NEWLINE, _RETURN = b'"\n\r'


class _Layout(NamedTuple):
    """What the header says."""

    file: str
    delimiter: str
    header: list[str]
    names: Names


class _Records(NamedTuple):
    """Whole records of a table.

    Attributes
    ----------
    content
        As they stand in the file.
    number
        How many, blank lines among them; -1 where that is not certain: the rest of the file comes after it.
    error
        What keeps the rest from being read.
    reason
        Why the one record that this is cannot be scored; nothing is kept of it.
    """

    content: bytes
    number: int
    error: Exception | None = None
    reason: str = ""


def read_table(source: Source, columns: Columns, start: Position) -> Blocks:
    """Every record after the header."""
    csv.field_size_limit(limits.LONGEST_RECORD)
    delimiter = "\t" if source.kind is Kind.TSV else ","
    layout, row = None, 0
    with Stream(source) as stream:
        for records in _record_blocks(stream, ord(delimiter)):
            content, count = records.content, records.number
            if records.reason and layout is not None:
                rejects = (Reject(source.path, row + 1, records.reason),)
                yield Block(None, rejects, Position(row + 1), stream.consumed)
            if layout is None:
                if records.error is not None:
                    raise records.error
                header, content = _split_header(content, delimiter)
                layout = _Layout(source.path, delimiter, header, columns.resolve(source.path, header))
                count -= count > 0
            for block in _read(content, count, stream, layout, row):
                yield Block(block.rows, block.rejects, block.end, stream.consumed)
            row += count
            if records.error is not None:
                raise records.error
    if layout is None:
        columns.resolve(source.path, [])


def _read(content: bytes, count: int, stream: Stream, layout: _Layout, before: int) -> Blocks:
    if count < 0:
        yield from _read_slowly(io.BufferedReader(_Joined(content, stream), 1 << 20), layout, before)
    elif content:
        rows = _read_fast(content, count, layout, before)
        if rows is None:
            yield from _read_slowly(io.BytesIO(content), layout, before)
        else:
            good, rejects = refuse(rows, layout.names.text)
            yield Block(good, tuple(rejects), Position(before + count), 0)


def _split_header(content: bytes, delimiter: str) -> tuple[list[str], bytes]:
    """The fields of the first record, and what comes after it."""
    decoded = content.decode("utf-8", "surrogateescape")
    text = io.StringIO(decoded, newline="")
    header = next(csv.reader(text, delimiter=delimiter), [])
    return header, decoded[text.tell() :].encode("utf-8", "surrogateescape")


def _record_blocks(stream: Stream, delimiter: int) -> Iterator[_Records]:
    """The table in blocks of about `rows.BLOCK_BYTES`."""
    left = b""  # of the record that no end was found for yet
    first = True
    while True:
        try:
            chunk = stream.read(limits.BLOCK_BYTES)
        except (OSError, ValueError) as error:
            yield _Records(b"", 0, error)
            return
        content = left + (chunk.removeprefix(_BOM) if first else chunk)
        first = False
        cut, count = _whole_records(content, delimiter, final=not chunk)
        if count < 0:
            yield _Records(content, -1)
            return
        if len(content) - cut > limits.LONGEST_RECORD:
            left = _skip_record(stream, content.count(b'"'))
            yield _Records(b"", 1, reason=f"the record is longer than {limits.LONGEST_RECORD >> 20} MB")
            continue
        if cut:
            yield _Records(content[:cut], count)
        if not chunk:
            return
        left = content[cut:]


def _skip_record(stream: Stream, quotes: int) -> bytes:
    """Read over the rest of a record in which there were so many quotes; what was read after it."""
    while chunk := stream.read(limits.BLOCK_BYTES):
        data = np.frombuffer(chunk, dtype=np.uint8)
        marks, newlines = np.flatnonzero(data == _QUOTE), np.flatnonzero(data == _NEWLINE)
        ends = newlines[(quotes + np.searchsorted(marks, newlines)) % 2 == 0]
        if len(ends):
            return chunk[int(ends[0]) + 1 :]
        quotes += len(marks)
    return b""


def _whole_records(content: bytes, delimiter: int, *, final: bool) -> tuple[int, int]:
    """Where the last whole record ends, and how many end before it; -1 where quotes leave that open."""
    data = np.frombuffer(content, dtype=np.uint8)
    quotes = np.flatnonzero(data == _QUOTE)
    newlines = np.flatnonzero(data == _NEWLINE)
    ends = newlines[np.searchsorted(quotes, newlines) % 2 == 0]  # those outside of quotes
    cut = len(data) if final else int(ends[-1]) + 1 if len(ends) else 0
    if not cut:
        return 0, 0
    quotes = quotes[: np.searchsorted(quotes, cut)]
    opening, closing = quotes[0::2], quotes[1::2]
    before = np.where(opening > 0, data[opening - 1], _NEWLINE)
    after = np.where(closing < cut - 1, data[np.minimum(closing + 1, cut - 1)], _NEWLINE)
    # a quote that is doubled closes and opens
    regular = len(opening) == len(closing)
    regular &= bool(np.isin(before, (delimiter, _NEWLINE, _QUOTE)).all())
    regular &= bool(np.isin(after, (delimiter, _NEWLINE, _RETURN, _QUOTE)).all())
    returns = np.flatnonzero(data[:cut] == _RETURN)  # alone they end a record, too
    regular &= bool((data[np.minimum(returns + 1, cut - 1)] == _NEWLINE).all())
    if not regular:
        return 0, -1
    return cut, len(ends) + (final and content[-1] != _NEWLINE)


def _read_fast(content: bytes, count: int, layout: _Layout, before: int) -> Rows | None:
    """A block by Arrow's parser; None where it may read otherwise than record by record."""
    import pyarrow as pa
    import pyarrow.csv as pc

    at = {name: str(layout.header.index(name)) for name in layout.names.all}
    types = dict.fromkeys(at.values(), pa.string()) | {at[layout.names.text]: pa.large_string()}
    try:
        table = pc.read_csv(
            pa.BufferReader(content),
            pc.ReadOptions(
                use_threads=False,
                block_size=len(content) + 1,
                column_names=[str(i) for i in range(len(layout.header))],
            ),
            pc.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
            pc.ConvertOptions(include_columns=list(types), column_types=types, strings_can_be_null=False),
        )
    except pa.ArrowInvalid:
        return None
    if table.num_rows != count:
        return None

    def strings(name: str) -> pa.Array:
        column = table.column(at[name]).combine_chunks()
        return column.cast(pa.string()) if name == layout.names.text else column

    names = layout.names
    return make_rows(
        layout.file,
        np.arange(before + 1, before + 1 + count, dtype=np.int64),
        strings(names.id) if names.id else None,
        table.column(at[names.text]).combine_chunks(),
        {name: strings(name) for name in names.keep},
    )


class _Joined(io.RawIOBase):
    """Some bytes, then a stream."""

    def __init__(self, content: bytes, stream: Stream) -> None:
        super().__init__()
        self._content, self._stream = io.BytesIO(content), stream

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Called by Python's buffers."""
        content = self._content.read(len(buffer)) or self._stream.read(len(buffer))
        buffer[: len(content)] = content
        return len(content)


def _read_slowly(raw: BinaryIO, layout: _Layout, before: int) -> Blocks:
    """Record by record."""
    text = io.TextIOWrapper(raw, encoding="utf-8", errors="surrogateescape", newline="")
    maker = _Maker(layout, before)
    for item in _records(csv.reader(text, delimiter=layout.delimiter)):
        maker.add(item)
        if maker.full:
            yield maker.block()
    yield maker.block()


def _records(records: Iterator[list[str]]) -> Iterator[list[str] | str]:
    """Records, or what is wrong with one; an error that ends the file is raised after them."""
    while True:
        try:
            yield next(records)
        except StopIteration:
            return
        except csv.Error as error:
            yield f"not a row of the table: {error}"


class _Maker:
    """Gathers records into blocks."""

    def __init__(self, layout: _Layout, before: int) -> None:
        self._layout, self._row = layout, before
        self._at = {name: layout.header.index(name) for name in layout.names.all}
        self._begin()

    def _begin(self) -> None:
        self._numbers: list[int] = []
        self._values: list[list[str]] = []
        self._rejects: list[Reject] = []
        self._size = 0

    @property
    def full(self) -> bool:
        """Whether it is time for a block."""
        enough = len(self._values) >= limits.BLOCK_ROWS or len(self._rejects) >= limits.BLOCK_ROWS
        return enough or self._size >= limits.BLOCK_BYTES

    def add(self, record: list[str] | str) -> None:
        """One more record; a string says what is wrong with it."""
        self._row += 1
        if record == []:
            return
        width = len(self._layout.header)
        values: list[str] | str
        if isinstance(record, str):
            values = record
        elif len(record) == width:
            values = _encodable({name: record[at] for name, at in self._at.items()})
        else:
            values = f"{len(record)} fields where the header has {width}"
        if isinstance(values, str):
            self._rejects.append(Reject(self._layout.file, self._row, values))
            return
        self._numbers.append(self._row)
        self._values.append(values)
        self._size += sum(map(len, values))

    def block(self) -> Block:
        """What was gathered since the last."""
        import pyarrow as pa

        rows, rejects, names = None, self._rejects, self._layout.names
        if self._numbers:
            columns = dict(zip(self._at, zip(*self._values, strict=True), strict=True))
            made = make_rows(
                self._layout.file,
                np.array(self._numbers, dtype=np.int64),
                pa.array(columns[names.id], type=pa.string()) if names.id else None,
                pa.array(columns[names.text], type=pa.large_string()),
                {name: pa.array(columns[name], type=pa.string()) for name in names.keep},
            )
            rows, long = refuse(made, names.text)
            rejects = sorted([*rejects, *long], key=lambda reject: reject.row)
        self._begin()
        return Block(rows, tuple(rejects), Position(self._row), 0)


def _encodable(values: dict[str, str]) -> list[str] | str:
    for name, value in values.items():
        try:
            value.encode()
        except UnicodeEncodeError:
            return f"{name!r} is not valid UTF-8"
    return list(values.values())
