"""JSON lines, compiled: finds the wanted values of each line, and copies them out.

It reads JSON as the standard has it, and gives up (`ODD`) on whatever is read otherwise or not at all line by
line: a broken line, a text that is none, a wanted column that is given twice, or is a list, an object, or a
number that is written otherwise than it came. The encoding is not looked at.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from framelens.features.compiled import RoomError, jit, load_8_bytes, trailing_zeros

_U8s: TypeAlias = npt.NDArray[np.uint8]
_I64s: TypeAlias = npt.NDArray[np.int64]
_int64: Any = np.int64

ODD = -1
PLACE = 3
"""Numbers of a value's place: its first byte (-1: null, or not there), the one behind it, and whether
anything in it is escaped."""
MOST_COLUMNS = DEEPEST = 60  # as many bits as a number has, and some to spare
LONGEST_NUMBER = 64
LONGEST_INTEGER = 18  # digits that are an int64 for certain

_QUOTE, _BACKSLASH, _SPACE, _NEWLINE, _TAB, _RETURN = 0x22, 0x5C, 0x20, 0x0A, 0x09, 0x0D
_COMMA, _COLON, _MINUS, _PLUS, _POINT, _ZERO = 0x2C, 0x3A, 0x2D, 0x2B, 0x2E, 0x30
_OBJECT, _OBJECT_END, _ARRAY, _ARRAY_END = 0x7B, 0x7D, 0x5B, 0x5D

_EACH = np.uint64(0x0101010101010101)  # one in each of eight bytes
_QUOTES, _BACKSLASHES, _SPACES = (
    _EACH * np.uint64(_QUOTE),
    _EACH * np.uint64(_BACKSLASH),
    _EACH * np.uint64(_SPACE),
)
_INFINITY = np.uint64(int.from_bytes(b"Infinity", "little"))
_BIT_7 = _EACH * np.uint64(0x80)
_U0 = np.uint64(0)


@jit
def _byte(data: _U8s, at: int, size: int) -> int:
    """The byte there, 0 behind the end."""
    return _int64(data[at]) if at < size else 0


@jit
def _skip_blank(data: _U8s, at: int, size: int) -> int:
    while at < size and (data[at] == _SPACE or data[at] == _TAB or data[at] == _RETURN):
        at += 1
    return at


@jit
def _hex(data: _U8s, at: int, size: int) -> int:
    """The number of four hexadecimal digits, -1 if they are not."""
    if at + 4 > size:
        return -1
    number = 0
    for i in range(at, at + 4):
        digit = _int64(data[i])
        if 0x30 <= digit <= 0x39:
            number = number << 4 | (digit - 0x30)
        elif 0x61 <= digit | 0x20 <= 0x66:
            number = number << 4 | ((digit | 0x20) - 0x61 + 10)
        else:
            return -1
    return number


@jit
def _escaped(data: _U8s, at: int, size: int) -> tuple[int, int]:
    """Code point and bytes of an escape; no bytes if it is none, or half a character."""
    kind = _byte(data, at + 1, size)
    if kind in (_QUOTE, _BACKSLASH, 0x2F):
        return kind, 2
    if kind == 0x6E:
        return 0x0A, 2
    if kind == 0x74:
        return 0x09, 2
    if kind == 0x72:
        return 0x0D, 2
    if kind == 0x62:
        return 0x08, 2
    if kind == 0x66:
        return 0x0C, 2
    if kind != 0x75:
        return 0, 0
    unit = _hex(data, at + 2, size)
    if 0xD800 <= unit < 0xDC00:
        if _byte(data, at + 6, size) == _BACKSLASH and _byte(data, at + 7, size) == 0x75:
            low = _hex(data, at + 8, size)
            if 0xDC00 <= low < 0xE000:
                return 0x10000 + ((unit - 0xD800) << 10 | (low - 0xDC00)), 12
        return 0, 0
    if unit < 0 or 0xDC00 <= unit < 0xE000:
        return 0, 0
    return unit, 6


@jit
def _special(data: _U8s, at: int, size: int) -> int:
    """The next byte that is a quotation mark, a backslash or a control character."""
    while at + 8 <= size:
        chunk = load_8_bytes(data, at)
        quote, backslash = chunk ^ _QUOTES, chunk ^ _BACKSLASHES
        found = (quote - _EACH) & ~quote | (backslash - _EACH) & ~backslash | (chunk - _SPACES) & ~chunk
        found &= _BIT_7  # the lowest is right, those above may not be
        if found != _U0:
            return at + (_int64(trailing_zeros(found)) >> 3)  # type: ignore[no-any-return]
        at += 8
    while at < size and data[at] != _QUOTE and data[at] != _BACKSLASH and data[at] >= _SPACE:
        at += 1
    return at


@jit
def _string_end(data: _U8s, at: int, size: int) -> tuple[int, bool]:
    """The closing mark of the string that begins here, and whether anything in it is escaped; -1 if none."""
    escapes = False
    while True:
        at = _special(data, at, size)
        byte = _byte(data, at, size)
        if byte == _QUOTE:
            return at, escapes
        if byte != _BACKSLASH:
            return -1, False
        _, width = _escaped(data, at, size)
        if width == 0:
            return -1, False
        escapes = True
        at += width


@jit
def _digits_end(data: _U8s, at: int, size: int) -> int:
    while 0x30 <= _byte(data, at, size) <= 0x39:
        at += 1
    return at


@jit
def _number_end(data: _U8s, at: int, size: int) -> tuple[int, bool]:
    """Where a number ends, and whether it is written as an int64 would be; -1 if it is none."""
    start = at
    at += data[at] == _MINUS
    first = at
    at = _digits_end(data, at, size)
    if at == first or (data[first] == _ZERO and at > first + 1):
        return -1, False
    whole = at - first <= LONGEST_INTEGER and not (data[first] == _ZERO and first > start)
    if _byte(data, at, size) == _POINT:
        whole, first = False, at + 1
        at = _digits_end(data, first, size)
        if at == first:
            return -1, False
    if _byte(data, at, size) | 0x20 == 0x65:
        at += 1
        sign = _byte(data, at, size)
        whole, first = False, at + (sign in (_PLUS, _MINUS))
        at = _digits_end(data, first, size)
        if at == first:
            return -1, False
    return (at, whole) if at - start <= LONGEST_NUMBER else (-1, False)


@jit
def _word_end(data: _U8s, at: int, size: int) -> int:
    """Where true, false or null ends; -1 for anything else."""
    if at + 4 <= size:
        a, b, c, d = data[at], data[at + 1], data[at + 2], data[at + 3]
        if (a == 0x74 and b == 0x72 and c == 0x75 and d == 0x65) or (
            a == 0x6E and b == 0x75 and c == 0x6C and d == 0x6C
        ):
            return at + 4
        if a == 0x66 and b == 0x61 and c == 0x6C and d == 0x73 and _byte(data, at + 4, size) == 0x65:
            return at + 5
    return -1


@jit
def _infinity_end(data: _U8s, at: int, size: int) -> int:
    """Where Infinity ends; -1 for anything else."""
    if at + 8 > size or load_8_bytes(data, at) != _INFINITY:
        return -1
    return at + 8


@jit
def _scalar_end(data: _U8s, at: int, size: int) -> int:
    """Where a value ends that is no list and no object; -1 if there is none.

    NaN and Infinity are what Python writes, and reads.
    """
    byte = _byte(data, at, size)
    if byte == _QUOTE:
        end, _ = _string_end(data, at + 1, size)
        return end + 1 if end >= 0 else -1
    if byte == _MINUS or 0x30 <= byte <= 0x39:
        end, _ = _number_end(data, at, size)
        return end if end >= 0 or byte != _MINUS else _infinity_end(data, at + 1, size)
    if byte == 0x4E and _byte(data, at + 1, size) == 0x61 and _byte(data, at + 2, size) == 0x4E:  # NaN
        return at + 3
    return _word_end(data, at, size) if byte != 0x49 else _infinity_end(data, at, size)


@jit
def _key_end(data: _U8s, at: int, size: int) -> int:
    """Behind the colon of the key that begins here; -1 if there is none."""
    at = _skip_blank(data, at, size)
    if _byte(data, at, size) != _QUOTE:
        return -1
    end, _ = _string_end(data, at + 1, size)
    if end < 0:
        return -1
    at = _skip_blank(data, end + 1, size)
    return at + 1 if _byte(data, at, size) == _COLON else -1


@jit
def _value_end(data: _U8s, at: int, size: int) -> int:
    """Where any value ends; -1 if there is none, or lists and objects are too deep in each other."""
    depth = objects = 0  # bit i of these: what i levels out is an object
    while True:
        at = _skip_blank(data, at, size)
        byte = _byte(data, at, size)
        if byte in (_OBJECT, _ARRAY):
            if depth == DEEPEST:
                return -1
            depth += 1
            objects = objects << 1 | (byte == _OBJECT)
            at = _skip_blank(data, at + 1, size)
            if _byte(data, at, size) != (_OBJECT_END if objects & 1 else _ARRAY_END):
                if objects & 1:
                    at = _key_end(data, at, size)
                    if at < 0:
                        return -1
                continue
        else:
            at = _scalar_end(data, at, size)
            if at < 0:
                return -1
        while depth:
            at = _skip_blank(data, at, size)
            byte = _byte(data, at, size)
            at += 1
            if byte == _COMMA:
                if objects & 1:
                    at = _key_end(data, at, size)
                    if at < 0:
                        return -1
                break
            if byte != (_OBJECT_END if objects & 1 else _ARRAY_END):
                return -1
            depth -= 1
            objects >>= 1
        else:
            return at


@jit
def _column_of(data: _U8s, start: int, stop: int, names: _U8s, name_starts: _I64s, columns: int) -> int:
    """The column of this name, -1 if it is not wanted."""
    for column in range(columns):
        first = name_starts[column]
        same = stop - start == name_starts[column + 1] - first
        i = 0
        while same and i < stop - start:
            same = data[start + i] == names[first + i]
            i += 1
        if same:
            return column
    return -1


@jit
def _find_value(data: _U8s, at: int, size: int, places: _I64s, place: int) -> int:
    """Write the place of a wanted value; where it ends, or -1."""
    byte = _byte(data, at, size)
    escapes = False
    if byte == _QUOTE:
        end, escapes = _string_end(data, at + 1, size)
        if end < 0:
            return -1
        places[place], places[place + 1], places[place + 2] = at + 1, end, escapes
        return end + 1
    if byte == _MINUS or 0x30 <= byte <= 0x39:
        end, whole = _number_end(data, at, size)
        end = end if whole else -1
    else:
        end = _word_end(data, at, size)
    if end >= 0 and byte != 0x6E:  # null
        places[place], places[place + 1], places[place + 2] = at, end, 0
    return end


@jit
def _find_values(
    data: _U8s,
    at: int,
    size: int,
    names: _U8s,
    name_starts: _I64s,
    columns: int,
    key: _U8s,
    places: _I64s,
    first: int,
) -> int:
    """Write the places of the values of the object that begins here; where it ends, or `ODD`."""
    seen = 0
    for i in range(first, first + PLACE * columns):
        places[i] = -1
    if _byte(data, at, size) != _OBJECT:
        return ODD
    at = _skip_blank(data, at + 1, size)
    while True:
        start = at + 1
        end = _key_end(data, at, size)
        if end < 0:
            return ODD
        stop, escapes = _string_end(data, start, size)
        if escapes:
            column = _column_of(key, 0, _unescape(data, start, stop, key, 0), names, name_starts, columns)
        else:
            column = _column_of(data, start, stop, names, name_starts, columns)
        at = _skip_blank(data, end, size)
        if column < 0:
            at = _value_end(data, at, size)
        elif seen >> column & 1 or (column == 0 and _byte(data, at, size) != _QUOTE):
            return ODD
        else:
            seen |= 1 << column
            at = _find_value(data, at, size, places, first + PLACE * column)
        if at < 0:
            return ODD
        at = _skip_blank(data, at, size)
        byte = _byte(data, at, size)
        if byte == _OBJECT_END:
            return at + 1 if seen & 1 else ODD
        if byte != _COMMA:
            return ODD
        at = _skip_blank(data, at + 1, size)


@jit
def find_values(
    data: _U8s,
    size: int,
    names: _U8s,
    name_starts: _I64s,
    columns: int,
    key: _U8s,
    places: _I64s,
    lines: _I64s,
    room: int,
) -> int:
    """Find the wanted values of each line of ``data[:size]``; the number of objects, or `ODD`.

    Parameters
    ----------
    names, name_starts, columns
        Column c, of at most `MOST_COLUMNS`, is called ``names[name_starts[c]:name_starts[c + 1]]``. Column 0
        is the text: every object has it, and it is a string.
    key
        Room for the longest name of the data.
    places
        int64, shape (room, columns, PLACE): is written to.
    lines
        int64, shape (room + 1,): the line of each object, from 0, then the number of lines.
    """
    at = rows = line = 0
    while at < size:
        at = _skip_blank(data, at, size)
        if at < size and data[at] != _NEWLINE:
            if rows == room:
                raise RoomError
            at = _find_values(
                data, at, size, names, name_starts, columns, key, places, PLACE * columns * rows
            )
            if at < 0:
                return ODD
            lines[rows] = line
            rows += 1
            at = _skip_blank(data, at, size)
            if at < size and data[at] != _NEWLINE:
                return ODD
        line += 1
        at += 1
    lines[rows] = line
    return rows


@jit
def _unescape(data: _U8s, at: int, stop: int, out: _U8s, used: int) -> int:
    while at < stop:
        next_escape = _special(data, at, stop)
        for i in range(next_escape - at):
            out[used + i] = data[at + i]
        used += next_escape - at
        if next_escape == stop:
            break
        code, width = _escaped(data, next_escape, stop)
        at = next_escape + width
        if code < 0x80:
            out[used] = code
            used += 1
        elif code < 0x800:
            out[used], out[used + 1] = 0xC0 | code >> 6, 0x80 | code & 0x3F
            used += 2
        elif code < 0x10000:
            out[used], out[used + 1] = 0xE0 | code >> 12, 0x80 | code >> 6 & 0x3F
            out[used + 2] = 0x80 | code & 0x3F
            used += 3
        else:
            out[used], out[used + 1] = 0xF0 | code >> 18, 0x80 | code >> 12 & 0x3F
            out[used + 2], out[used + 3] = 0x80 | code >> 6 & 0x3F, 0x80 | code & 0x3F
            used += 4
    return used


@jit
def copy_values(
    data: _U8s, places: _I64s, columns: int, column: int, rows: int, out: _U8s, ends: _I64s
) -> None:
    """Write the values of a column one behind the other; value i will be ``out[ends[i]:ends[i + 1]]``."""
    used = 0
    ends[0] = 0
    for row in range(rows):
        place = PLACE * (columns * row + column)
        at, stop = places[place], places[place + 1]
        if at >= 0:
            if places[place + 2]:
                used = _unescape(data, at, stop, out, used)
            else:
                for i in range(stop - at):
                    out[used + i] = data[at + i]
                used += stop - at
        ends[row + 1] = used
