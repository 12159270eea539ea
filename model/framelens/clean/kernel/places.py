"""The functions of `framelens.clean.engine` of these names, over bytes; it says what they do and why."""

from __future__ import annotations

import numpy as np

from framelens.clean.kernel.characters import (
    NEWLINE,
    character_before,
    go_ahead,
    go_back,
    line_end,
    line_start,
)
from framelens.clean.kernel.cuts import add_cut, last_kept, next_kept
from framelens.clean.kernel.layout import ANYWHERE, LINE, MASK, Rules, Scratch
from framelens.clean.kernel.literals import bucket_at, candidates, is_at, open_head, open_tail
from framelens.clean.kernel.machine import begins, run, search
from framelens.features.compiled import I32s, I64s, U8s, jit, trailing_zeros


@jit
def _matches(
    rules: Rules, rule: int, data: U8s, start: int, stop: int, at: int, scratch: Scratch, cuts: I64s, n: int
) -> int:
    """Add the rule's matches around a literal."""
    done, begin, near = scratch.done[rule], at, rules.near[rule]
    while near > 0 and begin > done and data[begin - 1] != NEWLINE:
        begin = character_before(data, start, begin)
        near -= 1
    begin = max(begin, done)
    last, end = go_ahead(data, at, stop, 1), go_ahead(data, at, stop, rules.reach[rule])
    while begin <= last:
        first, behind = search(rules.machine, rule, data, start, begin, last, end, scratch)
        if first < 0:
            break
        if behind > first:
            n = add_cut(scratch, cuts, n, first, behind)
        begin = max(behind, go_ahead(data, first, stop, 1))
        scratch.done[rule] = begin
        if begin > at:
            break
    return n


@jit
def _sentence_around(
    rules: Rules, data: U8s, start: int, stop: int, at: int, scratch: Scratch
) -> tuple[int, int]:
    _, end = search(rules.machine, rules.sentence_end, data, start, at, stop, stop, scratch)
    if end < 0:
        end = stop
    elif data[end - 1] == NEWLINE or data[end - 1] == 0x20 or data[end - 1] == 0x09:
        end -= 1
    low = go_back(data, start, at, rules.limits.longest_sentence)
    pc = rules.machine.programs[2 * rules.sentence_end]
    for mark in range(at - 1, low - 1, -1):
        if begins(rules.machine, rules.machine.programs[2 * rules.sentence_end + 1], data, mark, at):
            behind = run(rules.machine, pc, data, start, mark, at, False, scratch)
            if behind >= 0:
                return behind, end
    return low, end


@jit
def _stretch(
    rules: Rules, rule: int, data: U8s, start: int, stop: int, at: int, scratch: Scratch, cuts: I64s, n: int
) -> int:
    """Add the sentence or the line around a literal, if the rule matches it from end to end."""
    if at < scratch.done[rule]:
        return n
    if data[at] == NEWLINE:
        at += 1
    if rules.where[rule] == LINE:
        first, last = line_start(data, start, at), line_end(data, at, stop)
    else:
        first, last = _sentence_around(rules, data, start, stop, at, scratch)
    scratch.done[rule] = last
    pc = rules.machine.programs[2 * rule]
    if run(rules.machine, pc, data, start, first, last, True, scratch) >= 0:
        n = add_cut(scratch, cuts, n, first, last + (last < stop and data[last] == NEWLINE))
    return n


@jit
def triggered(rules: Rules, data: U8s, start: int, stop: int, scratch: Scratch) -> tuple[int, int]:
    """Write what the rules with literals anywhere find to the cuts, for ``mask`` to the masks; how many."""
    n, masked, literals = 0, 0, rules.anywhere
    found = candidates(data, start, stop, literals, scratch.places)
    if found:
        for rule in range(rules.rules):
            scratch.done[rule] = start
    for candidate in range(found):
        at = scratch.places[candidate]
        bucket = bucket_at(data, at, stop, literals)
        for item in range(literals.bucket_starts[bucket], literals.bucket_starts[bucket + 1]):
            i = literals.bucket_items[item]
            if not is_at(data, at, stop, literals, i):
                continue
            for trigger in range(rules.trigger_starts[i], rules.trigger_starts[i + 1]):
                rule = rules.trigger_rules[trigger]
                if rules.where[rule] == MASK:
                    masked = _matches(rules, rule, data, start, stop, at, scratch, scratch.masks, masked)
                elif rules.where[rule] == ANYWHERE:
                    n = _matches(rules, rule, data, start, stop, at, scratch, scratch.cuts, n)
                else:
                    n = _stretch(rules, rule, data, start, stop, at, scratch, scratch.cuts, n)
    return n, masked


@jit
def _first_match(
    rules: Rules, numbers: I32s, bits: int, data: U8s, start: int, at: int, stop: int, scratch: Scratch
) -> int:
    """Where the match of the first of the open rules that has one ends; -1 if none has."""
    while bits:
        rule = numbers[trailing_zeros(np.uint64(bits))]
        first = rules.machine.programs[2 * rule + 1]
        if begins(rules.machine, first, data, at, stop):
            end = run(rules.machine, rules.machine.programs[2 * rule], data, start, at, stop, False, scratch)
            if end > at:
                return end
        bits &= bits - 1
    return -1


@jit
def head(rules: Rules, data: U8s, start: int, stop: int, scratch: Scratch, cuts: I64s, n: int) -> int:
    """Add what the rules for ``head`` find beside the first n cuts."""
    taken, at = n, start
    for _ in range(rules.limits.head_paragraphs):
        for _ in range(rules.limits.head_rounds):
            at, limit = next_kept(data, at, stop, cuts, taken)
            bits = open_head(data, at, stop, rules.head, rules.head_within, scratch.places)
            if not bits:
                break
            end = min(limit, go_ahead(data, at, stop, rules.limits.head_window))
            behind = _first_match(rules, rules.head_rules, bits, data, start, at, end, scratch)
            if behind < 0:
                break
            n = add_cut(scratch, cuts, n, at, behind)
            at = behind
        at = line_end(data, at, stop)
        if at == stop:
            break
        at += 1
    return n


@jit
def _tail_starts(rules: Rules, data: U8s, start: int, begin: int, stop: int, scratch: Scratch) -> int:
    """Write where a match of a ``tail`` rule may start, in order."""
    starts, n = scratch.starts, 0
    at = max(begin, go_back(data, start, stop, rules.limits.tail_window))
    while True:
        first, at = search(rules.machine, rules.tail_start, data, start, at, stop, stop, scratch)
        if first < 0:
            break
        starts[n] = first
        n += 1
    low, line = max(begin, go_back(data, start, stop, rules.limits.tail_line_length)), stop
    for _ in range(rules.limits.tail_lines):
        line -= 1
        while line >= low and data[line] != NEWLINE:
            line -= 1
        if line < low:
            break
        place = n
        while place > 0 and starts[place - 1] > line:
            starts[place] = starts[place - 1]
            place -= 1
        starts[place] = line
        n += 1
    return n


@jit
def tail(rules: Rules, data: U8s, start: int, stop: int, scratch: Scratch, cuts: I64s, n: int) -> int:
    """Add what the rules for ``tail`` find beside the first n cuts."""
    taken, starts = n, scratch.starts
    for _ in range(rules.limits.tail_rounds):
        begin, stop = last_kept(data, start, stop, cuts, taken)
        bits = open_tail(data, start, stop, rules.tail, rules.tail_within, scratch.places)
        if not bits:
            break
        found = False
        for i in range(_tail_starts(rules, data, start, begin, stop, scratch)):
            if _first_match(rules, rules.tail_rules, bits, data, start, starts[i], stop, scratch) >= 0:
                n = add_cut(scratch, cuts, n, starts[i], stop)
                stop = starts[i]
                found = True
                break
        if not found:
            break
    return n
