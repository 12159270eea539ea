"""What a model's manifest says of the articles it was trained on, for services to tell drift from."""

from __future__ import annotations

import numpy as np
import pytest

from framelens.features.reference import MEASURES
from framelens_train.evaluate.protocols import Scored
from framelens_train.evaluate.summary import training_distribution


def scored(score: np.ndarray, *, too_short: np.ndarray | None = None) -> Scored:
    n = len(score)
    never = np.zeros(n, dtype=bool)
    reasons = dict.fromkeys(("not_english", "unfamiliar", "near_boundary"), never)
    reasons["too_short"] = never if too_short is None else too_short
    zeros = np.zeros(n, dtype=np.int64)
    return Scored(np.arange(n), zeros, score, score, score, never, reasons, zeros)


def measures(known: np.ndarray) -> np.ndarray:
    table = np.zeros((len(known), len(MEASURES)), dtype=np.int32)
    table[:, MEASURES.index("words")] = 100
    table[:, MEASURES.index("common_words")] = known
    return table


def test_deciles_hold_a_tenth_each() -> None:
    rng = np.random.default_rng(3)
    found = training_distribution(scored(rng.normal(size=1000)), measures(np.arange(1000) % 100))
    for name in ("score", "known_share"):
        assert len(found[name]["edges"]) == 9
        assert found[name]["shares"] == pytest.approx([0.1] * 10, abs=0.002)
    assert found["known_share"]["edges"][0] == pytest.approx(0.1)


@pytest.mark.parametrize("values", [[5.0] * 40, [0.0] * 30 + [1.0] * 10, [1.0], [], list(range(7))])
def test_equal_values_leave_no_bin_empty(values: list[float]) -> None:
    found = training_distribution(scored(np.array(values, dtype=float)), measures(np.full(len(values), 90)))
    for row in found.values():
        assert len(row["shares"]) == len(row["edges"]) + 1
        assert min(row["shares"]) > 0
        assert sum(row["shares"]) == pytest.approx(1)


def test_what_is_no_article_is_left_out() -> None:
    score = np.concatenate([np.arange(100.0), np.full(50, 1e6)])
    found = training_distribution(scored(score, too_short=score > 1e5), measures(np.full(150, 90)))
    assert max(found["score"]["edges"]) < 100
