"""From counts to scores: TF-IDF by field and style, one linear classifier, and its export to the runtime.

The pipeline works on `Corpus.X`, a sparse matrix of counts with the columns ``[V terms in the reporter's
voice | V terms in quoted speech | measures]``. What it computes is exactly what
`framelens.linear.LinearModel` computes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from framelens.features.reference import MEASURES
from framelens.features.style import MARKS, marks_lost, style_features

if TYPE_CHECKING:
    from framelens.features.vocabulary import Vocabulary
    from framelens.linear import LinearModel

STYLE_CLIP = 3.0
"""Standardised style features beyond this many standard deviations are drawn in."""

FIELDS = ("both", "reporter")
STYLES = ("framing", "all")
_M = len(MEASURES)

NOT_FRAMING = frozenset(
    {
        "words",
        "paragraphs",
        "foreign_letters",
        "shouted",
        "common_words",
        "distinct_words",
        "names",
        "numbers",
    }
)
"""Measures that tell how a text was collected and laid out, how long it is and how many names it drops: on
owners never seen they cost .03 to .06 of the AUC pooled over folds (docs/experiments.md). They are counted
for abstention and not weighed.
"""


def ngram_sizes(vocabulary: Vocabulary) -> npt.NDArray[np.int8]:
    """Number of tokens in each term; int8, shape (V,)."""
    return np.fromiter(
        (term.count(" ") + 1 for term in vocabulary.terms), dtype=np.int8, count=len(vocabulary)
    )


class FieldTfidf(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """TF-IDF over the two fields, and standardised style features beside it.

    A term's value in a field is ``(1 + ln count) * idf`` with ``idf = ln((1 + n) / (1 + df)) + 1`` from the
    rows it was fitted on; an article's values have the L2 norm 1 over both fields together. A style feature
    is standardised, clipped at `STYLE_CLIP` and multiplied by ``style_weight / sqrt(number of features)``;
    measures that are not used (see `style`) are multiplied by 0.

    A text that has lost its punctuation is scored at the mean of the measures of punctuation, as the runtime
    does it (`framelens.features.style.marks_lost`). It is *fitted* on as it is: `fit_transform` is not `fit`
    and then `transform`. Where such texts come from one collector, their owner's classifier spends itself
    on the missing marks, and that costs owners never seen less than any mending of the training rows did
    (docs/experiments.md).

    Parameters
    ----------
    fields
        ``"both"``, or ``"reporter"`` to leave quoted speech out.
    ngram_max
        Longest n-gram that is used, 1 to 3.
    min_df
        Articles that must have a term in a field for it to be used there: a number, or below 1 the share of
        the articles fitted on (and then at least two).
    style_weight
        Scale of the style features against the terms; 0 leaves them out.
    style
        ``"framing"`` leaves the measures in `NOT_FRAMING` out, ``"all"`` uses every one.
    sizes
        int8, shape (V,): see `ngram_sizes`. None takes every term for a single word.

    Attributes
    ----------
    columns_
        int32, shape (K,): the columns of X that are used as terms, ascending.
    idf_
        float32, shape (K,).
    style_mean_, style_scale_
        float32, shape (len(MEASURES),); scales are positive.
    """

    def __init__(
        self,
        fields: str = "both",
        ngram_max: int = 2,
        min_df: float = 0.002,
        style_weight: float = 1.0,
        style: str = "framing",
        sizes: npt.NDArray[np.int8] | None = None,
    ) -> None:
        self.fields = fields
        self.ngram_max = ngram_max
        self.min_df = min_df
        self.style_weight = style_weight
        self.style = style
        self.sizes = sizes

    def fit(self, X: sp.csr_matrix, y: object = None) -> Self:
        """Learn document frequencies and the style's means and scales.

        Parameters
        ----------
        X
            CSR, shape (n, 2V + len(MEASURES)): counts.

        Raises
        ------
        ValueError
            For a parameter out of range, or when X's columns do not fit `sizes`.
        """
        X = self._checked(X)
        n, V = X.shape[0], self._terms(X)
        df = np.bincount(X.indices, minlength=X.shape[1])[: 2 * V]
        used = df >= (max(self.min_df * n, 2) if self.min_df < 1 else self.min_df)
        if self.fields == "reporter":
            used[V:] = False
        if self.sizes is not None:
            used &= np.tile(np.asarray(self.sizes) <= self.ngram_max, 2)
        self.columns_ = np.flatnonzero(used).astype(np.int32)
        self.idf_ = (np.log((1 + n) / (1 + df[self.columns_])) + 1).astype(np.float32)
        style = style_features(_measures(X))
        self.style_mean_ = style.mean(axis=0).astype(np.float32)
        scale = style.std(axis=0).astype(np.float32)
        self.style_scale_ = np.where(
            scale > 1e-6, scale, np.float32(1)
        )  # a measure that never varies stays at 0
        self.n_features_in_ = X.shape[1]
        return self

    def fit_transform(self, X: sp.csr_matrix, y: object = None) -> sp.csr_matrix:
        """Fit, and what to fit a classifier on: as `transform`, with lost punctuation left as it is."""
        return self.fit(X)._values(X, mend=False)

    def transform(self, X: sp.csr_matrix) -> sp.csr_matrix:
        """TF-IDF values, then the style features, of articles to score.

        Returns
        -------
        CSR float32, shape (n, K + len(MEASURES)); the style columns are absent when `style_weight` is 0.
        """
        return self._values(X, mend=True)

    def _values(self, X: sp.csr_matrix, *, mend: bool) -> sp.csr_matrix:
        check_is_fitted(self)
        X = self._checked(X)
        if X.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {X.shape[1]} columns; this pipeline was fitted on {self.n_features_in_}")
        terms = self._tfidf(X)
        if not self.style_weight:
            return terms
        return _beside(terms, self._style(X, mend=mend))

    def _tfidf(self, X: sp.csr_matrix) -> sp.csr_matrix:
        from sklearn.utils.sparsefuncs_fast import inplace_csr_row_normalize_l2

        place = np.full(X.shape[1], -1, dtype=np.int32)
        place[self.columns_] = np.arange(len(self.columns_), dtype=np.int32)
        columns = place[X.indices]
        kept = columns >= 0
        before = np.zeros(len(kept) + 1, dtype=X.indptr.dtype)
        np.cumsum(kept, out=before[1:])
        columns = columns[kept]
        values = X.data[kept].astype(np.float32, copy=False)
        np.log(values, out=values)
        values += 1
        values *= self.idf_[columns]
        terms = sp.csr_matrix((values, columns, before[X.indptr]), shape=(X.shape[0], len(self.columns_)))
        inplace_csr_row_normalize_l2(terms)
        return terms

    def _style(self, X: sp.csr_matrix, *, mend: bool) -> npt.NDArray[np.float32]:
        measures = _measures(X)
        style = style_features(measures)
        z = np.clip((style - self.style_mean_) / self.style_scale_, -STYLE_CLIP, STYLE_CLIP)
        if mend:
            z[marks_lost(measures)[:, None] & MARKS] = 0.0
        return np.asarray(z * self.style_factors, dtype=np.float32)

    @property
    def style_factors(self) -> npt.NDArray[np.float64]:
        """What each standardised style feature is multiplied by; float64, shape (len(MEASURES),)."""
        weighed = np.array([self.style == "all" or name not in NOT_FRAMING for name in MEASURES])
        return np.asarray(weighed * float(self.style_weight) / np.sqrt(weighed.sum()), dtype=np.float64)

    def _terms(self, X: sp.csr_matrix) -> int:
        return int(X.shape[1] - _M) // 2

    def _checked(self, X: sp.csr_matrix) -> sp.csr_matrix:
        """X without explicit zeros, which a count is not."""
        if self.fields not in FIELDS:
            raise ValueError(f"fields is {self.fields!r}; it must be 'both' or 'reporter'")
        if self.style not in STYLES:
            raise ValueError(f"style is {self.style!r}; it must be 'framing' or 'all'")
        if not (1 <= self.ngram_max <= 3 and self.style_weight >= 0 and self.min_df > 0):
            raise ValueError(
                f"ngram_max is {self.ngram_max}, it must be 1 to 3; style_weight is {self.style_weight}, "
                f"it must be 0 or more; min_df is {self.min_df}, it must be positive"
            )
        if X.shape[1] < _M or (X.shape[1] - _M) % 2:
            raise ValueError(f"X has {X.shape[1]} columns; two for each term and {_M} measures are expected")
        if self.sizes is not None and len(self.sizes) != self._terms(X):
            raise ValueError(f"sizes knows {len(self.sizes)} terms; X has {self._terms(X)}")
        if X.data.size and not X.data.all():
            X = X.copy()
            X.eliminate_zeros()
        return X


def decision_scores(pipeline: Pipeline, X: sp.csr_matrix) -> npt.NDArray[np.float64]:
    """Margin of each row, positive for state; float64, shape (n,)."""
    return classifier_scores(
        pipeline.named_steps["classifier"], pipeline.named_steps["features"].transform(X)
    )


def classifier_scores(classifier: Any, transformed: sp.csr_matrix) -> npt.NDArray[np.float64]:
    """Margin of each transformed row; float64, shape (n,)."""
    if (
        getattr(classifier, "strategy", "") == "stratified"
    ):  # the one baseline that throws a coin for each row
        return np.asarray(classifier.predict(transformed), dtype=np.float64) * 2 - 1
    weights, intercept = linear_weights(classifier)
    return np.asarray(transformed @ weights, dtype=np.float64) + intercept


def linear_weights(classifier: Any) -> tuple[npt.NDArray[np.float64], float]:
    """Weights (float64, shape (columns,)) and intercept of any fitted two-class linear classifier.

    Complement naive Bayes and the dummies are linear too, though scikit-learn gives them no ``coef_``.

    Raises
    ------
    TypeError
        When the classifier is not linear.
    """
    if hasattr(classifier, "coef_"):
        return np.asarray(classifier.coef_, np.float64).ravel(), float(np.ravel(classifier.intercept_)[0])
    if hasattr(classifier, "feature_log_prob_"):
        return np.asarray(classifier.feature_log_prob_[1] - classifier.feature_log_prob_[0], np.float64), 0.0
    if hasattr(classifier, "class_prior_"):
        prior = dict(
            zip(classifier.classes_.tolist(), np.ravel(classifier.class_prior_).tolist(), strict=True)
        )
        odds = (prior.get(1, 0.0) + 1e-9) / (prior.get(0, 0.0) + 1e-9)
        return np.zeros(classifier.n_features_in_), float(np.log(odds))
    raise TypeError(f"{type(classifier).__name__} is no linear classifier: it has no coef_")


def to_linear_model(pipeline: Pipeline, vocabulary: Vocabulary) -> LinearModel:
    """The fitted pipeline as the runtime's model; scores are equal to within 1e-6.

    Raises
    ------
    ValueError
        When the vocabulary is not the one that the pipeline was fitted on.
    """
    from framelens.linear import LinearModel

    features: FieldTfidf = pipeline.named_steps["features"]
    V, K = len(vocabulary), len(features.columns_)
    if features.n_features_in_ != 2 * V + _M:
        raise ValueError(
            f"the pipeline knows {(features.n_features_in_ - _M) // 2} terms, the vocabulary {V}"
        )
    coefficients, intercept = linear_weights(pipeline.named_steps["classifier"])
    idf, weights = np.zeros(2 * V, dtype=np.float32), np.zeros(2 * V, dtype=np.float32)
    idf[features.columns_], weights[features.columns_] = features.idf_, coefficients[:K]
    style = coefficients[K:] * features.style_factors if features.style_weight else np.zeros(_M)
    return LinearModel(
        vocabulary=vocabulary,
        idf=np.ascontiguousarray(idf.reshape(2, V).T),
        weights=np.ascontiguousarray(weights.reshape(2, V).T),
        style_mean=features.style_mean_,
        style_scale=features.style_scale_,
        style_weights=style.astype(np.float32),
        style_clip=STYLE_CLIP,
        intercept=intercept,
    )


def _beside(terms: sp.csr_matrix, style: npt.NDArray[np.float32]) -> sp.csr_matrix:
    """Dense columns behind sparse ones; scipy's hstack takes ten times as long for this."""
    (n, K), M = terms.shape, style.shape[1]
    indptr = terms.indptr + M * np.arange(n + 1, dtype=terms.indptr.dtype)
    is_term = np.ones(int(indptr[-1]), dtype=np.bool_)
    is_term[indptr[1:, None] - np.arange(M, 0, -1)] = False
    data, indices = np.empty(len(is_term), dtype=np.float32), np.empty(len(is_term), dtype=np.int32)
    data[is_term], indices[is_term] = terms.data, terms.indices
    data[~is_term], indices[~is_term] = style.ravel(), np.tile(np.arange(K, K + M, dtype=np.int32), n)
    return sp.csr_matrix((data, indices, indptr), shape=(n, K + M))


def _measures(X: sp.csr_matrix) -> npt.NDArray[np.int32]:
    return np.asarray(X[:, X.shape[1] - _M :].todense()).astype(np.int32)
