"""Characters of UTF-8 text: what each is, and which comes next. What is not UTF-8 is U+FFFD."""

from __future__ import annotations

from framelens.features.compiled import U8s, int64, jit
from framelens.features.kernel.layout import FOREIGN, INVISIBLE, NEWLINE, SEPARATOR, Tables

_REPLACEMENT = 0xFFFD


@jit
def decode(data: U8s, at: int, stop: int) -> tuple[int, int]:
    """Code point and number of bytes; what is not UTF-8 is one U+FFFD a byte."""
    lead = int64(data[at])
    if lead < 0x80:
        return lead, 1
    if 0xC2 <= lead < 0xE0:
        if at + 1 < stop and data[at + 1] & 0xC0 == 0x80:
            return (lead & 0x1F) << 6 | int64(data[at + 1] & 0x3F), 2
    elif 0xE0 <= lead < 0xF0:
        if at + 2 < stop and data[at + 1] & 0xC0 == 0x80 and data[at + 2] & 0xC0 == 0x80:
            code = (lead & 0x0F) << 12 | int64(data[at + 1] & 0x3F) << 6 | int64(data[at + 2] & 0x3F)
            if code >= 0x800:
                return code, 3
    elif (
        0xF0 <= lead < 0xF5
        and at + 3 < stop
        and data[at + 1] & 0xC0 == 0x80
        and data[at + 2] & 0xC0 == 0x80
        and data[at + 3] & 0xC0 == 0x80
    ):
        code = (lead & 0x07) << 18 | int64(data[at + 1] & 0x3F) << 12
        code |= int64(data[at + 2] & 0x3F) << 6 | int64(data[at + 3] & 0x3F)
        if code >= 0x10000:
            return code, 4
    return _REPLACEMENT, 1


@jit
def class_of(code: int, tables: Tables) -> int:
    if code < tables.size:
        kind: int = int64(tables.classes[code])
        return kind
    if code == 0xFEFF:
        return INVISIBLE
    for i in range(tables.foreign_ranges):
        if tables.foreign[2 * i] <= code < tables.foreign[2 * i + 1]:
            return FOREIGN
    return SEPARATOR


@jit
def next_visible(data: U8s, at: int, stop: int, tables: Tables) -> int:
    while at < stop:
        code, width = decode(data, at, stop)
        kind = class_of(code, tables)
        if kind != INVISIBLE:
            return kind
        at += width
    return NEWLINE
