"""Cleaning takes out what names an outlet or its layout, and leaves the news alone."""

from __future__ import annotations

import copy
import tomllib
from importlib import resources
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from framelens.clean import Rule, clean, explain_clean, load_rules
from framelens.clean.column import clean_column
from framelens.clean.engine import without
from framelens.clean.rules import parse_rules

RULES = load_rules().all
SOURCE: dict[str, Any] = tomllib.loads((resources.files("framelens.clean") / "rules.toml").read_text("utf-8"))

# Invented sentences that look like layout and are news.
PROSE = [
    "The GOVERNMENT-led plan was dropped.",
    "NATO (the North Atlantic Treaty Organization) said it would wait.",
    "COVID-19 cases fell by a third last week.",
    "A US-China meeting took place in the spring.",
    "President Ada Sample, who is a lawyer, spoke first.",
    "The minister said: we will follow the law.",
    "She asked people to follow the rules on the bus.",
    "He contributed to this project for ten years.",
    "The company's reporting by region shows a loss in the north.",
    "The survey reflects the views expressed by two hundred firms.",
    "Voters may subscribe to neither view.",
    "The book was first published in 1990 and sold well.",
    "Their support makes a difference to the poor.",
    "The newsletter of the party called him a traitor.",
    "It is more than two years since the article was written.",
    "The council met at 10:45 a.m. and rose at noon.",
    "By Monday the river had fallen.",
    "By and large the harvest was good.",
    "Share prices rose in the morning.",
    "Photographs of the crash were shown to the court.",
    "Related costs came to a million.",
    "Read more widely, the judge told the students.",
    "The author is in prison, his lawyer said, and nobody may visit him there.",
    "Bo Example is in hospital.",
    "Prices rose 5 percent (or 6 percent in the north).",
    "The ban was lifted in the U.S.",
    "The vote will be held under the eyes of the UN.",
]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_each_rule_does_what_its_example_says(rule: Rule) -> None:
    assert clean(rule.example) == rule.leaves
    assert rule.name in {removal.rule for removal in explain_clean(rule.example)}
    assert rule.why.endswith(".")


@pytest.mark.parametrize("sentence", PROSE)
def test_news_stays(sentence: str) -> None:
    article = f"{sentence}\nThe second paragraph says why.\nIn the end {sentence[0].lower()}{sentence[1:]}"
    assert clean(sentence) == sentence
    assert clean(article) == article


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (
            "By Ama Example\nHARARE, May 2 (Xinhua) -- The dam is full. The mayor said so. (Bo Sample)\n"
            "Follow Ada on Twitter",
            "The dam is full. The mayor said so.",
        ),
        ("TEHRAN— Talks went on. MQ/MG", "Talks went on."),
        ("ECONOMYNEXT – The rupee rose.", "The rupee rose."),
        ("(CNN) — A court ruled.\n\nRead More\n\nThe judge left.", "A court ruled.\n\nThe judge left."),
        ("WASHINGTON—President Sample signed.", "President Sample signed."),
        ("Rain fell. &amp; wind blew. pic.twitter.com/abc123", "Rain fell. wind blew."),
    ],
)
def test_several_rules_work_on_one_article(text: str, left: str) -> None:
    assert " ".join(clean(text).split()) == " ".join(left.split())


def test_an_appeal_of_several_lines_is_taken_out_of_the_middle() -> None:
    text = (
        "The bridge is open\nThe town has its bridge back\nYour support helps us to tell the story\n"
        "From rivers to roads, our reporters are there. \n\nWe need you.\n"
        "Your support makes all the difference.The mayor cut a ribbon."
    )
    assert clean(text) == "The bridge is open\nThe town has its bridge back\nThe mayor cut a ribbon."


def test_explanation_points_into_the_original() -> None:
    text = "SEOUL, Nov. 11 (Xinhua) -- The delegation arrived.\nREAD MORE: Ten delegations\nIt left. AB/CD"
    removals = explain_clean(text)
    assert [text[r.start : r.stop] for r in removals] == [
        "SEOUL, Nov. 11 (Xinhua) -- ",
        "READ MORE: Ten delegations\n",
        " AB/CD",
    ]
    assert [r.rule for r in removals] == ["dateline-agency-brackets", "related-line", "initials"]


PIECES = st.sampled_from(
    [*(rule.example for rule in RULES), *PROSE, "\n", " ", "“", "(", "@", "—", "é", "\U0001f600"]
)


@given(
    st.one_of(
        st.text(max_size=300),
        st.lists(PIECES, max_size=6).map("".join),
        st.lists(PIECES, max_size=6).map("\n".join),
    )
)
@example("")
@example(" \n ")
@example("(@")
def test_removals_are_ordered_disjoint_and_make_the_cleaned_text(text: str) -> None:
    removals = explain_clean(text)
    stops = [0, *(r.stop for r in removals)]
    assert all(before <= r.start < r.stop <= len(text) for before, r in zip(stops, removals, strict=False))
    assert clean(text) == without(text, removals)
    kept = "".join(c for i, c in enumerate(text) if not any(r.start <= i < r.stop for r in removals))
    assert "".join(clean(text).split()) == "".join(kept.split())


@pytest.mark.parametrize(
    "unit", ["a ", "Aa ", "A. ", "Ab, ", "\n", "(", "— ", "@a ", "By A ", "1:1 ", "MORE ", '"', ". A"]
)
def test_no_text_makes_cleaning_slow(unit: str) -> None:
    """Backtracking would need minutes here; the test has no clock, the suite's own limit is enough."""
    text = unit * 20_000
    assert clean_column(pa.array([text])).to_pylist()[0].strip() == clean(text)


# -- the rules file -----------------------------------------------------------------------------------------


def _with_rule(**changes: object) -> dict[str, Any]:
    source = copy.deepcopy(SOURCE)
    source["rule"].append(
        {
            "name": "new",
            "where": "line",
            "literals": ["x"],
            "pattern": "x",
            "example": "x",
            "leaves": "",
            "why": "y",
        }
        | changes
    )
    return source


def test_a_sound_rule_can_be_added() -> None:
    rules = parse_rules(_with_rule(pattern="Zyx", literals=["Zyx"]))
    assert explain_clean("Zyx\nThe news.", rules)[0].rule == "new"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"name": RULES[0].name}, "two rules named"),
        ({"where": "middle"}, "where is 'middle'"),
        ({"literals": []}, "needs literals"),
        ({"literals": ["x", ""]}, "needs literals"),
        ({"where": "head"}, "have a within"),
        ({"where": "line", "within": 3}, "have a within"),
    ],
)
def test_an_unsound_rule_is_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_rules(_with_rule(**changes))


def test_literals_begin_with_characters_that_are_rare_in_prose() -> None:
    """The one pass that looks for all of them stays quick only so."""
    frequent = set(" aeiotnshrdlcumfp")
    assert not [literal for literal in load_rules().triggers if literal[0] in frequent]


def test_every_literal_is_found() -> None:
    rules = load_rules()
    others = [rule for rule in rules.all if rule.where not in ("head", "tail")]
    assert set(rules.triggers) == {literal for rule in others for literal in rule.literals}
    assert all((0, literal) in rules.literals.find(literal) for literal in rules.triggers)
