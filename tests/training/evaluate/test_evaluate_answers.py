"""What is said of state media's articles and of independents', as shares of what there is."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from framelens_train.evaluate.answers import ANSWER_TITLES, answer_shares
from framelens_train.evaluate.protocols import Scored
from framelens_train.evaluate.table import ANSWER_COLUMNS, answer_cells

PARTS = ("called_state", "abstained", "called_independent")


def scored(y: list[int], p: list[float], abstains: list[bool]) -> Scored:
    n = len(y)
    return Scored(
        np.arange(n), np.array(y), np.zeros(n), np.array(p), np.full(n, 0.5), np.array(abstains), {},
        np.zeros(n, dtype=np.int64),
    )  # fmt: skip


ARTICLES = pd.DataFrame(
    {
        "outlet": ["s", "s", "t", "n", "n", "o", "o", "w", "w"],
        "region": ["nonwest"] * 7 + ["west"] * 2,
    }
)
LABELS = [1, 1, 1, 0, 0, 0, 0, 0, 0]
GIVEN = [0.9, 0.6, 0.1, 0.8, 0.6, 0.55, 0.1, 0.2, 0.3]
UNSURE = [False, True, False, False, True, True, False, False, False]


def test_shares_are_counted_by_label_and_region() -> None:
    found = answer_shares(ARTICLES, scored(LABELS, GIVEN, UNSURE))
    assert list(found) == ["state", "independent_nonwest", "independent_west"]
    assert [found["state"][part] for part in PARTS] == [pytest.approx(1 / 3)] * 3
    assert found["state"]["forced_state"] == pytest.approx(2 / 3)
    assert [found["independent_nonwest"][part] for part in PARTS] == [0.25, 0.5, 0.25]
    assert found["independent_nonwest"]["forced_state"] == 0.75
    assert [found["independent_west"][part] for part in PARTS] == [0, 0, 1]
    assert [found[kind]["n"] for kind in found] == [3, 4, 2]
    assert [found[kind]["n_outlets"] for kind in found] == [2, 2, 1]


def test_intervals_come_from_drawing_outlets() -> None:
    found = answer_shares(ARTICLES, scored(LABELS, GIVEN, UNSURE))
    # outlets n and o, of two articles each: both n, both o, or one of each
    assert found["independent_nonwest"]["called_state_ci95"] == [0.0, 0.5]
    assert found["independent_nonwest"]["forced_state_ci95"] == [0.5, 1.0]
    assert found["independent_west"]["forced_state_ci95"] is None, "one outlet has no spread to show"
    assert found == answer_shares(ARTICLES, scored(LABELS, GIVEN, UNSURE))


@pytest.mark.parametrize("articles", [ARTICLES.drop(columns="region"), ARTICLES.assign(region="")])
def test_without_regions_independents_stand_together(articles: pd.DataFrame) -> None:
    found = answer_shares(articles, scored(LABELS, GIVEN, UNSURE))
    assert list(found) == ["state", "independent"]
    assert found["independent"]["n"] == 6


def test_nothing_has_no_shares() -> None:
    assert answer_shares(ARTICLES, scored(LABELS, GIVEN, UNSURE).take(np.zeros(0, dtype=np.int64))) == {}


def test_every_kind_has_a_cell_for_each_column() -> None:
    for kind, row in answer_shares(ARTICLES, scored(LABELS, GIVEN, UNSURE)).items():
        cells = answer_cells(kind, row)
        assert len(cells) == len(ANSWER_COLUMNS)
        assert cells[0] == ANSWER_TITLES[kind]
