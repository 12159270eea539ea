"""The protocols: nothing of what is held out may leak, and the same seed must give the same bits."""

from __future__ import annotations

import dataclasses
import platform
import subprocess
import sys

import numpy as np
import pytest

from framelens_train.candidates import Recipe
from framelens_train.corpus.dataset import Corpus
from framelens_train.evaluate import protocols, summary
from framelens_train.evaluate.fitting import RecipeFitter
from framelens_train.splits import Fold, Split

FAULTS = """
import resource
from framelens_train.evaluate.fitting import keep_freed_memory

def page_faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(10):
        b"x" * 2**26
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

before = page_faults()
assert keep_freed_memory()
page_faults()
print(before, page_faults())
"""


@dataclasses.dataclass(frozen=True)
class Spy:
    """A fitter that remembers the rows it was trained on."""

    seen: list[np.ndarray]

    def fit(self, corpus: Corpus, rows: np.ndarray, *, seed: int = 0) -> Memory:
        self.seen.append(rows)
        return Memory(rows)


@dataclasses.dataclass(frozen=True)
class Memory:
    """Scores by the first column."""

    rows: np.ndarray

    def decision_function(self, X: object) -> np.ndarray:
        return np.asarray(X[:, [0]].toarray()).ravel()  # type: ignore[index]


@pytest.fixture(scope="module")
def headline(corpus: Corpus, recipe: Recipe) -> protocols.ProtocolResult:
    splits, _ = protocols.available_splits(corpus)
    wanted = {"owner_disjoint": splits["owner_disjoint"]}
    return protocols.run_protocols(RecipeFitter(recipe), corpus, wanted)["owner_disjoint"]


def owners(corpus: Corpus, rows: np.ndarray) -> set[str]:
    return set(corpus.articles["owner"].to_numpy(dtype=object)[rows])


def test_every_labelled_article_is_tested_once_and_mixed_ones_apart(
    corpus: Corpus, headline: protocols.ProtocolResult
) -> None:
    assert headline.scored.rows.tolist() == np.flatnonzero(corpus.y >= 0).tolist()
    assert headline.mixed.rows.tolist() == np.flatnonzero(corpus.y < 0).tolist()
    assert np.isfinite(headline.scored.p).all()


def test_the_owners_of_a_fold_train_neither_its_model_nor_its_calibration(corpus: Corpus) -> None:
    splits, _ = protocols.available_splits(corpus)
    split = splits["owner_disjoint"]
    spy = Spy([])
    result = protocols.run_protocols(spy, corpus, {"owner_disjoint": split})["owner_disjoint"]
    for model in result.models:
        held = owners(corpus, model.fold.test)
        assert isinstance(model.scorer, Memory)
        assert not held & owners(corpus, model.scorer.rows)
        assert not held & owners(corpus, model.held_out.rows)
    # the scores that calibrate a fold come from fits without it and without the owners they score
    folds = len(split.folds)
    assert len(spy.seen) == folds + folds * (folds - 1) // 2
    for rows in spy.seen[folds:]:
        assert sum(not owners(corpus, fold.test) & owners(corpus, rows) for fold in split.folds) == 2


def test_a_changed_label_of_a_held_out_article_changes_no_probability_of_its_fold(
    corpus: Corpus, recipe: Recipe, headline: protocols.ProtocolResult
) -> None:
    splits, _ = protocols.available_splits(corpus)
    split = splits["owner_disjoint"]
    fold = split.folds[0]
    spoiled = dataclasses.replace(corpus)
    y = corpus.y.copy()
    y[fold.test] = 1 - y[fold.test]
    object.__setattr__(spoiled, "y", y)
    relabelled = corpus.articles.copy()
    relabelled.loc[fold.test, "label"] = np.where(y[fold.test] == 1, "state", "independent")
    spoiled.articles = relabelled
    after = protocols.run_protocols(RecipeFitter(recipe), spoiled, {"owner_disjoint": split})
    inside = headline.scored.fold == 0
    np.testing.assert_array_equal(after["owner_disjoint"].scored.p[inside], headline.scored.p[inside])


def test_two_processes_give_the_bits_of_one(
    corpus: Corpus, recipe: Recipe, headline: protocols.ProtocolResult
) -> None:
    splits, _ = protocols.available_splits(corpus)
    again = protocols.run_protocols(
        RecipeFitter(recipe), corpus, {"owner_disjoint": splits["owner_disjoint"]}, jobs=2
    )["owner_disjoint"]
    np.testing.assert_array_equal(again.scored.p, headline.scored.p)
    one = summary.protocol_figures(corpus.articles, headline.scored, draws=50, seed=1)
    two = summary.protocol_figures(corpus.articles, again.scored, draws=50, seed=1)
    assert one == two


def test_a_split_that_trains_on_a_near_duplicate_of_its_test_is_refused(corpus: Corpus) -> None:
    articles = corpus.articles.assign(cluster=0)
    whole = dataclasses.replace(corpus, articles=articles)
    split = Split("random", (Fold("0", np.arange(10, 20), np.arange(10)),))
    with pytest.raises(ValueError, match="near-duplicates"):
        protocols.check_split(whole, split)


def test_a_split_that_trains_on_a_held_out_owner_is_refused(corpus: Corpus) -> None:
    split = Split("owner_disjoint", (Fold("state:00", np.arange(30, 60), np.arange(30)),))
    with pytest.raises(ValueError, match="state:00 stands in training and in test"):
        protocols.check_split(corpus, split)


def test_a_split_that_trains_on_a_held_out_country_is_refused(corpus: Corpus) -> None:
    one_country = dataclasses.replace(corpus, articles=corpus.articles.assign(country="QQ"))
    papers = np.flatnonzero((corpus.y == 0) & (corpus.articles["region"] == "nonwest").to_numpy())
    owner = corpus.articles["owner"].to_numpy(dtype=object)[papers]
    fold = Fold("x", papers[owner != owner[0]], papers[owner == owner[0]])
    protocols.check_split(corpus, Split("country_disjoint", (fold,)))
    with pytest.raises(ValueError, match="QQ stands in training and in test"):
        protocols.check_split(one_country, Split("country_disjoint", (fold,)))


def test_a_corpus_without_dates_has_no_temporal_protocol_and_says_so(corpus: Corpus) -> None:
    undated = dataclasses.replace(corpus, articles=corpus.articles.assign(date=None))
    splits, missing = protocols.available_splits(undated)
    assert "temporal" not in splits
    assert "dat" in missing["temporal"]


def test_figures_of_a_good_model_are_good_and_hold_what_the_design_names(
    corpus: Corpus, headline: protocols.ProtocolResult
) -> None:
    figures = summary.protocol_figures(corpus.articles, headline.scored, draws=100)
    assert {"macro_f1", "roc_auc", "ece", "brier", "n", "ci95"} <= set(figures)
    assert figures["macro_f1"] > 0.75
    assert figures["ci95"][0] < figures["macro_f1"] < figures["ci95"][1]
    assert figures["n"] == (corpus.y >= 0).sum()
    nonwest = (corpus.y == 0) & (corpus.articles["region"] == "nonwest").to_numpy()
    called = headline.scored.found[nonwest[headline.scored.rows]]
    assert figures["false_state_rate_nonwest"] == pytest.approx(called.mean())
    shown = summary.figures_and_answers(corpus.articles, headline.scored)
    assert shown["answers"]["independent_nonwest"]["forced_state"] == shown["false_state_rate_nonwest"]
    assert shown["answers"]["state"]["forced_state"] == shown["recall_state"]


def test_figures_of_one_label_are_none_rather_than_wrong(
    corpus: Corpus, headline: protocols.ProtocolResult
) -> None:
    only = headline.scored.take(headline.scored.y == 0)
    figures = summary.protocol_figures(corpus.articles, only)
    assert figures["macro_f1"] is None
    assert figures["roc_auc"] is None
    assert figures["ci95"] is None
    assert figures["recall_state"] is None
    empty = summary.protocol_figures(corpus.articles, headline.scored.take(np.zeros(0, dtype=np.int64)))
    assert empty["n"] == 0
    assert empty["macro_f1"] is None


def test_a_worker_keeps_the_memory_it_frees_where_the_c_library_can() -> None:
    if platform.libc_ver()[0] != "glibc":
        pytest.skip("only glibc has such settings")
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert after < before / 4
