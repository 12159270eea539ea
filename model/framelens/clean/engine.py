"""Apply the cleaning rules: rules are data, this is the machine.

A rule belongs to one of four places, in the order in which they run:

``anywhere``
    Each match of the pattern, wherever it stands (``[Photo/...]``, addresses).
``line``
    A whole line that the pattern matches from end to end. The line goes, its line break with it.
``head``
    A match at the start of one of the first `HEAD_PARAGRAPHS` paragraphs that are left, within `HEAD_WINDOW`
    characters. What is behind a match is tried again, so a byline may stand before a dateline.
``tail``
    A match that ends where the article ends, within the rule's own window of characters. What is before it is
    tried again, so initials may stand before a share line.

Every pattern of the first two kinds and of ``tail`` has literals, one of which must occur before the regular expression
is tried: an article that has none of them pays for a few substring searches only.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

HEAD_PARAGRAPHS = 3
HEAD_WINDOW = 400
HEAD_ROUNDS = 3
TAIL_WINDOW = 400
TAIL_ROUNDS = 6
PLACES = ("anywhere", "line", "head", "tail")


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
        Python regular expression; for ``head`` it is matched at a paragraph's start, for ``tail`` it ends at the end.
    literals
        The pattern is tried only where one of these occurs. Empty: always tried (``head`` and short ``tail`` rules).
    window
        For ``tail``: how many of the last characters are searched.
    example, leaves
        An invented text and what `clean` leaves of it.
    why
        One sentence.
    """

    name: str
    where: str
    pattern: re.Pattern[str]
    literals: tuple[str, ...]
    window: int
    example: str
    leaves: str
    why: str


@dataclass(frozen=True, slots=True)
class Removal:
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


def explain_clean(text: str) -> list[Removal]:
    """What `clean` takes out, in the order of the text; the stretches do not overlap."""
    rules = load_rules()
    found = _anywhere(text, rules["anywhere"]) + _lines(text, rules["line"])
    taken = _merge(found)
    taken = _merge(taken + _head(text, rules["head"], taken))
    return _merge(taken + _tail(text, rules["tail"], taken))


@cache
def load_rules() -> dict[str, tuple[Rule, ...]]:
    """The shipped rules by place.

    Raises
    ------
    ValueError
        When `rules.toml` has a rule without a name of its own, of an unknown place, or without literals where
        they are needed.
    """
    source = (resources.files("framelens.clean") / "rules.toml").read_text(encoding="utf-8")
    return parse_rules(tomllib.loads(source))


def parse_rules(source: dict[str, Any]) -> dict[str, tuple[Rule, ...]]:
    """Rules by place, from the content of a `rules.toml`; patterns may use ``{name}`` of its ``[parts]``."""
    parts: dict[str, str] = source.get("parts", {})
    by_place: dict[str, list[Rule]] = {place: [] for place in PLACES}
    names: set[str] = set()
    for entry in source["rule"]:
        name = entry["name"]
        if name in names:
            raise ValueError(f"rules.toml has two rules named {name!r}")
        names.add(name)
        if entry["where"] not in by_place:
            raise ValueError(
                f"rules.toml, rule {name!r}: where is {entry['where']!r}, must be one of {PLACES}"
            )
        pattern: str = entry["pattern"]
        for part, replacement in parts.items():
            pattern = pattern.replace("{" + part + "}", replacement)
        rule = Rule(
            name=name,
            where=entry["where"],
            pattern=re.compile(pattern),
            literals=tuple(entry.get("literals", ())),
            window=entry.get("window", TAIL_WINDOW),
            example=entry["example"],
            leaves=entry["leaves"],
            why=entry["why"],
        )
        if rule.where in ("anywhere", "line") and not rule.literals:
            raise ValueError(f"rules.toml, rule {name!r}: a rule for {rule.where!r} needs literals")
        by_place[rule.where].append(rule)
    return {place: tuple(rules) for place, rules in by_place.items()}


# -- the four places ------------------------------------------------------------------------------------------


def _anywhere(text: str, rules: tuple[Rule, ...]) -> list[Removal]:
    found: list[Removal] = []
    for rule in rules:
        if any(literal in text for literal in rule.literals):
            found += [Removal(rule.name, *match.span()) for match in rule.pattern.finditer(text) if match[0]]
    return found


def _lines(text: str, rules: tuple[Rule, ...]) -> list[Removal]:
    found: list[Removal] = []
    for rule in rules:
        for literal in rule.literals:
            position = text.find(literal)
            while position >= 0:
                start = text.rfind("\n", 0, position) + 1
                stop = text.find("\n", position)
                stop = len(text) if stop < 0 else stop
                if rule.pattern.fullmatch(text, start, stop):
                    found.append(Removal(rule.name, start, min(stop + 1, len(text))))
                position = text.find(literal, max(stop, position + 1))
    return found


def _head(text: str, rules: tuple[Rule, ...], taken: list[Removal]) -> list[Removal]:
    found: list[Removal] = []
    position = 0
    for _ in range(HEAD_PARAGRAPHS):
        for _ in range(HEAD_ROUNDS):
            position, limit = _next_kept(text, position, taken)
            match = _first_match(rules, text, position, min(limit, position + HEAD_WINDOW))
            if match is None:
                break
            found.append(match)
            position = match.stop
        position = text.find("\n", position) + 1
        if position == 0:
            break
    return found


def _first_match(rules: tuple[Rule, ...], text: str, start: int, stop: int) -> Removal | None:
    for rule in rules:
        if rule.literals and not any(text.find(literal, start, stop) >= 0 for literal in rule.literals):
            continue
        match = rule.pattern.match(text, start, stop)
        if match is not None and match.end() > start:
            return Removal(rule.name, start, match.end())
    return None


def _tail(text: str, rules: tuple[Rule, ...], taken: list[Removal]) -> list[Removal]:
    found: list[Removal] = []
    stop = len(text)
    for _ in range(TAIL_ROUNDS):
        start, stop = _last_kept(text, stop, taken)
        match = _last_match(rules, text, start, stop)
        if match is None:
            break
        found.append(match)
        stop = match.start
    return found


def _last_match(rules: tuple[Rule, ...], text: str, start: int, stop: int) -> Removal | None:
    for rule in rules:
        begin = max(start, stop - rule.window)
        if rule.literals and not any(text.find(literal, begin, stop) >= 0 for literal in rule.literals):
            continue
        match = rule.pattern.search(text, begin, stop)
        if match is not None and match.end() == stop and match.start() < stop:
            return Removal(rule.name, match.start(), stop)
    return None


# -- stretches of text ----------------------------------------------------------------------------------------


def _next_kept(text: str, position: int, taken: list[Removal]) -> tuple[int, int]:
    """First character from `position` on that is kept and no white space, and where the next stretch begins."""
    for removal in taken:
        position = _skip_space(text, position)
        if removal.stop <= position:
            continue
        if removal.start > position:
            return position, removal.start
        position = removal.stop
    return _skip_space(text, position), len(text)


def _last_kept(text: str, stop: int, taken: list[Removal]) -> tuple[int, int]:
    """Where the stretch before the last kept character begins, and the end behind that character."""
    for removal in reversed(taken):
        stop = len(text[:stop].rstrip()) if text[stop - 1 : stop].isspace() else stop
        if removal.start >= stop:
            continue
        if removal.stop < stop:
            return removal.stop, stop
        stop = removal.start
    return 0, len(text[:stop].rstrip()) if text[stop - 1 : stop].isspace() else stop


def _skip_space(text: str, position: int) -> int:
    while position < len(text) and text[position].isspace():
        position += 1
    return position


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
    text = parts[0].lstrip() if parts else ""
    for part in parts[1:]:
        if text and not text[-1].isspace() and part and part[0].isalnum():
            text += " "
        text += part
    return text.strip()
