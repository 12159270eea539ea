"""JSON lines: a block at once by the compiled scanner, line by line where that gives up.

The slow way says what is right: a line is what orjson reads of it, or Python's parser where there are numbers
that are none. The scanner reads the same or gives the block up.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens.errors import UserError
from framelens.features.compiled import RoomError
from framelens.scoring import rows as limits
from framelens.scoring.readers import scan
from framelens.scoring.readers.streams import Stream, line_blocks
from framelens.scoring.rows import (
    Block,
    Blocks,
    Columns,
    Names,
    Position,
    Reject,
    Rows,
    make_rows,
    refuse,
    too_long,
)
from framelens.scoring.sources import Source

if TYPE_CHECKING:
    import pyarrow as pa

_NO_NUMBER = re.compile(rb'"(?:[^"\\]|\\.)*"|-?Inf\b|-NaN\b')
"""Strings, and what some write where there is no number, and Python does not read."""
_BOM = b"\xef\xbb\xbf"


def read_json_lines(source: Source, columns: Columns, start: Position) -> Blocks:
    """Every line of a file; empty lines count and are passed over."""
    file = source.path
    names: Names | None = None
    row, offset = start.row, start.offset or 0
    plain = source.packing is None and file != "-"
    if not plain or start.offset is None:
        row = offset = 0
    elif offset:
        names = _names_of_beginning(source, columns)
    with Stream(source) as stream:
        if offset:
            stream.seek_to(offset)
        for lines in line_blocks(stream, offset):
            table, rejects = None, []
            content = lines.content
            if content is None:
                row += 1
                rejects.append(Reject(file, row, f"the line is longer than {limits.LONGEST_LINE >> 20} MB"))
            elif content:
                if row == 0 and content[: len(_BOM)] == _BOM:
                    content = content[len(_BOM) :]
                names = names or find_names(file, bytes(content), columns)
                table, rejects, count = parse(file, row, content, names)
                row += count
            end = Position(row, lines.end if plain else None)
            yield Block(table, tuple(rejects), end, stream.consumed)
            if lines.error is not None:
                raise lines.error


def _names_of_beginning(source: Source, columns: Columns) -> Names | None:
    """The columns as a run that began at the first byte found them."""
    with Stream(source) as stream:
        for lines in line_blocks(stream):
            if lines.content and (names := find_names(source.path, bytes(lines.content), columns)):
                return names
    return None


def find_names(file: str, content: bytes, columns: Columns) -> Names | None:
    """The columns by the first line that has them, else by all; None if no line is an object."""
    seen: dict[str, None] = {}
    for line in _split(content):
        record = _loads(line)
        if not isinstance(record, dict):
            continue
        try:
            return columns.resolve(file, list(record))
        except UserError:
            seen |= dict.fromkeys(record)
    return columns.resolve(file, list(seen)) if seen else None


def parse(
    file: str, before: int, content: memoryview, names: Names | None
) -> tuple[Rows | None, list[Reject], int]:
    """The rows of some lines, the first of which is number ``before + 1``, and how many lines there are."""
    found = _parse_fast(file, before, content, names) if names else None
    if found is not None and names is not None:
        rows, lines = found
        return *refuse(rows, names.text), lines
    return _parse_slowly(file, before, bytes(content), names)


def _parse_fast(file: str, before: int, content: memoryview, names: Names) -> tuple[Rows, int] | None:
    """The block by the compiled scanner; None where it gives up, and where there is no row."""
    import pyarrow as pa

    columns, data = names.all, np.frombuffer(content, dtype=np.uint8)
    # a long line takes memory
    if len(data) >= 4 * limits.BLOCK_BYTES or len(columns) > scan.MOST_COLUMNS or not _is_utf8(data):
        return None
    encoded = [name.encode("utf-8", "surrogatepass") for name in columns]
    wanted = np.frombuffer(b"".join(encoded), dtype=np.uint8), np.cumsum([0, *map(len, encoded)])
    key, room = np.empty(len(data), dtype=np.uint8), 16 + len(data) // 256
    while True:
        places = np.empty((room, len(columns), scan.PLACE), dtype=np.int64)
        lines = np.empty(room + 1, dtype=np.int64)
        try:
            n = scan.find_values(data, len(data), *wanted, len(columns), key, places, lines, room)
            break
        except RoomError:
            room *= 8
    if n <= 0:
        return None
    strings = {
        name: _strings(data, places[:n], column, pa.large_string() if column == 0 else pa.string())
        for column, name in enumerate(columns)
    }
    rows = make_rows(
        file,
        lines[:n] + (before + 1),
        strings[names.id] if names.id else None,
        strings[names.text],
        {name: strings[name] for name in names.keep},
    )
    return rows, int(lines[n])


def _strings(data: npt.NDArray[np.uint8], places: npt.NDArray[np.int64], column: int, kind: Any) -> pa.Array:
    """The values of a column; `places` has the shape (n, columns, PLACE)."""
    import pyarrow as pa

    n, columns, _ = places.shape
    starts, stops, _ = places[:, column].T
    out, ends = np.empty(int((stops - starts).sum()), dtype=np.uint8), np.empty(n + 1, dtype=np.int64)
    scan.copy_values(data, places, columns, column, n, out, ends)
    there = None if (starts >= 0).all() else pa.py_buffer(np.packbits(starts >= 0, bitorder="little"))
    offsets = ends.astype(np.int64 if kind == pa.large_string() else np.int32)
    return pa.Array.from_buffers(kind, n, [there, pa.py_buffer(offsets), pa.py_buffer(out[: ends[-1]])])


def _is_utf8(data: npt.NDArray[np.uint8]) -> bool:
    import pyarrow as pa

    buffers = [None, pa.py_buffer(np.array([0, len(data)])), pa.py_buffer(data)]
    try:
        pa.Array.from_buffers(pa.large_string(), 1, buffers).validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _loads(line: bytes) -> Any:
    """The value of a line; a string says why there is none."""
    import orjson

    try:
        value = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        try:  # Python writes NaN and Infinity, and reads them
            if b"Inf" in line or b"-NaN" in line:
                line = _NO_NUMBER.sub(lambda m: m[0] if m[0].startswith(b'"') else b"NaN", line)
            value = json.loads(line.decode())
        except (ValueError, RecursionError):
            return f"not JSON: {error}"
    return "not a JSON object but str" if isinstance(value, str) else value


def _parse_slowly(
    file: str, before: int, content: bytes, names: Names | None
) -> tuple[Rows | None, list[Reject], int]:
    import pyarrow as pa

    number = before
    rejects: list[Reject] = []
    numbers: list[int] = []
    values: dict[str, list[str | None]] = {name: [] for name in names.all} if names else {}
    for number, line in enumerate(_split(content), start=before + 1):
        if not line.strip():
            continue
        record = _loads(line)
        if isinstance(record, dict) and names:
            fields = _fields(record, names)
            if isinstance(fields, dict):
                numbers.append(number)
                for name, value in fields.items():
                    values[name].append(value)
                continue
            record = fields
        elif not isinstance(record, str):
            record = f"not a JSON object but {type(record).__name__}"
        rejects.append(Reject(file, number, record))
    if not numbers or names is None:
        return None, rejects, number - before
    rows = make_rows(
        file,
        np.array(numbers, dtype=np.int64),
        pa.array(values[names.id], type=pa.string()) if names.id else None,
        pa.array(values[names.text], type=pa.large_string()),
        {name: pa.array(values[name], type=pa.string()) for name in names.keep},
    )
    good, long = refuse(rows, names.text)
    return good, sorted([*rejects, *long], key=lambda reject: reject.row), number - before


def _split(content: bytes) -> Iterator[bytes]:
    begin = 0
    while begin < len(content):
        end = content.find(b"\n", begin)
        end = end if end >= 0 else len(content)
        yield content[begin:end]
        begin = end + 1


def _fields(record: dict[str, Any], names: Names) -> dict[str, str | None] | str:
    """The columns as strings; a string says what is wrong with them."""
    if names.text not in record:
        return f"it has no {names.text!r}"
    text = record[names.text]
    if not isinstance(text, str):
        return f"{names.text!r} is {'null' if text is None else type(text).__name__}, not text"
    if len(text) > limits.LONGEST_TEXT:  # which takes memory from here on
        return f"{names.text!r} {too_long(len(text.encode('utf-8', 'replace')))}"
    fields = {name: _as_text(record.get(name)) for name in names.all}
    for name, value in fields.items():
        try:
            (value or "").encode()
        except UnicodeEncodeError:
            return f"{name!r} is not valid UTF-8"
    return fields


def _as_text(value: Any) -> str | None:
    """A string as it is, anything else as JSON."""
    import orjson

    if value is None or isinstance(value, str):
        return value
    try:
        return orjson.dumps(value).decode()
    except orjson.JSONEncodeError:  # an integer of more than 64 bits, or a string of which is no UTF-8
        return json.dumps(value, separators=(",", ":"))
