"""The terms a model knows, and their 64-bit hashes.

The compiled kernel never builds a string: it recognises a term by its hash. The definition, which
`term_hash` spells out and the kernel repeats:

- a token's hash takes its ASCII bytes (``<name>`` and ``<num>`` included) eight at a time, as `token_hash`
  does, because the kernel reads eight letters in one step;
- an n-gram's hash takes its tokens from left to right: ``h = combine(h, hash of the next token)``, with
  ``combine(h, t) = x ^ (x >> 32)`` where ``x = (rotate_left(h, 23) ^ t) * 0x9E3779B97F4A7C15``, all modulo
  2**64.

Two terms of one vocabulary never share a hash: such a vocabulary is refused. A term outside the vocabulary
is taken for one inside with a probability of about ``len(vocabulary) / 2**64``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from framelens.features.quick import QuickCounter

OFFSET = 0xCBF29CE484222325
GOLDEN = 0x9E3779B97F4A7C15
_MASK = 0xFFFFFFFFFFFFFFFF


def token_hash(token: str) -> int:
    """64-bit hash of one token: ``h = mix(h, chunk)`` for each eight bytes of it, the first one lowest, zeros
    behind the last; ``mix(h, c) = x ^ (x >> 32)`` where ``x = (h ^ c) * GOLDEN`` modulo 2**64. It begins with
    `OFFSET`.

    Examples
    --------
    >>> hex(token_hash("a"))
    '0x217350406cfa84d4'
    """
    h = OFFSET
    letters = token.encode("ascii")
    for start in range(0, len(letters), 8):
        x = (h ^ int.from_bytes(letters[start : start + 8], "little")) * GOLDEN & _MASK
        h = x ^ (x >> 32)
    return h


def combine(left: int, right: int) -> int:
    """Hash of an n-gram from the hash of all its tokens but the last and the hash of the last."""
    x = ((((left << 23) | (left >> 41)) & _MASK) ^ right) * GOLDEN & _MASK
    return x ^ (x >> 32)


def term_hash(term: str) -> int:
    """Hash of a term: tokens joined by single spaces."""
    first, *rest = term.split(" ")
    h = token_hash(first)
    for token in rest:
        h = combine(h, token_hash(token))
    return h


def _term_hashes(terms: Sequence[str]) -> npt.NDArray[np.uint64]:
    """`term_hash` of each, by numpy: a process waits for them before it scores its first article."""
    letters = np.frombuffer(" ".join([*terms, ""]).encode("ascii") + bytes(8), dtype=np.uint8)
    spaces = np.flatnonzero(letters == 0x20)
    starts = np.concatenate([[0], spaces[:-1] + 1]) if len(spaces) else spaces
    words = np.lib.stride_tricks.sliding_window_view(letters, 8)
    tokens = np.full(len(spaces), OFFSET, dtype=np.uint64)
    done, length = 0, spaces - starts
    while len(rest := np.flatnonzero(length > done)):
        chunks = words[starts[rest] + done].view("<u8").ravel().astype(np.uint64)
        beyond = np.maximum(8 - (length[rest] - done), 0).astype(np.uint64) * np.uint64(8)
        x = (tokens[rest] ^ (chunks & (np.uint64(_MASK) >> beyond))) * np.uint64(GOLDEN)
        tokens[rest] = x ^ (x >> np.uint64(32))
        done += 8
    ends = np.cumsum(np.fromiter(map(len, terms), dtype=np.int64, count=len(terms)) + 1) - 1
    sizes = np.diff(np.searchsorted(spaces, ends, side="right"), prepend=0)
    first = np.cumsum(sizes) - sizes
    hashes: npt.NDArray[np.uint64] = tokens[first]
    for n in range(1, int(sizes.max(initial=0))):
        longer = np.flatnonzero(sizes > n)
        left, right = hashes[longer], tokens[first[longer] + n]
        x = ((left << np.uint64(23) | left >> np.uint64(41)) ^ right) * np.uint64(GOLDEN)
        hashes[longer] = x ^ (x >> np.uint64(32))
    return hashes


class Vocabulary:
    """An ordered set of terms; a term's position is its column.

    Parameters
    ----------
    terms
        Distinct n-grams as `framelens.features.tokens.ngrams` writes them: tokens joined by single spaces.

    Raises
    ------
    ValueError
        When a term stands there twice or, on the first use of `hashes`, when two terms share a hash.

    Examples
    --------
    >>> vocabulary = Vocabulary(["the minister", "said"])
    >>> len(vocabulary), vocabulary.index["said"]
    (2, 1)
    """

    def __init__(self, terms: Iterable[str]) -> None:
        self.terms: tuple[str, ...] = tuple(terms)
        if len(set(self.terms)) != len(self.terms):
            repeated = next(term for i, term in enumerate(self.terms) if self.index[term] != i)
            raise ValueError(
                f"the term {repeated!r} stands in the vocabulary more than once; terms must be distinct"
            )

    def __len__(self) -> int:
        return len(self.terms)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.terms == other.terms

    def __hash__(self) -> int:
        return hash(self.terms)

    def __repr__(self) -> str:
        return f"Vocabulary({len(self)} terms)"

    @cached_property
    def index(self) -> dict[str, int]:
        """The column of each term."""
        return {term: i for i, term in enumerate(self.terms)}

    @cached_property
    def counter(self) -> QuickCounter:
        """Counts these terms in one article after the other; made on first use, then kept."""
        from framelens.features.quick import QuickCounter

        return QuickCounter(self.terms)

    @cached_property
    def hashes(self) -> npt.NDArray[np.uint64]:
        """Hash of each term; uint64, shape (len(self),). Computed on first use, then kept."""
        hashes = _term_hashes(self.terms)
        _refuse_collisions(self.terms, hashes)
        hashes.setflags(write=False)
        return hashes

    @cached_property
    def table(self) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
        """Open-addressing hash table with linear probing from ``hash & (slots - 1)``.

        Returns
        -------
        keys : uint64, shape (slots,)
            The hash in each slot, 0 where it is empty; `slots` is a power of two, at least twice the
            number of terms.
        columns : int32, shape (slots,)
            The term's column, or -1 where the slot is empty.
        """
        return open_addressing(self.hashes)

    @cached_property
    def sieve(self) -> npt.NDArray[np.uint8]:
        """A bit for every hash: bit ``(hash >> 40) & (bits - 1)`` is set for the terms, and for few other
        n-grams.

        Most n-grams of a text are no terms. The sieve is small enough for the processor's cache, the table
        is not.

        Returns
        -------
        uint8, shape (bits / 8,)
            `bits` is a power of two, 16 or more a term.
        """
        bits = 1 << max(6, (16 * len(self) - 1).bit_length())
        places = (self.hashes >> np.uint64(40)) & np.uint64(bits - 1)
        sieve = np.zeros(bits, dtype=np.uint8)
        sieve[places] = 1
        packed = np.packbits(sieve, bitorder="little")
        packed.setflags(write=False)
        return packed


def open_addressing(
    hashes: npt.NDArray[np.uint64],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32]]:
    """Hash table of distinct hashes, as `Vocabulary.table` describes it."""
    slots = 1 << max(4, (2 * len(hashes) - 1).bit_length())
    keys = np.zeros(slots, dtype=np.uint64)
    columns = np.full(slots, -1, dtype=np.int32)
    waiting = np.arange(len(hashes), dtype=np.int32)
    places = (hashes & np.uint64(slots - 1)).astype(np.int64)
    while (
        waiting.size
    ):  # one round a probe: the first of those that want an empty slot gets it, the rest go on
        wanted = places[waiting]
        free = columns[wanted] < 0
        columns[wanted[free][::-1]] = waiting[free][::-1]  # of several the last assignment holds
        waiting = waiting[columns[wanted] != waiting]
        places[waiting] = (places[waiting] + 1) & (slots - 1)
    taken = columns >= 0
    keys[taken] = hashes[columns[taken]]
    keys.setflags(write=False)
    columns.setflags(write=False)
    return keys, columns


def _refuse_collisions(terms: Sequence[str], hashes: npt.NDArray[np.uint64]) -> None:
    ordered = np.sort(hashes)
    if not (ordered[1:] == ordered[:-1]).any():
        return
    order = np.argsort(hashes, kind="stable")
    same = np.flatnonzero(hashes[order][1:] == hashes[order][:-1])
    if same.size:
        a, b = order[same[0]], order[same[0] + 1]
        shared = f"{int(hashes[a]):#x}"
        raise ValueError(f"the terms {terms[a]!r} and {terms[b]!r} share the hash {shared}; drop one of them")
