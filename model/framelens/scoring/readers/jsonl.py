"""JSON lines: a block at once by Arrow's parser, line by line where that refuses.

The slow way says what is right: a line is what orjson reads of it, or Python's parser where there are numbers
that are none. Arrow's parser differs from that (it reads several objects on a line, and does not look at the
encoding of what it passes over), so a block goes its way only if nothing of the kind can be in it. By itself
it refuses what orjson refuses, numbers where text should be, and a column given twice.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from framelens.errors import UserError
from framelens.scoring import rows as limits
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
"""Strings, and what Arrow's parser takes for a number, and Python's does not."""
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
                if row == 0:
                    content = content.removeprefix(_BOM)
                names = names or find_names(file, content, columns)
                table, rejects = parse(file, row, content, names)
                row += _count(content)
            end = Position(row, lines.end if plain else None)
            yield Block(table, tuple(rejects), end, stream.consumed)
            if lines.error is not None:
                raise lines.error


def _count(content: bytes) -> int:
    return content.count(b"\n") + (not content.endswith(b"\n"))


def _names_of_beginning(source: Source, columns: Columns) -> Names | None:
    """The columns as a run that began at the first byte found them."""
    with Stream(source) as stream:
        for lines in line_blocks(stream):
            if lines.content and (names := find_names(source.path, lines.content, columns)):
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


def parse(file: str, before: int, content: bytes, names: Names | None) -> tuple[Rows | None, list[Reject]]:
    """The rows of some lines, the first of which is number ``before + 1``."""
    rows = _parse_fast(file, before, content, names) if names else None
    if rows is not None and names is not None:
        return refuse(rows, names.text)
    return _parse_slowly(file, before, content, names)


def _parse_fast(file: str, before: int, content: bytes, names: Names) -> Rows | None:
    """The block by Arrow's parser; None where it may read otherwise than line by line."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.json as pj

    schema = _schema(content, names)
    lines = _plain_lines(content) if len(content) < 4 * limits.BLOCK_BYTES else 0  # a long line takes memory
    if schema is None or not lines:
        return None
    try:
        table = pj.read_json(
            pa.BufferReader(content),
            read_options=pj.ReadOptions(use_threads=False, block_size=len(content) + 1),
            parse_options=pj.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore"),
        )
    except pa.ArrowInvalid:
        return None
    n = table.num_rows
    if n != lines or table.column(names.text).null_count:
        return None  # a null and a column that is not there are told apart line by line

    def strings(name: str) -> pa.Array:
        return pc.cast(table.column(name).combine_chunks(), pa.string())

    text = pc.cast(table.column(names.text).combine_chunks(), pa.large_string())
    return make_rows(
        file,
        np.arange(before + 1, before + 1 + n, dtype=np.int64),
        strings(names.id) if names.id else None,
        text,
        {name: strings(name) for name in names.keep},
    )


def _schema(content: bytes, names: Names) -> pa.Schema | None:
    """Types for Arrow's parser, by the first line; None for values that it would write otherwise."""
    import pyarrow as pa

    first = _loads(content[: content.find(b"\n")] if b"\n" in content else content)
    if not isinstance(first, dict):
        return None
    types = {str: pa.string(), int: pa.int64(), bool: pa.bool_(), type(None): pa.string()}
    fields = [(name, types.get(type(first.get(name)))) for name in names.all if name != names.text]
    if any(kind is None for _, kind in fields):
        return None
    return pa.schema([*fields, (names.text, pa.large_string())])


def _plain_lines(content: bytes) -> int:
    """The number of lines; 0 unless all is UTF-8 and every line begins with an object and ends with one."""
    import pyarrow as pa

    data = np.frombuffer(content, dtype=np.uint8)
    if data[-1] != ord("\n"):
        data = np.append(data, np.uint8(ord("\n")))
    ends = np.flatnonzero(data == ord("\n"))
    starts = np.concatenate([[0], ends[:-1] + 1])
    if not ((data[starts] == ord("{")).all() and (data[ends - 1] == ord("}")).all()):
        return 0
    whole = pa.Array.from_buffers(
        pa.large_string(), 1, [None, pa.py_buffer(np.array([0, len(content)])), pa.py_buffer(content)]
    )
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return 0
    return len(ends)


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
) -> tuple[Rows | None, list[Reject]]:
    import pyarrow as pa

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
        return None, rejects
    rows = make_rows(
        file,
        np.array(numbers, dtype=np.int64),
        pa.array(values[names.id], type=pa.string()) if names.id else None,
        pa.array(values[names.text], type=pa.large_string()),
        {name: pa.array(values[name], type=pa.string()) for name in names.keep},
    )
    good, long = refuse(rows, names.text)
    return good, sorted([*rejects, *long], key=lambda reject: reject.row)


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
