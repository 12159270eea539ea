"""The figures of merit and their intervals, against brute force and against what a reader expects."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score, roc_auc_score

from framelens_train.evaluate import bootstrap, metrics


def test_calibration_error_is_zero_when_frequencies_match_and_their_gap_when_they_do_not() -> None:
    y = np.array([0, 1] * 50 + [0, 0, 0, 1] * 25)
    p = np.array([0.5] * 100 + [0.25] * 100)
    assert metrics.expected_calibration_error(y, p) == pytest.approx(0.0)
    assert metrics.expected_calibration_error(y, p + 0.1) == pytest.approx(0.1)


def test_calibration_error_does_not_depend_on_the_order_of_ties() -> None:
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 500), rng.choice([0.1, 0.2, 0.7, 0.9], 500)
    order = rng.permutation(500)
    assert metrics.expected_calibration_error(y, p) == pytest.approx(
        metrics.expected_calibration_error(y[order], p[order])
    )


def test_reliability_bins_hold_equal_numbers_and_all_articles() -> None:
    p = np.linspace(0.01, 0.99, 300)
    table = metrics.reliability((p > 0.5).astype(int), p, bins=15)
    assert [row.n for row in table] == [20] * 15


def test_coverage_risk_answers_the_surest_first() -> None:
    y = np.array([1, 1, 0, 0, 1])
    p = np.array([0.99, 0.90, 0.05, 0.60, 0.45])  # the two least sure are wrong
    curve = metrics.coverage_risk(y, p)
    assert curve.coverage_at(0.0) == pytest.approx(0.6)
    assert curve.coverage_at(0.25) == pytest.approx(0.8)
    assert curve.coverage_at(1.0) == 1.0
    assert metrics.coverage_risk([1], [0.1]).coverage_at(0.05) == 0.0


def test_one_class_has_no_macro_f1_and_no_auc() -> None:
    assert metrics.macro_f1([1, 1], [1, 0]) is None
    assert metrics.roc_auc([0, 0], [0.2, 0.3]) is None


def test_owner_balance_gives_every_owner_and_both_classes_the_same_say() -> None:
    y = np.array([1] * 10 + [1] * 2 + [0] * 5)
    owners = np.array(["a"] * 10 + ["b"] * 2 + ["c"] * 5)
    weights = metrics.owner_balance(y, owners)
    assert weights.sum() == pytest.approx(17)
    assert weights[:10].sum() == pytest.approx(weights[10:12].sum())
    assert weights[:12].sum() == pytest.approx(weights[12:].sum())


def test_by_group_reports_the_false_state_rate_of_independents_and_parts_a_group_of_both_labels() -> None:
    table = metrics.by_group(["x", "x", "y", "y"], [0, 0, 1, 0], [0.9, 0.1, 0.8, 0.2])
    assert table["x"]["false_state_rate"] == 0.5
    assert table["y [state]"]["recall"] == 1.0
    assert "false_state_rate" not in table["y [state]"]
    assert table["y [independent]"]["n"] == 1


def test_the_worst_owner_is_not_one_of_three_articles() -> None:
    owners = ["tiny"] * 3 + ["low"] * 30 + ["high"] * 30
    p = [0.0] * 3 + [0.9] * 10 + [0.1] * 20 + [0.9] * 30
    table = metrics.by_group(owners, [1] * 63, p)
    worst = metrics.worst_group(table, "state")
    assert worst is not None
    assert worst["name"] == "low"
    assert worst["recall"] == pytest.approx(1 / 3)
    assert metrics.worst_group(table, "independent") is None


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.booleans())
def test_fast_bootstrap_equals_sklearn_with_sample_weights(seed: int, ties: bool) -> None:
    rng = np.random.default_rng(seed)
    n = 60
    groups = rng.integers(0, 9, n)
    y = (groups % 3 == 0).astype(int)
    y[:2], groups[:2] = [0, 1], [1, 0]
    score = rng.normal(size=n) + y
    if ties:
        score = np.round(score)
    resamples = bootstrap.resample(y, groups, draws=5, seed=seed)
    f1 = bootstrap.macro_f1_draws(y, score > 0.5, resamples)
    auc = bootstrap.roc_auc_draws(y, score, resamples)
    for draw in range(5):
        weights = resamples.article_weights(draw)
        expected = f1_score(y, score > 0.5, average="macro", sample_weight=weights, zero_division=0.0)
        assert f1[draw] == pytest.approx(expected)
        assert auc[draw] == pytest.approx(roc_auc_score(y, score, sample_weight=weights))


def test_resamples_draw_whole_outlets_within_their_class_and_repeat_from_the_seed() -> None:
    y = np.array([1, 1, 1, 0, 0, 0, 0])
    outlets = np.array(["a", "a", "b", "c", "d", "d", "e"])
    one, two = bootstrap.resample(y, outlets, seed=3), bootstrap.resample(y, outlets, seed=3)
    assert np.array_equal(one.weights, two.weights)
    assert not np.array_equal(one.weights, bootstrap.resample(y, outlets, seed=4).weights)
    assert one.cluster[0] == one.cluster[1] != one.cluster[2]
    state = np.unique(one.cluster[y == 1])
    assert (one.weights[:, state].sum(axis=1) == 2).all()
    assert (one.weights.sum(axis=1) == 5).all()


def test_outlets_that_differ_widen_the_interval_beyond_what_articles_alone_would() -> None:
    rng = np.random.default_rng(1)
    outlets = np.repeat(np.arange(20), 100)
    y = outlets % 2
    right = rng.random(2000) < np.repeat(rng.choice([0.3, 1.0], 20), 100)
    predicted = np.where(right, y, 1 - y)
    by_outlet = bootstrap.interval(bootstrap.macro_f1_draws(y, predicted, bootstrap.resample(y, outlets)))
    by_article = bootstrap.interval(
        bootstrap.macro_f1_draws(y, predicted, bootstrap.resample(y, np.arange(2000)))
    )
    assert by_outlet[1] - by_outlet[0] > 2 * (by_article[1] - by_article[0])


def test_mean_of_a_resample_weighs_articles_by_how_often_their_outlet_was_drawn() -> None:
    y, outlets, errors = (
        np.array([1, 0, 0, 0]),
        np.array(["a", "b", "b", "c"]),
        np.array([1.0, 0.0, 1.0, 1.0]),
    )
    resamples = bootstrap.resample(y, outlets, draws=7, seed=5)
    means = bootstrap.mean_draws(errors, resamples)
    for draw in range(7):
        weights = resamples.article_weights(draw)
        assert means[draw] == pytest.approx(np.average(errors, weights=weights))


def test_wilson_is_wide_for_few_and_stays_inside_zero_and_one() -> None:
    low, high = metrics.wilson(3, 3)
    assert low < 0.5
    assert high == 1.0
    assert metrics.wilson(0, 0) == (0.0, 1.0)
    low, high = metrics.wilson(500, 1000)
    assert high - low < 0.07


def test_areas_are_averaged_over_folds_so_that_a_shift_between_models_costs_nothing() -> None:
    rng = np.random.default_rng(0)
    y, fold = rng.integers(0, 2, 600), np.repeat([0, 1, 2], 200)
    score = rng.normal(size=600) + 2 * y
    each = [roc_auc_score(y[fold == k], score[fold == k]) for k in range(3)]
    assert metrics.fold_auc(y, score + 10 * fold, fold) == pytest.approx(np.mean(each))
    assert metrics.fold_auc(y, np.zeros(600), fold) == 0.5
    assert metrics.fold_auc(np.r_[y[:200], np.ones(400)], score, fold) == pytest.approx(each[0])
    assert metrics.fold_auc(np.ones(600), score, fold) is None


def test_a_resample_without_a_label_in_a_fold_leaves_that_fold_out_of_its_mean() -> None:
    y = np.array([1, 0, 1, 0, 0, 1])
    fold = np.array([0, 0, 1, 1, 1, 1])
    outlets = np.array(["a", "b", "c", "d", "e", "f"])
    score = np.array([2.0, 1.0, 0.0, 3.0, -1.0, 0.5])
    resamples = bootstrap.resample(y, outlets, draws=50, seed=0)
    draws = bootstrap.fold_auc_draws(y, score, fold, resamples)
    for draw in range(50):
        weights = resamples.article_weights(draw)
        each = []
        for k in (0, 1):
            drawn = (fold == k) & (weights > 0)
            if len(np.unique(y[drawn])) == 2:
                each.append(roc_auc_score(y[drawn], score[drawn], sample_weight=weights[drawn]))
        assert draws[draw] == pytest.approx(np.mean(each) if each else 0.0)
