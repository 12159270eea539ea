"""What a model must beat: knowing nothing, counting countries, measuring dialect and length, a plain bag of
words.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens.features.reference import MEASURES, NATION_MEASURES
from framelens_train.evaluate.fitting import Fitter, Scorer
from framelens_train.evaluate.metrics import Floats, Ints

if TYPE_CHECKING:
    from framelens.features.vocabulary import Vocabulary
    from framelens_train.corpus.dataset import Corpus

Columns = Callable[[Any, "Vocabulary"], Floats]
"""Takes `Corpus.X` and the vocabulary; returns float64, shape (n, k)."""

_SPELLINGS = """
colour/color colours/colors favour/favor honour/honor honourable/honorable labour/labor neighbour/neighbor
neighbouring/neighboring neighbours/neighbors behaviour/behavior harbour/harbor rumours/rumors centre/center
centres/centers theatre/theater metres/meters kilometres/kilometers litres/liters defence/defense
licence/license programme/program programmes/programs organisation/organization organisations/organizations
organised/organized recognise/recognize recognised/recognized realised/realized emphasised/emphasized
offence/offense criticised/criticized authorised/authorized travelled/traveled travelling/traveling
cancelled/canceled tonnes/tons
cheque/check tyres/tires analyse/analyze grey/gray mum/mom lorry/truck towards/toward fulfil/fulfill
"""
BRITISH, AMERICAN = zip(*(pair.split("/") for pair in _SPELLINGS.split()), strict=True)
"""The same words as they are spelt on either side of the Atlantic."""


@dataclass(frozen=True)
class Constant:
    """Scores everything alike."""

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Zero for each row."""
        return np.zeros(X.shape[0])


@dataclass(frozen=True)
class Majority:
    """Knows only how frequent the labels are: what is left is the calibration's share of state articles."""

    def fit(self, corpus: Corpus, rows: Ints, *, seed: int = 0) -> Scorer:
        """Nothing to learn."""
        return Constant()


@dataclass(frozen=True)
class FewColumns:
    """Standardised logistic regression on a corpus of a few dense columns; see `column_view`."""

    def fit(self, corpus: Corpus, rows: Ints, *, seed: int = 0) -> Scorer:
        """Fit with the weights every recipe has."""
        from sklearn.linear_model import LogisticRegression

        from framelens_train.weighting import sample_weights

        values = corpus.X[rows]
        mean, scale = values.mean(axis=0), values.std(axis=0)
        scale = np.where(scale > 1e-9, scale, 1.0)
        fitted = LogisticRegression(C=1.0, max_iter=500).fit(
            (values - mean) / scale, corpus.y[rows], sample_weight=sample_weights(corpus.articles, rows)
        )
        coefficients = np.asarray(fitted.coef_[0], dtype=np.float64) / scale
        return FewColumnsScorer(coefficients, float(fitted.intercept_[0] - mean @ coefficients))


@dataclass(frozen=True)
class FewColumnsScorer:
    """`FewColumns`, fitted."""

    coefficients: Floats
    intercept: float

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Margin of each row."""
        return np.asarray(X @ self.coefficients + self.intercept)


def column_view(corpus: Corpus, columns: Columns) -> Corpus:
    """The same articles with a few dense columns, float64, in place of their counts."""
    view = dataclasses.replace(corpus)
    view.X = columns(corpus.X, corpus.vocabulary)
    return view


def no_columns(X: Any, vocabulary: Vocabulary) -> Floats:
    """Nothing to look at."""
    return np.zeros((X.shape[0], 1))


def country_mentions(X: Any, vocabulary: Vocabulary) -> Floats:
    """Names of countries in a hundred words, and their square: which countries, no feature can tell."""
    nations, words = _sums(X, vocabulary, NATION_MEASURES, ("words",)).T
    share = 100 * nations / np.maximum(words, 1)
    return np.column_stack([share, share**2])


def dialect_and_length(X: Any, vocabulary: Vocabulary) -> Floats:
    """British and American spellings, length of article, sentence and word, contractions."""
    british, american, words, sentences, letters, contractions = _sums(
        X,
        vocabulary,
        BRITISH,
        AMERICAN,
        ("words",),
        ("sentences",),
        ("letters",),
        ("contraction_reporter", "contraction_quoted"),
    ).T
    words = np.maximum(words, 1)
    return np.column_stack(
        [
            np.log1p(100 * british / words),
            np.log1p(100 * american / words),
            np.log1p(words),
            np.log1p(words / np.maximum(sentences, 1)),
            letters / words,
            np.log1p(100 * contractions / words),
        ]
    )


def _sums(X: Any, vocabulary: Vocabulary, *groups: tuple[str, ...]) -> Floats:
    """Sum of each group of measures, or of terms in either field; float64, shape (n, len(groups))."""
    V = len(vocabulary)
    chosen = np.zeros((X.shape[1], len(groups)), dtype=np.float32)
    for g, names in enumerate(groups):
        for name in names:
            if name in MEASURES:
                chosen[2 * V + MEASURES.index(name), g] = 1
            elif name in vocabulary.index:
                chosen[[vocabulary.index[name], V + vocabulary.index[name]], g] = 1
    return np.asarray(X @ chosen, dtype=np.float64)


@dataclass(frozen=True)
class BagOfWords:
    """TF-IDF of words and word pairs, punctuation and quotation ignored, logistic regression: the usual
    model.
    """

    min_df: int = 10
    C: float = 1.0

    def fit(self, corpus: Corpus, rows: Ints, *, seed: int = 0) -> Scorer:
        """Fit with the weights every recipe has."""
        from sklearn.feature_extraction.text import TfidfTransformer
        from sklearn.linear_model import LogisticRegression

        from framelens_train.weighting import sample_weights

        counts = merge_fields(corpus.X[rows], len(corpus.vocabulary))
        frequent = np.bincount(counts.indices, minlength=counts.shape[1]) >= self.min_df
        used = np.flatnonzero(frequent & plain_terms(corpus.vocabulary))
        tfidf = TfidfTransformer(sublinear_tf=True).fit(counts[:, used])
        fitted = LogisticRegression(C=self.C, max_iter=300).fit(
            tfidf.transform(counts[:, used]),
            corpus.y[rows],
            sample_weight=sample_weights(corpus.articles, rows),
        )
        return BagOfWordsScorer(len(corpus.vocabulary), used, tfidf, fitted)


@dataclass(frozen=True)
class BagOfWordsScorer:
    """`BagOfWords`, fitted."""

    terms: int
    used: npt.NDArray[np.int64]
    tfidf: Any
    classifier: Any

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Margin of each row."""
        counts = merge_fields(X, self.terms)[:, self.used]
        return np.asarray(self.classifier.decision_function(self.tfidf.transform(counts)), dtype=np.float64)


def merge_fields(X: Any, terms: int) -> Any:
    """Counts of each term whoever's words they are: CSR, shape (n, terms)."""
    return (X[:, :terms] + X[:, terms : 2 * terms]).tocsr()


def plain_terms(vocabulary: Vocabulary) -> npt.NDArray[np.bool_]:
    """Terms of one or two words without punctuation, shape (V,)."""
    return np.array([has_no_punctuation(term) and term.count(" ") < 2 for term in vocabulary.terms])


def has_no_punctuation(term: str) -> bool:
    """Whether every token of the term is a word, a name or a number."""
    return all(token[0] == "<" or token.isalpha() for token in term.split(" "))


@dataclass(frozen=True)
class Baseline:
    """One baseline.

    Attributes
    ----------
    title
        For people.
    fitter
        What is trained.
    columns
        What it looks at in place of the counts, if anything.
    """

    title: str
    fitter: Fitter
    columns: Columns | None = None


BASELINES: dict[str, Baseline] = {
    "majority": Baseline("always the more frequent label", Majority(), no_columns),
    "countries": Baseline("how often countries are named, alone", FewColumns(), country_mentions),
    "dialect_length": Baseline("dialect and length alone", FewColumns(), dialect_and_length),
    "bag_of_words": Baseline("plain bag of words, logistic regression", BagOfWords()),
}
"""By name, as in the JSON."""
