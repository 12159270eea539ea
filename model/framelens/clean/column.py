"""Cleaning of a whole Arrow column by the compiled kernel."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from framelens.clean import engine, kernel
from framelens.clean.program import Assembler
from framelens.clean.rules import ANCHORED, Rules, load_rules
from framelens.features.cache import kept
from framelens.features.compiled import RoomError

if TYPE_CHECKING:
    import pyarrow as pa

_WHERE = {
    "anywhere": kernel.ANYWHERE,
    "sentence": kernel.SENTENCE,
    "line": kernel.LINE,
    "mask": kernel.MASK,
    **dict.fromkeys(ANCHORED, -1),
}


def clean_column(texts: pa.Array | pa.ChunkedArray, rules: kernel.Rules | None = None) -> pa.Array:
    """`clean` of each text, but for white space at its ends.

    Parameters
    ----------
    texts
        An Arrow array of type string or large_string, or a chunked one of them.
    rules
        Those of `compile_rules`; None for the shipped ones.

    Returns
    -------
    pa.LargeStringArray
        As long as `texts`; a null becomes an empty text, and bytes that are not UTF-8 U+FFFD.
    """
    import pyarrow as pa

    from framelens.features.arrow import Rows, in_threads, rows_of

    if isinstance(texts, pa.ChunkedArray):
        texts = texts.combine_chunks() if texts.num_chunks != 1 else texts.chunk(0)
    try:
        texts.validate(full=True)
    except pa.ArrowInvalid:
        binary = texts.cast(pa.large_binary()).to_pylist()
        whole = [None if text is None else text.decode("utf-8", "replace") for text in binary]
        texts = pa.array(whole, type=pa.large_string())
    tables = rules or _tables()

    def clean_task(task: Rows) -> pa.Array:
        lengths = task.stops - task.starts
        rows, longest, total = len(lengths), int(lengths.max(initial=0)), int(lengths.sum())
        ends, more = np.empty(rows + 1, dtype=np.int64), 1
        while True:
            out = np.empty(total + 64 * more, dtype=np.uint8)
            scratch = _make_scratch(longest, tables, more)
            try:
                kernel.clean_rows(*task, rows, tables, scratch, out, len(out), ends)
            except RoomError:
                more *= 8
                continue
            cleaned = pa.py_buffer(out[: ends[-1]])
            return pa.LargeStringArray.from_buffers(rows, pa.py_buffer(ends), cleaned)

    parts = in_threads(clean_task, rows_of(texts))
    return parts[0] if len(parts) == 1 else pa.concat_arrays([pa.array([], pa.large_string()), *parts])


def _make_scratch(longest: int, rules: kernel.Rules, more: int) -> kernel.Scratch:
    """Room for an article of `longest` bytes: enough for nearly all, and so many times more."""
    stack, cuts = kernel.MARKS + kernel.FRAME * 256 * more, 64 * more
    return kernel.Scratch(
        np.empty(longest + 2, dtype=np.int64),
        np.empty(stack, dtype=np.int64),
        stack,
        np.empty((cuts, 2), dtype=np.int64),
        np.empty((cuts, 2), dtype=np.int64),
        cuts,
        np.empty(rules.rules, dtype=np.int64),
        np.empty(rules.limits.tail_window + rules.limits.tail_lines, dtype=np.int64),
    )


@cache
def _tables() -> kernel.Rules:
    return kept(__file__, _compile_shipped)


def _compile_shipped() -> kernel.Rules:
    return compile_rules(load_rules())


def compile_rules(rules: Rules) -> kernel.Rules:
    """The rules as the kernel takes them.

    Raises
    ------
    ValueError
        When a pattern has what the machine does not know.
    """
    assembler = Assembler()
    numbers = {rule.name: assembler.add(rule.source) for rule in rules.all}
    sentence_end, tail_start = (
        assembler.add(pattern.pattern) for pattern in (engine.SENTENCE_END, engine.TAIL_START)
    )
    alphanumeric = assembler.add_set(r"[^\W_]")
    names = sorted(rules.triggers, key=str.encode)
    triggers = [[numbers[rule.name] for rule in rules.triggers[name]] for name in names]
    head, tail = (
        _literals(
            [(text, gate.within, bits) for gate in rules.gates[place] for text, bits in gate.rules.items()],
            looked_at=looked_at,
        )
        for place, looked_at in (("head", 0), ("tail", 1))
    )
    return kernel.Rules(
        assembler.assemble(),
        len(rules.all),
        _int32s(_WHERE[rule.where] for rule in rules.all),
        _int32s(rule.near for rule in rules.all),
        _int32s(rule.reach for rule in rules.all),
        _literals(((name, 0, 0) for name in names), looked_at=-1),
        head,
        tail,
        _int32s(np.cumsum([0, *map(len, triggers)])),
        _int32s(number for group in triggers for number in group),
        _int32s(numbers[rule.name] for rule in rules.by_place["head"]),
        _int32s(numbers[rule.name] for rule in rules.by_place["tail"]),
        int(head.within.max(initial=0)),
        int(tail.within.max(initial=0)),
        sentence_end,
        tail_start,
        alphanumeric,
        kernel.Limits(*(getattr(engine, name.upper()) for name in kernel.Limits._fields)),
    )


def _int32s(numbers: Iterable[int]) -> npt.NDArray[np.int32]:
    return np.array(list(numbers), dtype=np.int32)


def _literals(literals: Iterable[tuple[str, int, int]], *, looked_at: int) -> kernel.Literals:
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
    marks = np.zeros(1 << 16, dtype=np.uint16)
    for text, within, _ in items:
        if within <= looked_at:  # the kernel looks there anyway
            continue
        if len(text) > 2:
            group = 1 << (3 * text[1] + text[2]) % kernel.GROUPS
            marks[text[0] << 8 | text[1]] |= group
            marks[text[1] << 8 | text[2]] |= group << 8
        else:
            first = text[0] << 8
            marks[first | text[1] if len(text) > 1 else slice(first, first + 256)] |= kernel.SHORT
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
