"""Invented news articles, as many as wanted, the same for the same seed.

No sentence here was ever written by anyone: a chain walks from word to word as often as the champion's
pairs of words stand in its corpus, names and numbers are made up where the champion masks them, and words
that the champion does not know are strewn in. What such text means is nothing; what it costs to read is
what news costs, and `statistics` shows by how much that is true.
"""

from __future__ import annotations

import math
from bisect import bisect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from itertools import accumulate
from typing import Any

import numpy as np
import numpy.typing as npt

SENTENCES = 40_000
"""Different sentences; articles are drawn from them."""
MEDIAN_SENTENCES, SPREAD, MOST_SENTENCES = 16.7, 0.55, 120
"""Sentences of an article: log-normal, with a median near that of the seeds."""
_BACK_OFF = 0.6
"""How often the chain takes a word by its own frequency and not by the word before: tuned to `statistics`."""
_UNKNOWN = 0.03
"""Share of words outside the champion's terms, frequent and rare as Zipf has it."""
_BURST = 1.5
_QUOTED = 0.14
_BLOCK = 1000

_PLACES = "BELMORE", "SANTA VELA", "PORT AMIN", "KORVASK", "NEW HARLEY"
_HEADS = (
    *(f"{place}, {day} — " for place, day in zip(_PLACES, ("May 3", "June 19", "Oct 7"), strict=False)),
    *(f"{place} (Reuters) - " for place in _PLACES),
    *(f"{place}: " for place in _PLACES),
    "By Ama Example and Bo Sample\n",
    "By Staff Reporter\n",
    "BREAKING: ",
    "Updated 4:15 pm\n",
    *("",) * 30,
)
_TAILS = (
    "\n\nShare this article on Facebook and Twitter.",
    "\n\nFollow us on Twitter @examplewire",
    "\n\nSign up for our newsletter to get the best of our reporting in your inbox.",
    "\n\nRead more: Harbour wall to be raised by a metre",
    "\n\nRelated: Ferry fares go up again",
    "\n\nReporting by Ama Example; Editing by Bo Sample",
    "\n\n© 2024 The Example Gazette. All rights reserved.",
    "\n\n(Photo: A. Example/AFP)",
    "\n\nVisit https://news.example/world/2024/harbour for more.",
    *("",) * 16,
)
_AGENCIES = "Reuters", "AFP", "the Associated Press", "Xinhua", "TASS", "CNN", "the BBC"
_COUNTRIES = "Kenya", "Peruvian", "the Danish", "Sri Lanka", "Mongolia", "Chilean", "Jakarta", "Ghanaians"
_CONSONANTS, _VOWELS = "bdfgklmnprstvz", "aeiou"


@dataclass(frozen=True)
class Articles:
    """A source of articles.

    Parameters
    ----------
    seed
        The same articles for the same seed and the same champion.
    """

    seed: int = 0

    def stream(self, size: int, *, start: int = 0) -> Iterator[dict[str, Any]]:
        """Articles from number `start` (a multiple of 1,000) on, until their texts hold `size` bytes.

        Yields
        ------
        dict
            ``id``, ``outlet``, ``date``, ``title``, ``text`` and ``topic``, which is 0 or 1 and can be
            learned: six in ten sentences of a topic are its own.
        """
        made, number = 0, start
        while made < size:
            for article in self._block(number // _BLOCK):
                yield article
                number += 1
                made += len(article["text"].encode())
                if made >= size:
                    return

    def _block(self, block: int) -> list[dict[str, Any]]:
        rng = np.random.default_rng([self.seed, 1, block])
        sentences = self.sentences
        half = len(sentences) // 2
        lengths = np.exp(rng.normal(math.log(MEDIAN_SENTENCES), SPREAD, _BLOCK))
        counts = np.clip(np.rint(lengths), 4, MOST_SENTENCES).astype(int)
        picks = rng.integers(0, half, counts.sum())
        own = rng.random(counts.sum()) < 0.6
        breaks = np.array([" ", "\n\n"])[(rng.random(counts.sum()) < 0.45).astype(int)].tolist()
        heads, tails = rng.integers(0, len(_HEADS), _BLOCK), rng.integers(0, len(_TAILS), _BLOCK)
        articles, stop = [], 0
        for i, count in enumerate(counts.tolist()):
            first, stop = stop, stop + count
            number = block * _BLOCK + i
            topic = number % 2
            which = picks[first:stop] + half * (own[first:stop] == bool(topic))
            parts = [_HEADS[heads[i]]]
            for sentence, gap in zip(which.tolist(), breaks[first:stop], strict=True):
                parts += (sentences[sentence], gap)
            parts[-1] = _TAILS[tails[i]]
            articles.append(
                {
                    "id": f"example-{number:09d}",
                    "outlet": "news.example",
                    "date": f"2024-{1 + number % 12:02d}-{1 + number % 28:02d}",
                    "title": sentences[int(which[0])][:70],
                    "text": "".join(parts),
                    "topic": topic,
                }
            )
        return articles

    @property
    def sentences(self) -> list[str]:
        """All there are."""
        return _sentences(self.seed, SENTENCES)


@lru_cache(maxsize=1)
def _sentences(seed: int, number: int) -> list[str]:
    chain = _Chain(np.random.default_rng([seed, 0]))
    return [chain.sentence() for _ in range(number)]


class _Chain:
    """Word after word, as often as the champion's single words and pairs stand in its corpus."""

    def __init__(self, rng: np.random.Generator) -> None:
        from framelens import load

        linear = load().artifact.linear
        idf = np.asarray(linear.idf, dtype=np.float64)[:, 0]  # in the voice of the reporter
        share = np.where(idf > 0, np.exp(1.0 - np.maximum(idf, 1.0)), 0.0)  # of documents with the term
        # words come in bursts: a negative binomial count has a mean of k ((1 - p)^(-1/k) - 1) where the word
        # stands in a share p of documents
        often = _BURST * ((1.0 - np.minimum(share, 0.993)) ** (-1.0 / _BURST) - 1.0)
        pairs: dict[str, tuple[list[str], list[float]]] = {}
        single: tuple[list[str], list[float]] = ([], [])
        for term, weight in zip(linear.vocabulary.terms, often.tolist(), strict=True):
            words = term.split()
            if set(words) & set('"()-$%;:!?'):
                continue  # they come in pairs or stand for themselves: put in elsewhere
            if len(words) == 1:
                single[0].append(term)
                single[1].append(weight)
            elif len(words) == 2:
                into = pairs.setdefault(words[0], ([], []))
                into[0].append(words[1])
                into[1].append(weight)
        self._single = single[0], list(accumulate(single[1]))
        self._next = {word: (after, list(accumulate(weights))) for word, (after, weights) in pairs.items()}
        text = (resources.files("framelens.features") / "data" / "common_words.txt").read_text()
        rare = sorted(set(text.split()) - set(single[0]))
        rng.shuffle(rare)
        self._rare = rare, list(accumulate(1.0 / (50 + rank) for rank in range(len(rare))))
        self._rng = rng
        self._numbers: list[float] = []
        self._names = [self._name() for _ in range(3000)]

    def sentence(self) -> str:
        """One, of 6 words or more, that ends in a full stop."""
        text, word, length = "", ".", 0
        while True:
            word = self._after(word)
            if length >= 6 and (word == "." or self._draw() < 0.035):
                break
            if word == ".":
                continue
            if word == ",":
                text += "," if length else ""
                continue
            length += 1
            shown = self._shown(word)
            text += f" {shown}" if text else shown[0].upper() + shown[1:]
        return self._dressed(text.rstrip(","))

    def _after(self, word: str) -> str:
        follow = self._next.get(word)
        if follow is None or self._draw() < _BACK_OFF:
            rare = self._draw() < _UNKNOWN / _BACK_OFF
            follow = self._rare if rare else self._single
        words, weights = follow
        return words[min(bisect(weights, self._draw() * weights[-1]), len(words) - 1)]

    def _shown(self, word: str) -> str:
        if word == "<name>":
            if self._draw() < 0.02:
                return _AGENCIES[int(self._draw() * len(_AGENCIES))]
            names = 1 + int(self._draw() * 2)
            name = " ".join(self._names[int(len(self._names) * self._draw() ** 2)] for _ in range(names))
            return name + ("’s" if self._draw() < 0.25 else "")
        if word == "<nation>":
            return _COUNTRIES[int(self._draw() * len(_COUNTRIES))] + ("’s" if self._draw() < 0.15 else "")
        if word == "<num>":
            kind = self._draw()
            number = int(10 ** (1 + 3.5 * self._draw()))
            return f"${number:,}" if kind < 0.1 else f"{number / 10:.1f}%" if kind < 0.2 else f"{number:,}"
        return word

    def _dressed(self, text: str) -> str:
        kind = self._draw()
        if kind < 0.8 * _QUOTED:
            return f"“{text},” {self._names[int(self._draw() * 3000)]} said."
        if kind < _QUOTED:
            return f'"{text}."'
        if kind < 0.25:
            words = text.split(" ")
            half = len(words) // 2
            return f"{' '.join(words[:half])} — {' '.join(words[half:])}."
        if kind < 0.3:
            return f"{text} ({self._names[int(self._draw() * 3000)]})."
        return text + ("?" if kind > 0.985 else ".")

    def _name(self) -> str:
        letters = [
            kind[int(self._draw() * len(kind))]
            for _ in range(2 + int(self._draw() * 2))
            for kind in (_CONSONANTS, _VOWELS)
        ]
        name = "".join(letters).capitalize()
        return name.replace("e", "é", 1) if self._draw() < 0.05 else name

    def _draw(self) -> float:
        if not self._numbers:
            self._numbers = self._rng.random(4096).tolist()
        return self._numbers.pop()


def statistics(texts: list[str]) -> dict[str, float]:
    """What decides how much work a text is, per article but where a share is meant."""
    import framelens
    from framelens.clean import explain_clean
    from framelens.features.batch import featurize
    from framelens.features.reference import MEASURES
    from framelens.predictor import prepare

    vocabulary = framelens.load().artifact.linear.vocabulary
    batch = featurize([prepare(text) for text in texts], vocabulary, engine="kernel")
    removals = [len(explain_clean(text)) for text in texts]
    measure = dict(zip(MEASURES, batch.measures.mean(axis=0).tolist(), strict=True))
    counts: npt.NDArray[np.int64] = np.asarray(batch.reporter, dtype=np.int64) + batch.quoted
    words = measure["words"]
    return {
        "bytes": float(np.mean([len(text.encode()) for text in texts])),
        "characters beyond ASCII": float(np.mean([sum(c > "\x7f" for c in text) for text in texts])),
        "words": words,
        "different words per word": measure["distinct_words"] / words,
        "terms known": len(batch.term) / len(texts),
        "terms known per word": len(batch.term) / len(texts) / words,
        "occurrences of known terms per word": float(counts.sum()) / len(texts) / words,
        "share of words quoted": measure["quoted_words"] / words,
        "names per word": measure["names"] / words,
        "numbers per word": measure["numbers"] / words,
        "commas and full stops per word": (measure["comma"] + measure["period"]) / words,
        "share of words per paragraph": measure["paragraphs"] / words,
        "cleaned away": float(np.mean(removals)),
        "share of articles with something cleaned away": float(np.mean([n > 0 for n in removals])),
    }
