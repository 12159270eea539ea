"""What a split promises: nobody who is tested has been seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framelens.errors import UserError
from framelens_train import splits

REGIONS = ("west", "nonwest", None)
COUNTRIES = ("C0", "C1", "C7", "C8", None)


@st.composite
def articles(draw: st.DrawFn) -> pd.DataFrame:
    n = draw(st.integers(2, 6)), draw(st.integers(2, 9))
    rows = [("state", f"state:{k}", f"s{k}{o}", "nonwest", f"C{k}") for k in range(n[0]) for o in range(2)]
    rows += [
        ("independent", f"p{k}", f"p{k}", draw(st.sampled_from(REGIONS)), draw(st.sampled_from(COUNTRIES)))
        for k in range(n[1])
    ]
    rows = [row for row in rows for _ in range(draw(st.integers(1, 4)))]
    rows += [("mixed", "m", "m", "west", "C7")]
    table = pd.DataFrame(rows, columns=["label", "owner", "outlet", "region", "country"])
    table["cluster"] = draw(st.lists(st.integers(-1, len(rows) // 2), min_size=len(rows), max_size=len(rows)))
    table["date"] = [f"20{draw(st.integers(10, 25))}-01-0{1 + i % 9}" for i in range(len(rows))]
    return table.sample(frac=1, random_state=draw(st.integers(0, 9)), ignore_index=True)


@given(articles(), st.integers(0, 3))
def test_every_protocol_keeps_training_and_test_apart(table: pd.DataFrame, seed: int) -> None:
    made, _ = splits.protocol_splits(table, seed=seed)
    y, clusters = splits.labels_of(table), splits.cluster_codes(table)
    for split in made.values():
        assert len(split.tested) == len(np.unique(split.tested))
        for fold in split.folds:
            assert (y[fold.train] >= 0).all()
            assert (y[fold.test] >= 0).all()
            assert not np.intersect1d(clusters[fold.train], clusters[fold.test]).size
    for name, column in (
        ("owner_disjoint", "owner"),
        ("country_disjoint", "owner"),
        ("outlet_disjoint", "outlet"),
    ):
        for fold in made[name].folds if name in made else ():
            group = table[column].to_numpy()
            assert not set(group[fold.train]) & set(group[fold.test])


@given(articles(), st.integers(0, 3))
def test_countries_are_unseen_with_the_owners_and_a_states_own_goes_with_it(
    table: pd.DataFrame, seed: int
) -> None:
    made, missing = splits.protocol_splits(table, seed=seed)
    foreign = ((table["label"] == "independent") & (table["region"] == "nonwest")).to_numpy()
    country = table["country"].fillna("").to_numpy()
    if "country_disjoint" not in made:
        few = len(set(country[foreign]) - {""}) < 2
        assert ("two countries" if few else "independents for each") in missing["country_disjoint"]
        return
    split, by_owner = made["country_disjoint"], made["owner_disjoint"]
    assert split.tested.tolist() == by_owner.tested.tolist()
    state = (table["label"] == "state").to_numpy()
    for fold, same in zip(split.folds, by_owner.folds, strict=True):
        assert fold.name == same.name
        tested = set(country[fold.test][foreign[fold.test]]) - {""}
        assert not tested & set(country[fold.train][foreign[fold.train]])
        assert not tested & set(country[fold.train][state[fold.train]])
        assert (~state[fold.test]).any()


@given(articles(), st.integers(0, 3))
def test_owner_folds_test_every_row_once_and_both_labels(table: pd.DataFrame, seed: int) -> None:
    split = splits.owner_disjoint(table, seed=seed)
    y = splits.labels_of(table)
    assert split.tested.tolist() == np.flatnonzero(y >= 0).tolist()
    for fold in split.folds:
        assert set(y[fold.test]) == {0, 1}
        assert len(fold.train) + len(fold.test) + fold.purged == (y >= 0).sum()
    states = table.loc[y == 1, "owner"].nunique()
    papers = table.loc[y == 0, "owner"].nunique()
    assert len(split.folds) == min(states, papers, splits.MAX_OWNER_FOLDS)


def places(*more: tuple[str, str, str]) -> pd.DataFrame:
    """Three states, six Western papers, and other independents: owner, outlet, country."""
    rows = [("state", f"s{k}", f"s{k}", "nonwest", f"C{k}") for k in range(3)]
    rows += [("independent", f"p{k}", f"p{k}", "west", "US") for k in range(6)]
    rows += [("independent", owner, outlet, "nonwest", country) for owner, outlet, country in more]
    return pd.DataFrame(rows, columns=["label", "owner", "outlet", "region", "country"])


@pytest.mark.parametrize("owner", ["big", "s0"])
@pytest.mark.parametrize("seed", range(4))
def test_countries_that_one_owner_publishes_in_are_unseen_together(owner: str, seed: int) -> None:
    table = places((owner, "a", "X"), (owner, "b", "Y"), ("q", "q", "X"), ("r", "r", "Y"), ("t", "t", "Z"))
    split = splits.country_disjoint(table, seed=seed)
    for fold in split.folds:
        tested = set(table["outlet"][fold.test])
        assert len({"a", "b", "q", "r"} & tested) in (0, 4)
        assert owner == "big" or ("s0" in tested) == ("a" in tested)


def test_countries_that_cannot_be_parted_are_named_as_the_reason() -> None:
    shared = places(("s0", "a", "X"), ("s1", "b", "X"), ("t", "t", "Z"))
    with pytest.raises(splits.SplitUnavailableError, match="state owners that publish in one country"):
        splits.country_disjoint(shared)
    few = places(("s0", "a", "C0"), ("q", "q", "C0"), ("t", "t", "C1"), ("u", "u", "C0"))
    few = few[few["region"] == "nonwest"].reset_index(drop=True)
    with pytest.raises(splits.SplitUnavailableError, match="each of its 3 folds"):
        splits.country_disjoint(few)


def test_each_state_has_a_fold_of_its_own_and_both_regions_beside_it(make_corpus) -> None:
    table = make_corpus(state_owners=6, independents=30).articles
    split = splits.owner_disjoint(table)
    assert [fold.name for fold in split.folds] == [f"state:{c}{c}" for c in "ABCDEF"] or len(
        {fold.name for fold in split.folds}
    ) == 6
    for fold in split.folds:
        assert set(table["region"][fold.test][table["label"][fold.test] == "independent"]) == {
            "west",
            "nonwest",
        }


def test_folds_do_not_depend_on_the_order_of_the_labels_or_on_other_runs(corpus) -> None:
    first, second = (splits.owner_disjoint(corpus.articles, seed=3) for _ in range(2))
    for a, b in zip(first.folds, second.folds, strict=True):
        assert a.name == b.name
        np.testing.assert_array_equal(a.test, b.test)


def test_purged_rows_are_counted(corpus) -> None:
    table = corpus.articles.assign(cluster=-1)
    assert all(fold.purged == 0 for fold in splits.random_split(table).folds)
    first_state = int(np.flatnonzero(table["label"] == "state")[0])
    first_paper = int(np.flatnonzero(table["label"] == "independent")[0])
    table.loc[[first_state, first_paper], "cluster"] = 7
    split = splits.owner_disjoint(table)
    fold_of = {row: k for k, fold in enumerate(split.folds) for row in fold.test.tolist()}
    expected = 0 if fold_of[first_state] == fold_of[first_paper] else 2
    assert sum(fold.purged for fold in split.folds) == expected


def test_an_owner_of_both_labels_stays_whole() -> None:
    table = pd.DataFrame(
        [("state", o, f"{o}1") for o in ("s:A", "s:B", "turned")]
        + [("independent", o, f"{o}2") for o in ("turned", "p", "q", "r", "t")],
        columns=["label", "owner", "outlet"],
    )
    for fold in splits.owner_disjoint(table).folds:
        assert not set(table["owner"][fold.train]) & set(table["owner"][fold.test])


def test_temporal_tests_only_what_came_later(corpus) -> None:
    table = corpus.articles.copy()
    table.loc[::7, "date"] = None
    (fold,) = splits.temporal(table).folds
    dates = pd.to_datetime(table["date"])
    assert dates[fold.train].max() < dates[fold.test].min()
    assert not dates[np.r_[fold.train, fold.test]].isna().any()
    y = splits.labels_of(table)
    dated = dates.notna().to_numpy()
    for label in (0, 1):
        share = (y[fold.test] == label).sum() / ((y == label) & dated).sum()
        assert 0.15 < share < 0.4


def test_a_corpus_without_dates_has_no_temporal_split_and_says_so(corpus) -> None:
    made, unavailable = splits.protocol_splits(corpus.articles.drop(columns="date"))
    assert list(made) == ["owner_disjoint", "country_disjoint", "outlet_disjoint", "random"]
    assert "date" in unavailable["temporal"]


@pytest.mark.parametrize(
    ("keep", "message"),
    [
        (lambda a: a["label"] != "state", "0 are state .*add state articles"),
        (lambda a: a["label"] == "mixed", "add state and independent articles"),
        (lambda a: ~a["owner"].isin(["state:BB", "state:CC", "state:DD"]), r"1 state owner \(state:AA\)"),
        (lambda a: (a["label"] == "state") | (a["owner"] == "paper0.example"), "add independent outlets"),
    ],
)
def test_too_few_owners_or_labels_name_the_remedy(corpus, keep, message: str) -> None:
    table = corpus.articles[keep].reset_index(drop=True)
    with pytest.raises(UserError, match=message):
        splits.protocol_splits(table)


def test_more_folds_than_owners_is_refused(corpus) -> None:
    with pytest.raises(UserError, match=r"5 owner-disjoint folds .* 4 state owners"):
        splits.owner_disjoint(corpus.articles, folds=5)


def test_calibration_folds_fall_back_when_one_owner_is_left(corpus) -> None:
    rows = np.arange(len(corpus.articles))
    owner = corpus.articles["owner"].to_numpy()
    assert splits.calibration_split(corpus.articles, rows).name == "owner_disjoint"
    one_state = rows[~np.isin(owner, ["state:BB", "state:CC", "state:DD"])]
    assert splits.calibration_split(corpus.articles, one_state).name == "outlet_disjoint"
