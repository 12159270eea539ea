"""Several articles of one outlet: how far they count is fitted on outlets unseen, and measured on others."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framelens.outlets import OutletEvidence
from framelens_train.candidates import Recipe
from framelens_train.corpus.dataset import Corpus
from framelens_train.evaluate import outlets, protocols, run
from framelens_train.evaluate.fitting import RecipeFitter
from framelens_train.evaluate.protocols import Scored

BOUNDARY = (0.45, 0.55)


@pytest.fixture(scope="module")
def headline(corpus: Corpus, recipe: Recipe) -> protocols.ProtocolResult:
    splits, _ = protocols.available_splits(corpus)
    wanted = {"owner_disjoint": splits["owner_disjoint"]}
    return protocols.run_protocols(RecipeFitter(recipe), corpus, wanted)["owner_disjoint"]


def drawn(between: float, *, each: int = 30, count: int = 200, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Values, outlets and labels; the share `between` of the variance within a label lies between outlets."""
    rng = np.random.default_rng(seed)
    outlet = np.repeat(np.arange(count), each)
    label = (outlet % 2).astype(np.int64)
    values = rng.normal(0, np.sqrt(between), count)[outlet] + rng.normal(0, np.sqrt(1 - between), len(outlet))
    return values + 3.0 * label, outlet.astype(str), label


@pytest.mark.parametrize("between", [0.0, 0.1, 0.3, 0.7, 1.0])
def test_the_share_between_outlets_is_found_and_labels_have_no_part_in_it(between: float) -> None:
    assert outlets.intraclass_correlation(*drawn(between)) == pytest.approx(between, abs=0.06)


def test_many_small_outlets_are_not_taken_for_different_ones() -> None:
    values, names, labels = drawn(0.0, each=outlets.LEAST_ARTICLES, count=600)
    assert outlets.intraclass_correlation(values, names, labels) < 0.05


def test_a_large_outlet_counts_like_any_other() -> None:
    values, names, labels = drawn(0.3)
    more = np.flatnonzero(names == "7").repeat(100)
    values, names, labels = (
        np.r_[values, values[more]],
        np.r_[names, names[more]],
        np.r_[labels, labels[more]],
    )
    assert outlets.intraclass_correlation(values, names, labels) == pytest.approx(0.3, abs=0.06)


@pytest.mark.parametrize("names", [["a"] * 40, ["a"] * 36 + ["b"] * 4, [str(i) for i in range(40)]])
def test_without_outlets_to_compare_all_of_one_counts_as_a_single_article(names: list[str]) -> None:
    values = np.random.default_rng(0).normal(size=40)
    assert outlets.intraclass_correlation(values, names, np.zeros(40)) == 1.0


def test_equal_values_count_as_a_single_article() -> None:
    assert outlets.intraclass_correlation(np.zeros(40), ["a", "b"] * 20, np.zeros(40)) == 1.0


@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 2)), max_size=60),
    st.integers(1, 7),
    st.integers(0, 5),
)
def test_groups_are_of_one_outlet_and_fold_and_use_all_but_a_rest(
    articles: list[tuple[str, int]], size: int, seed: int
) -> None:
    names = np.array([name for name, _ in articles], dtype=object)
    fold = np.array([k for _, k in articles], dtype=np.int64)
    members = outlets.deal(names, fold, size, seed)
    assert members.shape[1] == size
    assert len(np.unique(members)) == members.size
    for group in members:
        assert len({articles[i] for i in group}) == 1
    assert len(members) == sum(articles.count(key) // size for key in set(articles))


def test_a_group_is_answered_as_the_runtime_answers_it(
    corpus: Corpus, headline: protocols.ProtocolResult
) -> None:
    evidence = [model.outlet_evidence for model in headline.models]
    boundaries = [model.boundary for model in headline.models]
    grouped = outlets.group_articles(corpus, headline.scored, evidence, boundaries, 5)
    silent = np.logical_or.reduce(
        [headline.scored.reasons[r] for r in ("too_short", "not_english", "unfamiliar")]
    )
    usable = headline.scored.take(~silent)
    names = corpus.articles["outlet"].to_numpy(dtype=object)
    members = outlets.deal(names[usable.rows], usable.fold, 5, 0)
    for i, group in enumerate(members):
        mine = evidence[usable.fold[group[0]]]
        expected = mine.p_state(mine.of_articles(usable.p[group]).sum(), 5)
        assert grouped.p[i] == pytest.approx(float(expected))
        low, high = boundaries[usable.fold[group[0]]]
        assert grouped.abstains[i] == (low <= grouped.p[i] <= high)
        assert len(set(usable.y[group])) == 1
        assert grouped.y[i] == usable.y[group[0]]
    assert len(grouped.rows) == len(members) > 50


def test_articles_without_evidence_are_in_no_group(corpus: Corpus) -> None:
    rows = np.flatnonzero(corpus.articles["outlet"] == "s0a")
    n = len(rows)
    no = np.zeros(n, dtype=np.bool_)
    short = np.arange(n) < 4
    scored = Scored(
        rows, np.ones(n, dtype=np.int64), np.zeros(n), np.where(short, 0.01, 0.9), np.full(n, 0.5), no,
        {"too_short": short, "not_english": no, "unfamiliar": no, "near_boundary": ~no},
        np.zeros(n, dtype=np.int64),
    )  # fmt: skip
    grouped = outlets.group_articles(corpus, scored, [OutletEvidence(0.5, 0.2)], [BOUNDARY], 4)
    assert len(grouped.rows) == (n - 4) // 4
    assert (grouped.p > 0.9).all()


def test_a_size_that_no_outlet_has_is_not_reported(
    corpus: Corpus, headline: protocols.ProtocolResult
) -> None:
    rows = run.together(corpus, headline, seed=0)
    assert [row["articles"] for row in rows] == [2, 5, 10, 20]  # an outlet has 20 articles here
    assert [row["n"] for row in rows] == sorted((row["n"] for row in rows), reverse=True)
    assert rows[1]["n_outlets"] == 25


def test_together_they_are_told_apart_better(corpus: Corpus, headline: protocols.ProtocolResult) -> None:
    single = np.mean((headline.scored.p - headline.scored.y) ** 2)
    evidence = [model.outlet_evidence for model in headline.models]
    grouped = outlets.group_articles(
        corpus, headline.scored, evidence, [m.boundary for m in headline.models], 10
    )
    assert np.mean((grouped.p - grouped.y) ** 2) < 0.5 * single


def test_what_is_held_out_has_no_part_in_how_evidence_adds_up(
    corpus: Corpus, recipe: Recipe, headline: protocols.ProtocolResult
) -> None:
    fold = headline.models[0].fold
    articles = corpus.articles.copy()
    articles.loc[fold.test, "outlet"] = "everybody"
    measures = corpus.batch.measures.copy()
    measures[fold.test] = 7
    spoiled = dataclasses.replace(
        corpus, articles=articles, batch=dataclasses.replace(corpus.batch, measures=measures)
    )
    splits, _ = protocols.available_splits(corpus)
    after = protocols.run_protocols(
        RecipeFitter(recipe), spoiled, {"owner_disjoint": splits["owner_disjoint"]}
    )
    assert after["owner_disjoint"].models[0].outlet_evidence == headline.models[0].outlet_evidence
    assert after["owner_disjoint"].models[1].outlet_evidence != headline.models[1].outlet_evidence


def test_the_base_rate_is_the_share_of_state_articles_that_calibration_saw(
    headline: protocols.ProtocolResult,
) -> None:
    for model in headline.models:
        expected = np.average(model.held_out.y, weights=model.held_out.weights)
        assert model.outlet_evidence.base_rate == pytest.approx(expected)
        assert 0 <= model.outlet_evidence.intraclass_correlation < 1
