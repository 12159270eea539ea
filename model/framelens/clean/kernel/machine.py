"""A regular expression as a program, run as `re` does: it tries, and goes back to the last choice."""

from __future__ import annotations

from framelens.clean.kernel.characters import NEWLINE, character_before, character_width, decode
from framelens.clean.kernel.instructions import (
    AT,
    ATOMIC,
    ATOMIC_END,
    BOUNDARY,
    FRAME,
    GREEDY,
    JUMP,
    LAZY,
    LINE_END,
    LINE_START,
    LOOK,
    LOOK_END,
    MARKS,
    NOT,
    SET,
    SPLIT,
    TEXT,
    TEXT_END,
    TEXT_START,
    WIDE,
    WIDTH,
    Machine,
)
from framelens.clean.kernel.layout import Scratch
from framelens.features.compiled import RoomError, U8s, inlined, int64, jit


@jit
def in_set(machine: Machine, number: int, data: U8s, at: int) -> bool:
    """Whether the character that begins here is in the set."""
    kind = machine.kinds[number * 256 + data[at]]
    if kind != WIDE:
        return bool(kind)
    code = decode(data, at)
    low, high = int64(machine.wide_starts[number]), int64(machine.wide_starts[number + 1])
    while low < high:
        middle = (low + high) >> 1
        if machine.wide[2 * middle + 1] < code:
            low = middle + 1
        else:
            high = middle
    return bool(low < machine.wide_starts[number + 1] and machine.wide[2 * low] <= code)


@jit
def begins(machine: Machine, first: int, data: U8s, at: int, stop: int) -> bool:
    """Whether what has this set of first bytes may begin here; a set below 0 holds all, and the end."""
    return first < 0 or (at < stop and machine.firsts[first * 256 + data[at]] != 0)


@jit
def _is_position(kind: int, machine: Machine, word: int, data: U8s, start: int, at: int, stop: int) -> bool:
    """Whether the position is of this kind."""
    if kind == BOUNDARY:
        behind = at < stop and in_set(machine, word, data, at)
        return behind != (at > start and in_set(machine, word, data, character_before(data, start, at)))
    if kind == TEXT_START:
        return at == start
    if kind == LINE_START:
        return at == start or data[at - 1] == NEWLINE
    if kind == TEXT_END or at == stop:
        return at == stop
    return data[at] == NEWLINE and (kind == LINE_END or at + 1 == stop)


@jit
def _push(scratch: Scratch, top: int, kind: int, pc: int, at: int, more: int) -> int:
    """Put a choice to go back to on top of the stack; where its top is then."""
    if top + FRAME > scratch.stack_room:
        raise RoomError
    stack = scratch.stack
    stack[top], stack[top + 1], stack[top + 2], stack[top + 3] = kind, pc, at, more
    return top + FRAME


@inlined
def _repeat(
    machine: Machine, pc: int, data: U8s, at: int, stop: int, top: int, scratch: Scratch
) -> tuple[bool, int, int]:
    """Characters of a set, as many as may be or, if it is lazy, as few: whether enough; the end; the top."""
    code = machine.code
    operation, number, least = code[pc], code[pc + 1], code[pc + 2]
    most = least if operation == LAZY else code[pc + 3]
    n, low = 0, at
    while n < most and at < stop and in_set(machine, number, data, at):
        at += character_width(data[at])
        n += 1
        if n == least:
            low = at
    goes = n >= least
    if goes and operation == GREEDY and at > low:
        top = _push(scratch, top, GREEDY, pc + WIDTH, at, low)
    elif goes and operation == LAZY and n < code[pc + 3]:
        top = _push(scratch, top, LAZY, pc, at, n)
    return goes, at, top


@inlined
def _give_back(machine: Machine, pc: int, data: U8s, at: int, top: int, scratch: Scratch) -> tuple[int, int]:
    """Let a greedy repeat, whose frame lies at the top, go one character back: the new end; the new top."""
    code, low = machine.code, scratch.stack[top + 3]
    at = character_before(data, low, at)
    if code[pc] == TEXT:  # not where what follows cannot begin
        while at > low and data[at] != machine.text[code[pc + 1]]:
            at -= 1
    if at > low:
        scratch.stack[top + 2] = at
        top += FRAME
    return at, top


@inlined
def _take_more(
    machine: Machine, pc: int, data: U8s, at: int, stop: int, top: int, scratch: Scratch
) -> tuple[bool, int, int]:
    """Let a lazy repeat, whose frame lies at the top, take one more: whether there is; the end; the top."""
    code, n = machine.code, scratch.stack[top + 3] + 1
    goes = at < stop and in_set(machine, code[pc + 1], data, at)
    if goes:
        at += character_width(data[at])
        if n < code[pc + 3]:
            scratch.stack[top + 2], scratch.stack[top + 3] = at, n
            top += FRAME
    return goes, at, top


@inlined
def _look_from(data: U8s, start: int, at: int, back: int) -> int:
    """Where it is so many characters back; -1 if there are not so many."""
    while back > 0 and at > start:
        at = character_before(data, start, at)
        back -= 1
    return -1 if back > 0 else at


@jit
def run(
    machine: Machine, pc: int, data: U8s, start: int, at: int, stop: int, full: bool, scratch: Scratch
) -> int:
    """Where the match that begins here ends; -1 if there is none.

    Parameters
    ----------
    pc
        Where the program begins.
    start, stop
        Of the article, for what looks back, and of what may be matched.
    full
        Whether the match must reach `stop`.
    scratch
        Its stack is written to, of which the first `MARKS` numbers say how high it stood where a look or an
        atomic group began.
    """
    code, stack = machine.code, scratch.stack
    top, marks = MARKS, 0
    while True:
        operation = code[pc]
        following = pc + WIDTH
        goes = True
        if operation == TEXT:
            length, place = code[pc + 2], code[pc + 1]
            goes = at + length <= stop
            i = 0
            while goes and i < length:
                goes = data[at + i] == machine.text[place + i]
                i += 1
            at += length
        elif operation == SET:
            goes = at < stop and in_set(machine, code[pc + 1], data, at)
            at += character_width(data[at]) if goes else 0
        elif operation == SPLIT:
            other = int64(code[pc + 2])
            either = other >= 0 and begins(machine, code[pc + 4], data, at, stop)
            if begins(machine, code[pc + 3], data, at, stop):
                following = int64(code[pc + 1])
                if either:
                    top = _push(scratch, top, SPLIT, other, at, 0)
            else:
                following, goes = other, either
        elif operation == JUMP:
            following = int64(code[pc + 1])
        elif operation <= LAZY:
            goes, at, top = _repeat(machine, pc, data, at, stop, top, scratch)
        elif operation == AT:
            goes = _is_position(code[pc + 1], machine, code[pc + 2], data, start, at, stop)
        elif operation in (LOOK, ATOMIC):
            negative = operation == LOOK and code[pc + 2] != 0
            place = _look_from(data, start, at, code[pc + 1] if operation == LOOK else 0)
            if place < 0:  # there is not so much to look back at
                goes = negative
                following = int64(code[pc + 3])
            else:
                stack[marks] = top
                marks += 1
                top = _push(scratch, top, NOT if negative else LOOK, code[pc + 3], at, 0)
                at = place
        elif operation in (LOOK_END, ATOMIC_END):
            marks -= 1
            top = stack[marks]
            goes = operation == ATOMIC_END or code[pc + 1] == 0
            at = at if operation == ATOMIC_END else stack[top + 2]
        elif not full or at == stop:
            return at
        else:
            goes = False
        pc = following
        while not goes:  # back to the last choice
            if top == MARKS:
                return -1
            top -= FRAME
            kind, pc, at = stack[top], stack[top + 1], stack[top + 2]
            if kind == SPLIT:
                goes = True
            elif kind == GREEDY:
                at, top = _give_back(machine, pc, data, at, top, scratch)
                goes = True
            elif kind == LAZY:
                goes, at, top = _take_more(machine, pc, data, at, stop, top, scratch)
                pc += WIDTH
            else:
                marks -= 1
                goes = kind == NOT


@jit
def search(
    machine: Machine, rule: int, data: U8s, start: int, at: int, last: int, stop: int, scratch: Scratch
) -> tuple[int, int]:
    """The first match that begins at `at` or behind, up to `last`; -1 and -1 if there is none."""
    pc, first = machine.programs[2 * rule], machine.programs[2 * rule + 1]
    last = min(last, stop)
    while at <= last:
        if begins(machine, first, data, at, stop):
            end = run(machine, pc, data, start, at, stop, False, scratch)
            if end >= 0:
                return at, end
        at += character_width(data[at]) if at < stop else 1
    return -1, -1
