"""The tokens of an article, and what is counted of them on the way."""

from __future__ import annotations

import numpy as np

from framelens.features.compiled import I32s, U8s, int64, jit
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
            at, h, letters, shouted, fragment = scan_word(data, at, stop, end, tables)
            previous = LETTER
            if fragment and not tables.uppers[code]:
                continue
            word = find_word(tables, h)
            token = WORD
            if tables.uppers[code]:
                if word < 0:
                    token, h = NAME, _NAME_HASH
                elif int64(tables.words[2 * word + 1] & _LOW) == tables.nations:
                    token, h, word = NAME, _NATION_HASH, -1
        elif kind == DIGIT:
            at = scan_number(data, at, stop, tables)
            previous = DIGIT
            token, h = NUMBER, _NUMBER_HASH
        else:
            at += width
            if kind in (SEPARATOR, INVISIBLE):
                if kind == SEPARATOR:
                    previous = SEPARATOR
                continue
            before, previous = previous, kind
            if kind == PUNCTUATION:
                mark = int64(tables.folds[2 * code])
                if mark in (0x2E, 0x3F, 0x21):  # . ? !
                    following = next_visible(data, at, stop, tables)
                    closes = following not in (LETTER, DIGIT, PUNCTUATION, HYPHEN, FOREIGN)
            elif kind == NEWLINE:
                fresh, style = True, SEPARATOR
            elif kind == FOREIGN:
                measures[FOREIGN_LETTERS] += 1
            elif kind == HYPHEN:
                joins = before in (LETTER, DIGIT)
                if not (joins and next_visible(data, at, stop, tables) in (LETTER, DIGIT)):
                    mark = 0x2D
            elif kind in (QUOTE_STRAIGHT, QUOTE_OPEN, QUOTE_CLOSE):
                if style == SEPARATOR:
                    mark = 0x22
                    if kind != QUOTE_CLOSE:
                        opens = kind
                elif (style == QUOTE_STRAIGHT and kind == QUOTE_STRAIGHT) or (
                    style == QUOTE_OPEN and kind == QUOTE_CLOSE
                ):
                    mark, style = 0x22, SEPARATOR
            elif kind == SINGLE_OPEN:
                if style == SEPARATOR and before not in (LETTER, DIGIT):
                    style, quoted_tokens = SINGLE_OPEN, 0
                    measures[QUOTATIONS] += 1
            elif code == 0x2019 and style == SINGLE_OPEN:
                style = SEPARATOR
            if mark == 0:
                continue
            token, h = MARK, mix(START, np.uint64(mark))

        if style != SEPARATOR:
            quoted_tokens += 1
            if quoted_tokens > tables.quotation_limit:
                style = SEPARATOR
        quoted = style != SEPARATOR
        if (
            not fresh
            and (token == NAME or h == _DASH_HASH)
            and hashes[tokens - 1] == h
            and (flags[tokens - 1] & IS_QUOTED != 0) == quoted
        ):
            measures[LETTERS] += letters
            if shouted and flags[tokens - 1] & IS_SHOUTED == 0:
                measures[SHOUTED] += 1
                flags[tokens - 1] |= IS_SHOUTED
            scratch.stops[tokens - 1] = at
            continue
        hashes[tokens] = h
        flags[tokens] = (
            IS_WORD * (token == WORD) | IS_QUOTED * quoted | IS_FIRST * fresh | IS_SHOUTED * shouted
        )
        known = int64(tables.words[2 * word + 1]) if word >= 0 else int64(-2) << 32
        scratch.columns[tokens], scratch.starts[tokens], scratch.stops[tokens] = known >> 32, begin, at
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
            measures[WORDS] += 1
            measures[QUOTED_WORDS] += quoted
            measures[LETTERS] += letters
            measures[SHOUTED] += shouted
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
                if known & 0xFFFFFFFF != tables.nations:
                    scratch.list_counts[2 * (known & 0xFFFFFFFF) + quoted] += 1
    _count_categories(tables, scratch, measures)
    return tokens
