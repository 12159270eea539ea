"""A small invented corpus: counts drawn at random, owners with habits of their own, state framing shared by
all.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from framelens.features.batch import FeatureBatch
from framelens.features.reference import MEASURES
from framelens.features.vocabulary import Vocabulary
from framelens_train.candidates import Recipe
from framelens_train.corpus.dataset import Corpus

STATE_TERMS = ("hailed", "cooperation", "sovereignty", "stressed", "friendly relations")
INDEPENDENT_TERMS = ("alleged", "whether", "arrested", "concerns", "said ,")
OWNERS = 5
ARTICLES_AN_OUTLET = 20
TERMS = 60


def make_corpus(seed: int = 0, *, owners: int = OWNERS, mixed: int = 10, signal: float = 1.0) -> Corpus:
    """`owners` state owners of two outlets each, three times as many independent outlets, `mixed` mixed
    articles.
    """
    rng = np.random.default_rng(seed)
    outlets = [(f"s{k}{side}", f"state:{k:02d}", "state") for k in range(owners) for side in "ab"]
    outlets += [(f"i{k}", f"i{k}", "independent") for k in range(3 * owners)]
    rows = [outlet for outlet in outlets for _ in range(ARTICLES_AN_OUTLET)] + [("m", "m", "mixed")] * mixed
    terms = sorted(
        {
            *STATE_TERMS,
            *INDEPENDENT_TERMS,
            *(f"word{chr(97 + i // 26)}{chr(97 + i % 26)}" for i in range(TERMS - 10)),
        }
    )
    label = np.array([{"state": 1, "independent": 0, "mixed": -1}[row[2]] for row in rows])
    rate = np.full((len(rows), len(terms)), 0.5)
    for names, wanted in ((STATE_TERMS, 1), (INDEPENDENT_TERMS, 0)):
        for name in names:
            rate[label == wanted, terms.index(name)] += signal
    habit = {outlet: rng.gamma(0.3, 1.0, len(terms)) for outlet in sorted({row[1] for row in rows})}
    rate += np.array([habit[row[1]] for row in rows])
    reporter, quoted = rng.poisson(rate), rng.poisson(rate * 0.3 * rng.integers(0, 2, (len(rows), 1)))
    batch = _batch(reporter, quoted, rng)
    dates = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1500, len(rows)), unit="D")
    articles = pd.DataFrame(
        {
            "id": [f"a{i}" for i in range(len(rows))],
            "outlet": [row[0] for row in rows],
            "owner": [row[1] for row in rows],
            "country": [row[1][-2:].upper() for row in rows],
            "region": np.where(np.arange(len(rows)) // ARTICLES_AN_OUTLET % 2 == 0, "nonwest", "west"),
            "label": [row[2] for row in rows],
            "date": dates.strftime("%Y-%m-%d"),
            "words": batch.measures[:, MEASURES.index("words")],
            "cluster": np.arange(len(rows)),
            "sport": rng.random(len(rows)) < 0.1,
            "wire": rng.random(len(rows)) < 0.05,
        }
    )
    return Corpus(articles=articles, batch=batch, vocabulary=Vocabulary(terms), sha256="0" * 64)


def _batch(reporter: np.ndarray, quoted: np.ndarray, rng: np.random.Generator) -> FeatureBatch:
    row, term = np.nonzero(reporter + quoted)
    measures = np.zeros((len(reporter), len(MEASURES)), dtype=np.int32)
    column = MEASURES.index
    measures[:, column("words")] = 3 * (reporter + quoted).sum(axis=1) + 60
    measures[:, column("quoted_words")] = 3 * quoted.sum(axis=1)
    measures[:, column("names")] = measures[:, column("words")] // 8
    measures[:, column("common_words")] = measures[:, column("words")] * 3 // 4
    measures[:, column("letters")] = 5 * measures[:, column("words")] + rng.integers(0, 40, len(reporter))
    measures[:, column("function_reporter")] = measures[:, column("words")] // 3
    measures[:, column("sentences")] = 1 + measures[:, column("words")] // 20
    measures[:, column("quotations")] = (quoted.sum(axis=1) > 0) * 2
    return FeatureBatch(
        np.concatenate([[0], np.cumsum(np.bincount(row, minlength=len(reporter)))]).astype(np.int64),
        term.astype(np.int32),
        reporter[row, term].astype(np.int32),
        quoted[row, term].astype(np.int32),
        measures,
    )


@pytest.fixture(scope="session")
def corpus() -> Corpus:
    """The invented corpus; tests do not change it."""
    return make_corpus()


@pytest.fixture(scope="session")
def recipe() -> Recipe:
    """A quick recipe of the candidates' table."""
    return Recipe(
        "logistic",
        {"fields": "both", "ngram_max": 2, "min_df": 2, "style_weight": 0.5},
        {"C": 1.0},
        "owner_sqrt",
    )
