"""Scoring in one pass gives what counting and then LinearModel give."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from framelens.features.arrow import score_arrow
from framelens.features.batch import as_arrow_chunks, featurize
from framelens.features.reference import MEASURES
from framelens.features.vocabulary import Vocabulary
from framelens.linear import LinearModel

WORDS = ["the", "minister", "said", "“", "”", '"', ".", "\n", "Brondal", "12", "two", "sides", "й", "the the"]
TERMS = [
    "the",
    "the minister",
    "two sides",
    "said .",
    "minister said .",
    "<name> said",
    "sides",
    "two two two",
]
TEXTS = st.lists(st.lists(st.sampled_from(WORDS), max_size=60).map(" ".join), max_size=5)


def linear_model(seed: int, spread: float) -> LinearModel:
    rng = np.random.default_rng(seed)
    m = len(MEASURES)
    idf = rng.uniform(0, 4, (len(TERMS), 2)) * rng.integers(0, 2, (len(TERMS), 2))
    return LinearModel(
        Vocabulary(TERMS),
        idf.astype(np.float32),
        (spread * rng.normal(size=(len(TERMS), 2))).astype(np.float32),
        rng.normal(size=m).astype(np.float32),
        rng.uniform(0.2, 2, m).astype(np.float32),
        rng.normal(size=m).astype(np.float32),
        style_clip=2.5,
        intercept=float(rng.normal()),
    )


@settings(max_examples=200, deadline=None)
@given(TEXTS, st.integers(0, 20), st.sampled_from([0.1, 1.0, 20.0]))
def test_scores_and_measures_are_those_of_the_two_steps(texts: list[str], seed: int, spread: float) -> None:
    linear = linear_model(seed, spread)
    batch = featurize(texts, linear.vocabulary, engine="reference")
    scores, measures = score_arrow(as_arrow_chunks(texts), linear)
    np.testing.assert_allclose(scores, linear.decision_function(batch), rtol=1e-12, atol=1e-9)
    np.testing.assert_array_equal(measures, batch.measures)


def test_counts_beyond_the_table_of_logarithms_are_counted_too() -> None:
    linear, texts = linear_model(1, 1.0), ["the " * 5000 + "two sides"]
    batch = featurize(texts, linear.vocabulary)
    np.testing.assert_allclose(
        score_arrow(as_arrow_chunks(texts), linear)[0], linear.decision_function(batch), atol=1e-9
    )


def test_a_row_scores_the_same_in_any_company() -> None:
    linear = linear_model(2, 1.0)
    texts = [f"the minister said . two sides {'two ' * i}" for i in range(300)]
    alone = [score_arrow([pa.array([text])], linear)[0][0] for text in texts]
    assert score_arrow([pa.array(texts)], linear)[0].tolist() == alone
