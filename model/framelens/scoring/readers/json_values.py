"""JSON, compiled: where each kind of value ends, as the standard has it, and what an escape stands for.

The encoding is not looked at.
"""

from __future__ import annotations

import numpy as np

from framelens.features.compiled import U8s, int64, jit, load_8_bytes, trailing_zeros

DEEPEST = 60  # as many bits as a number has, and some to spare
LONGEST_NUMBER = 64
LONGEST_INTEGER = 18  # digits that are an int64 for certain

QUOTE, _BACKSLASH, _SPACE, NEWLINE, _TAB, _RETURN = 0x22, 0x5C, 0x20, 0x0A, 0x09, 0x0D
COMMA, _COLON, MINUS, _PLUS, _POINT, _ZERO = 0x2C, 0x3A, 0x2D, 0x2B, 0x2E, 0x30
OBJECT, OBJECT_END, _ARRAY, _ARRAY_END = 0x7B, 0x7D, 0x5B, 0x5D

_EACH = np.uint64(0x0101010101010101)  # one in each of eight bytes
_QUOTES, _BACKSLASHES, _SPACES = (
    _EACH * np.uint64(QUOTE),
    _EACH * np.uint64(_BACKSLASH),
    _EACH * np.uint64(_SPACE),
)
_INFINITY = np.uint64(int.from_bytes(b"Infinity", "little"))
_BIT_7 = _EACH * np.uint64(0x80)
_U0 = np.uint64(0)


@jit
def byte_at(data: U8s, at: int, size: int) -> int:
    """The byte there, 0 behind the end."""
    return int64(data[at]) if at < size else 0


@jit
def skip_blank(data: U8s, at: int, size: int) -> int:
    while at < size and (data[at] == _SPACE or data[at] == _TAB or data[at] == _RETURN):
        at += 1
    return at


@jit
def _hex(data: U8s, at: int, size: int) -> int:
    """The number of four hexadecimal digits, -1 if they are not."""
    if at + 4 > size:
        return -1
    number = 0
    for i in range(at, at + 4):
        digit = int64(data[i])
        if 0x30 <= digit <= 0x39:
            number = number << 4 | (digit - 0x30)
        elif 0x61 <= digit | 0x20 <= 0x66:
            number = number << 4 | ((digit | 0x20) - 0x61 + 10)
        else:
            return -1
    return number


@jit
def _escaped(data: U8s, at: int, size: int) -> tuple[int, int]:
    """Code point and bytes of an escape; no bytes if it is none, or half a character."""
    kind = byte_at(data, at + 1, size)
    if kind in (QUOTE, _BACKSLASH, 0x2F):
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
        if byte_at(data, at + 6, size) == _BACKSLASH and byte_at(data, at + 7, size) == 0x75:
            low = _hex(data, at + 8, size)
            if 0xDC00 <= low < 0xE000:
                return 0x10000 + ((unit - 0xD800) << 10 | (low - 0xDC00)), 12
        return 0, 0
    if unit < 0 or 0xDC00 <= unit < 0xE000:
        return 0, 0
    return unit, 6


@jit
def _special(data: U8s, at: int, size: int) -> int:
    """The next byte that is a quotation mark, a backslash or a control character."""
    while at + 8 <= size:
        chunk = load_8_bytes(data, at)
        quote, backslash = chunk ^ _QUOTES, chunk ^ _BACKSLASHES
        found = (quote - _EACH) & ~quote | (backslash - _EACH) & ~backslash | (chunk - _SPACES) & ~chunk
        found &= _BIT_7  # the lowest is right, those above may not be
        if found != _U0:
            return at + (int64(trailing_zeros(found)) >> 3)  # type: ignore[no-any-return]
        at += 8
    while at < size and data[at] != QUOTE and data[at] != _BACKSLASH and data[at] >= _SPACE:
        at += 1
    return at


@jit
def string_end(data: U8s, at: int, size: int) -> tuple[int, bool]:
    """The closing mark of the string that begins here, and whether anything in it is escaped; -1 if none."""
    escapes = False
    while True:
        at = _special(data, at, size)
        byte = byte_at(data, at, size)
        if byte == QUOTE:
            return at, escapes
        if byte != _BACKSLASH:
            return -1, False
        _, width = _escaped(data, at, size)
        if width == 0:
            return -1, False
        escapes = True
        at += width


@jit
def _digits_end(data: U8s, at: int, size: int) -> int:
    while 0x30 <= byte_at(data, at, size) <= 0x39:
        at += 1
    return at


@jit
def number_end(data: U8s, at: int, size: int) -> tuple[int, bool]:
    """Where a number ends, and whether it is written as an int64 would be; -1 if it is none."""
    start = at
    at += data[at] == MINUS
    first = at
    at = _digits_end(data, at, size)
    if at == first or (data[first] == _ZERO and at > first + 1):
        return -1, False
    whole = at - first <= LONGEST_INTEGER and not (data[first] == _ZERO and first > start)
    if byte_at(data, at, size) == _POINT:
        whole, first = False, at + 1
        at = _digits_end(data, first, size)
        if at == first:
            return -1, False
    if byte_at(data, at, size) | 0x20 == 0x65:
        at += 1
        sign = byte_at(data, at, size)
        whole, first = False, at + (sign in (_PLUS, MINUS))
        at = _digits_end(data, first, size)
        if at == first:
            return -1, False
    return (at, whole) if at - start <= LONGEST_NUMBER else (-1, False)


@jit
def word_end(data: U8s, at: int, size: int) -> int:
    """Where true, false or null ends; -1 for anything else."""
    if at + 4 <= size:
        a, b, c, d = data[at], data[at + 1], data[at + 2], data[at + 3]
        if (a == 0x74 and b == 0x72 and c == 0x75 and d == 0x65) or (
            a == 0x6E and b == 0x75 and c == 0x6C and d == 0x6C
        ):
            return at + 4
        if a == 0x66 and b == 0x61 and c == 0x6C and d == 0x73 and byte_at(data, at + 4, size) == 0x65:
            return at + 5
    return -1


@jit
def _infinity_end(data: U8s, at: int, size: int) -> int:
    """Where Infinity ends; -1 for anything else."""
    if at + 8 > size or load_8_bytes(data, at) != _INFINITY:
        return -1
    return at + 8


@jit
def _scalar_end(data: U8s, at: int, size: int) -> int:
    """Where a value ends that is no list and no object; -1 if there is none.

    NaN and Infinity are what Python writes, and reads.
    """
    byte = byte_at(data, at, size)
    if byte == QUOTE:
        end, _ = string_end(data, at + 1, size)
        return end + 1 if end >= 0 else -1
    if byte == MINUS or 0x30 <= byte <= 0x39:
        end, _ = number_end(data, at, size)
        return end if end >= 0 or byte != MINUS else _infinity_end(data, at + 1, size)
    if byte == 0x4E and byte_at(data, at + 1, size) == 0x61 and byte_at(data, at + 2, size) == 0x4E:  # NaN
        return at + 3
    return word_end(data, at, size) if byte != 0x49 else _infinity_end(data, at, size)


@jit
def key_end(data: U8s, at: int, size: int) -> int:
    """Behind the colon of the key that begins here; -1 if there is none."""
    at = skip_blank(data, at, size)
    if byte_at(data, at, size) != QUOTE:
        return -1
    end, _ = string_end(data, at + 1, size)
    if end < 0:
        return -1
    at = skip_blank(data, end + 1, size)
    return at + 1 if byte_at(data, at, size) == _COLON else -1


@jit
def value_end(data: U8s, at: int, size: int) -> int:
    """Where any value ends; -1 if there is none, or lists and objects are too deep in each other."""
    depth = objects = 0  # bit i of these: what i levels out is an object
    while True:
        at = skip_blank(data, at, size)
        byte = byte_at(data, at, size)
        if byte in (OBJECT, _ARRAY):
            if depth == DEEPEST:
                return -1
            depth += 1
            objects = objects << 1 | (byte == OBJECT)
            at = skip_blank(data, at + 1, size)
            if byte_at(data, at, size) != (OBJECT_END if objects & 1 else _ARRAY_END):
                if objects & 1:
                    at = key_end(data, at, size)
                    if at < 0:
                        return -1
                continue
        else:
            at = _scalar_end(data, at, size)
            if at < 0:
                return -1
        while depth:
            at = skip_blank(data, at, size)
            byte = byte_at(data, at, size)
            at += 1
            if byte == COMMA:
                if objects & 1:
                    at = key_end(data, at, size)
                    if at < 0:
                        return -1
                break
            if byte != (OBJECT_END if objects & 1 else _ARRAY_END):
                return -1
            depth -= 1
            objects >>= 1
        else:
            return at


@jit
def unescape(data: U8s, at: int, stop: int, out: U8s, used: int) -> int:
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
