"""Tokens and counts of invented texts, frozen: who changes any raises FEATURISER_VERSION."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from framelens.features.lexicon import word_masks
from framelens.features.reference import MEASURES, count
from framelens.features.tokens import Token, tokenize

GOLDEN = json.loads((Path(__file__).parent / "golden_tokens.json").read_text(encoding="ascii"))


def row(t: Token) -> list[Any]:
    where = [t.paragraph, t.start, t.stop]
    return [t.text, int(t.kind), int(t.field), *where, t.letters, t.shouted, t.closes_sentence]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden["text"][:24] or "empty")
def test_tokens_and_counts_have_not_changed(golden: dict[str, Any]) -> None:
    stream, counts = tokenize(golden["text"], word_masks()), count(golden["text"])
    assert [row(token) for token in stream.tokens] == golden["tokens"]
    assert (stream.foreign_letters, stream.quotations) == (golden["foreign_letters"], golden["quotations"])
    measures = {name: int(n) for name, n in zip(MEASURES, counts.measures, strict=True) if n}
    assert measures == golden["measures"]
    assert len(counts.terms) == golden["terms"]
    assert [sum(fields[f] for fields in counts.terms.values()) for f in (0, 1)] == golden["occurrences"]
