"""Where a word or a number ends, and what it is; as `framelens.features.tokens` has it."""

from __future__ import annotations

import numpy as np

from framelens.features.compiled import U8s, inlined, int64, jit, load_8_bytes, trailing_zeros
from framelens.features.kernel.characters import class_of, decode, next_visible
from framelens.features.kernel.hashes import START, mix
from framelens.features.kernel.layout import APOSTROPHE, DIGIT, INVISIBLE, LETTER, Tables

_U0, _U8 = np.uint64(0), np.uint64(8)
_EACH = np.uint64(0x0101010101010101)  # one in each of eight bytes
_BIT_5, _BIT_7, _BITS_0_6 = _EACH * np.uint64(0x20), _EACH * np.uint64(0x80), _EACH * np.uint64(0x7F)
_TO_A, _BEHIND_Z = _EACH * np.uint64(0x80 - 0x61), _EACH * np.uint64(0x80 - 0x7B)


@inlined
def scan_word(
    data: U8s, at: int, stop: int, end: int, tables: Tables
) -> tuple[int, np.uint64, int, bool, bool]:
    """Where the word ends, its hash, its letters, whether it is all upper-case, whether it is a fragment.

    Eight bytes are looked at together, as far as the buffer goes (`end`). Where a word is not plain ASCII, or
    an apostrophe is behind it, it is scanned again character by character.
    """
    start, h, letters, lower = at, START, 0, _U0
    first = second = 0
    while at + 8 <= end:
        chunk = load_8_bytes(data, at)
        folded = chunk | _BIT_5
        seven = folded & _BITS_0_6
        ends = ~((seven + _TO_A) & ~(seven + _BEHIND_Z) & ~chunk) & _BIT_7  # bit 7 of each byte, if no letter
        n = min(int64(trailing_zeros(ends)) >> 3, stop - at)
        if n > 0:
            keep = ~_U0 >> np.uint64(64 - 8 * n)
            lower |= chunk & _BIT_5 & keep
            if letters == 0:
                first, second = int64(folded & np.uint64(0xFF)), int64((folded >> _U8) & np.uint64(0xFF))
            h = mix(h, folded & keep)
            letters += n
            at += n
        if n < 8:
            if at < stop and (data[at] >= 0x80 or tables.classes[data[at]] in (APOSTROPHE, INVISIBLE)):
                break
            return at, h, letters, letters >= 2 and lower == _U0, _is_fragment(letters, first, second)
    return _scan_characters(data, start, stop, tables)


@jit
def _scan_characters(data: U8s, at: int, stop: int, tables: Tables) -> tuple[int, np.uint64, int, bool, bool]:
    """`scan_word` for any word."""
    h = cut_hash = START
    chunk, filled = _U0, 0
    letters = uppers = characters = 0
    cut = -1  # letters before the last apostrophe
    first = second = last = before_last = 0
    while at < stop:
        code, width = decode(data, at, stop)
        kind = class_of(code, tables)
        if kind == LETTER:
            for i in range(2):
                letter = int64(tables.folds[2 * code + i])
                if letter:
                    chunk |= np.uint64(letter) << np.uint64(8 * filled)
                    filled += 1
                    if filled == 8:
                        h, chunk, filled = mix(h, chunk), _U0, 0
                    before_last, last = last, letter
                    if letters == 0:
                        first = letter
                    elif letters == 1:
                        second = letter
                    letters += 1
            uppers += tables.uppers[code]
            characters += 1
        elif kind == APOSTROPHE and next_visible(data, at + width, stop, tables) == LETTER:
            cut, cut_hash = letters, mix(h, chunk) if filled else h
        elif kind != INVISIBLE:
            break
        at += width
    if cut > 0 and _is_clitic(letters - cut, before_last, last):
        h, letters = cut_hash, cut
    elif filled:
        h = mix(h, chunk)
    return at, h, letters, characters >= 2 and uppers == characters, _is_fragment(letters, first, second)


@jit
def _is_clitic(letters: int, before_last: int, last: int) -> bool:
    """'s, 'm, 'd; 're, 'll, 've."""
    if letters == 1:
        return last == 0x73 or last == 0x6D or last == 0x64  # noqa: PLR1714
    return letters == 2 and _is_half(before_last, last)


@jit
def _is_fragment(letters: int, first: int, second: int) -> bool:
    """A letter other than a and i; re, ll, ve."""
    if letters == 1:
        return first != 0x61 and first != 0x69  # noqa: PLR1714
    return letters == 2 and _is_half(first, second)


@jit
def _is_half(first: int, second: int) -> bool:
    return (
        (first == 0x72 and second == 0x65)
        or (first == 0x6C and second == 0x6C)
        or (first == 0x76 and second == 0x65)
    )


@jit
def scan_number(data: U8s, at: int, stop: int, tables: Tables) -> int:
    while at < stop:
        code, width = decode(data, at, stop)
        kind = class_of(code, tables)
        joins = code in (0x2E, 0x2C, 0x3A, 0x2F)  # . , : /
        if not (
            kind in (DIGIT, INVISIBLE) or (joins and next_visible(data, at + width, stop, tables) == DIGIT)
        ):
            break
        at += width
    return at
