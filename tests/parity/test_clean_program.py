"""Any pattern: the compiled machine takes out what regular expressions do, at every place of a rule."""

from __future__ import annotations

import re
import sys
import unicodedata

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from framelens.clean.column import clean_column, compile_rules
from framelens.clean.engine import explain_clean, without
from framelens.clean.program import Assembler
from framelens.clean.rules import PLACES, parse_rules

LETTERS = "abxA1_ .\n(—é'\U0001f600"
SINGLES = st.sampled_from(
    [*map(re.escape, LETTERS), ".", r"\w", r"\W", r"\d", r"\s", r"\S", "[ab]", "[^a\n]", "[a-z—]", r"[^\w é]"]
)
ZERO_WIDTH = st.sampled_from(
    [r"\b", "^", "$", r"\Z", "(?m:^)", "(?m:$)", r"(?<=[a\n])", "(?<!ab)", "(?<=—.)"]
)


def extend(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.lists(parts, min_size=1, max_size=3).map("".join),
        st.lists(parts, min_size=2, max_size=3).map(lambda several: f"(?:{'|'.join(several)})"),
        st.tuples(parts, st.sampled_from(["?", "*", "+", "{1,2}", "{2}", "??", "*?", "+?", "{0,3}?"])).map(
            lambda pair: f"(?:{pair[0]}){pair[1]}"
        ),
        st.tuples(parts, st.sampled_from(["(?=%s)", "(?!%s)", "(?>%s)"])).map(lambda pair: pair[1] % pair[0]),
    )


REPEATED = st.tuples(
    SINGLES, st.sampled_from(["*", "+", "?", "{2,3}", "*?", "+?", "{1,2}?", "*+", "++", "{1,2}+"])
)
PATTERNS = st.recursive(st.one_of(SINGLES, REPEATED.map("".join), ZERO_WIDTH), extend, max_leaves=8)
TEXTS = st.lists(st.text(LETTERS, max_size=12), min_size=1, max_size=4)


@settings(deadline=None, max_examples=120)
@given(
    st.lists(PATTERNS, min_size=len(PLACES), max_size=len(PLACES)),
    TEXTS,
    st.integers(0, 5),
    st.integers(0, 9),
)
def test_rules_of_any_pattern_take_out_the_same(
    patterns: list[str], texts: list[str], near: int, reach: int
) -> None:
    source = []
    for place, pattern in zip(PLACES, patterns, strict=True):
        rule = {"name": place, "where": place, "literals": ["x", "b ", "\n", "—"], "pattern": pattern}
        rule |= {"example": "", "leaves": "", "why": ""}
        rule |= {"within": reach} if place in ("head", "tail") else {"near": near, "reach": reach}
        source.append(rule)
    rules = parse_rules({"rule": source})
    try:
        compiled = compile_rules(rules)
    except ValueError:
        reject()
    cleaned = clean_column(pa.array(texts), compiled).to_pylist()
    assert [text.strip() for text in cleaned] == [without(text, explain_clean(text, rules)) for text in texts]


@pytest.mark.parametrize(
    "pattern", [r"(a)\1", "(?i)a", "(?:a?)*", "(?:ab)*+", r"(?s).", "(?=" * 17 + "a" + ")" * 17]
)
def test_what_the_machine_does_not_know_is_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match="compiled rules"):
        Assembler().add(pattern)


def test_long_lines_and_deep_choices_are_matched() -> None:
    source = {"name": "deep", "where": "line", "pattern": "(?:ab|c)+x", "literals": ["x"]}
    others = [
        {"name": place, "where": place, "pattern": "y", "literals": ["y"], "within": 1}
        for place in ("head", "tail")
    ]
    told = {"example": "", "leaves": "", "why": ""}
    compiled = compile_rules(parse_rules({"rule": [rule | told for rule in (source, *others)]}))
    assert clean_column(pa.array(["ab" * 5000 + "x\nkept", "ab" * 5000 + "dx"]), compiled).to_pylist() == [
        "kept",
        "ab" * 5000 + "dx",
    ]


def test_no_character_of_a_word_is_left_out_of_the_classes() -> None:
    behind = "".join(map(chr, range(0x34000, sys.maxunicode + 1)))
    assert not re.search(r"\w|\s", behind), unicodedata.unidata_version
    assert np.iinfo(np.int32).max > sys.maxunicode
