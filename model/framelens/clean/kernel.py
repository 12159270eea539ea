"""`framelens.clean.engine`, compiled: over UTF-8 bytes, without a Python object an article.

The functions behind "the places" are those of the engine, which says what they do and why; here positions are
bytes, so the engine's distances in characters are counted off. A regular expression is a program of
`framelens.clean.program`, and `_run` runs it as `re` does: it tries, and goes back to the last choice.
Everything compiled stands in this one file, because what is kept of it is made anew when this file changes;
for the same reason the engine's limits come in as arguments.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from framelens.features.compiled import RoomError, jit, trailing_zeros

_U8s: TypeAlias = npt.NDArray[np.uint8]
_U16s: TypeAlias = npt.NDArray[np.uint16]
_I32s: TypeAlias = npt.NDArray[np.int32]
_I64s: TypeAlias = npt.NDArray[np.int64]
_int64: Any = np.int64

NEWLINE = 0x0A

SHORT = 1 << 7
GROUPS = 7
"""See `Literals.marks`."""

# What an instruction does, and what its numbers say. A set of first bytes below 0 holds every one.
TEXT = 0
"""Pass the bytes ``text[a:a + b]``."""
SET = 1
"""Pass one character of set a."""
SPLIT = 2
"""Go on at a; if it fails, or the next byte is not in its set c of first bytes, at b (of set d) if b >= 0."""
JUMP = 3
"""Go on at a."""
GREEDY, POSSESSIVE, LAZY = 4, 5, 6
"""Pass b to c characters of set a: as many as there are; the same without giving back; as few as will do."""
AT = 7
"""Go on where the position is of kind a; b is the set of the characters of words."""
LOOK, LOOK_END = 8, 9
"""Look from a characters before on, and return at the end. If b (a at the end) is set, the end fails, and
what fails before it goes on at c."""
ATOMIC, ATOMIC_END = 10, 11
"""Forget all choices in between."""
MATCH = 12
NOT = 13
"""No instruction: the choice that a failing negative look goes back to."""

TEXT_START, LINE_START, TEXT_END, LINE_END, LAST_LINE_END, BOUNDARY = range(6)
r"""``^`` (without and with ``(?m)``), ``\Z``, ``$`` (with and without), ``\b``."""

WIDTH = 5
"""Numbers of an instruction: what it does, then a to d."""
UNBOUNDED = 2**31 - 1
WIDE = 2
"""In `Machine.kinds`: the whole character decides."""
FRAME, MARKS = 4, 16
"""Numbers of a choice on the stack, and the room below them."""

ANYWHERE, SENTENCE, LINE, MASK = range(4)
"""The places of rules that are tried where a literal stands."""


class Literals(NamedTuple):
    """Byte strings to find.

    Attributes
    ----------
    marks
        uint16, shape (65536,), for the first byte of a pair times 256 plus the second (0 behind the end of
        the text). A literal of three bytes or more sets one of the bits 0 to 6 at its first pair, and that
        bit times 256 at its second; a shorter one sets `SHORT` at its first. Literals of a ``head`` rule of
        which `within` is 0, and of a ``tail`` rule of which it is 1, leave no mark.
    buckets
        uint16, shape (65536,): the bucket of literals that may begin with the pair; 0 for none.
    bucket_starts, bucket_items
        int32: bucket b holds the literals ``bucket_items[bucket_starts[b]:bucket_starts[b + 1]]``.
    starts, text
        int32, shape (n + 1,), and uint8: literal i is ``text[starts[i]:starts[i + 1]]``.
    within, rules
        int32, int64, shape (n,): characters that may stand between the start of a paragraph, or the end of
        the text, and the beginning of the literal, and the bits of the rules that it lets be tried then; not
        looked at where literals are found anywhere.
    """

    marks: _U16s
    buckets: _U16s
    bucket_starts: _I32s
    bucket_items: _I32s
    starts: _I32s
    text: _U8s
    within: _I32s
    rules: _I64s


class Machine(NamedTuple):
    """Programs and what they share.

    Attributes
    ----------
    programs
        int32, shape (programs, 2) in one row: where the program begins in `code`, and its set of first bytes.
    code
        int32: instructions of `WIDTH` numbers.
    text
        uint8: bytes of `TEXT` instructions.
    kinds
        uint8, shape (sets, 256) in one row: whether the set has the characters with this first byte, or
        `WIDE`.
    wide_starts, wide
        int32: of set s the first and last code points from U+0080 on, in pairs, from pair ``wide_starts[s]``
        to the next set's.
    firsts
        uint8, shape (sets of first bytes, 256) in one row.
    """

    programs: _I32s
    code: _I32s
    text: _U8s
    kinds: _U8s
    wide_starts: _I32s
    wide: _I32s
    firsts: _U8s


class Limits(NamedTuple):
    """The engine's constants of these names."""

    head_paragraphs: int
    head_rounds: int
    head_window: int
    longest_sentence: int
    tail_lines: int
    tail_line_length: int
    tail_rounds: int
    tail_window: int


class Rules(NamedTuple):
    """The cleaning rules; rule r is program r of the machine.

    Attributes
    ----------
    rules
        How many there are.
    where, near, reach
        int32, shape (rules,): `ANYWHERE` and so on; see `framelens.clean.rules.Rule`.
    anywhere, head, tail
        The literals of the rules for these places.
    trigger_starts, trigger_rules
        int32: the rules that literal i of `anywhere` lets be tried are
        ``trigger_rules[trigger_starts[i]:trigger_starts[i + 1]]``.
    head_rules, tail_rules
        int32: the rule of each bit.
    head_within, tail_within
        The largest `Literals.within`.
    sentence_end, tail_start
        Programs of the engine's own patterns.
    alphanumeric
        A set of the machine.
    limits
        How far the engine looks.
    """

    machine: Machine
    rules: int
    where: _I32s
    near: _I32s
    reach: _I32s
    anywhere: Literals
    head: Literals
    tail: Literals
    trigger_starts: _I32s
    trigger_rules: _I32s
    head_rules: _I32s
    tail_rules: _I32s
    head_within: int
    tail_within: int
    sentence_end: int
    tail_start: int
    alphanumeric: int
    limits: Limits


class Scratch(NamedTuple):
    """Room for one article.

    Attributes
    ----------
    places
        int64, two more than the bytes of the longest article.
    stack, stack_room
        int64: choices of the machine; so many numbers.
    cuts, masks, cuts_room
        int64: where what is cut, and what the rules for ``mask`` find, begins and ends; so many of each.
    done
        int64, shape (rules,): up to where a rule has been tried.
    starts
        int64: where a match of a ``tail`` rule may start.
    """

    places: _I64s
    stack: _I64s
    stack_room: int
    cuts: _I64s
    masks: _I64s
    cuts_room: int
    done: _I64s
    starts: _I64s


# -- literals -----------------------------------------------------------------------------------------------


@jit
def _candidates(data: _U8s, start: int, stop: int, literals: Literals, places: _I64s) -> int:
    """Write to the places where three bytes look like a literal's, of ``data[start:stop]``; how many places.

    Without a branch: at most places there is none, but where there is one cannot be foretold.
    """
    if start >= stop:
        return 0
    n, before, pair = 0, 0, _int64(data[start])
    for at in range(start + 1, stop):
        pair = (pair << 8 | _int64(data[at])) & 0xFFFF
        marks = _int64(literals.marks[pair])
        places[n] = at - 2
        n += (before & (marks >> 8 | SHORT)) != 0
        before = marks
    places[n] = stop - 2
    n += before & SHORT != 0
    places[n] = stop - 1
    n += _int64(literals.marks[pair << 8 & 0xFFFF]) & SHORT != 0
    return int(n)


@jit
def _bucket_at(data: _U8s, at: int, stop: int, literals: Literals) -> int:
    """The bucket of literals that may stand here, by two bytes; 0 for none."""
    pair = _int64(data[at]) << 8 | (_int64(data[at + 1]) if at + 1 < stop else 0)
    bucket: int = _int64(literals.buckets[pair])
    return bucket


@jit
def _is_at(data: _U8s, at: int, stop: int, literals: Literals, i: int) -> bool:
    """Whether literal i stands here; its bucket has been seen to by the caller."""
    first, last = literals.starts[i], literals.starts[i + 1]
    if at + last - first > stop:
        return False
    for j in range(1, last - first):  # noqa: SIM110 -- numba compiles no all()
        if data[at + j] != literals.text[first + j]:
            return False
    return True


@jit
def _open_at(data: _U8s, at: int, stop: int, literals: Literals, distance: int) -> int:
    """Bits of the rules with a literal that begins here and may be so many characters away."""
    bucket = _bucket_at(data, at, stop, literals)
    rules: int = _int64(0)
    for item in range(literals.bucket_starts[bucket], literals.bucket_starts[bucket + 1]):
        i = literals.bucket_items[item]
        if literals.within[i] >= distance and _is_at(data, at, stop, literals, i):
            rules |= literals.rules[i]
    return rules


@jit
def _characters(data: _U8s, start: int, stop: int) -> int:
    n = 0
    for at in range(start, stop):
        n += data[at] & 0xC0 != 0x80
    return n


@jit
def _back(data: _U8s, start: int, at: int, characters: int) -> int:
    """So many characters before, but not before the start."""
    stop = at
    while characters > 0 and at > start:
        begin = max(start, at - characters)
        characters -= _characters(data, begin, at)
        at = begin
    while at < stop and data[at] & 0xC0 == 0x80:
        at += 1
    return at


@jit
def _ahead(data: _U8s, at: int, stop: int, characters: int) -> int:
    """So many characters behind, but not behind the stop."""
    while characters > 0 and at < stop:
        end = min(stop, at + characters)
        characters -= _characters(data, at, end)
        at = end
        while at < stop and data[at] & 0xC0 == 0x80:
            at += 1
    return at


@jit
def space_width(data: _U8s, at: int, stop: int) -> int:
    """Bytes of the white space that begins here, as `str.isspace` has it; 0 for none."""
    lead = data[at]
    if lead < 0x80:
        return 1 if lead == 0x20 or 9 <= lead <= 13 or 28 <= lead <= 31 else 0
    if lead == 0xC2 and at + 1 < stop:
        return 2 if data[at + 1] in (0x85, 0xA0) else 0
    if lead in (0xE1, 0xE2, 0xE3) and at + 2 < stop:
        code = (_int64(lead) & 0x0F) << 12 | _int64(data[at + 1] & 0x3F) << 6 | _int64(data[at + 2] & 0x3F)
        wide = (
            0x2000 <= code <= 0x200A or code in (0x1680, 0x2028, 0x2029, 0x202F) or code in (0x205F, 0x3000)
        )
        return 3 if wide else 0
    return 0


@jit
def _skip_space(data: _U8s, at: int, stop: int) -> int:
    while at < stop:
        width = space_width(data, at, stop)
        if width == 0:
            break
        at += width
    return at


@jit
def _skip_space_back(data: _U8s, start: int, stop: int) -> int:
    while stop > start:
        at = _before(data, start, stop)
        if space_width(data, at, stop) != stop - at:
            break
        stop = at
    return stop


@jit
def _before(data: _U8s, start: int, at: int) -> int:
    """Where the character before this place begins."""
    at -= 1
    while at > start and data[at] & 0xC0 == 0x80:
        at -= 1
    return at


@jit
def _open_head(data: _U8s, at: int, stop: int, literals: Literals, widest: int, places: _I64s) -> int:
    """Bits of the rules with a literal near enough behind the start of a paragraph."""
    if at >= stop:
        return 0
    rules = _open_at(data, at, stop, literals, 0)
    # three bytes tell whether a literal could stand at the last place
    seen, distance = at, 0
    for i in range(_candidates(data, at, min(stop, _ahead(data, at, stop, widest) + 3), literals, places)):
        distance += _characters(data, seen, places[i])
        seen = places[i]
        if distance > widest:
            break
        rules |= _open_at(data, seen, stop, literals, distance)
    return int(rules)


@jit
def _open_tail(data: _U8s, start: int, stop: int, literals: Literals, widest: int, places: _I64s) -> int:
    """Bits of the rules with a literal near enough before the end."""
    if stop <= start:
        return 0
    rules = _open_at(data, _before(data, start, stop), stop, literals, 1)
    seen, distance = stop, 0
    n = _candidates(data, _back(data, start, stop, widest), stop, literals, places)
    for i in range(n - 1, -1, -1):
        distance += _characters(data, places[i], seen)
        seen = places[i]
        if distance > widest:
            break
        rules |= _open_at(data, seen, stop, literals, distance)
    return int(rules)


# -- the machine --------------------------------------------------------------------------------------------


@jit
def _character_width(lead: int) -> int:
    return 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4


@jit
def _decode(data: _U8s, at: int) -> int:
    """The code point of the character of several bytes that begins here."""
    lead: int = _int64(data[at])
    width = _character_width(lead)
    code = lead & (0x7F >> width)
    for i in range(1, width):
        code = code << 6 | _int64(data[at + i] & 0x3F)
    return code


@jit
def _in_set(machine: Machine, number: int, data: _U8s, at: int) -> bool:
    """Whether the character that begins here is in the set."""
    kind = machine.kinds[number * 256 + data[at]]
    if kind != WIDE:
        return bool(kind)
    code = _decode(data, at)
    low, high = _int64(machine.wide_starts[number]), _int64(machine.wide_starts[number + 1])
    while low < high:
        middle = (low + high) >> 1
        if machine.wide[2 * middle + 1] < code:
            low = middle + 1
        else:
            high = middle
    return bool(low < machine.wide_starts[number + 1] and machine.wide[2 * low] <= code)


@jit
def _begins(machine: Machine, first: int, data: _U8s, at: int, stop: int) -> bool:
    """Whether what has this set of first bytes may begin here; a set below 0 holds all, and the end."""
    return first < 0 or (at < stop and machine.firsts[first * 256 + data[at]] != 0)


@jit
def _is_position(kind: int, machine: Machine, word: int, data: _U8s, start: int, at: int, stop: int) -> bool:
    """Whether the position is of this kind."""
    if kind == BOUNDARY:
        behind = at < stop and _in_set(machine, word, data, at)
        return behind != (at > start and _in_set(machine, word, data, _before(data, start, at)))
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


@jit
def _run(
    machine: Machine, pc: int, data: _U8s, start: int, at: int, stop: int, full: bool, scratch: Scratch
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
            goes = at < stop and _in_set(machine, code[pc + 1], data, at)
            at += _character_width(data[at]) if goes else 0
        elif operation == SPLIT:
            other = _int64(code[pc + 2])
            either = other >= 0 and _begins(machine, code[pc + 4], data, at, stop)
            if _begins(machine, code[pc + 3], data, at, stop):
                following = _int64(code[pc + 1])
                if either:
                    top = _push(scratch, top, SPLIT, other, at, 0)
            else:
                following, goes = other, either
        elif operation == JUMP:
            following = _int64(code[pc + 1])
        elif operation <= LAZY:  # a repeat
            number, least = code[pc + 1], code[pc + 2]
            most = least if operation == LAZY else code[pc + 3]
            n, low = 0, at
            while n < most and at < stop and _in_set(machine, number, data, at):
                at += _character_width(data[at])
                n += 1
                if n == least:
                    low = at
            goes = n >= least
            if goes and operation == GREEDY and at > low:
                top = _push(scratch, top, GREEDY, following, at, low)
            elif goes and operation == LAZY and n < code[pc + 3]:
                top = _push(scratch, top, LAZY, pc, at, n)
        elif operation == AT:
            goes = _is_position(code[pc + 1], machine, code[pc + 2], data, start, at, stop)
        elif operation in (LOOK, ATOMIC):
            negative = operation == LOOK and code[pc + 2] != 0
            place, back = at, code[pc + 1] if operation == LOOK else 0
            while back > 0 and place > start:
                place = _before(data, start, place)
                back -= 1
            if back > 0:  # there is not so much to look back at
                goes = negative
                following = _int64(code[pc + 3])
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
            frame = top - FRAME
            kind, pc, at = stack[frame], stack[frame + 1], stack[frame + 2]
            top = frame
            if kind == SPLIT:
                goes = True
            elif kind == GREEDY:
                low = stack[frame + 3]
                at = _before(data, start, at)
                if code[pc] == TEXT:
                    while at > low and data[at] != machine.text[code[pc + 1]]:
                        at -= 1
                if at > low:
                    stack[frame + 2] = at
                    top += FRAME
                goes = True
            elif kind == LAZY:
                n = stack[frame + 3] + 1
                if at < stop and _in_set(machine, code[pc + 1], data, at):
                    at += _character_width(data[at])
                    if n < code[pc + 3]:
                        stack[frame + 2], stack[frame + 3] = at, n
                        top += FRAME
                    pc += WIDTH
                    goes = True
            else:
                marks -= 1
                goes = kind == NOT


@jit
def _search(
    machine: Machine, rule: int, data: _U8s, start: int, at: int, last: int, stop: int, scratch: Scratch
) -> tuple[int, int]:
    """The first match that begins at `at` or behind, up to `last`; -1 and -1 if there is none."""
    pc, first = machine.programs[2 * rule], machine.programs[2 * rule + 1]
    last = min(last, stop)
    while at <= last:
        if _begins(machine, first, data, at, stop):
            end = _run(machine, pc, data, start, at, stop, False, scratch)
            if end >= 0:
                return at, end
        at += _character_width(data[at]) if at < stop else 1
    return -1, -1


# -- stretches of text --------------------------------------------------------------------------------------


@jit
def _line_end(data: _U8s, at: int, stop: int) -> int:
    while at < stop and data[at] != NEWLINE:
        at += 1
    return at


@jit
def _line_start(data: _U8s, start: int, at: int) -> int:
    while at > start and data[at - 1] != NEWLINE:
        at -= 1
    return at


@jit
def _add(scratch: Scratch, cuts: _I64s, n: int, start: int, stop: int) -> int:
    """Put a cut behind the first n, of `Scratch.cuts` or `masks`; how many there are then."""
    if n == scratch.cuts_room:
        raise RoomError
    cuts[2 * n], cuts[2 * n + 1] = start, stop
    return n + 1


@jit
def _merge(cuts: _I64s, n: int, start: int) -> int:
    """Bring the first n cuts of an article that begins at `start` into order; how many are left."""
    for i in range(1, n):
        first, last = cuts[2 * i], cuts[2 * i + 1]
        j = i
        while j > 0 and (cuts[2 * j - 2] > first or (cuts[2 * j - 2] == first and cuts[2 * j - 1] < last)):
            cuts[2 * j], cuts[2 * j + 1] = cuts[2 * j - 2], cuts[2 * j - 1]
            j -= 1
        cuts[2 * j], cuts[2 * j + 1] = first, last
    merged, covered = 0, start
    for i in range(n):
        first, last = cuts[2 * i], cuts[2 * i + 1]
        if last > covered:
            cuts[2 * merged], cuts[2 * merged + 1] = max(first, covered), last
            merged += 1
            covered = last
    return merged


# -- the places ---------------------------------------------------------------------------------------------


@jit
def _matches(
    rules: Rules, rule: int, data: _U8s, start: int, stop: int, at: int, scratch: Scratch, cuts: _I64s, n: int
) -> int:
    """Add the rule's matches around a literal."""
    done, begin, near = scratch.done[rule], at, rules.near[rule]
    while near > 0 and begin > done and data[begin - 1] != NEWLINE:
        begin = _before(data, start, begin)
        near -= 1
    begin = max(begin, done)
    last, end = _ahead(data, at, stop, 1), _ahead(data, at, stop, rules.reach[rule])
    while begin <= last:
        first, behind = _search(rules.machine, rule, data, start, begin, last, end, scratch)
        if first < 0:
            break
        if behind > first:
            n = _add(scratch, cuts, n, first, behind)
        begin = max(behind, _ahead(data, first, stop, 1))
        scratch.done[rule] = begin
        if begin > at:
            break
    return n


@jit
def _sentence_around(
    rules: Rules, data: _U8s, start: int, stop: int, at: int, scratch: Scratch
) -> tuple[int, int]:
    _, end = _search(rules.machine, rules.sentence_end, data, start, at, stop, stop, scratch)
    if end < 0:
        end = stop
    elif data[end - 1] == NEWLINE or data[end - 1] == 0x20 or data[end - 1] == 0x09:
        end -= 1
    low = _back(data, start, at, rules.limits.longest_sentence)
    pc = rules.machine.programs[2 * rules.sentence_end]
    for mark in range(at - 1, low - 1, -1):
        if _begins(rules.machine, rules.machine.programs[2 * rules.sentence_end + 1], data, mark, at):
            behind = _run(rules.machine, pc, data, start, mark, at, False, scratch)
            if behind >= 0:
                return behind, end
    return low, end


@jit
def _stretch(
    rules: Rules, rule: int, data: _U8s, start: int, stop: int, at: int, scratch: Scratch, cuts: _I64s, n: int
) -> int:
    """Add the sentence or the line around a literal, if the rule matches it from end to end."""
    if at < scratch.done[rule]:
        return n
    if data[at] == NEWLINE:
        at += 1
    if rules.where[rule] == LINE:
        first, last = _line_start(data, start, at), _line_end(data, at, stop)
    else:
        first, last = _sentence_around(rules, data, start, stop, at, scratch)
    scratch.done[rule] = last
    pc = rules.machine.programs[2 * rule]
    if _run(rules.machine, pc, data, start, first, last, True, scratch) >= 0:
        n = _add(scratch, cuts, n, first, last + (last < stop and data[last] == NEWLINE))
    return n


@jit
def _triggered(rules: Rules, data: _U8s, start: int, stop: int, scratch: Scratch) -> tuple[int, int]:
    """Write what the rules with literals anywhere find to the cuts, for ``mask`` to the masks; how many."""
    n, masked, literals = 0, 0, rules.anywhere
    found = _candidates(data, start, stop, literals, scratch.places)
    if found:
        for rule in range(rules.rules):
            scratch.done[rule] = start
    for candidate in range(found):
        at = scratch.places[candidate]
        bucket = _bucket_at(data, at, stop, literals)
        for item in range(literals.bucket_starts[bucket], literals.bucket_starts[bucket + 1]):
            i = literals.bucket_items[item]
            if not _is_at(data, at, stop, literals, i):
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
    rules: Rules, numbers: _I32s, bits: int, data: _U8s, start: int, at: int, stop: int, scratch: Scratch
) -> int:
    """Where the match of the first of the open rules that has one ends; -1 if none has."""
    while bits:
        rule = numbers[trailing_zeros(np.uint64(bits))]
        first = rules.machine.programs[2 * rule + 1]
        if _begins(rules.machine, first, data, at, stop):
            end = _run(rules.machine, rules.machine.programs[2 * rule], data, start, at, stop, False, scratch)
            if end > at:
                return end
        bits &= bits - 1
    return -1


@jit
def _next_kept(data: _U8s, at: int, stop: int, cuts: _I64s, n: int) -> tuple[int, int]:
    for i in range(n):
        at = _skip_space(data, at, stop)
        if cuts[2 * i + 1] <= at:
            continue
        if cuts[2 * i] > at:
            return at, cuts[2 * i]
        at = cuts[2 * i + 1]
    return _skip_space(data, at, stop), stop


@jit
def _last_kept(data: _U8s, start: int, stop: int, cuts: _I64s, n: int) -> tuple[int, int]:
    for i in range(n - 1, -1, -1):
        stop = _skip_space_back(data, start, stop)
        if cuts[2 * i] >= stop:
            continue
        if cuts[2 * i + 1] < stop:
            return cuts[2 * i + 1], stop
        stop = cuts[2 * i]
    return start, _skip_space_back(data, start, stop)


@jit
def _head(rules: Rules, data: _U8s, start: int, stop: int, scratch: Scratch, cuts: _I64s, n: int) -> int:
    """Add what the rules for ``head`` find beside the first n cuts."""
    taken, at = n, start
    for _ in range(rules.limits.head_paragraphs):
        for _ in range(rules.limits.head_rounds):
            at, limit = _next_kept(data, at, stop, cuts, taken)
            bits = _open_head(data, at, stop, rules.head, rules.head_within, scratch.places)
            if not bits:
                break
            end = min(limit, _ahead(data, at, stop, rules.limits.head_window))
            behind = _first_match(rules, rules.head_rules, bits, data, start, at, end, scratch)
            if behind < 0:
                break
            n = _add(scratch, cuts, n, at, behind)
            at = behind
        at = _line_end(data, at, stop)
        if at == stop:
            break
        at += 1
    return n


@jit
def _tail_starts(rules: Rules, data: _U8s, start: int, begin: int, stop: int, scratch: Scratch) -> int:
    """Write where a match of a ``tail`` rule may start, in order."""
    starts, n = scratch.starts, 0
    at = max(begin, _back(data, start, stop, rules.limits.tail_window))
    while True:
        first, at = _search(rules.machine, rules.tail_start, data, start, at, stop, stop, scratch)
        if first < 0:
            break
        starts[n] = first
        n += 1
    low, line = max(begin, _back(data, start, stop, rules.limits.tail_line_length)), stop
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
def _tail(rules: Rules, data: _U8s, start: int, stop: int, scratch: Scratch, cuts: _I64s, n: int) -> int:
    """Add what the rules for ``tail`` find beside the first n cuts."""
    taken, starts = n, scratch.starts
    for _ in range(rules.limits.tail_rounds):
        begin, stop = _last_kept(data, start, stop, cuts, taken)
        bits = _open_tail(data, start, stop, rules.tail, rules.tail_within, scratch.places)
        if not bits:
            break
        found = False
        for i in range(_tail_starts(rules, data, start, begin, stop, scratch)):
            if _first_match(rules, rules.tail_rules, bits, data, start, starts[i], stop, scratch) >= 0:
                n = _add(scratch, cuts, n, starts[i], stop)
                stop = starts[i]
                found = True
                break
        if not found:
            break
    return n


@jit
def _write(rules: Rules, data: _U8s, start: int, stop: int, cuts: _I64s, n: int, out: _U8s, used: int) -> int:
    """Append what is kept of an article, two words never touching; how much is used then."""
    begin = used
    for i in range(n + 1):
        last = cuts[2 * i] if i < n else stop
        if start < last and used > begin:
            if _skip_space_back(out, begin, used) < used:
                while start < last and (data[start] == 0x20 or data[start] == 0x09):
                    start += 1
            elif _in_set(rules.machine, rules.alphanumeric, data, start):
                out[used] = 0x20
                used += 1
        for at in range(start, last):
            out[used + at - start] = data[at]
        used += max(0, last - start)
        start = cuts[2 * i + 1] if i < n else stop
    return used


@jit
def clean_rows(
    data: _U8s,
    starts: _I64s,
    stops: _I64s,
    rows: int,
    rules: Rules,
    scratch: Scratch,
    out: _U8s,
    room: int,
    ends: _I64s,
) -> None:
    """Clean the articles ``data[starts[i]:stops[i]]``, all of them UTF-8.

    Parameters
    ----------
    out, room
        So many bytes: what is kept of them is written there, one behind the other, white space at the ends of
        an article left alone.
    ends
        int64, shape (rows + 1,): article i will be ``out[ends[i]:ends[i + 1]]``.
    """
    cuts, masks = scratch.cuts, scratch.masks
    used = 0
    ends[0] = 0
    for row in range(rows):
        start, stop = starts[row], stops[row]
        n, masked = _triggered(rules, data, start, stop, scratch)
        n = _merge(cuts, n, start)
        n = _head(rules, data, start, stop, scratch, cuts, n)
        n = _merge(cuts, n, start)
        n = _tail(rules, data, start, stop, scratch, cuts, n)
        for i in range(masked):
            n = _add(scratch, cuts, n, masks[2 * i], masks[2 * i + 1])
        n = _merge(cuts, n, start)
        if used + stop - start + n > room:  # an empty cut may leave a space
            raise RoomError
        used = _write(rules, data, start, stop, cuts, n, out, used)
        ends[row + 1] = used
