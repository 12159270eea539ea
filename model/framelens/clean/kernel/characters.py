"""Bytes and characters of UTF-8 text, white space and lines."""

from __future__ import annotations

from framelens.features.compiled import U8s, int64, jit

NEWLINE = 0x0A


@jit
def count_characters(data: U8s, start: int, stop: int) -> int:
    n = 0
    for at in range(start, stop):
        n += data[at] & 0xC0 != 0x80
    return n


@jit
def go_back(data: U8s, start: int, at: int, characters: int) -> int:
    """So many characters before, but not before the start."""
    stop = at
    while characters > 0 and at > start:
        begin = max(start, at - characters)
        characters -= count_characters(data, begin, at)
        at = begin
    while at < stop and data[at] & 0xC0 == 0x80:
        at += 1
    return at


@jit
def go_ahead(data: U8s, at: int, stop: int, characters: int) -> int:
    """So many characters behind, but not behind the stop."""
    while characters > 0 and at < stop:
        end = min(stop, at + characters)
        characters -= count_characters(data, at, end)
        at = end
        while at < stop and data[at] & 0xC0 == 0x80:
            at += 1
    return at


@jit
def character_before(data: U8s, start: int, at: int) -> int:
    """Where the character before this place begins."""
    at -= 1
    while at > start and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


@jit
def character_width(lead: int) -> int:
    return 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


@jit
def decode(data: U8s, at: int) -> int:
    """The code point of the character of several bytes that begins here."""
    lead: int = int64(data[at])
    width = character_width(lead)
    code = lead & (0x7F >> width)
    for i in range(1, width):
        code = code << 6 | int64(data[at + i] & 0x3F)
    return code


@jit
def space_width(data: U8s, at: int, stop: int) -> int:
    """Bytes of the white space that begins here, as `str.isspace` has it; 0 for none."""
    lead = data[at]
    if lead < 0x80:
        return 1 if lead == 0x20 or 9 <= lead <= 13 or 28 <= lead <= 31 else 0
    if lead == 0xC2 and at + 1 < stop:
        return 2 if data[at + 1] in (0x85, 0xA0) else 0
    if lead in (0xE1, 0xE2, 0xE3) and at + 2 < stop:
        code = (int64(lead) & 0x0F) << 12 | int64(data[at + 1] & 0x3F) << 6 | int64(data[at + 2] & 0x3F)
        wide = (
            0x2000 <= code <= 0x200A or code in (0x1680, 0x2028, 0x2029, 0x202F) or code in (0x205F, 0x3000)
        )
        return 3 if wide else 0
    return 0


@jit
def skip_space(data: U8s, at: int, stop: int) -> int:
    while at < stop:
        width = space_width(data, at, stop)
        if width == 0:
            break
        at += width
    return at


@jit
def skip_space_back(data: U8s, start: int, stop: int) -> int:
    while stop > start:
        at = character_before(data, start, stop)
        if space_width(data, at, stop) != stop - at:
            break
        stop = at
    return stop


@jit
def line_end(data: U8s, at: int, stop: int) -> int:
    while at < stop and data[at] != NEWLINE:
        at += 1
    return at


@jit
def line_start(data: U8s, start: int, at: int) -> int:
    while at > start and data[at - 1] != NEWLINE:
        at -= 1
    return at
