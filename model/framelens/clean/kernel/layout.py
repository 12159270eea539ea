"""What the compiled cleaner is handed: literals, rules and room."""

from __future__ import annotations

from typing import NamedTuple

from framelens.clean.kernel.instructions import Machine
from framelens.features.compiled import I32s, I64s, U8s, U16s

SHORT = 1 << 7
GROUPS = 7
"""See `Literals.marks`."""
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

    marks: U16s
    buckets: U16s
    bucket_starts: I32s
    bucket_items: I32s
    starts: I32s
    text: U8s
    within: I32s
    rules: I64s


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
    where: I32s
    near: I32s
    reach: I32s
    anywhere: Literals
    head: Literals
    tail: Literals
    trigger_starts: I32s
    trigger_rules: I32s
    head_rules: I32s
    tail_rules: I32s
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

    places: I64s
    stack: I64s
    stack_room: int
    cuts: I64s
    masks: I64s
    cuts_room: int
    done: I64s
    starts: I64s
