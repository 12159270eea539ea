"""The terms of a corpus: how many articles and groups have each n-gram, and where it stands."""

from __future__ import annotations

import numpy as np

from framelens.features.compiled import I32s, I64s, U8s, U64s, int64, jit
from framelens.features.kernel.hashes import find
from framelens.features.kernel.layout import Scratch, Tables
from framelens.features.kernel.terms import list_terms
from framelens.features.kernel.tokens import tokenize

_U1, _U32, _U40 = np.uint64(1), np.uint64(32), np.uint64(40)
_LOW = np.uint64(0xFFFFFFFF)


@jit
def _tally(
    scratch: Scratch,
    ngrams: int,
    row: int,
    groups: I64s,
    part: int,
    parts: int,
    slots: U64s,
    others: I32s,
    mask: int,
) -> int:
    """Enter one article into the table; how many n-grams are new to it."""
    added = 0
    article = np.uint64(row + 1) << _U32
    for i in range(ngrams):
        h = scratch.terms[i]
        if int64(h >> _U40) & (parts - 1) != part:
            continue
        slot = int64(h) & mask
        while slots[2 * slot + 1] and slots[2 * slot] != h:
            slot = (slot + 1) & mask
        state = slots[2 * slot + 1]
        if state == 0:
            slots[2 * slot] = h
            slots[2 * slot + 1] = article | _U1
            added += 1
        elif state >> _U32 != np.uint64(row + 1):
            slots[2 * slot + 1] = article | ((state & _LOW) + _U1)
            others[slot] += groups[int64(state >> _U32) - 1] != groups[row]
    return added


@jit
def grow_table(slots: U64s, others: I32s, size: int, larger: U64s, larger_others: I32s) -> None:
    """Enter a table of `size` slots into an empty one of twice as many."""
    mask = 2 * size - 1
    for old in range(size):
        if slots[2 * old + 1]:
            slot = int64(slots[2 * old]) & mask
            while larger[2 * slot + 1]:
                slot = (slot + 1) & mask
            larger[2 * slot] = slots[2 * old]
            larger[2 * slot + 1] = slots[2 * old + 1]
            larger_others[slot] = others[old]


@jit
def tally_rows(
    data: U8s,
    end: int,
    starts: I64s,
    stops: I64s,
    row: int,
    rows: int,
    groups: I64s,
    part: int,
    parts: int,
    tables: Tables,
    scratch: Scratch,
    measures: I32s,
    slots: U64s,
    others: I32s,
    size: int,
    used: I64s,
) -> int:
    """Enter the n-grams of each article into the table, for one part of the hashes (of a power of two).

    Articles come in the order of their group.

    Parameters
    ----------
    row
        The first article that is not in the table yet.
    slots, others, size
        The table: `size` slots, a power of two, each a hash and, in one word, the article that last held the
        n-gram and how many have; `others` are the groups after the first.
    used
        int64, shape (1,): slots that are taken.

    Returns
    -------
    int
        The next row; `rows` when all are done, less when the table has to grow.
    """
    while row < rows:
        tokens = tokenize(data, starts[row], stops[row], end, row, tables, scratch, measures)
        ngrams = list_terms(scratch, tokens)
        if 3 * (used[0] + ngrams) > 2 * size:
            break
        used[0] += _tally(scratch, ngrams, row, groups, part, parts, slots, others, size - 1)
        row += 1
    return row


@jit
def locate_rows(
    data: U8s,
    end: int,
    starts: I64s,
    stops: I64s,
    rows: int,
    tables: Tables,
    scratch: Scratch,
    measures: I32s,
    keys: U64s,
    columns: I32s,
    mask: int,
    hashes: U64s,
    places: I64s,
) -> int:
    """Where an n-gram of the table stands, for each not found before; how many were found.

    Writes to ``hashes[column]``, shape (3,), the hashes of its tokens, and to ``places[column]``, shape (3,
    2), their first and last byte; a column whose first place ends at zero is one not found yet.
    """
    found = 0
    for row in range(rows):
        tokens = tokenize(data, starts[row], stops[row], end, row, tables, scratch, measures)
        for i in range(list_terms(scratch, tokens)):
            slot = find(keys, mask, scratch.terms[i])
            term = int64(columns[slot]) if slot >= 0 else -1
            if term >= 0 and places[6 * term + 1] == 0:
                last, length = scratch.spans[i] >> 2, scratch.spans[i] & 3
                for j in range(length):
                    token, at = last - length + 1 + j, 3 * term + j
                    hashes[at] = scratch.hashes[token]
                    places[2 * at], places[2 * at + 1] = scratch.starts[token], scratch.stops[token]
                found += 1
    return found
