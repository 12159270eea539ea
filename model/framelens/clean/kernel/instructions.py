"""The instructions of the backtracking machine, which programs are made of."""

from __future__ import annotations

from typing import NamedTuple

from framelens.features.compiled import I32s, U8s

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

    programs: I32s
    code: I32s
    text: U8s
    kinds: U8s
    wide_starts: I32s
    wide: I32s
    firsts: U8s
