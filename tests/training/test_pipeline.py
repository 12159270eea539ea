"""The pipeline computes what the runtime computes, and looks only at the rows it is given."""

from __future__ import annotations

import math

import numpy as np
import pytest

from framelens.features.reference import MEASURES
from framelens.features.style import MARKS, marks_lost
from framelens.features.vocabulary import Vocabulary
from framelens_train.candidates import CANDIDATES, Recipe, fit_recipe, recipes
from framelens_train.pipeline import FieldTfidf, decision_scores, linear_weights, ngram_sizes, to_linear_model

QUICK = recipes(quick=True)


def small(recipe: Recipe, **features: object) -> Recipe:
    """The recipe for the invented corpus, which is too small for the default document frequency."""
    return Recipe(
        recipe.candidate, {**recipe.features, "min_df": 2, **features}, recipe.classifier, recipe.weighting
    )


def fitted(recipe: Recipe, corpus):
    rows = np.flatnonzero(corpus.y >= 0)
    return fit_recipe(small(recipe), corpus, rows)


@pytest.mark.parametrize("recipe", QUICK, ids=lambda r: r.candidate)
def test_the_export_scores_as_the_pipeline_does(recipe: Recipe, corpus) -> None:
    if recipe.candidate == "stratified":
        pytest.skip("a coin for each article has no weights")
    pipeline = fitted(recipe, corpus)
    model = to_linear_model(pipeline, corpus.vocabulary)
    mine, runtime = decision_scores(pipeline, corpus.X), model.decision_function(corpus.batch)
    np.testing.assert_allclose(runtime, mine, atol=1e-6 * max(1, np.abs(mine).max()), rtol=0)


@pytest.mark.parametrize(
    "features",
    [
        {"fields": "reporter"},
        {"style_weight": 0.0},
        {"style_weight": 4.0},
        {"style": "all"},
        {"ngram_max": 1},
        {"ngram_max": 3},
        {"min_df": 60},
    ],
    ids=str,
)
def test_every_feature_setting_exports(features: dict, corpus) -> None:
    rows = np.flatnonzero(corpus.y >= 0)
    pipeline = fit_recipe(small(QUICK[0], **features), corpus, rows)
    model = to_linear_model(pipeline, corpus.vocabulary)
    np.testing.assert_allclose(
        model.decision_function(corpus.batch), decision_scores(pipeline, corpus.X), atol=1e-6, rtol=0
    )


@pytest.mark.parametrize("name", ["logistic", "svm", "ridge", "sgd_log", "sgd_huber", "elastic_net"])
def test_scores_are_scikit_learns_own(name: str, corpus) -> None:
    recipe = next(r for r in QUICK if r.candidate == name)
    pipeline = fitted(recipe, corpus)
    np.testing.assert_allclose(
        decision_scores(pipeline, corpus.X), pipeline.decision_function(corpus.X), atol=1e-5, rtol=1e-5
    )


def test_naive_bayes_scores_are_its_log_odds(corpus) -> None:
    recipe = next(r for r in QUICK if r.candidate == "complement_nb")
    pipeline = fitted(recipe, corpus)
    p = pipeline.predict_log_proba(corpus.X)
    np.testing.assert_allclose(decision_scores(pipeline, corpus.X), p[:, 1] - p[:, 0], atol=1e-5)


def test_one_value_worked_out_by_hand(make_corpus) -> None:
    corpus = make_corpus(state_owners=2, independents=2, each=1)
    X = corpus.X
    features = FieldTfidf(min_df=1, ngram_max=3, sizes=ngram_sizes(corpus.vocabulary)).fit(X)
    dense, values = X.toarray(), features.transform(X).toarray()
    V, n = len(corpus.vocabulary), X.shape[0]
    expected = []
    for column in range(2 * V):
        df = int((dense[:, column] > 0).sum())
        if df:
            idf = math.log((1 + n) / (1 + df)) + 1
            expected.append([(1 + math.log(c)) * idf if c else 0.0 for c in dense[:, column]])
    table = np.array(expected).T
    table /= np.linalg.norm(table, axis=1, keepdims=True)
    np.testing.assert_allclose(values[:, : table.shape[1]], table, atol=1e-6)
    style = values[:, table.shape[1] :]
    assert style.shape[1] == len(MEASURES)
    assert np.abs(style).max() <= 3 / math.sqrt(len(MEASURES)) + 1e-6


def test_document_frequency_is_that_of_the_rows_it_was_fitted_on(corpus) -> None:
    rows = np.arange(40)
    features = FieldTfidf(min_df=8, sizes=ngram_sizes(corpus.vocabulary)).fit(corpus.X[rows])
    V = len(corpus.vocabulary)
    df = (corpus.X[rows].toarray()[:, : 2 * V] > 0).sum(axis=0)
    short = np.tile(ngram_sizes(corpus.vocabulary) <= 2, 2)
    assert features.columns_.tolist() == np.flatnonzero((df >= 8) & short).tolist()


def test_an_article_without_terms_scores_by_style_alone(corpus) -> None:
    pipeline = fitted(QUICK[0], corpus)
    empty = corpus.X[:1].copy()
    empty.data[:] = 0
    assert np.isfinite(decision_scores(pipeline, empty)).all()


def test_the_same_recipe_gives_the_same_bits(corpus) -> None:
    for recipe in QUICK:
        first, second = (decision_scores(fitted(recipe, corpus), corpus.X) for _ in range(2))
        np.testing.assert_array_equal(first, second)


def test_test_rows_do_not_move_the_fit(corpus) -> None:
    rows = np.flatnonzero(corpus.y >= 0)[::2]
    before = fit_recipe(small(QUICK[0]), corpus, rows)
    others = np.setdiff1d(np.arange(corpus.X.shape[0]), rows)
    corpus.X.data[np.isin(np.repeat(np.arange(corpus.X.shape[0]), np.diff(corpus.X.indptr)), others)] += 3
    corpus.articles.loc[others, "owner"] = "somebody else"
    after = fit_recipe(small(QUICK[0]), corpus, rows)
    np.testing.assert_array_equal(before["classifier"].coef_, after["classifier"].coef_)


def test_lost_punctuation_is_fitted_on_as_it_is_and_scored_at_the_mean(corpus) -> None:
    lost = marks_lost(corpus.batch.measures)
    assert 0 < lost.sum() < len(lost)
    features = FieldTfidf(min_df=2, sizes=ngram_sizes(corpus.vocabulary))
    fitted_on = features.fit_transform(corpus.X).toarray()
    scored = features.transform(corpus.X).toarray()
    marks = scored.shape[1] - len(MEASURES) + np.flatnonzero(MARKS)
    assert (scored[np.ix_(lost, marks)] == 0).all()
    assert fitted_on[np.ix_(lost, marks)].any(axis=1).all()
    scored[np.ix_(lost, marks)] = fitted_on[np.ix_(lost, marks)]
    np.testing.assert_array_equal(scored, fitted_on)


def test_another_vocabulary_is_refused(corpus) -> None:
    pipeline = fitted(QUICK[0], corpus)
    with pytest.raises(ValueError, match="the vocabulary 1"):
        to_linear_model(pipeline, Vocabulary(["the"]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"fields": "quoted"}, "fields is 'quoted'"),
        ({"ngram_max": 4}, "ngram_max is 4"),
        ({"min_df": 0}, "min_df is 0"),
        ({"style_weight": -1.0}, "style_weight is -1"),
        ({"style": "some"}, "style is 'some'"),
        ({"sizes": np.ones(3, np.int8)}, "sizes knows 3 terms"),
    ],
)
def test_settings_out_of_range_are_named(corpus, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FieldTfidf(**settings).fit(corpus.X)


def test_only_linear_classifiers_are_taken() -> None:
    with pytest.raises(TypeError, match="object is no linear classifier"):
        linear_weights(object())


def test_the_table_of_candidates_has_what_was_promised() -> None:
    assert {"logistic", "elastic_net", "svm", "sgd_log", "sgd_huber", "ridge", "complement_nb"} <= set(
        CANDIDATES
    )
    assert [name for name, row in CANDIDATES.items() if row.dummy] == ["majority", "stratified"]
    everything = recipes()
    assert len({r.key for r in everything}) == len(everything)
    assert all(Recipe.from_dict(r.to_dict()) == r for r in everything)
    assert {r.key for r in recipes(quick=True)} <= {r.key for r in everything}
