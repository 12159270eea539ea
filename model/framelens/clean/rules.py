"""Read the cleaning rules from `rules.toml` and compile them."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

PLACES = ("anywhere", "sentence", "line", "head", "tail", "mask")

NEAR = 450
REACH = 600
"""How far before its literal a match of an ``anywhere`` rule may begin, and how far behind it end, unless
the rule says otherwise."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One cleaning rule.

    Attributes
    ----------
    name
        Unique; reports and explanations show it.
    where
        One of `PLACES`.
    pattern
        Regular expression; ``head`` and ``tail`` rules have no groups of their own.
    literals
        For ``anywhere``, ``sentence`` and ``line``: the pattern is tried only where one of these occurs.
    near, reach
        For ``anywhere`` and ``mask``: how many characters before a literal the match may begin, and behind
        it end.
    example, leaves
        An invented text and what `clean` leaves of it.
    why
        One sentence.
    """

    name: str
    where: str
    pattern: re.Pattern[str]
    literals: tuple[str, ...]
    near: int
    reach: int
    example: str
    leaves: str
    why: str


@dataclass(frozen=True, slots=True)
class Rules:
    """All rules, compiled.

    Attributes
    ----------
    by_place
        The rules of each place, in the order of the file.
    head, tail
        The rules of that place as one alternation; the names of its groups number the rules.
    gate
        Finds the literals of all other rules in one pass.
    triggers
        The rules of each literal.
    prefixes
        For each literal itself and the literals that it begins with.
    """

    by_place: dict[str, tuple[Rule, ...]]
    head: re.Pattern[str]
    tail: re.Pattern[str]
    gate: re.Pattern[str]
    triggers: dict[str, tuple[Rule, ...]]
    prefixes: dict[str, tuple[str, ...]]

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
        When two rules share a name, a place is unknown, a rule that needs literals has none, or a rule of an
        alternation has groups of its own.
    """
    by_place: dict[str, list[Rule]] = {place: [] for place in PLACES}
    names: set[str] = set()
    for entry in source["rule"]:
        rule = _parse_rule(entry, source.get("parts", {}))
        if rule.name in names:
            raise ValueError(f"rules.toml has two rules named {rule.name!r}")
        names.add(rule.name)
        by_place[rule.where].append(rule)
    gated = [rule for place in PLACES if place not in ("head", "tail") for rule in by_place[place]]
    literals = sorted({literal for rule in gated for literal in rule.literals})
    return Rules(
        {place: tuple(rules) for place, rules in by_place.items()},
        _alternation(by_place["head"], "(?:{})"),
        _alternation(by_place["tail"], r"\s*(?:{})\s*\Z"),
        re.compile(_trie(literals)),
        {literal: tuple(rule for rule in gated if literal in rule.literals) for literal in literals},
        {literal: tuple(p for p in literals if literal.startswith(p)) for literal in literals},
    )


def _parse_rule(entry: dict[str, Any], parts: dict[str, str]) -> Rule:
    name, where = entry["name"], entry["where"]
    if where not in PLACES:
        raise ValueError(f"rules.toml, rule {name!r}: where is {where!r}, must be one of {', '.join(PLACES)}")
    pattern: str = entry["pattern"]
    for part, replacement in reversed(parts.items()):  # a part may use the ones before it
        pattern = pattern.replace(f"<{part}>", replacement)
    compiled = re.compile(pattern)
    literals = tuple(entry.get("literals", ()))
    if where in ("head", "tail") and (compiled.groups or literals):
        raise ValueError(f"rules.toml, rule {name!r}: a {where} rule has neither groups nor literals")
    if where not in ("head", "tail") and not literals:
        raise ValueError(f"rules.toml, rule {name!r}: a rule for {where!r} needs literals")
    near, reach = entry.get("near", NEAR), entry.get("reach", REACH)
    return Rule(name, where, compiled, literals, near, reach, entry["example"], entry["leaves"], entry["why"])


def _alternation(rules: list[Rule], frame: str) -> re.Pattern[str]:
    branches = "|".join(f"(?P<r{i}>{rule.pattern.pattern})" for i, rule in enumerate(rules))
    return re.compile(frame.replace("{}", branches or r"(?!)"))


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
