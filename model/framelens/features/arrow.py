"""The kernel's other side: Arrow strings in, threads over ranges of rows, arrays out."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from framelens.features import kernel
from framelens.features.alphabet import class_table, fold_table, foreign_ranges, upper_table
from framelens.features.batch import FeatureBatch
from framelens.features.compiled import RoomError
from framelens.features.lexicon import CATEGORIES, word_masks
from framelens.features.reference import MEASURES, PUNCTUATION_MEASURES
from framelens.features.tokens import QUOTATION_LIMIT, Field
from framelens.features.vocabulary import Vocabulary, open_addressing

if TYPE_CHECKING:
    import pyarrow as pa

    from framelens.linear import LinearModel

BYTES_PER_TASK = 2 << 20
"""Text that one thread takes at a time: long enough to outweigh its scratch, short enough to spread."""

_KERNEL_MEASURES = (
    *kernel.FIXED_MEASURES,
    *PUNCTUATION_MEASURES.values(),
    *(f"{category}_{field.name.lower()}" for field in Field for category in CATEGORIES),
)
_MEASURE_ORDER = np.array([_KERNEL_MEASURES.index(name) for name in MEASURES])

_SUBLINEAR = np.concatenate([[0.0], 1.0 + np.log(np.arange(1.0, 1024.0))])

_Result = TypeVar("_Result")


class Rows(NamedTuple):
    """Articles as byte ranges of one buffer: ``data[starts[i]:stops[i]]``, empty for a null."""

    data: npt.NDArray[np.uint8]
    starts: npt.NDArray[np.int64]
    stops: npt.NDArray[np.int64]

    @property
    def pointed(self) -> tuple[npt.NDArray[np.uint8], int, npt.NDArray[np.int64], npt.NDArray[np.int64], int]:
        """As the kernel takes them, with the bytes there are and the number of rows."""
        return self.data, len(self.data), self.starts, self.stops, len(self.starts)


@cache
def common_words() -> Vocabulary:
    """The common words, each a term."""
    return Vocabulary(word_masks())


@cache
def _lists() -> tuple[list[list[int]], npt.NDArray[np.int64]]:
    """The sets of categories that words have, and which of them each common word has."""
    masks = word_masks()
    distinct = sorted(set(masks.values()))
    place = {mask: i for i, mask in enumerate(distinct)}
    categories = [[bit for bit in range(len(CATEGORIES)) if mask >> bit & 1] for mask in distinct]
    return categories, np.array([place[mask] for mask in masks.values()], dtype=np.int64)


@cache
def kernel_tables() -> kernel.Tables:
    """The tables of alphabet and lexicon, as the kernel takes them."""
    lists, _ = _lists()
    marks = np.full(128, -1, dtype=np.int32)
    for mark, name in PUNCTUATION_MEASURES.items():
        marks[ord(mark)] = _KERNEL_MEASURES.index(name)
    words = _word_table(np.full(len(common_words()), -1))
    return kernel.Tables(
        class_table(),
        fold_table().ravel(),
        upper_table().view(np.uint8),
        len(class_table()),
        foreign_ranges().ravel(),
        len(foreign_ranges()),
        words,
        len(words) // 2 - 1,
        len(lists),
        np.cumsum([0, *map(len, lists)]).astype(np.int32),
        np.array([bit for bits in lists for bit in bits], dtype=np.int32),
        lists.index([CATEGORIES.index("nation")]),
        marks,
        len(kernel.FIXED_MEASURES) + len(PUNCTUATION_MEASURES),
        len(CATEGORIES),
        QUOTATION_LIMIT,
    )


def _word_table(columns: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """The common words by hash, each with its list and its column of the vocabulary, or -1.

    Words of the vocabulary are put in first, and so nearly all stand where they are looked for first: they
    are the frequent ones. In alphabetical order the kernel took 5 % longer.
    """
    common, (_, lists) = common_words(), _lists()
    order = np.argsort(columns < 0, kind="stable")
    keys, places = open_addressing(common.hashes[order])
    words = order[np.maximum(places, 0)]
    known = lists[words] | columns[words] << 32
    return np.stack([keys, known.view(np.uint64)], axis=1).ravel()


def kernel_terms(vocabulary: Vocabulary) -> tuple[kernel.Tables, kernel.Terms]:
    """The kernel's tables, the common words with their columns, and the vocabulary as it takes it."""
    (keys, columns), sieve = vocabulary.table, vocabulary.sieve
    words = np.array([vocabulary.index.get(word, -1) for word in common_words().terms], dtype=np.int64)
    longest = max((term.count(" ") + 1 for term in vocabulary.terms), default=0)
    terms = kernel.Terms(keys, columns, len(keys) - 1, sieve, 8 * len(sieve) - 1, longest)
    return kernel_tables()._replace(words=_word_table(words)), terms


def make_scratch(longest: int, listed: int | None = None) -> kernel.Scratch:
    """Room for an article of `longest` bytes, and for listing the n-grams of `listed` tokens together."""
    slots = 1 << max(4, (longest + 1).bit_length())
    ngrams = 3 * (kernel.BLOCK if listed is None else listed) + 1
    return kernel.Scratch(
        np.empty(longest + 1, dtype=np.uint64),
        np.zeros(longest + 1, dtype=np.uint8),
        np.empty(longest + 1, dtype=np.int32),
        np.empty(longest + 1, dtype=np.int64),
        np.empty(longest + 1, dtype=np.int64),
        np.empty(ngrams, dtype=np.uint64),
        np.empty(ngrams, dtype=np.int64),
        np.zeros(2 * kernel_tables().lists, dtype=np.int32),
        np.full(len(common_words().table[0]), -1, dtype=np.int32),
        np.zeros(slots, dtype=np.uint64),
        np.full(slots, -1, dtype=np.int64),
    )


class _Task(NamedTuple):
    """What the kernel writes to for a range of rows."""

    scratch: kernel.Scratch
    counts: npt.NDArray[np.int64]
    touched: npt.NDArray[np.int32]
    measures: npt.NDArray[np.int32]


def _task(rows: Rows, terms: int) -> _Task:
    return _Task(
        make_scratch(int((rows.stops - rows.starts).max(initial=0))),
        np.zeros(terms, dtype=np.int64),
        np.empty(2 * terms + 2, dtype=np.int32),
        np.zeros((len(rows.starts), len(MEASURES)), dtype=np.int32),
    )


def rows_of(array: pa.Array) -> Rows:
    """Views of an Arrow array's buffers; nothing is copied but the offsets."""
    import pyarrow as pa

    _, offsets_buffer, data_buffer = array.buffers()
    if len(array) == 0 or data_buffer is None or data_buffer.size == 0:
        nothing = np.zeros(len(array), dtype=np.int64)
        return Rows(np.zeros(1, dtype=np.uint8), nothing, nothing.copy())
    dtype = np.int64 if pa.types.is_large_string(array.type) else np.int32
    offsets = np.frombuffer(offsets_buffer, dtype=dtype)[array.offset : array.offset + len(array) + 1]
    starts, stops = offsets[:-1].astype(np.int64), offsets[1:].astype(np.int64)
    if array.null_count:
        stops = np.where(array.is_valid().to_numpy(zero_copy_only=False), stops, starts)
    data = np.frombuffer(data_buffer, dtype=np.uint8)
    return Rows(data, starts, stops)


def tasks(rows: Rows) -> Iterator[Rows]:
    """Consecutive ranges of rows of about `BYTES_PER_TASK` bytes each."""
    ends = np.cumsum(rows.stops - rows.starts)
    first = 0
    while first < len(ends):
        done = ends[first - 1] if first else 0
        last = max(first + 1, int(np.searchsorted(ends, done + BYTES_PER_TASK, side="right")))
        yield Rows(rows.data, rows.starts[first:last], rows.stops[first:last])
        first = last


def in_threads(function: Callable[[Rows], _Result], rows: Rows) -> list[_Result]:
    """The function's result for each task, in order; on all cores where there is more than one task."""
    work = list(tasks(rows))
    threads = min(len(work), cores())
    if threads <= 1:
        return [function(task) for task in work]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(function, work))


def cores() -> int:
    """Cores this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def featurize_arrow(array: pa.Array, vocabulary: Vocabulary) -> FeatureBatch:
    """Counts of one Arrow array of type string or large_string, by the kernel."""
    tables, terms = kernel_terms(vocabulary)

    def count(rows: Rows) -> FeatureBatch:
        lengths = rows.stops - rows.starts
        found, room = np.empty(len(lengths), dtype=np.int64), 1024 + int(lengths.sum()) // 4
        while True:
            task = _task(rows, len(vocabulary))
            entries = np.empty((room, 3), dtype=np.int32)
            try:
                kernel.count_rows(*rows.pointed, tables, terms, *task, len(MEASURES), found, entries, room)
            except RoomError:
                room *= 4
                continue
            starts = np.concatenate([[0], np.cumsum(found)]).astype(np.int64)
            columns, reporter, quoted = (np.ascontiguousarray(entries[: starts[-1], i]) for i in range(3))
            measures = np.take(task.measures, _MEASURE_ORDER, axis=1)
            return FeatureBatch(starts, columns, reporter, quoted, measures)

    return FeatureBatch.concat(in_threads(count, rows_of(array)))


def score_arrow(
    chunks: list[pa.Array], linear: LinearModel
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    """Scores and measures of Arrow arrays of type string or large_string, in one pass.

    Returns
    -------
    scores : float64, shape (rows,)
        As ``linear.decision_function(featurize(texts, linear.vocabulary))``, but for the last digits: terms
        are added in the order of the text. A row's score does not depend on the other rows.
    measures : int32, shape (rows, len(MEASURES))
    """
    tables, terms, parameters = linear.for_kernel
    table = (_SUBLINEAR, len(_SUBLINEAR))

    def score(rows: Rows) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
        task, by_terms = _task(rows, len(parameters)), np.empty(len(rows.starts))
        kernel.score_rows(*rows.pointed, tables, terms, *task, len(MEASURES), parameters, *table, by_terms)
        measures = np.take(task.measures, _MEASURE_ORDER, axis=1)
        return linear.intercept + by_terms + linear.style_contributions(measures).sum(axis=1), measures

    parts = [part for chunk in chunks for part in in_threads(score, rows_of(chunk))]
    if not parts:
        return np.zeros(0), np.zeros((0, len(MEASURES)), dtype=np.int32)
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
