"""Counts of one article, by the readable reference."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from framelens.features.lexicon import CATEGORIES, word_masks
from framelens.features.tokens import Field, Kind, TokenStream, ngrams, tokenize

LONGEST_NGRAM = 3

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

``words`` are word and name tokens of both fields, ``quoted_words`` those in quotations; ``distinct_words`` are distinct
folded words (masked names not among them), ``common_words`` tokens that are in the table of common words; ``letters`` is
the sum of the folded lengths of words and names; the last ones count the words of each lexicon category, by field.
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
    by_field: tuple[Counter[str], Counter[str]] = (Counter(), Counter())
    for term, field, _, _ in ngrams(stream.tokens, LONGEST_NGRAM):
        by_field[field][term] += 1
    reporter, quoted = by_field
    return {term: (reporter[term], quoted[term]) for term in reporter | quoted}


def _count_measures(stream: TokenStream) -> npt.NDArray[np.int32]:
    masks = word_masks()
    totals: Counter[str] = Counter()
    distinct: set[str] = set()
    for token in stream.tokens:
        if token.kind == Kind.PUNCTUATION:
            totals[PUNCTUATION_MEASURES.get(token.text, "")] += 1
            totals["sentences"] += token.closes_sentence
            continue
        if token.kind == Kind.NUMBER:
            totals["numbers"] += 1
            continue
        totals["words"] += 1
        totals["quoted_words"] += token.field == Field.QUOTED
        totals["letters"] += token.letters
        totals["shouted"] += token.shouted
        if token.kind == Kind.NAME:
            totals["names"] += 1
            continue
        distinct.add(token.text)
        mask = masks.get(token.text, -1)
        totals["common_words"] += mask >= 0
        for bit, category in enumerate(CATEGORIES):
            if mask > 0 and mask >> bit & 1:
                totals[f"{category}_{token.field.name.lower()}"] += 1
    totals["distinct_words"] = len(distinct)
    totals["paragraphs"] = 1 + stream.tokens[-1].paragraph if stream.tokens else 0
    totals["quotations"] = stream.quotations
    totals["foreign_letters"] = stream.foreign_letters
    return np.array([totals[name] for name in MEASURES], dtype=np.int32)
