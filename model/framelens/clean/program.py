"""Regular expressions as programs for the backtracking machine in `framelens.clean.kernel`.

Python's own parser reads the pattern. What it says is written down as instructions over UTF-8 bytes, in the
order in which `re` tries things, so that the machine finds what `re` finds. What no rule needs (references to
groups, ignored case, loops over what may be empty) is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from framelens.clean.kernel import instructions

_Ranges: TypeAlias = tuple[tuple[int, int], ...]
_LAST = 0x10FFFF
_LAST_WORD = 0x33FFF
"""No letter, digit or white space stands behind this; a test holds it against Python's tables."""


class First(NamedTuple):
    """How a match may begin: bit b for the byte b; and whether it may be empty."""

    bytes: int
    empty: bool


class Assembler:
    """Collects programs that share their tables.

    Attributes
    ----------
    code
        Instructions, `instructions.WIDTH` numbers each; the kernel says what they mean.
    """

    def __init__(self) -> None:
        self.code: list[int] = []
        self._programs: list[tuple[int, int]] = []
        self._sets: dict[_Characters, int] = {}
        self._firsts: dict[int, int] = {}
        self._text = bytearray()
        self._depth = 0

    def add(self, source: str) -> int:
        """The number of the pattern's program."""
        parsed = parser.parse(source)
        if parsed.state.flags & ~(re.MULTILINE | re.UNICODE).value:
            raise ValueError(f"{source!r}: of the flags, only (?m) is known to the compiled rules")
        self._programs.append((len(self.code), self._first_set(_first(list(parsed)))))
        self._sequence(list(parsed), parsed.state.flags)
        self._emit(instructions.MATCH)
        return len(self._programs) - 1

    def add_set(self, source: str) -> int:
        """The number of the set that a pattern for one character describes."""
        ((operation, argument),) = parser.parse(source)
        return self._set(_members(operation, argument))

    def assemble(self) -> instructions.Machine:
        """The tables of all that was added."""
        kinds = np.zeros((len(self._sets), 256), dtype=np.uint8)
        wide: list[_Ranges] = []
        for characters, number in self._sets.items():
            kinds[number] = _kinds(characters.ranges)
            wide.append(tuple((max(low, 0x80), high) for low, high in characters.ranges if high >= 0x80))
        firsts = np.zeros((len(self._firsts), 256), dtype=np.uint8)
        for mask, number in self._firsts.items():
            firsts[number] = [mask >> byte & 1 for byte in range(256)]
        return instructions.Machine(
            np.array(self._programs, dtype=np.int32).ravel(),
            np.array(self.code, dtype=np.int32),
            np.frombuffer(bytes(self._text) or b"\0", dtype=np.uint8),
            kinds.ravel(),
            np.cumsum([0, *map(len, wide)]).astype(np.int32),
            np.array([bound for ranges in wide for pair in ranges for bound in pair] or [0], dtype=np.int32),
            firsts.ravel(),
        )

    def _emit(self, operation: int, *arguments: int) -> int:
        """The place of the new instruction."""
        at = len(self.code)
        self.code += (operation, *arguments, *(0,) * (instructions.WIDTH - 1 - len(arguments)))
        return at

    def _set(self, characters: _Characters) -> int:
        return self._sets.setdefault(characters, len(self._sets))

    def _first_set(self, first: First) -> int:
        return -1 if first.empty else self._firsts.setdefault(first.bytes, len(self._firsts))

    def _sequence(self, items: list[Any], flags: int) -> None:
        literal = bytearray()
        for operation, argument in items:
            if operation is sre.LITERAL:
                literal += chr(argument).encode()
                continue
            self._literal(literal)
            self._item(operation, argument, flags)
        self._literal(literal)

    def _literal(self, literal: bytearray) -> None:
        if literal:
            at = self._text.find(literal)
            if at < 0:
                at = len(self._text)
                self._text += literal
            self._emit(instructions.TEXT, at, len(literal))
            literal.clear()

    def _item(self, operation: Any, argument: Any, flags: int) -> None:
        if operation in _CHARACTERS:
            self._emit(instructions.SET, self._set(_members(operation, argument)))
        elif operation is sre.SUBPATTERN:
            _, added, removed, items = argument
            self._sequence(list(items), flags & ~removed | added)
        elif operation is sre.BRANCH:
            self._branch([list(items) for items in argument[1]], flags)
        elif operation in _REPEATS:
            self._repeat(operation, argument, flags)
        elif operation is sre.AT:
            position = _POSITIONS[argument, bool(flags & re.MULTILINE)]
            self._emit(instructions.AT, position, self.add_set(r"\w"))
        elif operation in (sre.ASSERT, sre.ASSERT_NOT):
            self._look(argument[0], argument[1], operation is sre.ASSERT_NOT, flags)
        elif operation is sre.ATOMIC_GROUP:
            self._emit(instructions.ATOMIC)
            self._nested(list(argument), flags)
            self._emit(instructions.ATOMIC_END)
        else:
            raise ValueError(f"{operation} is not known to the compiled rules")

    def _branch(self, branches: list[list[Any]], flags: int) -> None:
        """Each alternative behind a split that passes it over where it cannot begin."""
        ends = []
        for number, items in enumerate(branches):
            split = self._emit(instructions.SPLIT)
            self._sequence(items, flags)
            ends.append(self._emit(instructions.JUMP))
            other = len(self.code) if number + 1 < len(branches) else -1
            self._fill(split, split + instructions.WIDTH, other, self._first_set(_first(items)), -1)
        for end in ends:
            self._fill(end, len(self.code))

    def _repeat(self, operation: Any, argument: Any, flags: int) -> None:
        low, high, body = argument[0], argument[1], list(argument[2])
        unbounded = high == sre.MAXREPEAT
        if len(body) == 1 and body[0][0] in _CHARACTERS:
            number = self._set(_members(*body[0]))
            most = instructions.UNBOUNDED if unbounded else high
            self._emit(_REPEATS[operation], number, low, most)
            return
        if operation is sre.POSSESSIVE_REPEAT:
            raise ValueError("the compiled rules know possessive repeats of single characters only")
        for _ in range(low):
            self._sequence(body, flags)
        first = _first(body)
        if unbounded and first.empty:
            raise ValueError("the compiled rules know no loops over what may be empty")
        lazy = operation is sre.MIN_REPEAT
        splits = []
        for _ in range(1 if unbounded else high - low):
            splits.append(self._emit(instructions.SPLIT))
            self._sequence(body, flags)
        if unbounded:
            self._emit(instructions.JUMP, splits[0])
        for split in splits:
            into, over, begins = split + instructions.WIDTH, len(self.code), self._first_set(first)
            self._fill(split, *((over, into, -1, begins) if lazy else (into, over, begins, -1)))

    def _look(self, direction: int, items: Any, negative: bool, flags: int) -> None:
        shortest, longest = items.getwidth()
        if direction < 0 and shortest != longest:
            raise ValueError("what is looked back at must have one length")
        look = self._emit(instructions.LOOK)
        self._nested(list(items), flags)
        self._emit(instructions.LOOK_END, negative)
        self._fill(look, shortest if direction < 0 else 0, negative, len(self.code))

    def _nested(self, items: list[Any], flags: int) -> None:
        """A sequence within a look or an atomic group, for each of which the machine needs a mark."""
        self._depth += 1
        if self._depth > instructions.MARKS:
            raise ValueError(f"the compiled rules know {instructions.MARKS} looks within one another at most")
        self._sequence(items, flags)
        self._depth -= 1

    def _fill(self, at: int, *arguments: int) -> None:
        self.code[at + 1 : at + 1 + len(arguments)] = arguments


_CHARACTERS = (sre.IN, sre.LITERAL, sre.NOT_LITERAL, sre.ANY)
_REPEATS = {
    sre.MAX_REPEAT: instructions.GREEDY,
    sre.MIN_REPEAT: instructions.LAZY,
    sre.POSSESSIVE_REPEAT: instructions.POSSESSIVE,
}
_POSITIONS = {
    (sre.AT_BEGINNING, False): instructions.TEXT_START,
    (sre.AT_BEGINNING, True): instructions.LINE_START,
    (sre.AT_END, False): instructions.LAST_LINE_END,
    (sre.AT_END, True): instructions.LINE_END,
    **{(sre.AT_BEGINNING_STRING, many): instructions.TEXT_START for many in (False, True)},
    **{(sre.AT_END_STRING, many): instructions.TEXT_END for many in (False, True)},
    **{(sre.AT_BOUNDARY, many): instructions.BOUNDARY for many in (False, True)},
}


# -- sets of characters -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class _Characters:
    """A set of code points: ranges with both ends, and the first bytes that its characters have, as bits."""

    ranges: _Ranges
    leads: int


def _members(operation: Any, argument: Any) -> _Characters:
    """The characters that one item of a pattern stands for; the same item gives the same object."""
    return _characters(operation, tuple(argument) if operation is sre.IN else argument)


@cache
def _characters(operation: Any, argument: Any) -> _Characters:
    if operation is sre.IN:
        ranges = _union([pair for kind, value in argument for pair in _ranges(kind, value)])
        negated = argument[0][0] is sre.NEGATE
    else:
        code = 0x0A if operation is sre.ANY else argument
        ranges, negated = ((code, code),), operation is not sre.LITERAL
    if negated:
        ranges = _complement(ranges)
    leads = 0
    for low, high in ranges:
        leads |= (1 << _lead(high) + 1) - (1 << _lead(low))
    return _Characters(ranges, leads)


def _ranges(kind: Any, value: Any) -> _Ranges:
    """Of one part of a class in brackets."""
    if kind is sre.LITERAL:
        return ((value, value),)
    if kind is sre.RANGE:
        return (value,)
    return () if kind is sre.NEGATE else _category(_CATEGORIES[value])


_CATEGORIES = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W",
}


@cache
def _category(name: str) -> _Ranges:
    """The code points of a class such as words' characters, asked from `re` itself."""
    if name.isupper():
        return _complement(_category(name.lower()))
    everything = np.arange(_LAST_WORD + 1, dtype="<u4").tobytes().decode("utf-32-le", "surrogatepass")
    return tuple((match.start(), match.end() - 1) for match in re.finditer(f"{name}+", everything))


def _union(ranges: list[tuple[int, int]]) -> _Ranges:
    merged: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if merged and low <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return tuple(merged)


def _complement(ranges: _Ranges) -> _Ranges:
    bounds = [-1, *(bound for pair in ranges for bound in pair), _LAST + 1]
    gaps = zip(bounds[::2], bounds[1::2], strict=True)
    return tuple((before + 1, behind - 1) for before, behind in gaps if before + 1 < behind)


def _kinds(ranges: _Ranges) -> npt.NDArray[np.uint8]:
    """For each first byte of a character: whether it is in the set, or `WIDE` if more bytes decide."""
    kinds = np.zeros(256, dtype=np.uint8)
    for low, high in ranges:
        kinds[low : min(high, 0x7F) + 1] = 1
    if ranges and ranges[-1][1] >= 0x80:
        low, high = ranges[-1]
        kinds[0x80:] = 1 if low <= 0x80 and high == _LAST else instructions.WIDE
    return kinds


def _lead(code: int) -> int:
    return code if code < 0x80 else chr(code).encode("utf-8", "surrogatepass")[0]


# -- how a match may begin ----------------------------------------------------------------------------------


def _first(items: list[Any]) -> First:
    """Of a sequence; what only looks is passed over, which never lets too little begin."""
    mask = 0
    for operation, argument in items:
        first = _first_of(operation, argument)
        mask |= first.bytes
        if not first.empty:
            return First(mask, False)
    return First(mask, True)


def _first_of(operation: Any, argument: Any) -> First:
    if operation in _CHARACTERS:
        return First(_members(operation, argument).leads, False)
    if operation is sre.SUBPATTERN:
        return _first(list(argument[3]))
    if operation is sre.ATOMIC_GROUP:
        return _first(list(argument))
    if operation is sre.BRANCH:
        firsts = [_first(list(items)) for items in argument[1]]
        mask = 0
        for first in firsts:
            mask |= first.bytes
        return First(mask, any(first.empty for first in firsts))
    if operation in _REPEATS:
        first = _first(list(argument[2]))
        return First(first.bytes, first.empty or argument[0] == 0)
    return First(0, True)  # a position, or a look
