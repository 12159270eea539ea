"""Character classes and folding, as two small tables that the reference and the kernel share.

Everything the featuriser knows about a character is in these tables. They are built from fixed code point
ranges and from canonical decompositions that Unicode guarantees never to change (its normalisation stability
policy), so the same text gives the same counts on every platform and Python version.
"""

from __future__ import annotations

import re
import unicodedata
from enum import IntEnum
from functools import cache

import numpy as np
import numpy.typing as npt

TABLE_SIZE = 0x2220
"""Code points from here on are never Latin letters, digits or punctuation: foreign letters, or separators."""


class CharClass(IntEnum):
    """What a character does to the token stream."""

    SEPARATOR = 0
    """Ends a word; leaves no token. White space and every character that nothing else claims."""
    LETTER = 1
    """Latin letter; `fold_table` says which one or two ASCII letters it becomes."""
    DIGIT = 2
    INVISIBLE = 3
    """Skipped as if absent: combining marks, zero-width characters, soft hyphens."""
    NEWLINE = 4
    """Ends a word, an n-gram, a quotation and a paragraph."""
    APOSTROPHE = 5
    """Inside a word it is dropped (``don't`` is ``dont``); elsewhere it separates."""
    SINGLE_OPEN = 6
    """U+2018 and U+201A: opens a quotation where no letter stands before it."""
    QUOTE_STRAIGHT = 7
    QUOTE_OPEN = 8
    QUOTE_CLOSE = 9
    HYPHEN = 10
    """ASCII and Unicode hyphens: a separator inside a compound, a dash elsewhere."""
    PUNCTUATION = 11
    """Leaves a token of its own; `punctuation_of` names it."""
    FOREIGN = 12
    """A letter of another script: separates, and is counted as a sign that the text is not English."""


PUNCTUATION_TOKENS = (".", ",", ";", ":", "?", "!", "(", ")", "-", "$", "%", '"')
"""Every punctuation token there is; variants fold to these (``[`` to ``(``, the euro sign to ``$``)."""

_PUNCTUATION = {
    ".": ".…",
    ",": ",",
    ";": ";",
    ":": ":",
    "?": "?¿",
    "!": "!¡",
    "(": "([{",
    ")": ")]}",
    "-": "\u2012\u2013\u2014\u2015\u2212",
    "$": "$£€¥¢₦₨₩₹₽₺₱₫฿",
    "%": "%‰",
}
_INVISIBLE = (0x00AD, *range(0x0300, 0x0370), *range(0x200B, 0x2010), *range(0x202A, 0x202F), 0x2060)
_NO_DECOMPOSITION = {
    "ß": "ss", "æ": "ae", "Æ": "ae", "œ": "oe", "Œ": "oe", "ø": "o", "Ø": "o", "đ": "d", "Đ": "d", "ð": "d",
    "Ð": "d", "þ": "th", "Þ": "th", "ł": "l", "Ł": "l", "ħ": "h", "Ħ": "h", "ı": "i", "ŋ": "n", "Ŋ": "n",
    "ŧ": "t", "Ŧ": "t", "ſ": "s", "ĸ": "k", "Ə": "e", "ə": "e", "ẞ": "ss",
}  # fmt: skip
_LATIN = (*range(0x00C0, 0x0250), *range(0x1E00, 0x1F00))
_FOREIGN_RANGES = (
    (0x0250, 0x02B0),
    (0x0370, 0x1E00),
    (0x1F00, 0x2000),
    (0x2C00, 0x2E00),
    (0x3040, 0xD800),
    (0xF900, 0xFB00),
    (0xFB1D, 0xFE00),
    (0xFE70, 0xFEFF),
    (0xFF66, 0xFFDD),
    (0x10000, 0x1F000),
    (0x20000, 0x32000),
)


@cache
def class_table() -> npt.NDArray[np.uint8]:
    """`CharClass` of each code point below `TABLE_SIZE`; uint8, read-only."""
    table = np.full(TABLE_SIZE, CharClass.SEPARATOR, dtype=np.uint8)
    for start, stop in _FOREIGN_RANGES:
        table[min(start, TABLE_SIZE) : min(stop, TABLE_SIZE)] = CharClass.FOREIGN
    for code in (*range(ord("a"), ord("z") + 1), *range(ord("A"), ord("Z") + 1), *_LATIN):
        if _folded(chr(code)):
            table[code] = CharClass.LETTER
    table[ord("0") : ord("9") + 1] = CharClass.DIGIT
    table[list(_INVISIBLE)] = CharClass.INVISIBLE
    table[[0x0A, 0x0B, 0x0C, 0x0D, 0x85, 0x2028, 0x2029]] = CharClass.NEWLINE
    table[[ord("'"), 0x2019, 0x02BC, 0x0060, 0x00B4]] = CharClass.APOSTROPHE
    table[[0x2018, 0x201A, 0x201B]] = CharClass.SINGLE_OPEN
    table[ord('"')] = CharClass.QUOTE_STRAIGHT
    table[[0x201C, 0x201E, 0x201F, 0x00AB]] = CharClass.QUOTE_OPEN
    table[[0x201D, 0x00BB]] = CharClass.QUOTE_CLOSE
    table[[ord("-"), 0x2010, 0x2011]] = CharClass.HYPHEN
    for variants in _PUNCTUATION.values():
        table[[ord(c) for c in variants]] = CharClass.PUNCTUATION
    table.setflags(write=False)
    return table


@cache
def fold_table() -> npt.NDArray[np.uint8]:
    """For each code point below `TABLE_SIZE`, what it becomes.

    Returns
    -------
    uint8, shape (TABLE_SIZE, 2)
        For a letter its one or two lower-case ASCII letters; for punctuation the ASCII code of its token;
        zero elsewhere and where there is no second letter.
    """
    table = np.zeros((TABLE_SIZE, 2), dtype=np.uint8)
    for code in np.flatnonzero(class_table() == CharClass.LETTER):
        folded = _folded(chr(code)).encode("ascii")
        table[code, : len(folded)] = list(folded)
    for token, variants in _PUNCTUATION.items():
        table[[ord(c) for c in variants], 0] = ord(token)
    table.setflags(write=False)
    return table


@cache
def upper_table() -> npt.NDArray[np.bool_]:
    """Whether each code point below `TABLE_SIZE` is an upper-case (or title-case) Latin letter."""
    table = np.zeros(TABLE_SIZE, dtype=np.bool_)
    for code in np.flatnonzero(class_table() == CharClass.LETTER):
        table[code] = unicodedata.category(chr(code)) in ("Lu", "Lt")
    table.setflags(write=False)
    return table


def char_class(code: int) -> int:
    """`CharClass` of any code point, as an int.

    Examples
    --------
    >>> char_class(ord("é")) == CharClass.LETTER, char_class(ord("й")) == CharClass.FOREIGN
    (True, True)
    """
    if code < TABLE_SIZE:
        return int(class_table()[code])
    if code == 0xFEFF:
        return int(CharClass.INVISIBLE)
    if any(start <= code < stop for start, stop in _FOREIGN_RANGES):
        return int(CharClass.FOREIGN)
    return int(CharClass.SEPARATOR)


def pattern_of(*kinds: CharClass) -> str:
    """The characters of these classes, as they stand between the brackets of a regular expression.

    Not for `CharClass.SEPARATOR`, which has no end.

    Examples
    --------
    >>> pattern_of(CharClass.DIGIT)
    '0-9'
    """
    codes = np.flatnonzero(np.isin(class_table(), kinds))
    ends = np.flatnonzero(np.diff(codes, append=TABLE_SIZE + 1) > 1)
    ranges = list(zip(codes[np.append(0, ends[:-1] + 1)].tolist(), codes[ends].tolist(), strict=True))
    if CharClass.FOREIGN in kinds:
        ranges += [(start, stop - 1) for start, stop in foreign_ranges().tolist()]
    if CharClass.INVISIBLE in kinds:
        ranges.append((0xFEFF, 0xFEFF))
    return "".join(
        re.escape(chr(a)) if a == b else f"{re.escape(chr(a))}-{re.escape(chr(b))}" for a, b in ranges
    )


def foreign_ranges() -> npt.NDArray[np.int32]:
    """Code point ranges at or above `TABLE_SIZE` that are `CharClass.FOREIGN`; int32, shape (n, 2)."""
    high = [(max(a, TABLE_SIZE), b) for a, b in _FOREIGN_RANGES if b > TABLE_SIZE]
    return np.array(high, dtype=np.int32)


def _folded(char: str) -> str:
    """One or two lower-case ASCII letters for a Latin letter; empty when it has no such form."""
    if char in _NO_DECOMPOSITION:
        return _NO_DECOMPOSITION[char]
    base = [c for c in unicodedata.normalize("NFD", char) if not unicodedata.combining(c)]
    if len(base) == 1 and base[0].isascii() and base[0].isalpha():
        return base[0].lower()
    return ""
