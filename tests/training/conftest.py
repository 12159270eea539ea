"""A small invented corpus: counts drawn at random, no article behind any of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from framelens.features.batch import FeatureBatch
from framelens.features.reference import MEASURES
from framelens.features.vocabulary import Vocabulary
from framelens_train.corpus.dataset import Corpus
from framelens_train.training import Settings, Trained, train

WORDS = ("the", "said", "stressed", "whether", "sovereignty", "concerns", "rain", "goal", "price", "he")
TERMS = (*WORDS, *(f"{a} {b}" for a in WORDS[:6] for b in WORDS[:6] if a != b), "the said stressed")
SLANT = {"stressed": 2.0, "sovereignty": 2.0, "concerns": -2.0, "whether": -2.0}
"""How much likelier a word is under a state label, as a power of e; bigrams share it."""


def invented_corpus(
    *, state_owners: int = 4, outlets: int = 2, independents: int = 12, each: int = 12, seed: int = 0
) -> Corpus:
    """Articles of `state_owners` states with `outlets` outlets each and of `independents` other outlets, half
    of them Western, the others of three countries, one of them the first state's.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for s in range(state_owners):
        rows += [
            (f"state{s}-{o}.example", f"state:{chr(65 + s) * 2}", "state", "nonwest", chr(65 + s) * 2)
            for o in range(outlets)
        ]
    for i in range(independents):
        place = ("nonwest", ("AA", "YY", "ZZ")[i // 2 % 3]) if i % 2 else ("west", "WW")
        rows.append((f"paper{i}.example", f"paper{i}.example", "independent", *place))
    rows.append(("public.example", "public.example", "mixed", "west", "WW"))
    rows = [row for row in rows for _ in range(each)]
    articles = pd.DataFrame(rows, columns=["outlet", "owner", "label", "region", "country"])
    n = len(articles)
    articles.insert(0, "id", [f"a{i:05d}" for i in range(n)])
    days = rng.integers(0, 2000, n)
    articles["date"] = (pd.Timestamp("2015-01-01") + pd.to_timedelta(days, unit="D")).strftime("%Y-%m-%d")
    articles["cluster"] = rng.integers(0, int(n * 0.9), n)
    articles["words"] = rng.integers(80, 900, n)
    articles["sha256"] = [f"{i:064x}" for i in range(n)]
    return Corpus(articles, invented_batch(articles, rng), Vocabulary(TERMS), "0" * 64)


def invented_batch(articles: pd.DataFrame, rng: np.random.Generator) -> FeatureBatch:
    side = articles["label"].map({"state": 1, "independent": -1, "mixed": 0}).to_numpy()
    house = {o: rng.normal(0, 0.4, len(TERMS)) for o in articles["outlet"].unique()}
    slant = np.array([sum(SLANT.get(w, 0) for w in t.split()) / (1 + t.count(" ")) for t in TERMS])
    rate = np.exp(-0.5 + 0.25 * side[:, None] * slant + np.stack([house[o] for o in articles["outlet"]]))
    counts = np.stack([rng.poisson(rate), rng.poisson(rate * 0.3)], axis=2)
    measures = rng.poisson(4, (len(articles), len(MEASURES))).astype(np.int32)
    measures[:, 0] = articles["words"]
    measures[:, MEASURES.index("letters")] = 5 * measures[:, 0]
    row, term = np.nonzero(counts.sum(axis=2))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(articles)))]).astype(np.int64)
    fields = counts[row, term].astype(np.int32)
    return FeatureBatch(indptr, term.astype(np.int32), fields[:, 0].copy(), fields[:, 1].copy(), measures)


@pytest.fixture
def make_corpus() -> Callable[..., Corpus]:
    return invented_corpus


@pytest.fixture
def corpus() -> Corpus:
    return invented_corpus()


@dataclass(frozen=True)
class FinishedTraining:
    """A quick training on the invented corpus, in a folder of its own."""

    folder: Path
    corpus: Corpus
    result: Trained


@pytest.fixture(scope="session")
def training_on_disk(tmp_path_factory: pytest.TempPathFactory) -> FinishedTraining:
    folder = tmp_path_factory.mktemp("training")
    corpus = invented_corpus()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("MLFLOW_TRACKING_URI", raising=False)
        names = ("logistic", "complement_nb", "majority")
        return FinishedTraining(folder, corpus, train(corpus, Settings(candidates=names, quick=True, jobs=1)))


@pytest.fixture
def finished(training_on_disk: FinishedTraining, monkeypatch: pytest.MonkeyPatch) -> FinishedTraining:
    """As `training_on_disk`, with the test in its folder."""
    monkeypatch.chdir(training_on_disk.folder)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    return training_on_disk
