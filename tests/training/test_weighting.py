"""Who has how much say in training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from framelens_train.weighting import sample_weights


def table(*rows: tuple[str, str, str | None, int]) -> pd.DataFrame:
    flat = [row[:3] for row in rows for _ in range(row[3])]
    return pd.DataFrame(flat, columns=["label", "owner", "region"])


ARTICLES = table(
    ("state", "state:A", "nonwest", 400),
    ("state", "state:B", "nonwest", 100),
    ("independent", "p", "west", 900),
    ("independent", "q", "nonwest", 9),
    ("independent", "r", "nonwest", 1),
)


def share(articles: pd.DataFrame, weights: np.ndarray, **where: str) -> float:
    inside = np.logical_and.reduce([articles[k] == v for k, v in where.items()])
    return float(weights[inside].sum() / weights.sum())


def test_classes_regions_and_owners_have_the_say_they_should() -> None:
    weights = sample_weights(ARTICLES, np.arange(len(ARTICLES)))
    assert weights.mean() == pytest.approx(1)
    assert weights.min() > 0
    assert share(ARTICLES, weights, label="state") == pytest.approx(0.5)
    assert share(ARTICLES, weights, region="west") == pytest.approx(0.25)
    # 400 articles have twice the say of 100, nine have three times the say of one
    assert share(ARTICLES, weights, owner="state:A") == pytest.approx(2 / 6)
    assert share(ARTICLES, weights, owner="q") == pytest.approx(0.25 * 3 / 4)


def test_rows_outside_training_have_no_say() -> None:
    rows = np.flatnonzero(ARTICLES["owner"] != "state:A")
    kept = ARTICLES.iloc[rows].reset_index(drop=True)
    np.testing.assert_array_equal(sample_weights(ARTICLES, rows), sample_weights(kept, np.arange(len(kept))))


def test_unknown_regions_keep_their_natural_share() -> None:
    articles = table(("state", "s", None, 5), ("independent", "p", "west", 6), ("independent", "q", None, 2))
    weights = sample_weights(articles, np.arange(len(articles)))
    assert share(articles, weights, label="state") == pytest.approx(0.5)
    assert share(articles, weights, owner="q") == pytest.approx(0.5 * 2 / 8)


def test_a_corpus_without_regions_is_weighed_by_owner_alone() -> None:
    articles = table(("state", "s", None, 5), ("independent", "p", None, 16), ("independent", "q", None, 4))
    weights = sample_weights(articles.drop(columns="region"), np.arange(len(articles)))
    assert share(articles, weights, owner="p") == pytest.approx(0.5 * 2 / 3)


def test_class_balance_and_uniform() -> None:
    rows = np.arange(len(ARTICLES))
    balanced = sample_weights(ARTICLES, rows, "class_balanced")
    assert share(ARTICLES, balanced, label="state") == pytest.approx(0.5)
    assert len(set(balanced.round(12))) == 2
    assert set(sample_weights(ARTICLES, rows, "uniform")) == {1.0}


def test_an_unknown_weighting_is_named() -> None:
    with pytest.raises(ValueError, match=r"'owner_cube'.*owner_sqrt"):
        sample_weights(ARTICLES, [0], "owner_cube")
