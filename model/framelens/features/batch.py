"""Counts of many articles as arrays: what training, batch scoring and the readable model work on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
import numpy.typing as npt

from framelens.features.quick import Row
from framelens.features.reference import MEASURES, count
from framelens.features.vocabulary import Vocabulary

if TYPE_CHECKING:
    import pyarrow as pa

Texts: TypeAlias = "Sequence[str | None] | pa.Array | pa.ChunkedArray"

Engine = Literal["kernel", "quick", "reference"]


@dataclass(frozen=True, slots=True, eq=False)
class FeatureBatch:
    """Term counts (compressed sparse rows) and measures of `rows` articles.

    Attributes
    ----------
    indptr
        int64, shape (rows + 1,): the terms of article i are at ``indptr[i]:indptr[i + 1]``.
    term
        int32, shape (nnz,): columns of the vocabulary, ascending within an article.
    reporter, quoted
        int32, shape (nnz,): counts in the reporter's voice and in quoted speech; not both zero.
    measures
        int32, shape (rows, len(MEASURES)).
    """

    indptr: npt.NDArray[np.int64]
    term: npt.NDArray[np.int32]
    reporter: npt.NDArray[np.int32]
    quoted: npt.NDArray[np.int32]
    measures: npt.NDArray[np.int32]

    @property
    def rows(self) -> int:
        """Number of articles."""
        return len(self.indptr) - 1

    @property
    def row(self) -> npt.NDArray[np.int64]:
        """The article of each entry; int64, shape (nnz,)."""
        return np.repeat(np.arange(self.rows, dtype=np.int64), np.diff(self.indptr))

    def take(self, rows: npt.ArrayLike) -> FeatureBatch:
        """The given articles in the given order; `rows` are integers or one boolean an article."""
        chosen = np.arange(self.rows)[np.asarray(rows)]
        lengths = np.diff(self.indptr)[chosen]
        indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        entries = np.repeat(self.indptr[chosen] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return FeatureBatch(
            indptr, self.term[entries], self.reporter[entries], self.quoted[entries], self.measures[chosen]
        )

    @staticmethod
    def concat(batches: Sequence[FeatureBatch]) -> FeatureBatch:
        """The articles of all batches, which were counted with one vocabulary, in order."""
        if not batches:
            return FeatureBatch.empty()
        lengths = np.concatenate([np.diff(b.indptr) for b in batches])
        return FeatureBatch(
            np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
            np.concatenate([b.term for b in batches]),
            np.concatenate([b.reporter for b in batches]),
            np.concatenate([b.quoted for b in batches]),
            np.concatenate([b.measures for b in batches]),
        )

    @staticmethod
    def empty() -> FeatureBatch:
        """A batch of no articles."""
        nothing = np.zeros(0, dtype=np.int32)
        measures = np.zeros((0, len(MEASURES)), dtype=np.int32)
        return FeatureBatch(np.zeros(1, dtype=np.int64), nothing, nothing, nothing, measures)


def featurize(texts: Texts, vocabulary: Vocabulary, *, engine: Engine = "kernel") -> FeatureBatch:
    """Count the vocabulary's terms and the measures in each text.

    Parameters
    ----------
    texts
        Cleaned articles: a list of strings, or an Arrow array (chunked or not) of type string or
        large_string. A null counts as an empty text.
    vocabulary
        The terms to count; others are passed over.
    engine
        ``"kernel"`` is compiled and runs on all cores, for many texts; ``"quick"`` needs no compiler, for a
        few; ``"reference"`` is for reading, and what the others are held to. Their results are equal.

    Raises
    ------
    ValueError
        When there is no such engine.

    Examples
    --------
    >>> batch = featurize(["The minister said so."], Vocabulary(["the minister", "so"]), engine="reference")
    >>> batch.term.tolist(), batch.reporter.tolist()
    ([0, 1], [1, 1])
    """
    if engine == "kernel":
        from framelens.features.arrow import featurize_arrow

        return FeatureBatch.concat(
            [featurize_arrow(chunk, vocabulary) for chunk in as_arrow_chunks(texts)] or [FeatureBatch.empty()]
        )
    if engine not in ("quick", "reference"):
        raise ValueError(f"engine is {engine!r}; it must be 'kernel', 'quick' or 'reference'")
    count_row = _quick_row if engine == "quick" else _reference_row
    return _stack([count_row(text, vocabulary) for text in iterate_strings(texts)])


def _quick_row(text: str, vocabulary: Vocabulary) -> Row:
    return vocabulary.counter.count(text)


def _reference_row(text: str, vocabulary: Vocabulary) -> Row:
    counts = count(text)
    known = counts.terms.keys() & vocabulary.index.keys()
    found = sorted((vocabulary.index[term], *counts.terms[term]) for term in known)
    term, reporter, quoted = np.array(found, dtype=np.int32).reshape(-1, 3).T
    return Row(term, reporter, quoted, counts.measures)


def _stack(rows: Sequence[Row]) -> FeatureBatch:
    if not rows:
        return FeatureBatch.empty()
    term, reporter, quoted, measures = zip(*rows, strict=True)
    indptr = np.cumsum([0, *map(len, term)], dtype=np.int64)
    return FeatureBatch(
        indptr, np.concatenate(term), np.concatenate(reporter), np.concatenate(quoted), np.stack(measures)
    )


def iterate_strings(texts: Texts) -> Iterator[str]:
    """Each text as a Python string; a null as the empty one."""
    item: Any
    for item in texts:
        value = item.as_py() if hasattr(item, "as_py") else item
        if value is not None and not isinstance(value, str):
            raise TypeError(f"a text must be a string, not {type(value).__name__}: {value!r:.60}")
        yield value or ""


def as_arrow_chunks(texts: Texts) -> list[pa.Array]:
    """The texts as Arrow arrays of type large_string or string, copied only when they are Python strings."""
    import pyarrow as pa

    if isinstance(texts, pa.ChunkedArray):
        return [chunk for piece in texts.chunks for chunk in as_arrow_chunks(piece)]
    if isinstance(texts, pa.Array):
        if pa.types.is_string(texts.type) or pa.types.is_large_string(texts.type):
            return [texts] if len(texts) else []
        if pa.types.is_null(texts.type) or pa.types.is_string_view(texts.type):
            return [texts.cast(pa.large_string())] if len(texts) else []
        if pa.types.is_dictionary(texts.type):
            return as_arrow_chunks(texts.dictionary_decode())
        raise TypeError(f"texts must be an Arrow array of strings, not of {texts.type}")
    strings = list(iterate_strings(texts))
    if not strings:
        return []
    try:
        return [pa.array(strings, type=pa.large_string())]
    except UnicodeEncodeError:  # lone surrogates have no UTF-8; like U+FFFD they only separate
        repaired = [s.encode("utf-8", "surrogatepass").decode("utf-8", "replace") for s in strings]
        return [pa.array(repaired, type=pa.large_string())]
