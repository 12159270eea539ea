"""JSON lines, compiled: finds the wanted values of each line, and copies them out.

It gives up (`ODD`) on whatever is read otherwise or not at all line by line: a broken line, a text that is
none, a wanted column that is given twice, or is a list, an object, or a number that is written otherwise than
it came.
"""

from __future__ import annotations

from framelens.features.compiled import I64s, RoomError, U8s, jit
from framelens.scoring.readers.json_values import (
    COMMA,
    MINUS,
    NEWLINE,
    OBJECT,
    OBJECT_END,
    QUOTE,
    byte_at,
    key_end,
    number_end,
    skip_blank,
    string_end,
    unescape,
    value_end,
    word_end,
)

ODD = -1
PLACE = 3
"""Numbers of a value's place: its first byte (-1: null, or not there), the one behind it, and whether
anything in it is escaped."""
MOST_COLUMNS = 60  # as many bits as a number has, and some to spare


@jit
def _column_of(data: U8s, start: int, stop: int, names: U8s, name_starts: I64s, columns: int) -> int:
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
def _find_value(data: U8s, at: int, size: int, places: I64s, place: int) -> int:
    """Write the place of a wanted value; where it ends, or -1."""
    byte = byte_at(data, at, size)
    escapes = False
    if byte == QUOTE:
        end, escapes = string_end(data, at + 1, size)
        if end < 0:
            return -1
        places[place], places[place + 1], places[place + 2] = at + 1, end, escapes
        return end + 1
    if byte == MINUS or 0x30 <= byte <= 0x39:
        end, whole = number_end(data, at, size)
        end = end if whole else -1
    else:
        end = word_end(data, at, size)
    if end >= 0 and byte != 0x6E:  # null
        places[place], places[place + 1], places[place + 2] = at, end, 0
    return end


@jit
def _find_values(
    data: U8s,
    at: int,
    size: int,
    names: U8s,
    name_starts: I64s,
    columns: int,
    key: U8s,
    places: I64s,
    first: int,
) -> int:
    """Write the places of the values of the object that begins here; where it ends, or `ODD`."""
    seen = 0
    for i in range(first, first + PLACE * columns):
        places[i] = -1
    if byte_at(data, at, size) != OBJECT:
        return ODD
    at = skip_blank(data, at + 1, size)
    while True:
        start = at + 1
        end = key_end(data, at, size)
        if end < 0:
            return ODD
        stop, escapes = string_end(data, start, size)
        if escapes:
            column = _column_of(key, 0, unescape(data, start, stop, key, 0), names, name_starts, columns)
        else:
            column = _column_of(data, start, stop, names, name_starts, columns)
        at = skip_blank(data, end, size)
        if column < 0:
            at = value_end(data, at, size)
        elif seen >> column & 1 or (column == 0 and byte_at(data, at, size) != QUOTE):
            return ODD
        else:
            seen |= 1 << column
            at = _find_value(data, at, size, places, first + PLACE * column)
        if at < 0:
            return ODD
        at = skip_blank(data, at, size)
        byte = byte_at(data, at, size)
        if byte == OBJECT_END:
            return at + 1 if seen & 1 else ODD
        if byte != COMMA:
            return ODD
        at = skip_blank(data, at + 1, size)


@jit
def find_values(
    data: U8s,
    size: int,
    names: U8s,
    name_starts: I64s,
    columns: int,
    key: U8s,
    places: I64s,
    lines: I64s,
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
        at = skip_blank(data, at, size)
        if at < size and data[at] != NEWLINE:
            if rows == room:
                raise RoomError
            at = _find_values(
                data, at, size, names, name_starts, columns, key, places, PLACE * columns * rows
            )
            if at < 0:
                return ODD
            lines[rows] = line
            rows += 1
            at = skip_blank(data, at, size)
            if at < size and data[at] != NEWLINE:
                return ODD
        line += 1
        at += 1
    lines[rows] = line
    return rows


@jit
def copy_values(data: U8s, places: I64s, columns: int, column: int, rows: int, out: U8s, ends: I64s) -> None:
    """Write the values of a column one behind the other; value i will be ``out[ends[i]:ends[i + 1]]``."""
    used = 0
    ends[0] = 0
    for row in range(rows):
        place = PLACE * (columns * row + column)
        at, stop = places[place], places[place + 1]
        if at >= 0:
            if places[place + 2]:
                used = unescape(data, at, stop, out, used)
            else:
                for i in range(stop - at):
                    out[used + i] = data[at + i]
                used += stop - at
        ends[row + 1] = used
