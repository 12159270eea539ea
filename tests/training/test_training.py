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


def test_thinning_keeps_the_labels_shares_and_shrinks_the_large_outlets(make_corpus) -> None:
    corpus = make_corpus(each=12)
    rare = corpus.articles.index[corpus.articles["outlet"] == "paper0.example"][3:]
    corpus = corpus.subset(np.setdiff1d(np.arange(len(corpus.articles)), rare))
    thin = thinned(corpus, 100, seed=1)
    assert 70 <= len(thin.articles) <= 100
    before, after = (c.articles["label"].value_counts(normalize=True) for c in (corpus, thin))
    assert (before - after).abs().max() < 0.08
    sizes = thin.articles["outlet"].value_counts()
    assert set(sizes.index) == set(corpus.articles["outlet"])
    assert sizes["paper0.example"] == 3
    assert sizes.filter(like="paper").drop("paper0.example").nunique() == 1
    original = corpus.articles.set_index("id")
    assert (
        original.loc[thin.articles["id"], "sha256"].to_numpy() == thin.articles["sha256"].to_numpy()
    ).all()
    assert thinned(corpus, 10**6) is corpus
    assert thinned(corpus, 100, seed=1).articles["id"].equals(thin.articles["id"])
    assert not thinned(corpus, 100, seed=2).articles["id"].equals(thin.articles["id"])


def test_the_shipped_calibration_is_that_of_a_fit_from_scratch(corpus, tmp_path: Path) -> None:
    recipe = recipes(["logistic"], quick=True)[0]
    splits, _ = available_splits(corpus)
    journal = Journal(tmp_path / "j.sqlite")
    results, held_out = measure(corpus, recipe, splits, lambda requests: run_fits(corpus, requests, journal))
    mine = calibrated(corpus, recipe, corpus, held_out)
    rows = np.flatnonzero(corpus.y >= 0)
    scratch = fit_calibrated(recipe, corpus, rows)
    assert mine.calibration == scratch.calibration
    assert (mine.thresholds, mine.outlet_evidence) == (scratch.thresholds, scratch.outlet_evidence)
    np.testing.assert_array_equal(
        decision_scores(mine.pipeline, corpus.X), decision_scores(scratch.pipeline, corpus.X)
    )
    expected = run_protocols(RecipeFitter(recipe), corpus, splits)
    for name, result in results.items():
        np.testing.assert_array_equal(result.scored.p, expected[name].scored.p)
        np.testing.assert_array_equal(result.mixed.p, expected[name].mixed.p)
