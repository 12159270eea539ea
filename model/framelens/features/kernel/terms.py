"""The n-grams of an article: listed, and counted where they are in the vocabulary."""

from __future__ import annotations

from framelens.features.compiled import I32s, I64s, int64, jit
from framelens.features.kernel.hashes import START, combine, find_column, in_sieve
from framelens.features.kernel.layout import BLOCK, IS_FIRST, IS_QUOTED, IS_WORD, Scratch, Terms


@jit
def list_terms(scratch: Scratch, tokens: int) -> int:
    """Write the article's n-grams to the scratch; how many there are."""
    terms, spans = scratch.terms, scratch.spans
    n = 0
    pair = START  # hash of the last two tokens
    words = 0  # bit i: the token i places back is a word
    reach = 0  # tokens before this one in its paragraph
    for i in range(tokens):
        h, flag = scratch.hashes[i], int64(scratch.flags[i])
        reach = 0 if flag & IS_FIRST else reach + 1
        words = (words << 1 | (flag & IS_WORD)) & 7
        if words & 1:
            terms[n], spans[n] = h, 4 * i + 1
            n += 1
        if reach >= 1:
            if reach >= 2 and words:
                terms[n], spans[n] = combine(pair, h), 4 * i + 3
                n += 1
            pair = combine(scratch.hashes[i - 1], h)
            if words & 3:
                terms[n], spans[n] = pair, 4 * i + 2
                n += 1
    return n


@jit
def count_terms(scratch: Scratch, tokens: int, terms: Terms, counts: I64s, touched: I32s) -> int:
    """Count the vocabulary's n-grams among the first `tokens` tokens; how many columns were touched.

    A column's two counts are one number, that in quoted speech times 2**32, so that a term costs one look at
    the memory. `list_terms` says which n-grams there are; here, those that pass the sieve are gathered
    without a branch and looked up together.
    """
    n = 0
    pair = START
    words = reach = 0
    for block in range(0, tokens, BLOCK):
        found = 0
        for i in range(block, min(block + BLOCK, tokens)):
            h, flag = scratch.hashes[i], int64(scratch.flags[i])
            reach = 0 if flag & IS_FIRST else reach + 1
            words = (words << 1 | (flag & IS_WORD)) & 7
            quoted = (flag & IS_QUOTED) >> 1
            if words & 1:
                column = int64(scratch.columns[i])
                if column == -2:
                    column = find_column(terms, h)
                if column >= 0:
                    n = _count_column(column, quoted, counts, touched, n)
            if terms.longest > 2:
                triple = combine(pair, h)
                scratch.terms[found], scratch.spans[found] = triple, quoted
                found += in_sieve(triple, terms) & (reach >= 2) & (words != 0)
            pair = combine(scratch.hashes[i - (i > 0)], h)
            scratch.terms[found], scratch.spans[found] = pair, quoted
            found += in_sieve(pair, terms) & (reach >= 1) & (words & 3 != 0)
        for i in range(found):
            column = find_column(terms, scratch.terms[i])
            if column >= 0:
                n = _count_column(column, scratch.spans[i], counts, touched, n)
    return n


@jit
def _count_column(column: int, quoted: int, counts: I64s, touched: I32s, n: int) -> int:
    count: int = counts[column]
    touched[n] = column
    counts[column] = count + (int64(1) << (quoted << 5))
    return n + (count == 0)


@jit
def sort(numbers: I32s, room: I32s, n: int) -> None:
    """Merge ever longer runs, without a branch on what is smaller: half of those would be mispredicted."""
    width = 1
    while width < n:
        for first in range(0, n, 2 * width):
            middle, last = min(first + width, n), min(first + 2 * width, n)
            left, right = first, middle
            for i in range(first, last):
                from_left = (left < middle) & ((right >= last) | (numbers[left] < numbers[right]))
                room[i] = numbers[left] if from_left else numbers[right]
                left += from_left
                right += not from_left
        for i in range(n):
            numbers[i] = room[i]
        width *= 2
