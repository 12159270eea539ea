"""Hashes of tokens and terms, as `framelens.features.vocabulary` defines them, and tables of them."""

from __future__ import annotations

import numpy as np

from framelens.features.compiled import U64s, int64, jit
from framelens.features.kernel.layout import Scratch, Tables, Terms
from framelens.features.vocabulary import GOLDEN, OFFSET

START, _GOLDEN = np.uint64(OFFSET), np.uint64(GOLDEN)
_U0, _U23 = np.uint64(0), np.uint64(23)
_U32, _U40, _U41 = np.uint64(32), np.uint64(40), np.uint64(41)


@jit
def combine(left: np.uint64, right: np.uint64) -> np.uint64:
    x = (((left << _U23) | (left >> _U41)) ^ right) * _GOLDEN
    return x ^ (x >> _U32)


@jit
def mix(h: np.uint64, chunk: np.uint64) -> np.uint64:
    x = (h ^ chunk) * _GOLDEN
    return x ^ (x >> _U32)


@jit
def find(keys: U64s, mask: int, h: np.uint64) -> int:
    """The slot of a hash in an open-addressing table, or -1."""
    slot: int = int64(h) & mask
    while keys[slot] != h:
        if keys[slot] == _U0:
            return -1
        slot = (slot + 1) & mask
    return slot


@jit
def find_word(tables: Tables, h: np.uint64) -> int:
    """The slot of a common word, or -1."""
    slot: int = int64(h) & tables.word_mask
    while tables.words[2 * slot] != h:
        if tables.words[2 * slot] == _U0:
            return -1
        slot = (slot + 1) & tables.word_mask
    return slot


@jit
def find_column(terms: Terms, h: np.uint64) -> int:
    slot = find(terms.keys, terms.mask, h)
    column: int = int64(terms.columns[slot]) if slot >= 0 else -1
    return column


@jit
def in_sieve(h: np.uint64, terms: Terms) -> int:
    bit = int64(h >> _U40) & terms.sieve_mask
    passes: int = int64(terms.sieve[bit >> 3] >> (bit & 7) & 1)
    return passes


@jit
def add_word(scratch: Scratch, slots: int, h: np.uint64, row: int) -> bool:
    """Put a word into this article's set; whether it is new there."""
    slot = int64(h) & (slots - 1)
    while scratch.seen_rows[slot] == row:
        if scratch.seen_keys[slot] == h:
            return False
        slot = (slot + 1) & (slots - 1)
    scratch.seen_rows[slot] = row
    scratch.seen_keys[slot] = h
    return True
