"""Cleaning of a whole Arrow column: a compiled pass finds literals; rules are tried where there are any."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from framelens.clean import kernel
from framelens.clean.engine import HEAD_PARAGRAPHS, OpenRules, clean, removals, without
from framelens.clean.rules import ANCHORED, load_rules

if TYPE_CHECKING:
    import pyarrow as pa


class _Tables(NamedTuple):
    """The rules' literals as the kernel takes them, and the names of those found anywhere."""

    anywhere: kernel.Literals
    head: kernel.Literals
    tail: kernel.Literals
    names: tuple[str, ...]


def clean_column(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """`clean` of each text, but for white space at its ends.

    Parameters
    ----------
    texts
        An Arrow array of type string or large_string, or a chunked one of them.

    Returns
    -------
    pa.LargeStringArray
        As long as `texts`; a null becomes an empty text.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    from framelens.features.arrow import rows_of

    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)
    rows, tables, rules = rows_of(texts), _tables(), load_rules()
    open_rules, ends, found = kernel.find_literals(
        *rows, tables.anywhere, tables.head, tables.tail, HEAD_PARAGRAPHS
    )
    touched = open_rules.any(axis=1) | (np.diff(ends) > 0)
    data, starts, stops = memoryview(rows.data), rows.starts.tolist(), rows.stops.tolist()  # type: ignore[arg-type]
    masks, last, occurrences = open_rules.tolist(), ends.tolist(), found.tolist()
    cleaned = []
    for row in np.flatnonzero(touched).tolist():
        raw = data[starts[row] : stops[row]]
        try:
            text = str(raw, "utf-8")
        except UnicodeDecodeError:  # places in characters mean nothing here
            cleaned.append(clean(str(raw, "utf-8", "replace")))
            continue
        *head, tail = masks[row]
        by_literal = _by_literal(occurrences[last[row] : last[row + 1]], tables.names)
        cleaned.append(without(text, removals(text, rules, by_literal, OpenRules(tuple(head), tail))))
    whole = texts.cast(pa.large_string())
    if whole.null_count:
        whole = pc.fill_null(whole, "")
    return pc.replace_with_mask(whole, pa.array(touched), pa.array(cleaned, type=pa.large_string()))


def _by_literal(occurrences: list[list[int]], names: tuple[str, ...]) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for literal, place in occurrences:
        found.setdefault(names[literal], []).append(place)
    return found


@cache
def _tables() -> _Tables:
    rules = load_rules()
    names = sorted(rules.triggers, key=str.encode)
    head, tail = (
        _literals(
            [(text, gate.within, bits) for gate in gates for text, bits in gate.rules.items()], anchored=True
        )
        for gates in map(rules.gates.__getitem__, ANCHORED)
    )
    return _Tables(_literals(((name, 0, 0) for name in names), anchored=False), head, tail, tuple(names))


def _literals(literals: Iterable[tuple[str, int, int]], *, anchored: bool) -> kernel.Literals:
    items = sorted((text.encode(), within, rules) for text, within, rules in literals)
    pairs: dict[int, list[int]] = {}
    for i, (text, _, _) in enumerate(items):
        for second in text[1:2] or range(256):
            pairs.setdefault(text[0] << 8 | second, []).append(i)
    contents: list[tuple[int, ...]] = [(), *sorted({tuple(bucket) for bucket in pairs.values()})]
    number = {content: i for i, content in enumerate(contents)}
    buckets = np.zeros(1 << 16, dtype=np.uint16)
    for pair, bucket in pairs.items():
        buckets[pair] = number[tuple(bucket)]
    marks = np.zeros(1 << 16, dtype=np.uint8)
    for text, within, _ in items:
        if anchored and within <= 1:
            continue
        if len(text) > 2:
            marks[text[0] << 8 | text[1]] |= 1
            marks[text[1] << 8 | text[2]] |= 2
        else:
            marks[text[0] << 8 | text[1] if len(text) > 1 else slice(text[0] << 8, text[0] + 1 << 8)] |= 4
    return kernel.Literals(
        marks,
        buckets,
        np.cumsum([0, *map(len, contents)]).astype(np.int32),
        np.array([i for content in contents for i in content], dtype=np.int32),
        np.cumsum([0, *(len(text) for text, _, _ in items)]).astype(np.int32),
        np.frombuffer(b"".join(text for text, _, _ in items), dtype=np.uint8),
        np.array([within for _, within, _ in items], dtype=np.int32),
        np.array([rules for _, _, rules in items], dtype=np.int64),
    )
