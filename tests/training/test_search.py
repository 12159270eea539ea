"""Fits side by side: the same results for any number of processes, and none lost when a run is cut short."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from framelens_train import search
from framelens_train.candidates import Recipe, fit_recipe, recipes
from framelens_train.pipeline import decision_scores
from framelens_train.search import Journal, Result, request_key, run_fits
from framelens_train.splits import owner_disjoint


@pytest.fixture
def requests_for(corpus):
    cells = [r for r in recipes(quick=True) if r.candidate in ("logistic", "sgd_log", "complement_nb")]
    return [(cell, fold.train) for fold in owner_disjoint(corpus.articles).folds[:2] for cell in cells]


def test_scores_are_those_of_a_fit_on_its_own(corpus, requests_for, tmp_path: Path) -> None:
    found = run_fits(corpus, requests_for, Journal(tmp_path / "j.sqlite"))
    for recipe, rows in requests_for:
        scores = found[request_key((recipe, rows))].scores
        others = np.setdiff1d(np.arange(len(corpus.articles)), rows)
        expected = decision_scores(fit_recipe(recipe, corpus, rows), corpus.X)
        np.testing.assert_array_equal(scores[others], expected[others])
        assert np.isnan(scores[rows]).all()


def test_two_processes_give_the_bits_of_one(corpus, requests_for, tmp_path: Path) -> None:
    one = run_fits(corpus, requests_for, Journal(tmp_path / "1.sqlite"), jobs=1)
    two = run_fits(corpus, requests_for, Journal(tmp_path / "2.sqlite"), jobs=2)
    assert one.keys() == two.keys()
    for key, result in one.items():
        np.testing.assert_array_equal(result.scores, two[key].scores)


def test_what_the_journal_holds_is_not_fitted_again(
    corpus, requests_for, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    first = run_fits(corpus, requests_for[:4], journal)
    fitted: list[str] = []
    real = search.fit_classifier

    def watched(recipe, *args, **kwargs):
        fitted.append(recipe.candidate)
        return real(recipe, *args, **kwargs)

    monkeypatch.setattr(search, "fit_classifier", watched)
    told: list[tuple[int, int]] = []
    found = run_fits(corpus, requests_for, journal, progress=lambda done, total: told.append((done, total)))
    assert len(fitted) == 2
    assert told[0] == (4, 6)
    assert told[-1] == (6, 6)
    for key, result in first.items():
        np.testing.assert_array_equal(found[key].scores, result.scores)


def test_a_fit_that_fails_keeps_those_before_it(
    corpus, requests_for, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = search.fit_classifier
    count = iter(range(100))

    def interrupted(*args, **kwargs):
        if next(count) == 2:
            raise KeyboardInterrupt
        return real(*args, **kwargs)

    monkeypatch.setattr(search, "fit_classifier", interrupted)
    journal = Journal(tmp_path / "j.sqlite")
    with pytest.raises(KeyboardInterrupt):
        run_fits(corpus, requests_for, journal)
    assert len(journal.keys()) == 2


def test_a_worker_that_fails_is_not_passed_over(corpus, tmp_path: Path) -> None:
    impossible = Recipe("logistic", {"fields": "both", "ngram_max": 9})
    folds = owner_disjoint(corpus.articles).folds
    with pytest.raises(ValueError, match="ngram_max is 9"):
        run_fits(corpus, [(impossible, f.train) for f in folds], Journal(tmp_path / "j.sqlite"), jobs=2)


def test_what_the_solver_complains_of_is_kept(
    corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import warnings

    real = search.fit_classifier

    def complaining(*args, **kwargs):
        warnings.warn("did not converge\nsecond line", UserWarning, stacklevel=1)
        return real(*args, **kwargs)

    monkeypatch.setattr(search, "fit_classifier", complaining)
    request = (recipes(quick=True)[0], owner_disjoint(corpus.articles).folds[0].train)
    (result,) = run_fits(corpus, [request], Journal(tmp_path / "j.sqlite")).values()
    assert result.warning == "did not converge"


def test_the_journal_gives_back_what_it_was_given(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "deep" / "j.sqlite")
    scores = np.array([np.nan, -1.5, 1e-300, np.pi])
    journal.put("a", Result(scores, 0.25, "careful"))
    again = Journal(journal.path).get("a")
    np.testing.assert_array_equal(again.scores, scores)
    assert (again.seconds, again.warning) == (0.25, "careful")
    with pytest.raises(KeyError):
        journal.get("b")
    journal.remove()
    journal.remove()
    assert not journal.path.exists()


def test_keys_tell_rows_and_settings_apart() -> None:
    recipe = recipes(quick=True)[0]
    rows = np.arange(5)
    keys = {
        request_key((recipe, rows)),
        request_key((recipe, rows[:4])),
        request_key((Recipe(recipe.candidate, recipe.features, {"C": 9.0}), rows)),
        request_key((Recipe(recipe.candidate, recipe.features, recipe.classifier, "uniform"), rows)),
    }
    assert len(keys) == 4
