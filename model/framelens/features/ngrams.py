"""Finding a vocabulary's terms among tokens that are numbers, with a few operations on whole arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

NONE = np.iinfo(np.int64).max


class NGrams:
    """The vocabulary's terms by their lexemes.

    A pair is known by the number ``first lexeme * base + second lexeme``, a triple by ``place of its pair
    among the pairs * base + third lexeme``. `pairs` and `triples` are these numbers, ascending, with one
    behind them that is none; the column of a pair that only begins a triple is -1.

    Parameters
    ----------
    terms
        The vocabulary's; those without a word, or with more than three tokens, are never counted.
    lexemes
        Gives each of their tokens its number; numbers are not negative.
    first_word
        From this number on, a lexeme is a word.
    """

    def __init__(self, terms: Sequence[str], lexemes: Mapping[str, int], first_word: int) -> None:
        tokens = " ".join(terms).split(" ") if terms else []
        numbers = np.fromiter(map(lexemes.__getitem__, tokens), dtype=np.int64, count=len(tokens))
        self.base = 1 + max(lexemes.values())
        lengths = np.array([1 + term.count(" ") for term in terms], dtype=np.int64)
        firsts = np.cumsum(lengths) - lengths

        def of_length(n: int) -> tuple[Ints, Ints]:
            """Columns, and the lexemes of each."""
            columns = np.flatnonzero(lengths == n)
            ngrams = numbers[firsts[columns][:, None] + np.arange(n)]
            countable = (ngrams >= first_word).any(axis=1)
            return columns[countable], ngrams[countable]

        (column1, words), (column2, pairs), (column3, triples) = map(of_length, (1, 2, 3))
        pair, begin = (two[:, 0] * self.base + two[:, 1] for two in (pairs, triples))
        known = np.sort(np.concatenate([pair, begin]))
        self.pairs = np.append(known[np.flatnonzero(np.diff(known, prepend=-1))], NONE)
        triple = np.searchsorted(self.pairs, begin) * self.base + triples[:, 2]
        self.triples = np.append(np.sort(triple), NONE)
        self.columns = tuple(np.full(n, -1) for n in (self.base, len(self.pairs), len(self.triples)))
        self.columns[0][words[:, 0]] = column1
        self.columns[1][np.searchsorted(self.pairs, pair)] = column2
        self.columns[2][np.searchsorted(self.triples, triple)] = column3

    def find(self, token: Ints, field: Ints, paragraph: Ints) -> Ints:
        """Every occurrence of a term in the tokens of some paragraphs.

        Parameters
        ----------
        token, field, paragraph
            Of each token its lexeme, its field, and the paragraph in which it stands; shape (n,).

        Returns
        -------
        int64, shape (occurrences,)
            Two times the column, plus the field of the last token.
        """
        found = [_entries(self.columns[0][token], field)]
        joined = paragraph[1:] == paragraph[:-1]  # with the token before
        last = 1 + np.flatnonzero(joined)
        place = token[last - 1]
        for known, columns in zip((self.pairs, self.triples), self.columns[1:], strict=True):
            if len(known) == 1:
                break
            numbers = place * self.base + token[last]
            place = np.searchsorted(known, numbers)
            there = known[place] == numbers
            last, place = last[there], place[there]
            found.append(_entries(columns[place], field[last]))
            goes_on = np.append(joined, False)[last]
            last, place = last[goes_on] + 1, place[goes_on]
        return np.concatenate(found)


def _entries(columns: Ints, field: Ints) -> Ints:
    """Two times the column, plus the field, where there is a column."""
    entries: Ints = (2 * columns + field)[columns >= 0]
    return entries
