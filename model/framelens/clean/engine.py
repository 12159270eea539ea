"""Apply the cleaning rules: rules are data, this is the machine.

A rule belongs to one of six places, in the order in which they run:

``anywhere``
    Each match of the pattern around one of its literals (``[Photo/...]``, addresses).
``sentence``, ``line``
    A whole sentence, or a whole line with its line break, that the pattern matches from end to end.
``head``
    A match at the start of one of the first `HEAD_PARAGRAPHS` paragraphs that are left. What is behind a
    match is tried again, so a byline may stand before a dateline.
``tail``
    A match from the start of a sentence, a line or a bracket near the end up to the end. What is before it
    is tried again, so initials may stand before a share line.
``mask``
    As ``anywhere``, but what it takes out does not split what the rules of ``head`` and ``tail`` look at.

Every rule has literals, one of which must occur before a regular expression is tried. One pass finds those
of all places but ``head`` and ``tail``; it is quick because they begin with characters that are rare in
prose (a literal need not begin where the pattern does). A rule for ``head`` or ``tail`` is tried at a few
positions, and only when one of its literals stands near enough to the start or the end; where two match, the
one that stands first in the file wins.

This says what cleaning is, and cleans single articles; `framelens.clean.kernel` is the same, compiled.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from framelens.clean.rules import Rule, Rules, load_rules

HEAD_PARAGRAPHS = 3
HEAD_ROUNDS = 4
HEAD_WINDOW = 600
"""Characters behind the start of a paragraph that a ``head`` rule may look at."""

TAIL_ROUNDS = 8
TAIL_LINES = 3
TAIL_LINE_LENGTH = 900
TAIL_WINDOW = 250
"""Characters before the end in which sentences and brackets are tried as the start of a ``tail`` rule's
match.
"""

LONGEST_SENTENCE = 500
SENTENCE_END = re.compile(r"[.!?…][\"”’)\]]*\s|\n|(?<=[a-z])[.!?](?=[A-Z“][a-z])")
"""White space behind a mark, a line break, or a mark between a small and a capital letter: glued sentences.
"""

TAIL_START = re.compile(r"(?<=[.!?…)\"”’\]])\s+|[([]|\s[-–—*]")


class Removal(NamedTuple):
    """A stretch of the original text, in characters, that `clean` takes out, and the rule that says so."""

    rule: str
    start: int
    stop: int


def clean(text: str) -> str:
    """Take outlet names, layout and appeals out of one article.

    Examples
    --------
    >>> clean("HARARE, May 2 (Agency) -- The dam is full.")
    'The dam is full.'
    """
    return without(text, explain_clean(text))


def without(text: str, removals: list[Removal]) -> str:
    """The text without the given stretches, which are in order and do not overlap."""
    if not removals:
        return text.strip()
    kept: list[str] = []
    position = 0
    for removal in removals:
        kept.append(text[position : removal.start])
        position = removal.stop
    kept.append(text[position:])
    return _join([part for part in kept if part])


def explain_clean(text: str, rules: Rules | None = None) -> list[Removal]:
    """What `clean` takes out, in the order of the text; the stretches do not overlap."""
    rules = rules or load_rules()
    occurrences: dict[str, list[int]] = {}
    for position, literal in rules.literals.find(text):
        occurrences.setdefault(literal, []).append(position)
    taken, masks = _triggered(text, rules, occurrences) if occurrences else ([], [])
    taken = _merge(taken)
    taken = _merge(taken + _head(text, rules, taken))
    return _merge(taken + _tail(text, rules, taken) + masks)


# -- the places ---------------------------------------------------------------------------------------------


def _triggered(
    text: str, rules: Rules, occurrences: dict[str, list[int]]
) -> tuple[list[Removal], list[Removal]]:
    """What the rules with literals anywhere find, those of the place ``mask`` apart."""
    found: list[Removal] = []
    masks: list[Removal] = []
    places: dict[str, tuple[Rule, list[int]]] = {}
    for literal, positions in occurrences.items():
        for rule in rules.triggers[literal]:
            places.setdefault(rule.name, (rule, []))[1].extend(positions)
    for rule, positions in places.values():
        positions.sort()
        if rule.where == "mask":
            masks += _matches(text, rule, positions)
        elif rule.where == "anywhere":
            found += _matches(text, rule, positions)
        else:
            found += _stretches(text, rule, positions)
    return found, masks


def _matches(text: str, rule: Rule, positions: list[int]) -> Iterator[Removal]:
    """Matches of the rule that begin in the line and not far before one of the positions, or soon behind
    it.
    """
    done = 0
    for position in positions:
        begin = max(done, position - rule.near, text.rfind("\n", done, position) + 1)
        match = rule.pattern.search(text, begin, position + rule.reach)
        while match is not None and match.start() <= position + 1:
            if match.end() > match.start():
                yield Removal(rule.name, *match.span())
            done = max(match.end(), match.start() + 1)
            match = rule.pattern.search(text, done, position + rule.reach) if done <= position else None


def _stretches(text: str, rule: Rule, positions: list[int]) -> Iterator[Removal]:
    """The sentences or lines around the positions that the rule matches from end to end."""
    around = _line_around if rule.where == "line" else _sentence_around
    done = -1
    for position in positions:
        if position < done:
            continue
        start, done = around(text, position + (text[position] == "\n"))
        if rule.pattern.fullmatch(text, start, done):
            yield Removal(rule.name, start, done + (text[done : done + 1] == "\n"))


def _line_around(text: str, position: int) -> tuple[int, int]:
    start = text.rfind("\n", 0, position) + 1
    stop = text.find("\n", position)
    return start, len(text) if stop < 0 else stop


def _sentence_around(text: str, position: int) -> tuple[int, int]:
    """From behind the last end of a sentence before the position to the next one; line breaks end
    sentences.
    """
    stop = SENTENCE_END.search(text, position)
    end = len(text) if stop is None else stop.end() - stop[0].endswith(("\n", " ", "\t"))
    start = max(0, position - LONGEST_SENTENCE)
    mark = position
    while mark > start:
        mark = max(text.rfind(character, start, mark) for character in ".!?…\n")
        ending = SENTENCE_END.match(text, mark, position) if mark >= 0 else None
        if ending is not None:
            return ending.end(), end
    return start, end


def _head(text: str, rules: Rules, taken: list[Removal]) -> list[Removal]:
    found: list[Removal] = []
    position = 0
    for _ in range(HEAD_PARAGRAPHS):
        for _ in range(HEAD_ROUNDS):
            position, limit = _next_kept(text, position, taken)
            stop = min(limit, position + HEAD_WINDOW)
            mask = _open_head(text, position, rules)
            match = _first_match(text, position, stop, mask, rules.by_place["head"])
            if match is None:
                break
            found.append(match)
            position = match.stop
        position = text.find("\n", position) + 1
        if position == 0:
            break
    return found


def _tail(text: str, rules: Rules, taken: list[Removal]) -> list[Removal]:
    found: list[Removal] = []
    stop = len(text)
    for _ in range(TAIL_ROUNDS):
        begin, stop = _last_kept(text, stop, taken)
        mask = _open_tail(text, stop, rules)
        if not mask:
            break
        for start in _tail_starts(text, begin, stop):
            match = _first_match(text, start, stop, mask, rules.by_place["tail"])
            if match is not None:
                found.append(match)
                stop = start
                break
        else:
            break
    return found


def _open_head(text: str, start: int, rules: Rules) -> int:
    """The rules with a literal near enough behind the start of a paragraph."""
    mask = 0
    for gate in rules.gates["head"]:
        for position, literal in gate.literals.find(text, start, start + gate.within + gate.longest):
            if position <= start + gate.within:
                mask |= gate.rules[literal]
    return mask


def _open_tail(text: str, stop: int, rules: Rules) -> int:
    """The rules with a literal near enough before the end."""
    mask = 0
    for gate in rules.gates["tail"]:
        for _, literal in gate.literals.find(text, max(0, stop - gate.within), stop):
            mask |= gate.rules[literal]
    return mask


def _first_match(text: str, start: int, stop: int, mask: int, rules: tuple[Rule, ...]) -> Removal | None:
    """The match of the first of the open rules that has one."""
    while mask:
        bit = mask & -mask
        rule = rules[bit.bit_length() - 1]
        match = rule.pattern.match(text, start, stop)
        if match is not None and match.end() > start:
            return Removal(rule.name, start, match.end())
        mask ^= bit
    return None


def _tail_starts(text: str, begin: int, stop: int) -> list[int]:
    """Where a match of a ``tail`` rule may start: the last lines, then sentences, brackets and dashes."""
    starts: list[int] = []
    line = stop
    for _ in range(TAIL_LINES):
        line = text.rfind("\n", max(begin, stop - TAIL_LINE_LENGTH), line)
        if line < 0:
            break
        starts.append(line)
    window = max(begin, stop - TAIL_WINDOW)
    starts += [match.start() for match in TAIL_START.finditer(text, window, stop)]
    return sorted(starts)


# -- stretches of text --------------------------------------------------------------------------------------


def _next_kept(text: str, position: int, taken: list[Removal]) -> tuple[int, int]:
    """First character from `position` on that is kept and no white space; where the next stretch taken
    begins.
    """
    for removal in taken:
        position = _skip_space(text, position)
        if removal.stop <= position:
            continue
        if removal.start > position:
            return position, removal.start
        position = removal.stop
    return _skip_space(text, position), len(text)


def _last_kept(text: str, stop: int, taken: list[Removal]) -> tuple[int, int]:
    """Where the kept stretch that ends before `stop` begins, and its end without white space."""
    for removal in reversed(taken):
        stop = _skip_space_back(text, stop)
        if removal.start >= stop:
            continue
        if removal.stop < stop:
            return removal.stop, stop
        stop = removal.start
    return 0, _skip_space_back(text, stop)


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


def _skip_space_back(text: str, stop: int) -> int:
    while stop > 0 and text[stop - 1].isspace():
        stop -= 1
    return stop


def _merge(removals: list[Removal]) -> list[Removal]:
    """In the order of the text, without overlaps: the earlier and longer one wins, a rest keeps its rule."""
    if len(removals) < 2:
        return removals
    merged: list[Removal] = []
    covered = 0
    for removal in sorted(removals, key=lambda r: (r.start, -r.stop)):
        if removal.stop > covered:
            merged.append(Removal(removal.rule, max(removal.start, covered), removal.stop))
            covered = removal.stop
    return merged


def _join(parts: list[str]) -> str:
    """Put kept stretches together; where two words would touch, a space keeps them apart."""
    text = parts[0] if parts else ""
    for part in parts[1:]:
        if not text or text[-1].isspace():
            text += part.lstrip(" \t")
        else:
            text += f" {part}" if part[0].isalnum() else part
    return text.strip()
