"""One training: what is drawn, what is measured, and that nothing differs from doing it from scratch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from framelens_train.candidates import recipes
from framelens_train.evaluate.calibrate import fit_calibrated
from framelens_train.evaluate.fitting import RecipeFitter
from framelens_train.evaluate.protocols import available_splits, run_protocols
from framelens_train.pipeline import decision_scores
from framelens_train.search import Journal, run_fits
from framelens_train.training import calibrated, measure, thinned


def test_thinning_draws_the_same_number_from_every_outlet(make_corpus) -> None:
    corpus = make_corpus(each=12)
    thin = thinned(corpus, 100, seed=1)
    assert len(thin.articles) <= 100
    sizes = thin.articles["outlet"].value_counts()
    assert sizes.nunique() == 1
    assert len(sizes) == corpus.articles["outlet"].nunique()
    original = corpus.articles.set_index("id")
    assert (
        original.loc[thin.articles["id"], "sha256"].to_numpy() == thin.articles["sha256"].to_numpy()
    ).all()
    assert thinned(corpus, 10**6) is corpus
    assert thinned(corpus, 100, seed=1).articles["id"].equals(thin.articles["id"])


def test_the_shipped_calibration_is_that_of_a_fit_from_scratch(corpus, tmp_path: Path) -> None:
    recipe = recipes(["logistic"], quick=True)[0]
    splits, _ = available_splits(corpus)
    journal = Journal(tmp_path / "j.sqlite")
    results, held_out = measure(corpus, recipe, splits, lambda requests: run_fits(corpus, requests, journal))
    mine = calibrated(corpus, recipe, corpus, held_out)
    rows = np.flatnonzero(corpus.y >= 0)
    scratch = fit_calibrated(recipe, corpus, rows)
    assert mine.calibration == scratch.calibration
    assert mine.thresholds == scratch.thresholds
    np.testing.assert_array_equal(
        decision_scores(mine.pipeline, corpus.X), decision_scores(scratch.pipeline, corpus.X)
    )
    expected = run_protocols(RecipeFitter(recipe), corpus, splits)
    for name, result in results.items():
        np.testing.assert_array_equal(result.scored.p, expected[name].scored.p)
        np.testing.assert_array_equal(result.mixed.p, expected[name].mixed.p)
