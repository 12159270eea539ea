"""Probabilities and abstention: fitted without the held-out owners, and worth what they say."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from framelens_train.candidates import Recipe
from framelens_train.corpus.dataset import Corpus
from framelens_train.evaluate import calibrate, metrics


def scored_from(score: np.ndarray, y: np.ndarray, folds: int = 4) -> calibrate.OutOfFold:
    n = len(y)
    return calibrate.OutOfFold(np.arange(n), y, score, np.ones(n), np.arange(n) % folds)


def drawn(p_of_score, n: int = 4000, seed: int = 0) -> calibrate.OutOfFold:  # type: ignore[no-untyped-def]
    rng = np.random.default_rng(seed)
    score = rng.normal(size=n)
    return scored_from(score, (rng.random(n) < p_of_score(score)).astype(np.int64))


def test_platt_recovers_the_sigmoid_that_made_the_labels() -> None:
    scored = drawn(lambda s: 1 / (1 + np.exp(-(2 * s - 1))))
    choice = calibrate.choose_calibration(scored)
    assert choice.calibration.method == "platt"
    assert choice.calibration.slope == pytest.approx(2, abs=0.25)
    assert choice.calibration.offset == pytest.approx(-1, abs=0.2)


def test_isotonic_is_chosen_where_no_sigmoid_fits() -> None:
    scored = drawn(lambda s: np.where(s < 0, 0.3, np.where(s < 1.2, 0.35, 0.98)))
    choice = calibrate.choose_calibration(scored)
    assert choice.calibration.method == "isotonic"
    p = choice.calibration.p_state(scored.score)
    assert metrics.expected_calibration_error(scored.y, p) < 0.02
    assert p.min() > 0
    assert p.max() < 1


def test_few_articles_never_get_isotonic_regression() -> None:
    scored = drawn(lambda s: np.where(s < 0, 0.1, 0.9), n=200)
    assert calibrate.choose_calibration(scored).calibration.method == "platt"


def test_a_score_that_points_the_wrong_way_is_worth_nothing_rather_than_turned_around() -> None:
    scored = drawn(lambda s: 1 / (1 + np.exp(2 * s)))
    calibration = calibrate.fit_calibration(scored.y, scored.score, scored.weights, "platt")
    assert calibration.slope == 0
    assert calibration.p_state([5.0])[0] == pytest.approx(scored.y.mean())


def test_the_scale_of_the_margin_does_not_matter() -> None:
    scored = drawn(lambda s: 1 / (1 + np.exp(-s)))
    plain = calibrate.fit_calibration(scored.y, scored.score, scored.weights, "platt")
    tiny = calibrate.fit_calibration(scored.y, scored.score * 1e-3, scored.weights, "platt")
    assert tiny.p_state(scored.score * 1e-3) == pytest.approx(plain.p_state(scored.score), abs=1e-3)


def test_nine_in_ten_of_either_class_keep_their_label_in_the_conformal_set() -> None:
    rng = np.random.default_rng(2)
    y = rng.integers(0, 2, 20_000)
    p = np.clip(rng.normal(0.35 + 0.3 * y, 0.15), 0, 1)
    low, high = calibrate.conformal_region(y[:10_000], p[:10_000], np.ones(10_000))
    fresh, label = p[10_000:], y[10_000:]
    assert (fresh[label == 1] >= low).mean() == pytest.approx(0.9, abs=0.02)
    assert (fresh[label == 0] <= high).mean() == pytest.approx(0.9, abs=0.02)
    assert low < high


def test_classes_far_apart_leave_no_probability_with_both_labels() -> None:
    y = np.array([0] * 100 + [1] * 100)
    p = np.where(y == 1, 0.9, 0.1) + np.linspace(-0.05, 0.05, 200)
    low, high = calibrate.conformal_region(y, p, np.ones(200))
    assert low > high


def test_too_few_articles_to_promise_nine_in_ten_leave_both_labels_everywhere() -> None:
    assert calibrate.conformal_region([0, 1], [0.1, 0.9], [1.0, 1.0]) == (0.0, 1.0)


def test_fit_calibrated_gives_the_same_bits_for_one_process_and_two(corpus: Corpus, recipe: Recipe) -> None:
    rows = np.flatnonzero(corpus.y >= 0)
    one = calibrate.fit_calibrated(recipe, corpus, rows, jobs=1)
    two = calibrate.fit_calibrated(recipe, corpus, rows, jobs=2)
    assert one.calibration == two.calibration
    assert (one.thresholds, one.outlet_evidence) == (two.thresholds, two.outlet_evidence)
    assert 0 < one.thresholds["min_known_share"] < 1
    assert 0.2 <= one.thresholds["decision"] <= 0.8


def test_fit_calibrated_looks_at_no_row_outside_its_training_rows(corpus: Corpus, recipe: Recipe) -> None:
    rows = np.flatnonzero((corpus.y >= 0) & (corpus.articles["owner"] != "state:00"))
    before = calibrate.fit_calibrated(recipe, corpus, rows)
    measures = corpus.batch.measures.copy()
    outside = np.setdiff1d(np.arange(len(corpus.articles)), rows)
    measures[outside] = 7
    articles = corpus.articles.copy()
    articles.loc[outside, "label"] = "independent"
    spoiled = dataclasses.replace(
        corpus, articles=articles, batch=dataclasses.replace(corpus.batch, measures=measures)
    )
    after = calibrate.fit_calibrated(recipe, spoiled, rows)
    assert after.calibration == before.calibration
    assert (after.thresholds, after.outlet_evidence) == (before.thresholds, before.outlet_evidence)


def test_reasons_to_abstain_hold_where_their_thresholds_say(corpus: Corpus) -> None:
    thresholds = {
        "min_words": 1e9, "decision": 0.5, "min_function_share": 0.0, "max_foreign_share": 1.0,
        "min_known_share": 0.0, "abstain_low": 0.4, "abstain_high": 0.6,
    }  # fmt: skip
    reasons = calibrate.abstains(corpus, [0, 1, 2], [0.39, 0.5, 0.6], thresholds)
    assert reasons["near_boundary"].tolist() == [False, True, True]
    assert reasons["too_short"].all()
    assert not reasons["unfamiliar"].any()
    assert not reasons["not_english"].any()
