"""Articles featurised: their counts, or their scores without keeping counts."""

from __future__ import annotations

import math

from framelens.features.compiled import F32s, F64s, I32s, I64s, RoomError, U8s, int64, item, jit
from framelens.features.kernel.layout import Scratch, Tables, Terms
from framelens.features.kernel.terms import count_terms, sort
from framelens.features.kernel.tokens import tokenize


@jit
def count_rows(
    data: U8s,
    end: int,
    starts: I64s,
    stops: I64s,
    rows: int,
    tables: Tables,
    terms: Terms,
    scratch: Scratch,
    counts: I64s,
    touched: I32s,
    measures: I32s,
    measured: int,
    lengths: I64s,
    entries: I32s,
    room: int,
) -> None:
    """Counts of the articles ``data[starts[i]:stops[i]]``.

    Parameters
    ----------
    end
        Up to where the buffer may be read.
    counts, touched
        Room for each term, and for twice as many and two more; counts are zero, and zero again afterwards.
    measures
        int32, shape (rows, measured), zero: is written to.
    lengths
        int64, shape (rows,): entries of each article are written there.
    entries
        int32, shape (room, 3): column, count in the reporter's voice and in quoted speech are written there;
        columns ascend within an article.
    """
    used = 0
    for row in range(rows):
        tokens = tokenize(
            data, starts[row], stops[row], end, row, tables, scratch, item(measures, measured * row)
        )
        n = count_terms(scratch, tokens, terms, counts, touched)
        if used + n > room:
            raise RoomError
        sort(touched, item(touched, n + 1), n)
        for i in range(n):
            term, at = int64(touched[i]), 3 * (used + i)
            entries[at] = term
            entries[at + 1] = counts[term] & 0xFFFFFFFF
            entries[at + 2] = counts[term] >> 32
            counts[term] = 0
        lengths[row] = n
        used += n


@jit
def score_rows(
    data: U8s,
    end: int,
    starts: I64s,
    stops: I64s,
    rows: int,
    tables: Tables,
    terms: Terms,
    scratch: Scratch,
    counts: I64s,
    touched: I32s,
    measures: I32s,
    measured: int,
    model: F32s,
    sublinear: F64s,
    tabulated: int,
    scores: F64s,
) -> None:
    """What the terms of each article add to its score, without keeping their counts.

    Parameters
    ----------
    data, end, starts, stops, rows, tables, terms, scratch, counts, touched, measures, measured
        As for `count_rows`.
    model
        shape (terms, 4): of each column idf and weight in the reporter's voice, then in quoted speech, as
        `framelens.linear.LinearModel` has them.
    sublinear, tabulated
        ``1 + ln(count)`` by count, 0 at 0; so many of them.
    scores
        float64, shape (rows,): is written to.
    """
    for row in range(rows):
        tokens = tokenize(
            data, starts[row], stops[row], end, row, tables, scratch, item(measures, measured * row)
        )
        n = count_terms(scratch, tokens, terms, counts, touched)
        dot = squares = 0.0
        for i in range(n):
            both, place = counts[touched[i]], 4 * int64(touched[i])
            counts[touched[i]] = 0
            for field in range(2):
                count = both >> 32 if field else both & 0xFFFFFFFF
                if count:
                    value = sublinear[count] if count < tabulated else 1.0 + math.log(count)
                    value *= model[place + 2 * field]
                    dot += model[place + 2 * field + 1] * value
                    squares += value * value
        scores[row] = dot / math.sqrt(squares) if squares > 0.0 else 0.0
