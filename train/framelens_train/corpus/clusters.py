"""Near-duplicate articles: reprints, wire copy and corrected versions, by MinHash over word shingles.

The signatures are computed by a small compiled loop over the Arrow buffer of all texts, locality sensitive
hashing in numpy finds who shares a bucket, and who is near enough is joined. A test holds the estimates to
datasketch's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numba
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

SHINGLE_WORDS = 4
PERMUTATIONS = 96
BAND_ROWS = 3
"""Articles that agree in one whole band of so many rows are compared: at the threshold 98 of 100 such pairs
do.
"""
THRESHOLD = 0.5
"""Two articles are near-duplicates when they share this part of their word 4-grams (Jaccard)."""

_SEED = 20220307


def cluster_near_duplicates(texts: Sequence[str] | pd.Series[str]) -> npt.NDArray[np.int64]:
    """Cluster of each text; int64, shape (n,): 0 is that of the first, a new one gets the next number."""
    if not len(texts):
        return np.zeros(0, dtype=np.int64)
    return _join_near(signatures(texts))


def signatures(texts: Sequence[str] | pd.Series[str]) -> npt.NDArray[np.uint32]:
    """MinHash signatures; uint32, shape (n, PERMUTATIONS).

    A word is a run of ASCII letters and bytes above 127, in lower case; a text shorter than a shingle is
    one shingle.
    """
    import pyarrow as pa

    array = pa.array(texts, type=pa.large_string())
    array = pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array
    _, offsets, data = array.buffers()
    starts = np.frombuffer(offsets, dtype=np.int64)[array.offset : array.offset + len(array) + 1]
    rng = np.random.default_rng(_SEED)
    factors = rng.integers(1, 2**63, PERMUTATIONS, dtype=np.uint64) | np.uint64(1)
    terms = rng.integers(0, 2**63, PERMUTATIONS, dtype=np.uint64)
    raw = np.frombuffer(data, dtype=np.uint8) if data is not None else np.zeros(1, dtype=np.uint8)
    out: npt.NDArray[np.uint32] = _signatures(raw, starts, factors, terms)
    return out


def _compile(function: Callable[..., Any]) -> Callable[..., Any]:
    njit: Any = numba.njit
    try:
        compiled: Callable[..., Any] = njit(cache=True, parallel=True)(function)
    except RuntimeError:  # numba found no folder that it may write to
        compiled = njit(parallel=True)(function)
    return compiled


@_compile
def _signatures(data, starts, factors, terms):  # type: ignore[no-untyped-def] # pragma: no cover
    rows, width = len(starts) - 1, len(factors)
    out = np.full((rows, width), np.uint32(0xFFFFFFFF), dtype=np.uint32)
    for row in numba.prange(rows):
        recent = np.zeros(SHINGLE_WORDS, dtype=np.uint64)
        words, word = 0, np.uint64(0)
        for position in range(starts[row], starts[row + 1] + 1):
            byte = data[position] if position < starts[row + 1] else np.uint8(32)
            if 65 <= byte <= 90:
                byte += np.uint8(32)
            if 97 <= byte <= 122 or byte > 127:
                word = (word ^ np.uint64(byte)) * np.uint64(0x100000001B3) + np.uint64(1)
                continue
            last = position == starts[row + 1]
            if word:
                recent[words % SHINGLE_WORDS] = word
                words, word = words + 1, np.uint64(0)
            elif not (last and 0 < words < SHINGLE_WORDS):
                continue
            if words < SHINGLE_WORDS and not last:
                continue
            shingle = np.uint64(0xCBF29CE484222325)
            for k in range(min(words, SHINGLE_WORDS)):
                shingle = (shingle ^ recent[(words - 1 - k) % SHINGLE_WORDS]) * np.uint64(0x9E3779B97F4A7C15)
                shingle ^= shingle >> np.uint64(29)
            for k in range(width):
                value = np.uint32((shingle * factors[k] + terms[k]) >> np.uint64(32))
                out[row, k] = min(out[row, k], value)
    return out


def _join_near(signature: npt.NDArray[np.uint32]) -> npt.NDArray[np.int64]:
    """Connected components of the pairs that share a band and enough of their whole signature.

    In each band the articles of a bucket are compared with the bucket's first one and with their neighbour,
    so that the work stays linear in the number of articles.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(signature)
    left, right = [], []
    for band in np.split(signature, PERMUTATIONS // BAND_ROWS, axis=1):
        keys = np.ascontiguousarray(band).view(np.dtype((np.void, BAND_ROWS * 4))).ravel()
        _, bucket = np.unique(keys, return_inverse=True)
        order = np.argsort(bucket, kind="stable")
        sorted_bucket = bucket[order]
        same = np.flatnonzero(sorted_bucket[1:] == sorted_bucket[:-1]) + 1
        first = np.searchsorted(sorted_bucket, sorted_bucket[same])
        left += [order[same], order[same]]
        right += [order[same - 1], order[first]]
    pairs = np.unique(np.column_stack([np.concatenate(left), np.concatenate(right)]), axis=0)
    near = (signature[pairs[:, 0]] == signature[pairs[:, 1]]).mean(axis=1) >= THRESHOLD
    a, b = pairs[near].T
    graph = coo_matrix((np.ones(len(a), dtype=np.int8), (a, b)), shape=(n, n))
    _, component = connected_components(graph, directed=False)
    _, start, number = np.unique(component, return_index=True, return_inverse=True)
    rank = np.empty(len(start), dtype=np.int64)
    rank[np.argsort(start)] = np.arange(len(start))
    result: npt.NDArray[np.int64] = rank[number]
    return result
