"""Counts of one article, by the readable reference."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt

from framelens.features.lexicon import CATEGORIES, NATION, word_masks
from framelens.features.tokens import NAME_TOKEN, NATION_TOKEN, Field, Kind, TokenStream, ngrams, tokenize

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
common words, names of countries in lower case among them; ``letters`` is the sum of the folded lengths of
words and names; ``names`` are masked names, those of countries too; the last ones count the words of each
lexicon category, by field, and under ``nation`` the masked names of countries.
"""

NATION_MEASURES = tuple(f"nation_{field.name.lower()}" for field in Field)


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
    counts = Counter((term, field) for term, field, _, _ in ngrams(stream.tokens))
    terms = dict.fromkeys(term for term, _ in counts)
    return {term: (counts[term, Field.REPORTER], counts[term, Field.QUOTED]) for term in terms}


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
    nations = [count.pop(NATION_TOKEN, 0) for count in counts]
    totals["names"] += sum(nations)
    totals["distinct_words"] = len(counts[Field.REPORTER] | counts[Field.QUOTED])
    for field, found, named in zip(Field, counts, nations, strict=True):
        totals[f"nation_{field.name.lower()}"] = named
        for word in found.keys() & masks.keys():
            totals["common_words"] += found[word]
            for category in _categories(masks[word] & ~NATION):
                totals[f"{category}_{field.name.lower()}"] += found[word]
    totals["paragraphs"] = 1 + stream.tokens[-1].paragraph if stream.tokens else 0
    totals["quotations"] = stream.quotations
    totals["foreign_letters"] = stream.foreign_letters
    return np.array([totals[name] for name in MEASURES], dtype=np.int32)


@cache
def _categories(mask: int) -> tuple[str, ...]:
    return tuple(category for bit, category in enumerate(CATEGORIES) if mask >> bit & 1)
