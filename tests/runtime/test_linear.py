"""The score is what the formula of LinearModel says, worked out here the long way."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framelens.calibration import Calibration
from framelens.features.batch import FeatureBatch, featurize
from framelens.features.reference import MEASURES, count
from framelens.features.style import MARKS, WORDS_A_PERIOD, marks_lost, style_features
from framelens.features.vocabulary import Vocabulary
from framelens.linear import LinearModel

# Invented sentences.
TEXTS = [
    'The minister stressed that "the two sides will deepen cooperation" and the two sides agreed.',
    "",
    "Residents were arrested, but the council said it had concerns. Residents asked whether it was legal?",
    "1 2 3 4",
]
TERMS = ["the", "the two", "two sides", "concerns", "said it had", "<name> were", "stressed that"]


@pytest.fixture
def model() -> LinearModel:
    rng = np.random.default_rng(7)
    shape, m = (len(TERMS), 2), len(MEASURES)
    return LinearModel(
        Vocabulary(TERMS),
        idf=rng.uniform(0.5, 3, shape).astype(np.float32),
        weights=rng.normal(size=shape).astype(np.float32),
        style_mean=rng.normal(size=m).astype(np.float32),
        style_scale=rng.uniform(0.5, 2, m).astype(np.float32),
        style_weights=rng.normal(size=m).astype(np.float32),
        style_clip=2.0,
        intercept=-0.25,
    )


def long_way(model: LinearModel, text: str) -> float:
    counts = count(text)
    dot = squares = 0.0
    for term, fields in counts.terms.items():
        if term not in model.vocabulary.index:
            continue
        t = model.vocabulary.index[term]
        for f, c in enumerate(fields):
            if c > 0:
                v = float(model.idf[t, f]) * (1 + math.log(c))
                dot += float(model.weights[t, f]) * v
                squares += v * v
    style = style_features(counts.measures[None])[0]
    z = np.clip((style - model.style_mean) / model.style_scale, -model.style_clip, model.style_clip)
    return model.intercept + dot / (math.sqrt(squares) or 1.0) + float(z @ model.style_weights)


def test_score_is_the_formula(model: LinearModel) -> None:
    batch = featurize(TEXTS, model.vocabulary, engine="reference")
    np.testing.assert_allclose(model.decision_function(batch), [long_way(model, t) for t in TEXTS], rtol=1e-6)


def test_score_of_an_article_does_not_depend_on_its_company(model: LinearModel) -> None:
    batch = featurize(TEXTS, model.vocabulary, engine="reference")
    alone = [model.decision_function(batch.take([i]))[0] for i in range(batch.rows)]
    assert model.decision_function(batch).tolist() == alone


def test_an_idf_of_zero_takes_a_term_out_of_a_field(model: LinearModel) -> None:
    idf = model.idf.copy()
    idf[:, 1] = 0
    reporter_only = replace(model, idf=idf)
    quoted_differs = [TEXTS[0], TEXTS[0].replace("the two sides will", "the we will")]
    kept = FeatureBatch.concat([featurize([t], model.vocabulary, engine="reference") for t in quoted_differs])
    a, b = (
        reporter_only.term_contributions(kept.take([0])).sum(),
        reporter_only.term_contributions(kept.take([1])).sum(),
    )
    assert a == pytest.approx(b)


def test_a_wrong_shape_is_named(model: LinearModel) -> None:
    with pytest.raises(ValueError, match=r"idf have the shape \(2, 2\); expected \(7, 2\)"):
        replace(model, idf=model.idf[:2])
    with pytest.raises(ValueError, match="style_scale must be positive"):
        replace(model, style_scale=-model.style_scale)


def test_take_and_concat_put_articles_together_again(model: LinearModel) -> None:
    batch = featurize(TEXTS, model.vocabulary, engine="reference")
    order = [2, 0, 3, 1]
    again = FeatureBatch.concat(
        [batch.take([2, 0]), batch.take(np.array([3, 1])), FeatureBatch.empty()]
    ).take(np.argsort(order))
    for name in ("indptr", "term", "reporter", "quoted", "measures"):
        np.testing.assert_array_equal(getattr(again, name), getattr(batch, name))


def test_style_of_an_invented_article() -> None:
    style = dict(zip(MEASURES, style_features(count(TEXTS[2]).measures[None])[0], strict=True))
    assert style["words"] == pytest.approx(math.log(1 + 16))
    assert style["sentences"] == pytest.approx(math.log(3 / 17))
    assert style["comma"] == pytest.approx(math.log1p(100 / 16))
    assert np.isfinite(style_features(count("").measures[None])).all()


def test_lost_punctuation_counts_as_the_mean_and_not_as_a_style(model: LinearModel) -> None:
    whole = "The council met, and the two sides argued (at length). Residents left! " * 3  # invented
    bare = "".join(c for c in whole if c.isalpha() or c == " ")
    commas_left = whole.replace(".", " ").replace("!", " ")
    batch = featurize([whole, bare, commas_left], model.vocabulary, engine="reference")
    added = model.style_contributions(batch.measures)
    assert marks_lost(batch.measures).tolist() == [False, True, True]
    assert (added[0, MARKS] != 0).all()
    assert (added[1:, MARKS] == 0).all()
    assert (added[1:, ~MARKS] != 0).all()


def test_punctuation_is_lost_when_a_full_stop_has_too_many_words() -> None:
    measures = np.zeros((4, len(MEASURES)), dtype=np.int32)
    words, period = MEASURES.index("words"), MEASURES.index("period")
    measures[:, words] = 0, 3 * WORDS_A_PERIOD, 3 * WORDS_A_PERIOD + 1, 2**31 - 1
    measures[:, period] = 0, 3, 3, 2**31 - 1
    assert marks_lost(measures).tolist() == [False, False, True, False]


@given(st.lists(st.floats(-50, 50), min_size=1, max_size=20))
def test_platt_is_the_sigmoid_and_never_leaves_0_to_1(scores: list[float]) -> None:
    p = Calibration("platt", slope=2.0, offset=0.5).p_state(scores)
    np.testing.assert_allclose(
        p, [1 / (1 + math.exp(-(2.0 * s + 0.5))) for s in scores], rtol=1e-9, atol=1e-15
    )
    assert ((p >= 0) & (p <= 1)).all()


def test_isotonic_interpolates_and_stays_constant_outside() -> None:
    calibration = Calibration.from_dict({"method": "isotonic", "x": [-1, 0, 2], "y": [0.1, 0.5, 0.7]})
    assert calibration.p_state([-5, -1, 1, 9]).tolist() == pytest.approx([0.1, 0.1, 0.6, 0.7])
    assert Calibration.from_dict(calibration.to_dict()) == calibration


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "lacks 'method'"),
        ({"method": "platt", "slope": 1}, "lacks 'offset'"),
        ({"method": "magic"}, "'magic'"),
        ({"method": "platt", "slope": -1, "offset": 0}, "slope -1"),
        ({"method": "isotonic", "x": [0, 1], "y": [0.9, 0.1]}, "neither ever falling"),
        ({"method": "isotonic", "x": [0, 1], "y": [0.1, 1.2]}, r"0\.\.1"),
    ],
)
def test_a_wrong_calibration_is_refused_with_its_fault(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Calibration.from_dict(values)


def test_compact_drops_unused_terms_and_keeps_every_score(model: LinearModel) -> None:
    idf = model.idf.copy()
    idf[[0, 3]] = 0.0  # two terms that no field uses
    idf[1, 1] = 0.0  # and one that quoted speech does not
    sparse = replace(model, idf=idf)
    compact = sparse.compact()
    assert compact.vocabulary.terms == tuple(term for i, term in enumerate(TERMS) if i not in (0, 3))
    whole = sparse.decision_function(featurize(TEXTS, sparse.vocabulary, engine="reference"))
    short = compact.decision_function(featurize(TEXTS, compact.vocabulary, engine="reference"))
    np.testing.assert_allclose(short, whole, atol=1e-12)
