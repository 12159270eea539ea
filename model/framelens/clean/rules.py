"""Read the cleaning rules from `rules.toml` and compile them."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

PLACES = ("anywhere", "sentence", "line", "head", "tail", "mask")
ANCHORED = ("head", "tail")

NEAR = 450
REACH = 600
"""How far before its literal a match of an ``anywhere`` rule may begin, and how far behind it end, unless
the rule says otherwise."""


class Finder(NamedTuple):
    """Finds literals in one pass.

    Attributes
    ----------
    pattern
        Any of the literals, the longest that begins at a place.
    prefixes
        For each literal itself and the literals that it begins with.
    """

    pattern: re.Pattern[str]
    prefixes: dict[str, tuple[str, ...]]

    def find(self, text: str, start: int = 0, stop: int = sys.maxsize) -> Iterator[tuple[int, str]]:
        """Place and literal of all that occur, in the order of the text."""
        match = self.pattern.search(text, start, stop)
        while match is not None:
            position = match.start()
            for literal in self.prefixes[match[0]]:
                yield position, literal
            match = self.pattern.search(text, position + 1, stop)


@dataclass(frozen=True, slots=True)
class Rule:
    """One cleaning rule.

    Attributes
    ----------
    name
        Unique; reports and explanations show it.
    where
        One of `PLACES`.
    source
        Regular expression; that of a ``tail`` rule matches up to the end. ``<literals>`` in it stood for any
        of the literals.
    literals
        The pattern is tried only where one of these occurs.
    near, reach
        For ``anywhere`` and ``mask``: how many characters before a literal the match may begin, and behind
        it end.
    within
        For ``head``: how many characters behind the start of the paragraph a literal may begin; for
        ``tail``: how many before the end.
    example, leaves
        An invented text and what `clean` leaves of it.
    why
        One sentence.
    """

    name: str
    where: str
    source: str
    literals: tuple[str, ...]
    near: int
    reach: int
    within: int
    example: str
    leaves: str
    why: str

    @property
    def pattern(self) -> re.Pattern[str]:
        """The source, compiled when a text first has one of the literals: most need few of the rules."""
        return _compiled(self.source)


_compiled = cache(re.compile)


class Gate(NamedTuple):
    """Literals of ``head`` or ``tail`` rules that may stand equally far from the start or the end.

    Attributes
    ----------
    within
        See `Rule`.
    rules
        For each literal the rules that it lets be tried: bit i stands for rule i of the place.
    literals
        Finds them.
    longest
        Characters of the longest literal.
    """

    within: int
    rules: dict[str, int]
    literals: Finder
    longest: int


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules, compiled.

    Attributes
    ----------
    by_place
        The rules of each place, in the order of the file.
    gates
        The literals of the rules for ``head`` and for ``tail``, by their `Rule.within`.
    literals
        Finds the literals of all other rules.
    triggers
        The rules of each of those.
    """

    by_place: dict[str, tuple[Rule, ...]]
    gates: dict[str, tuple[Gate, ...]]
    literals: Finder
    triggers: dict[str, tuple[Rule, ...]]

    @property
    def all(self) -> tuple[Rule, ...]:
        """Every rule, in the order of the places."""
        return tuple(rule for place in PLACES for rule in self.by_place[place])


@cache
def load_rules() -> Rules:
    """The shipped rules."""
    source = (resources.files("framelens.clean") / "rules.toml").read_text(encoding="utf-8")
    return parse_rules(tomllib.loads(source))


def parse_rules(source: dict[str, Any]) -> Rules:
    """Rules from the content of a `rules.toml`; its ``[parts]`` stand for ``<name>`` in patterns.

    Raises
    ------
    ValueError
        When two rules share a name, a place is unknown, a rule has no literals, or a `Rule.within` where its
        place has none.
    """
    by_place: dict[str, list[Rule]] = {place: [] for place in PLACES}
    names: set[str] = set()
    for entry in source["rule"]:
        rule = _parse_rule(entry, source.get("parts", {}))
        if rule.name in names:
            raise ValueError(f"rules.toml has two rules named {rule.name!r}")
        names.add(rule.name)
        by_place[rule.where].append(rule)
    others = [rule for place in PLACES if place not in ANCHORED for rule in by_place[place]]
    literals = sorted({literal for rule in others for literal in rule.literals})
    return Rules(
        {place: tuple(rules) for place, rules in by_place.items()},
        {place: _gates(by_place[place]) for place in ANCHORED},
        _finder(literals),
        {literal: tuple(rule for rule in others if literal in rule.literals) for literal in literals},
    )


def _parse_rule(entry: dict[str, Any], parts: dict[str, str]) -> Rule:
    name, where = entry["name"], entry["where"]
    if where not in PLACES:
        raise ValueError(f"rules.toml, rule {name!r}: where is {where!r}, must be one of {', '.join(PLACES)}")
    literals = tuple(entry.get("literals", ()))
    if not all(literals) or not literals:
        raise ValueError(f"rules.toml, rule {name!r} needs literals, one of which must occur")
    anchored = where in ("head", "tail")
    if anchored != ("within" in entry):
        raise ValueError(
            f"rules.toml, rule {name!r}: rules for 'head' and 'tail', and no others, have a within"
        )
    pattern: str = entry["pattern"].replace("<literals>", "|".join(map(re.escape, literals)))
    for part, replacement in reversed(parts.items()):  # a part may use the ones before it
        pattern = pattern.replace(f"<{part}>", replacement)
    source = rf"\s*(?:{pattern})\s*\Z" if where == "tail" else pattern
    near, reach, within = entry.get("near", NEAR), entry.get("reach", REACH), entry.get("within", 0)
    example, leaves, why = entry["example"], entry["leaves"], entry["why"]
    return Rule(name, where, source, literals, near, reach, within, example, leaves, why)


def _gates(rules: list[Rule]) -> tuple[Gate, ...]:
    gates = []
    for within in sorted({rule.within for rule in rules}):
        masks: dict[str, int] = {}
        for bit, rule in enumerate(rules):
            for literal in rule.literals if rule.within == within else ():
                masks[literal] = masks.get(literal, 0) | 1 << bit
        gates.append(Gate(within, masks, _finder(sorted(masks)), max(map(len, masks))))
    return tuple(gates)


def _finder(literals: list[str]) -> Finder:
    known = frozenset(literals)
    prefixes = {
        literal: tuple(literal[:n] for n in range(1, len(literal) + 1) if literal[:n] in known)
        for literal in literals
    }
    return Finder(re.compile(_trie(literals)), prefixes)


def _trie(words: list[str]) -> str:
    """A regular expression for any of the words, the longest first, that decides on one character at a
    time.
    """
    branches = []
    for first in sorted({word[0] for word in words if word}):
        rests = [word[1:] for word in words if word.startswith(first)]
        rest = _trie(rests) if any(rests) else ""
        branches.append(re.escape(first) + (f"(?:{rest})?" if rest and "" in rests else rest))
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})" if branches else r"(?!)"
