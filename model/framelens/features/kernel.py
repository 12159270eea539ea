"""The featuriser, compiled: the same tokens and counts as the reference, straight from UTF-8 bytes.

`framelens.features.tokens` is the specification and property tests hold this module to it. Everything
compiled stands in this one file, because what is kept of it is made anew when this file changes; for the same
reason whatever another module owns (tables, limits, the order of measures) comes in as an argument.

A term is its hash here, as `framelens.features.vocabulary` defines it. Bytes that are not UTF-8 separate, as
U+FFFD does. All functions release the GIL and keep no state: threads work on different rows of the same
buffers.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from framelens.features.compiled import RoomError, inlined, item, jit, load_8_bytes, trailing_zeros
from framelens.features.vocabulary import GOLDEN, OFFSET, token_hash

_U8s: TypeAlias = npt.NDArray[np.uint8]
_I32s: TypeAlias = npt.NDArray[np.int32]
_I64s: TypeAlias = npt.NDArray[np.int64]
_U64s: TypeAlias = npt.NDArray[np.uint64]
_F32s: TypeAlias = npt.NDArray[np.float32]
_F64s: TypeAlias = npt.NDArray[np.float64]
_int64: Any = np.int64


# What a character does: the values of alphabet.CharClass (a test compares them).
SEPARATOR, LETTER, DIGIT, INVISIBLE, NEWLINE, APOSTROPHE, SINGLE_OPEN = 0, 1, 2, 3, 4, 5, 6
QUOTE_STRAIGHT, QUOTE_OPEN, QUOTE_CLOSE, HYPHEN, PUNCTUATION, FOREIGN = 7, 8, 9, 10, 11, 12

# Columns of the kernel's own measures; the marks of `MARKS` and the lexicon's categories by field follow.
FIXED_MEASURES = (
    "words", "quoted_words", "distinct_words", "common_words", "letters", "names", "shouted", "numbers",
    "sentences", "paragraphs", "quotations", "foreign_letters",
)  # fmt: skip
WORDS, QUOTED_WORDS, DISTINCT, COMMON, LETTERS, NAMES, SHOUTED, NUMBERS, SENTENCES = 0, 1, 2, 3, 4, 5, 6, 7, 8
PARAGRAPHS, QUOTATIONS, FOREIGN_LETTERS = 9, 10, 11

# Kinds of tokens, and the bits kept of each.
NOTHING, WORD, NAME, NUMBER, MARK = 0, 1, 2, 3, 4
IS_WORD, IS_QUOTED, IS_FIRST, IS_SHOUTED = 1, 2, 4, 8

_OFFSET, _GOLDEN = np.uint64(OFFSET), np.uint64(GOLDEN)
_NAME_HASH, _NATION_HASH = np.uint64(token_hash("<name>")), np.uint64(token_hash("<nation>"))
_NUMBER_HASH = np.uint64(token_hash("<num>"))
_DASH_HASH = np.uint64(token_hash("-"))
_U0, _U1, _U3, _U8, _U23 = np.uint64(0), np.uint64(1), np.uint64(3), np.uint64(8), np.uint64(23)
_U32, _U40, _U41 = np.uint64(32), np.uint64(40), np.uint64(41)
_LOW = np.uint64(0xFFFFFFFF)
_EACH = np.uint64(0x0101010101010101)  # one in each of eight bytes
_BIT_5, _BIT_7, _BITS_0_6 = _EACH * np.uint64(0x20), _EACH * np.uint64(0x80), _EACH * np.uint64(0x7F)
_TO_A, _BEHIND_Z = _EACH * np.uint64(0x80 - 0x61), _EACH * np.uint64(0x80 - 0x7B)
BLOCK = 256  # tokens whose n-grams are looked up together
_REPLACEMENT = 0xFFFD


class Tables(NamedTuple):
    """What the kernel knows about characters and words.

    Attributes
    ----------
    classes, folds, uppers, foreign
        As `framelens.features.alphabet` makes them, flat.
    size, foreign_ranges
        Code points in the tables; ranges in `foreign`.
    words, word_mask
        Open-addressing table of the common words, and one less than its slots. A slot is the word's hash,
        then its list of categories plus 2**32 times the column of its term in the vocabulary (-1: none).
    lists, list_starts, list_columns
        How many lists there are; the categories of list i are
        ``list_columns[list_starts[i]:list_starts[i + 1]]``.
    nations
        The list of the names of countries.
    mark_columns
        int32, shape (128,): the measure that counts a punctuation token, by ASCII code; -1 for none.
    first_category, categories
        Column of the first lexicon measure, and how many there are a field.
    quotation_limit
        See `framelens.features.tokens.QUOTATION_LIMIT`.
    """

    classes: _U8s
    folds: _U8s
    uppers: _U8s
    size: int
    foreign: _I32s
    foreign_ranges: int
    words: _U64s
    word_mask: int
    lists: int
    list_starts: _I32s
    list_columns: _I32s
    nations: int
    mark_columns: _I32s
    first_category: int
    categories: int
    quotation_limit: int


class Terms(NamedTuple):
    """`framelens.features.vocabulary.Vocabulary.table` and `sieve`, and one less than their sizes; and the
    tokens of the longest term.
    """

    keys: _U64s
    columns: _I32s
    mask: int
    sieve: _U8s
    sieve_mask: int
    longest: int


class Scratch(NamedTuple):
    """One thread's room for the tokens of one article.

    Attributes
    ----------
    hashes, flags, columns, starts, stops
        A token's hash, `IS_WORD` and the other bits, the column of a common word (-1: it has none; -2: any
        other token), and its bytes; as long as the longest article has bytes.
    terms, spans
        An n-gram's hash, and its last token times four plus its length; for three times as many tokens as are
        looked at together.
    list_counts
        int32, shape (lists, 2): words of each list of categories, by field; zero between articles.
    seen_words
        For each common word's slot the row that last had it.
    seen_keys, seen_rows
        A set of the hashes of other words; an entry is there when its row is the one at work. A power of two
        of slots, above twice the words that an article of this length can have.
    """

    hashes: _U64s
    flags: _U8s
    columns: _I32s
    starts: _I64s
    stops: _I64s
    terms: _U64s
    spans: _I64s
    list_counts: _I32s
    seen_words: _I32s
    seen_keys: _U64s
    seen_rows: _I64s


# -- characters --------------------------------------------------------------------------------------------


@jit
def _decode(data: _U8s, at: int, stop: int) -> tuple[int, int]:
    """Code point and number of bytes; what is not UTF-8 is one U+FFFD a byte."""
    lead = _int64(data[at])
    if lead < 0x80:
        return lead, 1
    if 0xC2 <= lead < 0xE0:
        if at + 1 < stop and data[at + 1] & 0xC0 == 0x80:
            return (lead & 0x1F) << 6 | _int64(data[at + 1] & 0x3F), 2
    elif 0xE0 <= lead < 0xF0:
        if at + 2 < stop and data[at + 1] & 0xC0 == 0x80 and data[at + 2] & 0xC0 == 0x80:
            code = (lead & 0x0F) << 12 | _int64(data[at + 1] & 0x3F) << 6 | _int64(data[at + 2] & 0x3F)
            if code >= 0x800:
                return code, 3
    elif (
        0xF0 <= lead < 0xF5
        and at + 3 < stop
        and data[at + 1] & 0xC0 == 0x80
        and data[at + 2] & 0xC0 == 0x80
        and data[at + 3] & 0xC0 == 0x80
    ):
        code = (lead & 0x07) << 18 | _int64(data[at + 1] & 0x3F) << 12
        code |= _int64(data[at + 2] & 0x3F) << 6 | _int64(data[at + 3] & 0x3F)
        if code >= 0x10000:
            return code, 4
    return _REPLACEMENT, 1


@jit
def _class_of(code: int, tables: Tables) -> int:
    if code < tables.size:
        kind: int = _int64(tables.classes[code])
        return kind
    if code == 0xFEFF:
        return INVISIBLE
    for i in range(tables.foreign_ranges):
        if tables.foreign[2 * i] <= code < tables.foreign[2 * i + 1]:
            return FOREIGN
    return SEPARATOR


@jit
def _next_visible(data: _U8s, at: int, stop: int, tables: Tables) -> int:
    while at < stop:
        code, width = _decode(data, at, stop)
        kind = _class_of(code, tables)
        if kind != INVISIBLE:
            return kind
        at += width
    return NEWLINE


# -- hashes ------------------------------------------------------------------------------------------------


@jit
def _combine(left: np.uint64, right: np.uint64) -> np.uint64:
    x = (((left << _U23) | (left >> _U41)) ^ right) * _GOLDEN
    return x ^ (x >> _U32)


@jit
def _mix(h: np.uint64, chunk: np.uint64) -> np.uint64:
    x = (h ^ chunk) * _GOLDEN
    return x ^ (x >> _U32)


@jit
def _find(keys: _U64s, mask: int, h: np.uint64) -> int:
    """The slot of a hash in an open-addressing table, or -1."""
    slot: int = _int64(h) & mask
    while keys[slot] != h:
        if keys[slot] == _U0:
            return -1
        slot = (slot + 1) & mask
    return slot


@jit
def _find_word(tables: Tables, h: np.uint64) -> int:
    """The slot of a common word, or -1."""
    slot: int = _int64(h) & tables.word_mask
    while tables.words[2 * slot] != h:
        if tables.words[2 * slot] == _U0:
            return -1
        slot = (slot + 1) & tables.word_mask
    return slot


@jit
def _find_column(terms: Terms, h: np.uint64) -> int:
    slot = _find(terms.keys, terms.mask, h)
    column: int = _int64(terms.columns[slot]) if slot >= 0 else -1
    return column


@jit
def _add(scratch: Scratch, slots: int, h: np.uint64, row: int) -> bool:
    """Put a word into this article's set; whether it is new there."""
    slot = _int64(h) & (slots - 1)
    while scratch.seen_rows[slot] == row:
        if scratch.seen_keys[slot] == h:
            return False
        slot = (slot + 1) & (slots - 1)
    scratch.seen_rows[slot] = row
    scratch.seen_keys[slot] = h
    return True


# -- tokens ------------------------------------------------------------------------------------------------


@inlined
def _scan_word(
    data: _U8s, at: int, stop: int, end: int, tables: Tables
) -> tuple[int, np.uint64, int, bool, bool]:
    """Where the word ends, its hash, its letters, whether it is all upper-case, whether it is a fragment.

    Eight bytes are looked at together, as far as the buffer goes (`end`). Where a word is not plain ASCII, or
    an apostrophe is behind it, it is scanned again character by character.
    """
    start, h, letters, lower = at, _OFFSET, 0, _U0
    first = second = 0
    while at + 8 <= end:
        chunk = load_8_bytes(data, at)
        folded = chunk | _BIT_5
        seven = folded & _BITS_0_6
        ends = ~((seven + _TO_A) & ~(seven + _BEHIND_Z) & ~chunk) & _BIT_7  # bit 7 of each byte, if no letter
        n = min(_int64(trailing_zeros(ends)) >> 3, stop - at)
        if n > 0:
            keep = ~_U0 >> np.uint64(64 - 8 * n)
            lower |= chunk & _BIT_5 & keep
            if letters == 0:
                first, second = _int64(folded & np.uint64(0xFF)), _int64((folded >> _U8) & np.uint64(0xFF))
            h = _mix(h, folded & keep)
            letters += n
            at += n
        if n < 8:
            if at < stop and (data[at] >= 0x80 or tables.classes[data[at]] in (APOSTROPHE, INVISIBLE)):
                break
            return at, h, letters, letters >= 2 and lower == _U0, _is_fragment(letters, first, second)
    return _scan_characters(data, start, stop, tables)


@jit
def _scan_characters(
    data: _U8s, at: int, stop: int, tables: Tables
) -> tuple[int, np.uint64, int, bool, bool]:
    """`_scan_word` for any word."""
    h = cut_hash = _OFFSET
    chunk, filled = _U0, 0
    letters = uppers = characters = 0
    cut = -1  # letters before the last apostrophe
    first = second = last = before_last = 0
    while at < stop:
        code, width = _decode(data, at, stop)
        kind = _class_of(code, tables)
        if kind == LETTER:
            for i in range(2):
                letter = _int64(tables.folds[2 * code + i])
                if letter:
                    chunk |= np.uint64(letter) << np.uint64(8 * filled)
                    filled += 1
                    if filled == 8:
                        h, chunk, filled = _mix(h, chunk), _U0, 0
                    before_last, last = last, letter
                    if letters == 0:
                        first = letter
                    elif letters == 1:
                        second = letter
                    letters += 1
            uppers += tables.uppers[code]
            characters += 1
        elif kind == APOSTROPHE and _next_visible(data, at + width, stop, tables) == LETTER:
            cut, cut_hash = letters, _mix(h, chunk) if filled else h
        elif kind != INVISIBLE:
            break
        at += width
    if cut > 0 and _is_clitic(letters - cut, before_last, last):
        h, letters = cut_hash, cut
    elif filled:
        h = _mix(h, chunk)
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
def _scan_number(data: _U8s, at: int, stop: int, tables: Tables) -> int:
    while at < stop:
        code, width = _decode(data, at, stop)
        kind = _class_of(code, tables)
        joins = code in (0x2E, 0x2C, 0x3A, 0x2F)  # . , : /
        if not (
            kind in (DIGIT, INVISIBLE) or (joins and _next_visible(data, at + width, stop, tables) == DIGIT)
        ):
            break
        at += width
    return at


@jit
def _count_categories(tables: Tables, scratch: Scratch, measures: _I32s) -> None:
    """Add the words of each list to the list's categories: once an article, not once a word."""
    for i in range(2 * tables.lists):
        count = scratch.list_counts[i]
        if count:
            scratch.list_counts[i] = 0
            first = tables.first_category + (i & 1) * tables.categories
            for j in range(tables.list_starts[i >> 1], tables.list_starts[(i >> 1) + 1]):
                measures[first + tables.list_columns[j]] += count


@jit
def _tokenize(
    data: _U8s,
    start: int,
    stop: int,
    end: int,
    row: int,
    tables: Tables,
    scratch: Scratch,
    measures: _I32s,
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
        code, width = _int64(data[at]), 1
        if code < 0x80:
            kind = _int64(tables.classes[code])
        else:
            code, width = _decode(data, at, stop)
            kind = _class_of(code, tables)
        token, h, word, letters, shouted = NOTHING, _OFFSET, -1, 0, False
        opens, mark, closes = SEPARATOR, 0, False
        if kind == LETTER:
            at, h, letters, shouted, fragment = _scan_word(data, at, stop, end, tables)
            previous = LETTER
            if fragment and not tables.uppers[code]:
                continue
            word = _find_word(tables, h)
            token = WORD
            if tables.uppers[code]:
                if word < 0:
                    token, h = NAME, _NAME_HASH
                elif _int64(tables.words[2 * word + 1] & _LOW) == tables.nations:
                    token, h, word = NAME, _NATION_HASH, -1
        elif kind == DIGIT:
            at = _scan_number(data, at, stop, tables)
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
                mark = _int64(tables.folds[2 * code])
                if mark in (0x2E, 0x3F, 0x21):  # . ? !
                    following = _next_visible(data, at, stop, tables)
                    closes = following not in (LETTER, DIGIT, PUNCTUATION, HYPHEN, FOREIGN)
            elif kind == NEWLINE:
                fresh, style = True, SEPARATOR
            elif kind == FOREIGN:
                measures[FOREIGN_LETTERS] += 1
            elif kind == HYPHEN:
                joins = before in (LETTER, DIGIT)
                if not (joins and _next_visible(data, at, stop, tables) in (LETTER, DIGIT)):
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
            token, h = MARK, _mix(_OFFSET, np.uint64(mark))

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
        known = _int64(tables.words[2 * word + 1]) if word >= 0 else _int64(-2) << 32
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
                measures[DISTINCT] += _add(scratch, slots, h, row)
            else:
                measures[COMMON] += 1
                measures[DISTINCT] += scratch.seen_words[word] != row
                scratch.seen_words[word] = row
                if known & 0xFFFFFFFF != tables.nations:
                    scratch.list_counts[2 * (known & 0xFFFFFFFF) + quoted] += 1
    _count_categories(tables, scratch, measures)
    return tokens


# -- terms -------------------------------------------------------------------------------------------------


@jit
def _list_terms(scratch: Scratch, tokens: int) -> int:
    """Write the article's n-grams to the scratch; how many there are."""
    terms, spans = scratch.terms, scratch.spans
    n = 0
    pair = _OFFSET  # hash of the last two tokens
    words = 0  # bit i: the token i places back is a word
    reach = 0  # tokens before this one in its paragraph
    for i in range(tokens):
        h, flag = scratch.hashes[i], _int64(scratch.flags[i])
        reach = 0 if flag & IS_FIRST else reach + 1
        words = (words << 1 | (flag & IS_WORD)) & 7
        if words & 1:
            terms[n], spans[n] = h, 4 * i + 1
            n += 1
        if reach >= 1:
            if reach >= 2 and words:
                terms[n], spans[n] = _combine(pair, h), 4 * i + 3
                n += 1
            pair = _combine(scratch.hashes[i - 1], h)
            if words & 3:
                terms[n], spans[n] = pair, 4 * i + 2
                n += 1
    return n


@jit
def _in_sieve(h: np.uint64, terms: Terms) -> int:
    bit = _int64(h >> _U40) & terms.sieve_mask
    passes: int = _int64(terms.sieve[bit >> 3] >> (bit & 7) & 1)
    return passes


@jit
def _count_terms(scratch: Scratch, tokens: int, terms: Terms, counts: _I64s, touched: _I32s) -> int:
    """Count the vocabulary's n-grams among the first `tokens` tokens; how many columns were touched.

    A column's two counts are one number, that in quoted speech times 2**32, so that a term costs one look at
    the memory. `_list_terms` says which n-grams there are; here, those that pass the sieve are gathered
    without a branch and looked up together.
    """
    n = 0
    pair = _OFFSET
    words = reach = 0
    for block in range(0, tokens, BLOCK):
        found = 0
        for i in range(block, min(block + BLOCK, tokens)):
            h, flag = scratch.hashes[i], _int64(scratch.flags[i])
            reach = 0 if flag & IS_FIRST else reach + 1
            words = (words << 1 | (flag & IS_WORD)) & 7
            quoted = (flag & IS_QUOTED) >> 1
            if words & 1:
                column = _int64(scratch.columns[i])
                if column == -2:
                    column = _find_column(terms, h)
                if column >= 0:
                    n = _count_column(column, quoted, counts, touched, n)
            if terms.longest > 2:
                triple = _combine(pair, h)
                scratch.terms[found], scratch.spans[found] = triple, quoted
                found += _in_sieve(triple, terms) & (reach >= 2) & (words != 0)
            pair = _combine(scratch.hashes[i - (i > 0)], h)
            scratch.terms[found], scratch.spans[found] = pair, quoted
            found += _in_sieve(pair, terms) & (reach >= 1) & (words & 3 != 0)
        for i in range(found):
            column = _find_column(terms, scratch.terms[i])
            if column >= 0:
                n = _count_column(column, scratch.spans[i], counts, touched, n)
    return n


@jit
def _count_column(column: int, quoted: int, counts: _I64s, touched: _I32s, n: int) -> int:
    count: int = counts[column]
    touched[n] = column
    counts[column] = count + (_int64(1) << (quoted << 5))
    return n + (count == 0)


@jit
def _sort(numbers: _I32s, room: _I32s, n: int) -> None:
    """Merge ever longer runs, without a branch on what is smaller: half of those would be mispredicted."""
    width = 1
    while width < n:
        for first in range(0, n, 2 * width):
            middle, last = min(first + width, n), min(first + 2 * width, n)
            left, right = first, middle
            for i in range(first, last):
                from_left = (left < middle) & ((right >= last) | (numbers[left] < numbers[right]))
                room[i] = numbers[left] if from_left else numbers[right]
                left += from_left
                right += not from_left
        for i in range(n):
            numbers[i] = room[i]
        width *= 2


@jit
def count_rows(
    data: _U8s,
    end: int,
    starts: _I64s,
    stops: _I64s,
    rows: int,
    tables: Tables,
    terms: Terms,
    scratch: Scratch,
    counts: _I64s,
    touched: _I32s,
    measures: _I32s,
    measured: int,
    lengths: _I64s,
    entries: _I32s,
    room: int,
) -> None:
    """Counts of the articles ``data[starts[i]:stops[i]]``.

    Parameters
    ----------
    end
        Up to where the buffer may be read.
    counts, touched
        Room for each term, and for twice as many and two more; counts are zero, and zero again afterwards.
    measures
        int32, shape (rows, measured), zero: is written to.
    lengths
        int64, shape (rows,): entries of each article are written there.
    entries
        int32, shape (room, 3): column, count in the reporter's voice and in quoted speech are written there;
        columns ascend within an article.
    """
    used = 0
    for row in range(rows):
        tokens = _tokenize(
            data, starts[row], stops[row], end, row, tables, scratch, item(measures, measured * row)
        )
        n = _count_terms(scratch, tokens, terms, counts, touched)
        if used + n > room:
            raise RoomError
        _sort(touched, item(touched, n + 1), n)
        for i in range(n):
            term, at = _int64(touched[i]), 3 * (used + i)
            entries[at] = term
            entries[at + 1] = counts[term] & 0xFFFFFFFF
            entries[at + 2] = counts[term] >> 32
            counts[term] = 0
        lengths[row] = n
        used += n


@jit
def score_rows(
    data: _U8s,
    end: int,
    starts: _I64s,
    stops: _I64s,
    rows: int,
    tables: Tables,
    terms: Terms,
    scratch: Scratch,
    counts: _I64s,
    touched: _I32s,
    measures: _I32s,
    measured: int,
    model: _F32s,
    sublinear: _F64s,
    tabulated: int,
    scores: _F64s,
) -> None:
    """What the terms of each article add to its score, without keeping their counts.

    Parameters
    ----------
    data, end, starts, stops, rows, tables, terms, scratch, counts, touched, measures, measured
        As for `count_rows`.
    model
        shape (terms, 4): of each column idf and weight in the reporter's voice, then in quoted speech, as
        `framelens.linear.LinearModel` has them.
    sublinear, tabulated
        ``1 + ln(count)`` by count, 0 at 0; so many of them.
    scores
        float64, shape (rows,): is written to.
    """
    for row in range(rows):
        tokens = _tokenize(
            data, starts[row], stops[row], end, row, tables, scratch, item(measures, measured * row)
        )
        n = _count_terms(scratch, tokens, terms, counts, touched)
        dot = squares = 0.0
        for i in range(n):
            both, place = counts[touched[i]], 4 * _int64(touched[i])
            counts[touched[i]] = 0
            for field in range(2):
                count = both >> 32 if field else both & 0xFFFFFFFF
                if count:
                    value = sublinear[count] if count < tabulated else 1.0 + math.log(count)
                    value *= model[place + 2 * field]
                    dot += model[place + 2 * field + 1] * value
                    squares += value * value
        scores[row] = dot / math.sqrt(squares) if squares > 0.0 else 0.0


# -- the terms of a corpus ---------------------------------------------------------------------------------


@jit
def _tally(
    scratch: Scratch,
    ngrams: int,
    row: int,
    groups: _I64s,
    part: int,
    parts: int,
    slots: _U64s,
    others: _I32s,
    mask: int,
) -> int:
    """Enter one article into the table; how many n-grams are new to it."""
    added = 0
    article = np.uint64(row + 1) << _U32
    for i in range(ngrams):
        h = scratch.terms[i]
        if _int64(h >> _U40) & (parts - 1) != part:
            continue
        slot = _int64(h) & mask
        while slots[2 * slot + 1] and slots[2 * slot] != h:
            slot = (slot + 1) & mask
        state = slots[2 * slot + 1]
        if state == 0:
            slots[2 * slot] = h
            slots[2 * slot + 1] = article | _U1
            added += 1
        elif state >> _U32 != np.uint64(row + 1):
            slots[2 * slot + 1] = article | ((state & _LOW) + _U1)
            others[slot] += groups[_int64(state >> _U32) - 1] != groups[row]
    return added


@jit
def grow_table(slots: _U64s, others: _I32s, size: int, larger: _U64s, larger_others: _I32s) -> None:
    """Enter a table of `size` slots into an empty one of twice as many."""
    mask = 2 * size - 1
    for old in range(size):
        if slots[2 * old + 1]:
            slot = _int64(slots[2 * old]) & mask
            while larger[2 * slot + 1]:
                slot = (slot + 1) & mask
            larger[2 * slot] = slots[2 * old]
            larger[2 * slot + 1] = slots[2 * old + 1]
            larger_others[slot] = others[old]


@jit
def tally_rows(
    data: _U8s,
    end: int,
    starts: _I64s,
    stops: _I64s,
    row: int,
    rows: int,
    groups: _I64s,
    part: int,
    parts: int,
    tables: Tables,
    scratch: Scratch,
    measures: _I32s,
    slots: _U64s,
    others: _I32s,
    size: int,
    used: _I64s,
) -> int:
    """Enter the n-grams of each article into the table, for one part of the hashes (of a power of two).

    Articles come in the order of their group.

    Parameters
    ----------
    row
        The first article that is not in the table yet.
    slots, others, size
        The table: `size` slots, a power of two, each a hash and, in one word, the article that last held the
        n-gram and how many have; `others` are the groups after the first.
    used
        int64, shape (1,): slots that are taken.

    Returns
    -------
    int
        The next row; `rows` when all are done, less when the table has to grow.
    """
    while row < rows:
        tokens = _tokenize(data, starts[row], stops[row], end, row, tables, scratch, measures)
        ngrams = _list_terms(scratch, tokens)
        if 3 * (used[0] + ngrams) > 2 * size:
            break
        used[0] += _tally(scratch, ngrams, row, groups, part, parts, slots, others, size - 1)
        row += 1
    return row


@jit
def locate_rows(
    data: _U8s,
    end: int,
    starts: _I64s,
    stops: _I64s,
    rows: int,
    tables: Tables,
    scratch: Scratch,
    measures: _I32s,
    keys: _U64s,
    columns: _I32s,
    mask: int,
    hashes: _U64s,
    places: _I64s,
) -> int:
    """Where an n-gram of the table stands, for each not found before; how many were found.

    Writes to ``hashes[column]``, shape (3,), the hashes of its tokens, and to ``places[column]``, shape (3,
    2), their first and last byte; a column whose first place ends at zero is one not found yet.
    """
    found = 0
    for row in range(rows):
        tokens = _tokenize(data, starts[row], stops[row], end, row, tables, scratch, measures)
        for i in range(_list_terms(scratch, tokens)):
            slot = _find(keys, mask, scratch.terms[i])
            term = _int64(columns[slot]) if slot >= 0 else -1
            if term >= 0 and places[6 * term + 1] == 0:
                last, length = scratch.spans[i] >> 2, scratch.spans[i] & 3
                for j in range(length):
                    token, at = last - length + 1 + j, 3 * term + j
                    hashes[at] = scratch.hashes[token]
                    places[2 * at], places[2 * at + 1] = scratch.starts[token], scratch.stops[token]
                found += 1
    return found
