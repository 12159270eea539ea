"""The choice never sees the fold it is judged on."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from framelens_train.candidates import Recipe, recipes
from framelens_train.search import Request, Result, request_key
from framelens_train.selection import best_by_key, pair_folds, select
from framelens_train.splits import cluster_codes, owner_disjoint, protocol_splits

GOOD, BAD, DUMMY = Recipe("logistic", {"a": 1}), Recipe("ridge"), Recipe("majority")


def invented_fits(corpus, scores_of: Callable[[Recipe, np.ndarray], np.ndarray], log: list[Request]):
    """Scores without fitting: what the selection makes of them is what is tested."""

    def fit(requests: Sequence[Request]) -> dict[str, Result]:
        log.extend(requests)
        found = {}
        for recipe, rows in requests:
            scores = scores_of(recipe, rows).astype(np.float64)
            scores[rows] = np.nan  # whoever looks at a training row's score gets nothing
            found[request_key((recipe, rows))] = Result(scores, 1.0)
        return found

    return fit


def noisy(corpus, spread: dict[str, float]) -> Callable[[Recipe, np.ndarray], np.ndarray]:
    def scores(recipe: Recipe, rows: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(len(rows))
        return corpus.y + rng.normal(0, spread[recipe.candidate], len(corpus.y))

    return scores


def test_the_recipe_that_ranks_unseen_owners_best_wins(corpus) -> None:
    splits, _ = protocol_splits(corpus.articles)
    fit = invented_fits(corpus, noisy(corpus, {"logistic": 0.3, "ridge": 3.0, "majority": 0.01}), [])
    chosen = select(corpus, [BAD, GOOD, DUMMY], splits, fit)
    assert chosen.winner.recipe == GOOD
    assert list(chosen.contenders) == ["majority", "logistic", "ridge"]  # best first, the baseline cannot win
    assert chosen.winner.objective > chosen.contenders["ridge"].objective
    assert set(chosen.winner.protocols) == {*splits, "owner_disjoint_nested"}
    figures = chosen.winner.protocols["owner_disjoint"].figures()
    assert figures["roc_auc"] > 0.95
    assert figures["n"] == (corpus.y >= 0).sum()


def test_a_fold_never_chooses_its_own_settings(corpus) -> None:
    """A recipe that is perfect on one fold and hopeless elsewhere must not be what that fold is scored by."""
    split = owner_disjoint(corpus.articles)
    lucky = split.folds[0].test

    def scores(recipe: Recipe, rows: np.ndarray) -> np.ndarray:
        rng = np.random.default_rng(1)
        if recipe == GOOD:
            return corpus.y + rng.normal(0, 0.6, len(corpus.y))
        cheat = -corpus.y.astype(np.float64)
        cheat[lucky] = 100.0 * corpus.y[lucky]
        return cheat

    chosen = select(corpus, [BAD, GOOD], {"owner_disjoint": split}, invented_fits(corpus, scores, []))
    assert chosen.nested_recipes[split.folds[0].name] == GOOD
    assert chosen.nested is not None
    in_first = chosen.nested.score[chosen.nested.fold == 0]
    assert np.abs(in_first).max() < 50


def test_what_scores_a_fold_was_trained_without_it_and_without_its_duplicates(corpus) -> None:
    split = owner_disjoint(corpus.articles)
    clusters, owners = cluster_codes(corpus.articles), corpus.articles["owner"].to_numpy()
    pairs = pair_folds(split)
    assert len(pairs) == 6
    for (j, k), pair in pairs.items():
        tested = np.concatenate([split.folds[j].test, split.folds[k].test])
        assert np.isin(pair.test, tested).all()
        assert not set(owners[pair.train]) & set(owners[tested])
        assert not set(clusters[pair.train]) & set(clusters[pair.test])


def test_calibration_of_a_fold_knows_nothing_of_it(corpus) -> None:
    """Turning the labels of one fold around must not move that fold's probabilities."""
    split = owner_disjoint(corpus.articles)
    first = split.folds[0].test
    scores = noisy(corpus, {"logistic": 0.5})(GOOD, np.arange(3))
    log: list[Request] = []
    before = select(
        corpus, [GOOD], {"owner_disjoint": split}, invented_fits(corpus, lambda r, t: scores.copy(), log)
    )
    turned = corpus.subset(np.arange(len(corpus.y)))
    turned.articles.loc[first, "label"] = np.where(corpus.y[first] == 1, "independent", "state")
    after = select(
        turned, [GOOD], {"owner_disjoint": split}, invented_fits(turned, lambda r, t: scores.copy(), log)
    )
    p = [c.winner.protocols["owner_disjoint"] for c in (before, after)]
    np.testing.assert_array_equal(p[0].p[p[0].fold == 0], p[1].p[p[1].fold == 0])
    assert (p[0].p[p[0].fold == 1] != p[1].p[p[1].fold == 1]).any()


def test_two_owners_are_enough_to_choose_but_not_to_nest(make_corpus) -> None:
    corpus = make_corpus(state_owners=2)
    splits, _ = protocol_splits(corpus.articles)
    chosen = select(
        corpus, [GOOD, BAD], splits, invented_fits(corpus, noisy(corpus, {"logistic": 0.1, "ridge": 2}), [])
    )
    assert chosen.winner.recipe == GOOD
    assert chosen.nested is None
    assert "owner_disjoint_nested" not in chosen.winner.protocols


def test_one_recipe_is_not_chosen_and_so_not_nested(corpus) -> None:
    split = {"owner_disjoint": owner_disjoint(corpus.articles)}
    spread = {"logistic": 0.1, "majority": 1.0}
    alone, asked = [], []
    chosen = select(corpus, [GOOD, DUMMY], split, invented_fits(corpus, noisy(corpus, spread), alone))
    assert chosen.nested is None
    assert "owner_disjoint_nested" not in chosen.winner.protocols
    select(corpus, [GOOD, DUMMY], split, invented_fits(corpus, noisy(corpus, spread), asked), nested=False)
    assert {request_key(r) for r in alone} == {request_key(r) for r in asked}


def test_without_nesting_there_are_fewer_fits(corpus) -> None:
    split = {"owner_disjoint": owner_disjoint(corpus.articles)}
    spread = {"logistic": 0.1, "ridge": 2.0}
    nested, plain = [], []
    select(corpus, [GOOD, BAD], split, invented_fits(corpus, noisy(corpus, spread), nested))
    select(corpus, [GOOD, BAD], split, invented_fits(corpus, noisy(corpus, spread), plain), nested=False)
    distinct = [len({request_key(r) for r in requests}) for requests in (nested, plain)]
    assert distinct == [2 * (6 + 4), 2 * 4]


def test_a_constant_classifier_gives_the_share_of_state_articles(corpus) -> None:
    splits, _ = protocol_splits(corpus.articles)
    fit = invented_fits(corpus, lambda r, rows: np.zeros(len(corpus.y)), [])
    outcome = select(corpus, [GOOD, DUMMY], splits, fit).contenders["majority"].protocols["random"]
    assert outcome.figures()["roc_auc"] == pytest.approx(0.5)
    assert np.unique(outcome.p).size <= 5
    assert ((outcome.p > 0) & (outcome.p < 1)).all()


def test_figures_by_fold_leave_out_what_one_class_does_not_allow(corpus) -> None:
    splits, _ = protocol_splits(corpus.articles)
    fit = invented_fits(corpus, noisy(corpus, {"logistic": 0.2}), [])
    outcome = select(corpus, [GOOD], splits, fit).winner.protocols["owner_disjoint"]
    table = outcome.by_fold()
    assert set(table) == {fold.name for fold in splits["owner_disjoint"].folds}
    assert all(set(row) == {"roc_auc", "macro_f1"} for row in table.values())


def test_the_grid_is_told_best_first() -> None:
    assert best_by_key({GOOD.key: 0.2, BAD.key: 0.7})[0] == (BAD.to_dict(), 0.7)


def test_the_table_of_recipes_is_grouped_as_given() -> None:
    names = [r.candidate for r in recipes(["ridge", "logistic"], quick=True)]
    assert names == ["logistic", "ridge"]
