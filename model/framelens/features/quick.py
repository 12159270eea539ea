"""Counts of one article in a millisecond, without a compiler and without an object for every token.

What `framelens.features.tokens` and `framelens.features.reference` specify, done in columns:

1. One regular expression cuts the text into **pieces**: words with their apostrophes, numbers, runs of
   foreign letters or line breaks, marks. It looks at the neighbours of hyphens and single quotation marks
   itself and passes over those that mean nothing.
2. A dictionary that remembers the pieces it met turns each into one integer, its **code**: which lexeme it is
   (a word of the vocabulary or the table of common words, a masked name, a mark), its letters, and whether it
   was shouted.
3. Only line breaks and quotation marks are looked at one by one, for what is quoted; all else is a few
   operations on arrays of integers, n-grams included: each is looked up by the number of its beginning and
   its last lexeme.

Texts with invisible characters lose them first, which changes nothing that is counted.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache
from itertools import count
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from framelens.features.alphabet import PUNCTUATION_TOKENS, CharClass, char_class, fold_table, pattern_of
from framelens.features.lexicon import CATEGORIES, NATION, word_masks
from framelens.features.ngrams import Ints, NGrams
from framelens.features.reference import MEASURES, PUNCTUATION_MEASURES
from framelens.features.tokens import (
    FRAGMENTS,
    NAME_TOKEN,
    NATION_TOKEN,
    NUMBER_TOKEN,
    QUOTATION_LIMIT,
    Field,
    fold_word,
)

BLOCK = 1 << 18
"""Longer texts are counted a few paragraphs at a time, about so many characters."""

REMEMBERED = 1 << 15
"""Pieces of text whose codes are kept; when there are more, the memory starts afresh."""

_LONGEST_REMEMBERED = 32

# Lexemes. First what leaves no token; marks that need a look at what is open, from _NEWLINE to _QUOTE_CLOSE.
_NOTHING, _FOREIGN, _INVISIBLE = 0, 1, 2
_NEWLINE, _SINGLE_OPEN, _SINGLE_CLOSE, _QUOTE_STRAIGHT, _QUOTE_OPEN, _QUOTE_CLOSE = range(3, 9)
# Then tokens that are no words; names of a sort and dashes in a row are one token.
_NAME, _NATION, _DASH, _NUMBER = 9, 10, 11, 12
_PUNCTUATION = {"-": _DASH} | {
    mark: 13 + i for i, mark in enumerate(mark for mark in PUNCTUATION_TOKENS if mark != "-")
}
_QUOTE = _PUNCTUATION['"']
# Words: any that nothing is known of, then the common words, then other words of the vocabulary.
_UNKNOWN = max(_PUNCTUATION.values()) + 1
_TOKEN, _COMMON = _NAME, _UNKNOWN + 1

# A code is a lexeme, whether all letters are upper-case, and the number of letters, from the lowest bit up.
_LEXEME_BITS = 24
_LEXEME = (1 << _LEXEME_BITS) - 1
_SHOUTED = 1 << _LEXEME_BITS
_LETTERS_FROM = _LEXEME_BITS + 1

_MARK_LEXEMES = {
    CharClass.INVISIBLE: _INVISIBLE,
    CharClass.NEWLINE: _NEWLINE,
    CharClass.APOSTROPHE: _SINGLE_CLOSE,
    CharClass.SINGLE_OPEN: _SINGLE_OPEN,
    CharClass.QUOTE_STRAIGHT: _QUOTE_STRAIGHT,
    CharClass.QUOTE_OPEN: _QUOTE_OPEN,
    CharClass.QUOTE_CLOSE: _QUOTE_CLOSE,
    CharClass.HYPHEN: _DASH,
}
_CLOSED_BY = {_SINGLE_OPEN: _SINGLE_CLOSE, _QUOTE_STRAIGHT: _QUOTE_STRAIGHT, _QUOTE_OPEN: _QUOTE_CLOSE}


class Row(NamedTuple):
    """One row of a `framelens.features.batch.FeatureBatch`."""

    term: npt.NDArray[np.int32]
    reporter: npt.NDArray[np.int32]
    quoted: npt.NDArray[np.int32]
    measures: npt.NDArray[np.int32]


class QuickCounter:
    """Counts articles for one vocabulary; threads may share it.

    Parameters
    ----------
    terms
        The vocabulary's terms, in the order of their columns.
    """

    def __init__(self, terms: Sequence[str]) -> None:
        common = word_masks()
        self.known_from = _COMMON + len(common)  # words of the vocabulary that are no common words
        lexemes = defaultdict(count(self.known_from).__next__, zip(common, count(_COMMON), strict=False))
        lexemes |= _PUNCTUATION | {NAME_TOKEN: _NAME, NATION_TOKEN: _NATION, NUMBER_TOKEN: _NUMBER}
        self.ngrams = NGrams(terms, lexemes, _UNKNOWN)
        # which categories a lexeme has: a row of category_sets, bools; the first one has none
        masks, places = np.unique([0, *common.values()], return_inverse=True)
        self.category_sets = (masks[:, None] >> np.arange(len(CATEGORIES)) & 1).astype(np.int64)
        self.category_set = np.zeros(self.ngrams.base, dtype=np.int64)
        self.category_set[_COMMON : self.known_from] = np.where(masks[places[1:]] == NATION, 0, places[1:])
        self.category_set[_NATION] = np.searchsorted(masks, NATION)
        self.codes = _Codes(dict(lexemes))

    def count(self, text: str) -> Row:
        """Terms and measures of one cleaned article, as `framelens.features.reference.count` has them."""
        blocks = [self._block(block) for block in _blocks(text)]
        counts, known, unknown, rows = blocks[0]
        if len(blocks) > 1:
            counts = np.sum([block.counts for block in blocks], axis=0)
            known = _distinct(np.concatenate([block.known for block in blocks]))
            unknown = set().union(*(block.unknown for block in blocks))
            rows = _add_up(*map(np.concatenate, zip(*(block.rows for block in blocks), strict=True)))
        measures = np.concatenate([[len(known) + len(unknown)], counts])[_MEASURE_ORDER]
        term, reporter, quoted = (column.astype(np.int32) for column in rows)
        return Row(term, reporter, quoted, measures.astype(np.int32))

    def _scan(self, text: str) -> tuple[Ints, set[str]]:
        """The code of each piece, and the words without a lexeme of their own."""
        pieces = _scanner().findall(text)
        codes = np.fromiter(map(self.codes.__getitem__, pieces), dtype=np.int64, count=len(pieces))
        unknown = np.flatnonzero((codes & _LEXEME) == _UNKNOWN).tolist()
        return codes, {fold_word(pieces[i]).word for i in unknown}

    def _block(self, text: str) -> _Block:
        """Everything about some paragraphs."""
        codes, unknown = self._scan(text)
        lexemes = codes & _LEXEME
        if (lexemes == _INVISIBLE).any():
            return self._block(_invisible().sub("", text))
        foreign = int((codes[lexemes == _FOREIGN] >> _LETTERS_FROM).sum())
        fields, quotations = _quote(lexemes)
        token, field, paragraph, letters, shouted = _tokens(codes, lexemes, fields)
        is_word = token >= _UNKNOWN
        kinds = np.bincount(np.where(is_word, _UNKNOWN, token), minlength=_COMMON)
        known = token[token >= _COMMON]
        measures = {
            "words": kinds[_UNKNOWN] + kinds[_NAME] + kinds[_NATION],
            "quoted_words": field[is_word | (token == _NAME) | (token == _NATION)].sum(),
            "common_words": np.count_nonzero(known < self.known_from),
            "letters": letters,
            "names": kinds[_NAME] + kinds[_NATION],
            "shouted": shouted,
            "numbers": kinds[_NUMBER],
            "sentences": len(_sentence_end().findall(text)),
            "paragraphs": np.count_nonzero(_is_new(paragraph)),
            "quotations": quotations,
            "foreign_letters": foreign,
        }
        counts = [*map(measures.__getitem__, _COUNTED), *kinds[_MARKS], *self._by_category(token, field)]
        found = self.ngrams.find(token, field, paragraph)
        rows = _add_up(found >> 1, 1 - (found & 1), found & 1)
        return _Block(np.array(counts, dtype=np.int64), _distinct(known), unknown, rows)

    def _by_category(self, token: Ints, field: Ints) -> Ints:
        """Words of each category, those of the reporter first."""
        sets = len(self.category_sets)
        counts = np.bincount(self.category_set[token] + sets * field, minlength=sets * len(Field))
        by_field: Ints = counts.reshape(len(Field), sets) @ self.category_sets
        return by_field.ravel()


class _Block(NamedTuple):
    """Counts of some paragraphs."""

    counts: Ints
    """The measures but for the distinct words, in the order of `_COUNTS`."""
    known: Ints
    """The lexemes of distinct words that have one of their own, ascending."""
    unknown: set[str]
    """The other distinct words."""
    rows: tuple[Ints, Ints, Ints]
    """Columns, ascending, and their counts in the reporter's voice and in quoted speech."""


_COUNTED = (
    *("words", "quoted_words", "common_words", "letters", "names", "shouted", "numbers", "sentences"),
    *("paragraphs", "quotations", "foreign_letters"),
)
_COUNTS = (
    *_COUNTED,
    *PUNCTUATION_MEASURES.values(),
    *(f"{category}_{field.name.lower()}" for field in Field for category in CATEGORIES),
)
_MEASURE_ORDER = np.array([("distinct_words", *_COUNTS).index(name) for name in MEASURES])
_MARKS = np.array([_PUNCTUATION[mark] for mark in PUNCTUATION_MEASURES])


def _blocks(text: str) -> Iterator[str]:
    """The text, cut at line breaks where it is long; nothing that is counted reaches across one."""
    start = 0
    while len(text) - start > BLOCK:
        stop = text.find("\n", start + BLOCK)
        if stop < 0:
            break
        yield text[start:stop]
        start = stop
    yield text[start:] if start else text


def _tokens(codes: Ints, lexemes: Ints, fields: npt.NDArray[np.int8]) -> tuple[Ints, Ints, Ints, int, int]:
    """Tokens, from pieces: their lexemes, fields and paragraphs; all their letters; how many were shouted."""
    paragraphs = np.cumsum(lexemes == _NEWLINE)
    at = np.flatnonzero(lexemes >= _TOKEN)
    codes, token, place = codes[at], lexemes[at], 2 * paragraphs[at] + fields[at]
    starts = np.ones(len(at), dtype=np.bool_)  # not what goes on with names or dashes in a row
    starts[1:] = (token[1:] != token[:-1]) | (token[1:] > _DASH) | (place[1:] != place[:-1])
    letters = int((codes >> _LETTERS_FROM).sum())
    shouted = int(np.count_nonzero(_is_new(np.cumsum(starts)[(codes & _SHOUTED) != 0])))
    place = place[starts]
    return token[starts], place & 1, place >> 1, letters, shouted


def _add_up(term: Ints, reporter: Ints, quoted: Ints) -> tuple[Ints, Ints, Ints]:
    """Distinct terms, ascending, and the sums of their counts."""
    order = np.argsort(term)
    term = term[order]
    first = np.flatnonzero(_is_new(term))
    if not len(first):
        return term, reporter, quoted
    return term[first], np.add.reduceat(reporter[order], first), np.add.reduceat(quoted[order], first)


def _distinct(numbers: Ints) -> Ints:
    """Each number once, ascending; quicker than `np.unique` for a few hundred."""
    numbers = np.sort(numbers)
    return numbers[_is_new(numbers)]


def _is_new(ascending: Ints) -> npt.NDArray[np.bool_]:
    """Where a number is not the one before."""
    new = np.ones(len(ascending), dtype=np.bool_)
    np.not_equal(ascending[1:], ascending[:-1], out=new[1:])
    return new


# -- pieces and their codes ---------------------------------------------------------------------------------


@cache
def _scanner() -> re.Pattern[str]:
    """Finds the pieces of a text without invisible characters, and, in any other, these characters."""
    letter, digit, apostrophe = map(pattern_of, (CharClass.LETTER, CharClass.DIGIT, CharClass.APOSTROPHE))
    hyphen, single, newline = map(pattern_of, (CharClass.HYPHEN, CharClass.SINGLE_OPEN, CharClass.NEWLINE))
    joins = f"[{letter}{digit}]"
    marks = pattern_of(
        *(CharClass.PUNCTUATION, CharClass.QUOTE_STRAIGHT, CharClass.QUOTE_OPEN, CharClass.QUOTE_CLOSE),
        CharClass.INVISIBLE,
    )
    return re.compile(
        f"[{letter}]+(?:[{apostrophe}][{letter}]+)*"
        f"|[{marks}\u2019]"
        f"|[{digit}]+(?:[.,:/][{digit}]+)*"
        f"|[{newline}]+"
        f"|[{hyphen}](?:(?!{joins})|(?<!{joins}[{hyphen}]))"
        f"|[{single}](?<!{joins}[{single}])"
        f"|[{pattern_of(CharClass.FOREIGN)}]+"
    )


@cache
def _invisible() -> re.Pattern[str]:
    return re.compile(f"[{pattern_of(CharClass.INVISIBLE)}]+")


@cache
def _sentence_end() -> re.Pattern[str]:
    """A mark that closes a sentence, in a text without invisible characters."""
    folds = fold_table()[:, 0]
    marks = "".join(re.escape(chr(code)) for code in np.flatnonzero(np.isin(folds, list(b".?!"))))
    kinds = (CharClass.LETTER, CharClass.DIGIT, CharClass.PUNCTUATION, CharClass.HYPHEN, CharClass.FOREIGN)
    return re.compile(f"[{marks}](?![{pattern_of(*kinds)}])")


class _Codes(dict[str, int]):
    """The code of each piece met before; of a new one it is made when it is asked for."""

    def __init__(self, lexemes: dict[str, int]) -> None:
        super().__init__()
        self.lexemes = lexemes

    def __missing__(self, piece: str) -> int:
        code = self._code(piece)
        if len(piece) <= _LONGEST_REMEMBERED:
            if len(self) >= REMEMBERED:
                self.clear()
            self[piece] = code
        return code

    def _code(self, piece: str) -> int:
        first = ord(piece[0])
        kind = char_class(first)
        if kind == CharClass.LETTER:
            return self._word(piece)
        if kind == CharClass.DIGIT:
            return _NUMBER
        if kind == CharClass.FOREIGN:
            return _FOREIGN | len(piece) << _LETTERS_FROM
        if kind == CharClass.PUNCTUATION:
            return _PUNCTUATION[chr(fold_table()[first, 0])]
        return _MARK_LEXEMES[CharClass(kind)]

    def _word(self, piece: str) -> int:
        word, is_upper, shouted = fold_word(piece)
        if word in FRAGMENTS and not is_upper:
            return _NOTHING
        lexeme = self.lexemes.get(word, _UNKNOWN)
        if is_upper and word_masks().get(word, NATION) == NATION:
            lexeme = _NATION if word in word_masks() else _NAME
        return lexeme | shouted << _LEXEME_BITS | len(word) << _LETTERS_FROM


# -- quotations ---------------------------------------------------------------------------------------------


def _quote(lexemes: Ints) -> tuple[npt.NDArray[np.int8], int]:
    """Step 6 of the specification: the field of each piece, and how many quotations there are.

    Double marks that are tokens become `_QUOTE` in `lexemes`.
    """
    fields = np.zeros(len(lexemes), dtype=np.int8)
    marks = np.flatnonzero((lexemes >= _NEWLINE) & (lexemes <= _QUOTE_CLOSE))
    kinds = lexemes[marks]
    if not (kinds != _NEWLINE).any():
        return fields, 0
    tokens = np.cumsum(lexemes >= _TOKEN)
    style = opened = before = quotations = 0
    written: list[int] = []

    def close(stop: int) -> None:
        last = before + QUOTATION_LIMIT
        if tokens[stop - 1] > last:
            stop = int(np.searchsorted(tokens, last + 1))
        fields[opened:stop] = Field.QUOTED

    for position, kind, so_far in zip(marks.tolist(), kinds.tolist(), tokens[marks].tolist(), strict=True):
        if style and (so_far - before > QUOTATION_LIMIT or kind == _NEWLINE):
            close(position)
            style = 0
        if style:
            if kind == _CLOSED_BY[style]:
                close(position)
                style = 0
                if kind != _SINGLE_CLOSE:
                    written.append(position)
        elif kind >= _QUOTE_STRAIGHT or kind == _SINGLE_OPEN:
            if kind != _SINGLE_OPEN:
                written.append(position)
            if kind != _QUOTE_CLOSE:
                style, opened, before = kind, position, so_far
                quotations += 1
    if style:
        close(len(lexemes))
    fields[written] = Field.REPORTER
    lexemes[written] = _QUOTE
    return fields, quotations
