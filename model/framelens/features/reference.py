"""Counts of one article, by the readable reference."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from framelens.features.lexicon import CATEGORIES, word_masks
from framelens.features.tokens import NAME_TOKEN, Field, Kind, TokenStream, tokenize

PUNCTUATION_MEASURES = {
    ".": "period",
    ",": "comma",
    ";": "semicolon",
    ":": "colon",
    "?": "question",
    "!": "exclamation",
    "(": "bracket",
    "-": "dash",
    "$": "currency",
    "%": "percent",
}

MEASURES: tuple[str, ...] = (
    "words",
    "quoted_words",
    "distinct_words",
    "common_words",
    "letters",
    "names",
    "shouted",
    "numbers",
    "sentences",
    "paragraphs",
    "quotations",
    "foreign_letters",
    *PUNCTUATION_MEASURES.values(),
    *(f"{category}_{field.name.lower()}" for field in Field for category in CATEGORIES),
)
"""Names of the integers counted for every article beside its terms, in the order of their columns.

``words`` are word and name tokens of both fields, ``quoted_words`` those in quotations; ``distinct_words``
are distinct folded words (masked names not among them), ``common_words`` tokens that are in the table of
common words; ``letters`` is the sum of the folded lengths of words and names; the last ones count the words
of each lexicon category, by field.
"""


@dataclass(frozen=True, slots=True)
class ArticleCounts:
    """What the featuriser makes of one article.

    Attributes
    ----------
    terms
        For each n-gram its two counts: in the reporter's voice and in quoted speech.
    measures
        int32, shape (len(MEASURES),), in the order of `MEASURES`.
    """

    terms: dict[str, tuple[int, int]]
    measures: npt.NDArray[np.int32]


def count(text: str) -> ArticleCounts:
    """Terms and measures of one cleaned article.

    Examples
    --------
    >>> counts = count('The minister said: "We will win." The minister left.')
    >>> counts.terms["the minister"], counts.terms["we will"]
    ((2, 0), (0, 1))
    """
    stream = tokenize(text, word_masks())
    return ArticleCounts(_count_terms(stream), _count_measures(stream))


def _count_terms(stream: TokenStream) -> dict[str, tuple[int, int]]:
    """What `framelens.features.tokens.ngrams` lists, counted; written out, as predictions wait for it."""
    by_field: tuple[list[str], list[str]] = ([], [])
    paragraph = -1
    before = pair = ""
    before_is_word = pair_has_word = False  # of the last token, and of the last two
    reach = 0  # tokens before this one in its paragraph
    for token in stream.tokens:
        text, is_word, add = token.text, token.kind is Kind.WORD, by_field[token.field].append
        if token.paragraph != paragraph:
            paragraph, reach = token.paragraph, 0
        if is_word:
            add(text)
        if reach:
            if reach > 1 and (is_word or pair_has_word):
                add(f"{pair} {text}")
            pair, pair_has_word = f"{before} {text}", is_word or before_is_word
            if pair_has_word:
                add(pair)
        before, before_is_word = text, is_word
        reach += 1
    reporter, quoted = Counter(by_field[Field.REPORTER]), Counter(by_field[Field.QUOTED])
    counts = {term: (n, quoted.get(term, 0)) for term, n in reporter.items()}
    counts |= {term: (0, n) for term, n in quoted.items() if term not in reporter}
    return counts


def _count_measures(stream: TokenStream) -> npt.NDArray[np.int32]:
    masks = word_masks()
    totals: Counter[str] = Counter()
    words: tuple[list[str], list[str]] = ([], [])
    for token in stream.tokens:
        kind = token.kind
        if kind is Kind.PUNCTUATION:
            totals[PUNCTUATION_MEASURES.get(token.text, "")] += 1
            totals["sentences"] += token.closes_sentence
        elif kind is Kind.NUMBER:
            totals["numbers"] += 1
        else:
            totals["letters"] += token.letters
            totals["shouted"] += token.shouted
            words[token.field].append(token.text)
    totals["words"] = sum(map(len, words))
    totals["quoted_words"] = len(words[Field.QUOTED])
    counts = tuple(map(Counter, words))
    totals["names"] = sum(count.pop(NAME_TOKEN, 0) for count in counts)
    totals["distinct_words"] = len(counts[Field.REPORTER] | counts[Field.QUOTED])
    for field, found in zip(Field, counts, strict=True):
        for word in found.keys() & masks.keys():
            totals["common_words"] += found[word]
            for category in _categories(masks[word]):
                totals[f"{category}_{field.name.lower()}"] += found[word]
    totals["paragraphs"] = 1 + stream.tokens[-1].paragraph if stream.tokens else 0
    totals["quotations"] = stream.quotations
    totals["foreign_letters"] = stream.foreign_letters
    return np.array([totals[name] for name in MEASURES], dtype=np.int32)


@cache
def _categories(mask: int) -> tuple[str, ...]:
    return tuple(category for bit, category in enumerate(CATEGORIES) if mask >> bit & 1)
