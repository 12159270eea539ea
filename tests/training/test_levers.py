"""Levers start from the base recipe and look at training rows alone; calibration is compared as described."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scipy.sparse as sp

from framelens_train import track
from framelens_train.candidates import LIGHT, Recipe, fit_recipe
from framelens_train.pipeline import decision_scores
from framelens_train.splits import owner_disjoint


@pytest.fixture
def levers(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2])
    import benchmarks.levers

    return benchmarks.levers


@pytest.fixture
def mentions(corpus) -> sp.csr_matrix:
    return sp.csr_matrix(np.random.default_rng(0).integers(0, 2, (len(corpus), 4)).astype(np.float32))


def test_the_first_lever_is_the_base_recipe(levers, corpus) -> None:
    from benchmarks.ablations import BASE

    fold = owner_disjoint(corpus.articles).folds[0]
    scores = levers.base(levers.Trial(corpus, fold.train, LIGHT[0]))[fold.test]
    fitted = fit_recipe(Recipe("owner_ensemble", LIGHT[0], BASE), corpus, fold.train)
    np.testing.assert_allclose(scores, decision_scores(fitted, corpus.X[fold.test]), atol=1e-4)


def test_no_lever_learns_from_the_labels_of_test_rows(levers, corpus, mentions) -> None:
    fold = owner_disjoint(corpus.articles).folds[0]
    articles = corpus.articles.copy()
    articles.loc[fold.test, "label"] = "mixed"
    unlabelled = replace(corpus, articles=articles)
    for score in {lever.score for lever in levers.LEVERS} - {levers.letters}:  # too few words for letters
        first, second = (
            score(levers.Trial(each, fold.train, LIGHT[0], mentions=mentions))
            for each in (corpus, unlabelled)
        )
        assert first.shape == (len(corpus),), score.__name__
        assert np.isfinite(first).all(), score.__name__
        np.testing.assert_array_equal(first, second, err_msg=score.__name__)


def test_countries_are_found_by_name_and_nationality(levers, corpus, tmp_path) -> None:
    import json

    import zstandard
    from benchmarks import mentions

    ids = corpus.articles["id"].tolist()
    lines = [{"id": ids[2], "text": "A Russian ship left Harare."}, {"id": "other", "text": "Iran"}]
    with zstandard.open(tmp_path / "raw.jsonl.zst", "wt", encoding="utf-8") as file:
        file.write("".join(json.dumps(line) + "\n" for line in lines))
    found = mentions.country_mentions(corpus, tmp_path / "raw.jsonl.zst").tocoo()
    assert set(found.row) == {2}
    assert {next(iter(mentions.COUNTRIES[c] & {"Russian", "Harare"})) for c in found.col} == {
        "Russian",
        "Harare",
    }


def test_levers_are_runs_below_one_parent(levers, corpus, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    chosen = [lever for lever in levers.LEVERS if lever.name in ("base", "median of the members")]
    parent, table = levers.run_levers(corpus, chosen)
    assert [row["recipe"] for row in table] == [lever.name for lever in chosen]
    with track.open_store() as client:
        for row in table:
            run = client.get_run(row["run"])
            assert run.data.tags["mlflow.parentRunId"] == parent
            assert run.data.metrics["owner_disjoint/roc_auc"] == pytest.approx(row["owner_disjoint/roc_auc"])


def test_venn_abers_is_isotonic_with_room_for_doubt(monkeypatch) -> None:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2])
    from benchmarks.decisions import venn_abers

    rng = np.random.default_rng(1)
    score = rng.normal(size=4000)
    y = (rng.random(4000) < 1 / (1 + np.exp(-2 * score))).astype(np.int64)
    new = np.array([-1.0, 0.0, 1.0])
    p = venn_abers(y, score, np.ones(4000), new)
    np.testing.assert_allclose(p, 1 / (1 + np.exp(-2 * new)), atol=0.1)
    # of three articles nothing is certain, however well they are parted
    few = venn_abers(np.array([0, 1, 1]), np.array([-1.0, 1.0, 2.0]), np.ones(3), np.array([-3.0, 3.0]))
    assert 0.2 < few[0] < 0.5 < few[1] < 0.8
