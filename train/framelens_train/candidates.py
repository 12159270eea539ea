"""The table of candidates: which classifiers are tried, on which features, with which settings.

A `Recipe` is one cell of the grid and all that is needed to fit it anywhere: in the search, in the
protocols, inside the nested calibration and for the champion. To add a candidate, add a row to
`CANDIDATES`; its classifier must be linear (see `framelens_train.pipeline.linear_weights`). A classifier
whose ``fit`` takes ``groups`` is given the owner of each row; one that takes ``marks`` the reading marks and,
as ``houses``, the outlets.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from framelens.errors import UserError

if TYPE_CHECKING:
    import pandas as pd
    from sklearn.pipeline import Pipeline

    from framelens_train.corpus.dataset import Corpus

Settings = Mapping[str, Any]
"""Names and plain values, as scikit-learn's set_params takes them."""


@dataclass(frozen=True)
class Candidate:
    """A row of the table.

    Attributes
    ----------
    name
        As ``--candidates`` takes it.
    title
        For tables and figures.
    make
        Makes the unfitted classifier from its settings and a seed.
    grid
        Values to try for each setting of the classifier.
    features
        Feature settings to try; none given for `FEW_FEATURES`.
    dummy
        A baseline that never becomes the champion.
    """

    name: str
    title: str
    make: Callable[..., Any]
    grid: Mapping[str, tuple[Any, ...]]
    features: tuple[Settings, ...] = ()
    dummy: bool = False


@dataclass(frozen=True)
class Recipe:
    """One setting of everything: features, classifier, weights. Plain data; see `key` and `from_dict`."""

    candidate: str
    features: Settings = field(default_factory=dict)
    classifier: Settings = field(default_factory=dict)
    weighting: str = "owner_sqrt"

    @property
    def key(self) -> str:
        """The recipe on one line; equal recipes have equal keys."""
        import json

        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    def to_dict(self) -> dict[str, Any]:
        """As JSON keeps it."""
        return {
            "candidate": self.candidate,
            "features": dict(self.features),
            "classifier": dict(self.classifier),
            "weighting": self.weighting,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Recipe:
        """From `to_dict`."""
        return cls(
            str(values["candidate"]),
            dict(values["features"]),
            dict(values["classifier"]),
            str(values["weighting"]),
        )


def fit_recipe(recipe: Recipe, corpus: Corpus, rows: npt.ArrayLike, *, seed: int = 0) -> Pipeline:
    """Fit a recipe on some rows of a corpus, weighted; nothing else of the corpus is looked at.

    Parameters
    ----------
    rows
        Row numbers, state or independent.
    """
    from sklearn.pipeline import Pipeline

    from framelens_train.pipeline import FieldTfidf, ngram_sizes

    chosen = np.asarray(rows, dtype=np.int64)
    features = FieldTfidf(**recipe.features, sizes=ngram_sizes(corpus.vocabulary))
    X = corpus.X[chosen]
    classifier = fit_classifier(recipe, features.fit_transform(X), corpus, chosen, seed=seed)
    return Pipeline([("features", features), ("classifier", classifier)])


class Labelled(Protocol):
    """As much of a corpus as a classifier needs."""

    @property
    def y(self) -> npt.NDArray[np.int8]:
        """Labels, 1 or 0."""
        ...

    @property
    def articles(self) -> pd.DataFrame:
        """With the columns that weights are made from."""
        ...


def fit_classifier(
    recipe: Recipe, transformed: Any, corpus: Labelled, rows: npt.NDArray[np.int64], *, seed: int = 0
) -> Any:
    """The recipe's classifier, fitted on rows that its features have transformed already."""
    from sklearn.utils.validation import has_fit_parameter

    from framelens_train.corpus.marks import marks_of
    from framelens_train.weighting import sample_weights

    classifier = CANDIDATES[recipe.candidate].make(seed=seed, **recipe.classifier)
    extra: dict[str, Any] = {"sample_weight": sample_weights(corpus.articles, rows, recipe.weighting)}
    if has_fit_parameter(classifier, "groups"):
        extra["groups"] = corpus.articles["owner"].to_numpy(dtype=object)[rows]
    if has_fit_parameter(classifier, "marks"):
        extra["marks"] = marks_of(corpus.articles)[rows]
        extra["houses"] = corpus.articles["outlet"].to_numpy(dtype=object)[rows]
    return classifier.fit(transformed, corpus.y[rows], **extra)


# Solvers stop early on purpose: a tolerance of 1e-3 takes a third of the time, and on owners never seen the
# scores are as good or better. One thread each; what is random is seeded.


def _logistic(*, seed: int, C: float) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=C, max_iter=300, tol=1e-3, random_state=seed)


def _elastic_net(*, seed: int, alpha: float, l1_ratio: float) -> Any:
    # saga takes a minute here, stochastic gradient descent a second
    return _sgd_classifier(seed, loss="log_loss", penalty="elasticnet", alpha=alpha, l1_ratio=l1_ratio)


def _sgd(*, seed: int, loss: str, alpha: float) -> Any:
    return _sgd_classifier(seed, loss=loss, alpha=alpha, average=True)


def _sgd_classifier(seed: int, **settings: Any) -> Any:
    from sklearn.linear_model import SGDClassifier

    return SGDClassifier(**settings, max_iter=6, tol=None, random_state=seed)


def _svm(*, seed: int, C: float) -> Any:
    from sklearn.svm import LinearSVC

    return LinearSVC(C=C, loss="hinge", dual=True, tol=0.1, max_iter=200, random_state=seed)


def _ridge(*, seed: int, alpha: float) -> Any:
    from sklearn.linear_model import RidgeClassifier

    return RidgeClassifier(alpha=alpha, solver="sparse_cg", tol=1e-2, random_state=seed)


def _complement_nb(*, seed: int, alpha: float) -> Any:
    from sklearn.naive_bayes import ComplementNB

    return ComplementNB(alpha=alpha)


def _owner_ensemble(*, seed: int, **settings: Any) -> Any:
    from framelens_train.owner_ensemble import OwnerEnsemble

    return OwnerEnsemble(**settings, random_state=seed)


def _dummy(*, seed: int, strategy: str) -> Any:
    from sklearn.dummy import DummyClassifier

    return DummyClassifier(strategy=strategy, random_state=seed)


DUMMY_FEATURES: tuple[Settings, ...] = (
    {"fields": "reporter", "ngram_max": 1, "min_df": 0.05, "style_weight": 0.0},
)
TERMS: Settings = {"fields": "both", "ngram_max": 2, "min_df": 0.002, "style_weight": 0.0}
STYLED: Settings = {**TERMS, "style_weight": 1.0}
WORDS: Settings = {**STYLED, "ngram_max": 1}
FEATURES: tuple[Settings, ...] = (
    STYLED,
    WORDS,
    {**STYLED, "ngram_max": 3},
    {**STYLED, "fields": "reporter"},
    TERMS,
)
"""TF-IDF settings of the main candidate; the others try the first two of them."""
LIGHT: tuple[Settings, ...] = ({**STYLED, "min_df": 0.003, "style_weight": 0.3},)
FEW_FEATURES = (STYLED, WORDS)
NOT_NEGATIVE = (TERMS, {**TERMS, "ngram_max": 1})
"""Without style: naive Bayes takes no negative features."""

_sgd_log, _sgd_huber = partial(_sgd, loss="log_loss"), partial(_sgd, loss="modified_huber")
_ELASTIC = {"alpha": (3e-5, 1e-4), "l1_ratio": (0.15,)}
_MAJORITY, _COIN = {"strategy": ("most_frequent",)}, {"strategy": ("stratified",)}

CANDIDATES: dict[str, Candidate] = {
    row.name: row
    for row in (
        Candidate("logistic", "logistic regression, L2", _logistic, {"C": (1.0, 0.3)}, FEATURES),
        Candidate("elastic_net", "logistic regression, elastic net", _elastic_net, _ELASTIC),
        Candidate("svm", "linear SVM", _svm, {"C": (0.1, 0.3)}),
        Candidate("sgd_log", "SGD, log loss", _sgd_log, {"alpha": (1e-4, 3e-4)}),
        Candidate("sgd_huber", "SGD, modified Huber", _sgd_huber, {"alpha": (3e-4, 1e-4)}),
        Candidate("ridge", "ridge classifier", _ridge, {"alpha": (10.0, 30.0)}),
        Candidate(
            "complement_nb", "complement naive Bayes", _complement_nb, {"alpha": (1.0, 0.1)}, NOT_NEGATIVE
        ),
        Candidate(
            "owner_ensemble",
            "owner ensemble with readings",
            _owner_ensemble,
            {"reading_weight": (0.5,), "pooled_weight": (0.1,)},
            LIGHT,
        ),
        Candidate("majority", "always the majority", _dummy, _MAJORITY, DUMMY_FEATURES, dummy=True),
        Candidate("stratified", "a coin for each article", _dummy, _COIN, DUMMY_FEATURES, dummy=True),
    )
}
"""The table itself."""


def recipes(names: Sequence[str] | None = None, *, quick: bool = False) -> list[Recipe]:
    """Every cell of the grid for these candidates, in the table's order.

    Parameters
    ----------
    names
        Candidates; None for all.
    quick
        One recipe a candidate: single words, and the first value of every setting.

    Raises
    ------
    UserError
        For a name that is not in the table, or nothing but baselines.
    """
    unknown = [name for name in names or () if name not in CANDIDATES]
    if unknown:
        raise UserError(f"no candidate is called {unknown[0]!r}; there are {', '.join(CANDIDATES)}")
    rows = [row for row in CANDIDATES.values() if names is None or row.name in names]
    if all(row.dummy for row in rows):
        raise UserError(
            f"{', '.join(row.name for row in rows) or 'no candidate'}: name a candidate that is no baseline"
        )
    cells = []
    for row in rows:
        settings = [
            dict(zip(row.grid, values, strict=True)) for values in itertools.product(*row.grid.values())
        ]
        features = row.features or FEW_FEATURES
        if quick:
            settings, features = settings[:1], (min(features, key=lambda f: int(f["ngram_max"])),)
        weighting = "uniform" if row.dummy else "owner_sqrt"
        cells += [Recipe(row.name, f, s, weighting) for f in features for s in settings]
    return cells
