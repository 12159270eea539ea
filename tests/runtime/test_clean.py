"""Cleaning takes out what names an outlet and leaves the news alone."""

from __future__ import annotations

import pytest
from framelens.clean import clean, load_rules

RULES = load_rules().all


@pytest.mark.parametrize("rule", RULES, ids=lambda r: r.name)
def test_rule_does_what_its_example_says(rule):
    assert clean(rule.example) == rule.leaves
