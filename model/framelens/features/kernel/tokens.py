"""The tokens of an article, and what is counted of them on the way."""

from __future__ import annotations

import numpy as np

from framelens.features.compiled import I32s, U8s, inlined, int64, jit
from framelens.features.kernel.characters import class_of, decode, next_visible
from framelens.features.kernel.hashes import START, add_word, find_word, mix
from framelens.features.kernel.layout import (
    COMMON,
    DIGIT,
    DISTINCT,
    FOREIGN,
    FOREIGN_LETTERS,
    HYPHEN,
    INVISIBLE,
    IS_FIRST,
    IS_QUOTED,
    IS_SHOUTED,
    IS_WORD,
    LETTER,
    LETTERS,
    MARK,
    NAME,
    NAMES,
    NEWLINE,
    NOTHING,
    NUMBER,
    NUMBERS,
    PARAGRAPHS,
    PUNCTUATION,
    QUOTATIONS,
    QUOTE_CLOSE,
    QUOTE_OPEN,
    QUOTE_STRAIGHT,
    QUOTED_WORDS,
    SENTENCES,
    SEPARATOR,
    SHOUTED,
    SINGLE_OPEN,
    WORD,
    WORDS,
    Scratch,
    Tables,
)
from framelens.features.kernel.words import scan_number, scan_word
from framelens.features.vocabulary import token_hash

_LOW = np.uint64(0xFFFFFFFF)

_NAME_HASH, _NATION_HASH = np.uint64(token_hash("<name>")), np.uint64(token_hash("<nation>"))
_NUMBER_HASH = np.uint64(token_hash("<num>"))
_DASH_HASH = np.uint64(token_hash("-"))


@jit
def _count_categories(tables: Tables, scratch: Scratch, measures: I32s) -> None:
    """Add the words of each list to the list's categories: once an article, not once a word."""
    for i in range(2 * tables.lists):
        count = scratch.list_counts[i]
        if count:
            scratch.list_counts[i] = 0
            first = tables.first_category + (i & 1) * tables.categories
            for j in range(tables.list_starts[i >> 1], tables.list_starts[(i >> 1) + 1]):
                measures[first + tables.list_columns[j]] += count


@inlined
def _word(
    data: U8s, at: int, stop: int, end: int, code: int, tables: Tables
) -> tuple[int, int, np.uint64, int, int, bool]:
    """The word that begins here: what token it is, where it ends, its hash, its place among the known words.

    Then its letters, and whether it is shouted. A fragment in small letters is `NOTHING`; a word that is not
    known has the place -1.
    """
    at, h, letters, shouted, fragment = scan_word(data, at, stop, end, tables)
    token, word = WORD, -1
    if fragment and not tables.uppers[code]:
        token = NOTHING
    else:
        word = find_word(tables, h)
        if tables.uppers[code]:
            if word < 0:
                token, h = NAME, _NAME_HASH
            elif int64(tables.words[2 * word + 1] & _LOW) == tables.nations:
                token, h, word = NAME, _NATION_HASH, -1
    return token, at, h, word, letters, shouted


@inlined
def _mark(
    kind: int, code: int, before: int, data: U8s, at: int, stop: int, tables: Tables
) -> tuple[int, bool]:
    """The mark that a character of punctuation or a hyphen is, 0 for none; whether it ends a sentence.

    What follows begins at `at`, and `before` is of the kind of what precedes.
    """
    if kind == PUNCTUATION:
        mark = int64(tables.folds[2 * code])
        if mark in (0x2E, 0x3F, 0x21):  # . ? !
            following = next_visible(data, at, stop, tables)
            return mark, following not in (LETTER, DIGIT, PUNCTUATION, HYPHEN, FOREIGN)
        return mark, False
    joins = before in (LETTER, DIGIT) and next_visible(data, at, stop, tables) in (LETTER, DIGIT)
    return 0 if joins else 0x2D, False


@inlined
def _quotation_mark(kind: int, code: int, before: int, style: int) -> tuple[int, int, int]:
    """The mark that a character is, 0 for none; the style of the quotation it opens behind it; the style from
    here on. `SEPARATOR` stands for no quotation.
    """
    if kind in (QUOTE_STRAIGHT, QUOTE_OPEN, QUOTE_CLOSE):
        if style == SEPARATOR:
            return 0x22, SEPARATOR if kind == QUOTE_CLOSE else kind, style
        if (style == QUOTE_STRAIGHT and kind == QUOTE_STRAIGHT) or (
            style == QUOTE_OPEN and kind == QUOTE_CLOSE
        ):
            return 0x22, SEPARATOR, SEPARATOR
    elif kind == SINGLE_OPEN:
        if style == SEPARATOR and before not in (LETTER, DIGIT):
            return 0, SEPARATOR, SINGLE_OPEN
    elif code == 0x2019 and style == SINGLE_OPEN:
        return 0, SEPARATOR, SEPARATOR
    return 0, SEPARATOR, style


@inlined
def _count_word(
    token: int, h: np.uint64, word: int, quoted: bool, row: int, slots: int, tables: Tables,
    scratch: Scratch, measures: I32s,
) -> None:  # fmt: skip
    """Count a word or a name; its letters are counted elsewhere."""
    measures[WORDS] += 1
    measures[QUOTED_WORDS] += quoted
    if token == NAME:
        measures[NAMES] += 1
        if h == _NATION_HASH:
            scratch.list_counts[2 * tables.nations + quoted] += 1
    elif word < 0:
        measures[DISTINCT] += add_word(scratch, slots, h, row)
    else:
        measures[COMMON] += 1
        measures[DISTINCT] += scratch.seen_words[word] != row
        scratch.seen_words[word] = row
        list_number = int64(tables.words[2 * word + 1] & _LOW)
        if list_number != tables.nations:
            scratch.list_counts[2 * list_number + quoted] += 1


@jit
def tokenize(
    data: U8s,
    start: int,
    stop: int,
    end: int,
    row: int,
    tables: Tables,
    scratch: Scratch,
    measures: I32s,
) -> int:
    """Write an article's tokens to the scratch and its counts to its measures; the number of tokens.

    The buffer may be read up to `end`.
    """
    slots = 16
    while slots < stop - start + 2:
        slots *= 2
    hashes, flags = scratch.hashes, scratch.flags
    tokens = quoted_tokens = 0
    previous, style, fresh = NEWLINE, SEPARATOR, True
    at = start
    while at < stop:
        if data[at] == 0x20:
            previous = SEPARATOR
            at += 1
            continue
        begin = at
        code, width = int64(data[at]), 1
        if code < 0x80:
            kind = int64(tables.classes[code])
        else:
            code, width = decode(data, at, stop)
            kind = class_of(code, tables)
        token, h, word, letters, shouted = NOTHING, START, -1, 0, False
        opens, mark, closes = SEPARATOR, 0, False
        if kind == LETTER:
            token, at, h, word, letters, shouted = _word(data, at, stop, end, code, tables)
            previous = LETTER
        elif kind == DIGIT:
            at = scan_number(data, at, stop, tables)
            previous = DIGIT
            token, h = NUMBER, _NUMBER_HASH
        else:
            at += width
            if kind == INVISIBLE:
                continue
            before, previous = previous, kind
            if kind == NEWLINE:
                fresh, style = True, SEPARATOR
            elif kind == FOREIGN:
                measures[FOREIGN_LETTERS] += 1
            elif kind in (PUNCTUATION, HYPHEN):
                mark, closes = _mark(kind, code, before, data, at, stop, tables)
            elif kind != SEPARATOR:
                within = style
                mark, opens, style = _quotation_mark(kind, code, before, style)
                if style == SINGLE_OPEN and within != SINGLE_OPEN:
                    quoted_tokens = 0
                    measures[QUOTATIONS] += 1
            if mark:
                token, h = MARK, mix(START, np.uint64(mark))
        if token == NOTHING:
            continue

        if style != SEPARATOR:
            quoted_tokens += 1
            if quoted_tokens > tables.quotation_limit:
                style = SEPARATOR
        quoted = style != SEPARATOR
        measures[LETTERS] += letters
        if (
            not fresh
            and (token == NAME or h == _DASH_HASH)
            and hashes[tokens - 1] == h
            and (flags[tokens - 1] & IS_QUOTED != 0) == quoted
        ):  # the name, or the dash, goes on
            if shouted and flags[tokens - 1] & IS_SHOUTED == 0:
                measures[SHOUTED] += 1
                flags[tokens - 1] |= IS_SHOUTED
            scratch.stops[tokens - 1] = at
            continue
        hashes[tokens] = h
        flags[tokens] = (
            IS_WORD * (token == WORD) | IS_QUOTED * quoted | IS_FIRST * fresh | IS_SHOUTED * shouted
        )
        scratch.columns[tokens] = int64(tables.words[2 * word + 1]) >> 32 if word >= 0 else -2
        scratch.starts[tokens], scratch.stops[tokens] = begin, at
        tokens += 1
        measures[PARAGRAPHS] += fresh
        fresh = False
        if token == MARK:
            if tables.mark_columns[mark] >= 0:
                measures[tables.mark_columns[mark]] += 1
            measures[SENTENCES] += closes
            if opens != SEPARATOR:
                style, quoted_tokens = opens, 0
                measures[QUOTATIONS] += 1
        elif token == NUMBER:
            measures[NUMBERS] += 1
        else:
            measures[SHOUTED] += shouted
            _count_word(token, h, word, quoted, row, slots, tables, scratch, measures)
    _count_categories(tables, scratch, measures)
    return tokens
