"""One linear model per state owner, averaged, and a prior from the lexicon: what holds best on new owners.

A single classifier over all state owners may lean on whatever tells the largest of them apart: its country,
its dialect, its collector. Here every state owner has a classifier of its own, state articles of that owner
against all independent ones. Each is scaled to the same spread and they are averaged: what only one owner
has keeps a small weight, what all have in common keeps its own. Added to that average are:

* **Overlap weights** (Li, Morgan and Zaslavsky 2018): articles count more, the less their topic gives their
  class away. The topic is what a few latent dimensions of the terms say, the propensity a logistic
  regression on them, averaged over coarser and finer topics, since no one number of dimensions is right.
* **A prior**, a direction that no owner has taught: the lexicon's categories, each with the sign that was
  written down before fitting (`framelens.features.lexicon.leanings`), in equal parts, quoted speech at
  half. It serves corpora without readings, which do better what it is for.
* **A reading member**: articles of the training rows that somebody has read and marked for their framing,
  without knowing the outlet (`framelens_train.corpus.marks`), regressed with an intercept for each outlet.
  What counts is how articles of one outlet differ from one another, so that dialect and house style are
  little help; subject still is.
* **A pooled member** over all owners at once, less strongly regularised: what is known of the owners in the
  corpus is used where their other outlets are scored. It weighs little: the more it does, the less is left
  for owners and countries never seen.

All are linear in the same features, and so is their sum. docs/experiments.md says what each of them brings.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.decomposition import TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from framelens.features.lexicon import leanings
from framelens.features.reference import MEASURES
from framelens.features.tokens import Field
from framelens_train.corpus.marks import HIGHEST

Floats = npt.NDArray[np.float64]

QUOTED_SHARE = 0.5
"""Weight of a category in quoted speech against the same category in the reporter's voice, in the prior."""

TOPICS = (20, 40, 60)
"""Numbers of latent dimensions that stand for the topic, one propensity each. Coarser topics among them cost
much on owners never seen (docs/experiments.md).
"""

PRIOR_WITHOUT_MARKS = 0.5
"""Weight of the prior where nobody has read. With readings it takes more on owners never seen than it gives
(docs/experiments.md).
"""

HOUSE_SCALE = 5.0
"""Of the columns that tell a reading's outlet: large, so that the penalty hardly holds an outlet's mean."""

FEWEST_READINGS = 5
"""Outlets with fewer marked articles share one intercept."""

SOLVER: dict[str, Any] = {"max_iter": 80, "tol": 1e-3}
"""Of every member: it stops early on purpose, as the candidates of the table do."""

INDEPENDENT_MEAN = -1.0
"""Where scores are anchored: the mean of the training independents, about as far from 0 as the state's.

The mean of both classes would move with the state owners that happen to be in training: the easier they are
to tell, the farther it lies from the independents, and scores of models trained on other owners, which
calibration and the decision threshold are fitted on, would not compare.
"""


class OwnerEnsemble(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Average of one logistic regression per state owner, plus a prior, a reading and a pooled member.

    Parameters
    ----------
    C
        Inverse strength of the L2 penalty of each owner's member, as in scikit-learn.
    prior_weight, reading_weight, pooled_weight
        Spread of the prior's, the reading and the pooled member's scores against that of the owners' average;
        0 leaves them out. Without marks there is no reading member. A `prior_weight` of None is 0 where
        there are marks and `PRIOR_WITHOUT_MARKS` elsewhere: readings take the prior's place.
    reading_C, pooled_C
        As `C`, for the reading and the pooled member.
    overlap_power
        Exponent of the overlap weights in the owners' members: 1 is the textbook's, 0 leaves the weights
        out.
    topics
        Numbers of latent dimensions, each at least 1: the propensity is the mean over them.
    random_state
        Seed of the topics' decomposition.

    Attributes
    ----------
    coef_
        float64, shape (1, columns).
    intercept_
        float64, shape (1,): puts the weighted mean of the independents' training scores at
        `INDEPENDENT_MEAN`.
    owners_
        The state owners that have a member, sorted.
    """

    def __init__(
        self,
        C: float = 0.1,
        prior_weight: float | None = None,
        reading_weight: float = 0.5,
        reading_C: float = 1.0,
        pooled_weight: float = 0.1,
        pooled_C: float = 10.0,
        overlap_power: float = 1.0,
        topics: Sequence[int] = TOPICS,
        random_state: int | None = None,
    ) -> None:
        self.C = C
        self.prior_weight = prior_weight
        self.reading_weight = reading_weight
        self.reading_C = reading_C
        self.pooled_weight = pooled_weight
        self.pooled_C = pooled_C
        self.overlap_power = overlap_power
        self.topics = topics
        self.random_state = random_state

    def fit(
        self,
        X: sp.csr_matrix,
        y: npt.ArrayLike,
        sample_weight: npt.ArrayLike | None = None,
        groups: npt.ArrayLike | None = None,
        marks: npt.ArrayLike | None = None,
        houses: npt.ArrayLike | None = None,
    ) -> Self:
        """Fit the members and add them up.

        Parameters
        ----------
        X
            CSR, shape (n, K + len(MEASURES)), from `FieldTfidf` with style features: the last columns.
        y
            Shape (n,): 1 state, 0 independent.
        sample_weight
            Shape (n,), positive; None for equal weights.
        groups
            Shape (n,): the owner of each article; None makes all state articles one owner.
        marks
            Shape (n,): reading marks from 0 to 100, NaN where there is none; None for none at all.
        houses
            Shape (n,): the outlet of each article; None makes all one outlet.

        Raises
        ------
        ValueError
            When y has one class only.
        """
        labels = np.asarray(y)
        if len(np.unique(labels)) < 2:
            raise ValueError(f"y holds only the label {labels[0]}; two classes are needed")
        weights = np.ones(len(labels)) if sample_weight is None else np.asarray(sample_weight, np.float64)
        owners = np.zeros(len(labels), dtype=object) if groups is None else np.asarray(groups, dtype=object)
        state = labels == 1
        self.classes_ = np.array([0, 1])
        self.n_features_in_ = X.shape[1]
        self.owners_ = sorted(set(owners[state]))
        balanced = weights * self.overlap_weights(X, labels, weights) if self.overlap_power else weights
        members = []
        for owner in self.owners_:
            rows = ~state | (owners == owner)
            own = solve_logistic(X[rows], labels[rows], classes_even(balanced[rows], labels[rows]), self.C)
            members.append(_unit_spread(X, own, weights))
        coefficients = _unit_spread(X, np.mean(members, axis=0), weights)
        read = np.zeros(len(labels), dtype=bool) if marks is None else np.isfinite(np.asarray(marks, float))
        prior_weight = self.prior_weight
        if prior_weight is None:
            prior_weight = 0.0 if self.reading_weight and read.any() else PRIOR_WITHOUT_MARKS
        if prior_weight:
            coefficients += prior_weight * _unit_spread(X, prior_direction(X.shape[1]), weights)
        if self.reading_weight and read.any():
            outlets = (
                np.zeros(len(labels), dtype=object) if houses is None else np.asarray(houses, dtype=object)
            )
            share = np.asarray(marks, dtype=np.float64)[read] / HIGHEST
            reading = reading_direction(X[read], share, outlets[read], self.reading_C)
            coefficients += self.reading_weight * _unit_spread(X, reading, weights)
        if self.pooled_weight:
            pooled = solve_logistic(X, labels, weights, self.pooled_C)
            coefficients += self.pooled_weight * _unit_spread(X, pooled, weights)
        self.coef_ = coefficients[None, :]
        anchor = np.average(X[~state] @ coefficients, weights=weights[~state])
        self.intercept_ = np.array([INDEPENDENT_MEAN - anchor])
        return self

    def decision_function(self, X: sp.csr_matrix) -> Floats:
        """Margin of each row; float64, shape (n,); positive speaks for state."""
        return np.asarray(X @ self.coef_[0], dtype=np.float64) + float(self.intercept_[0])

    def predict(self, X: sp.csr_matrix) -> npt.NDArray[np.int64]:
        """1 where the margin is positive, else 0; shape (n,)."""
        return (self.decision_function(X) > 0).astype(np.int64)

    def overlap_weights(self, X: Any, labels: Any, weights: Floats) -> Floats:
        """Propensity of the other class, given the topic, to the power `overlap_power`.

        Parameters
        ----------
        X, labels, weights
            As in `fit`.

        Returns
        -------
        float64, shape (n,)
            To multiply the weights with.

        Raises
        ------
        ValueError
            When `topics` is empty or has a number below 1.
        """
        if not self.topics or min(self.topics) < 1:
            raise ValueError(f"topics is {self.topics!r}; it must be one or more numbers of at least 1")
        terms = X[:, : X.shape[1] - len(MEASURES)]
        most = min(terms.shape) - 1
        if most < 1:
            return np.ones(len(labels))
        dimensions = [min(number, most) for number in self.topics]
        latent = TruncatedSVD(max(dimensions), n_iter=2, random_state=self.random_state).fit_transform(terms)
        state = np.mean([propensity(latent[:, :number], labels, weights) for number in dimensions], axis=0)
        return np.asarray(np.where(labels == 1, 1 - state, state) ** self.overlap_power, dtype=np.float64)


def propensity(latent: Floats, labels: Any, weights: Floats) -> Floats:
    """How probable state media are, given the topic's direction; float64, shape (n,), 0 to 1.

    Parameters
    ----------
    latent
        Shape (n, topics): how far a text lies along each latent dimension. Its length does not count.
    labels, weights
        As in `OwnerEnsemble.fit`.
    """
    direction = latent / np.maximum(np.linalg.norm(latent, axis=1, keepdims=True), 1e-9)
    solver = LogisticRegression(max_iter=200).fit(direction, labels, sample_weight=weights)
    return np.asarray(solver.predict_proba(direction)[:, 1], dtype=np.float64)


def prior_direction(columns: int) -> Floats:
    """The prior's weights: the sign of each lexicon category in its column; float64, shape (columns,)."""
    direction = np.zeros(columns)
    for category, sign in leanings().items():
        for field, share in ((Field.REPORTER, 1.0), (Field.QUOTED, QUOTED_SHARE)):
            measure = MEASURES.index(f"{category}_{field.name.lower()}")
            direction[columns - len(MEASURES) + measure] = sign * share
    return direction


def reading_direction(X: Any, share: Floats, houses: npt.NDArray[Any], C: float) -> Floats:
    """Weights of a logistic regression of the marks on the features and the outlet; the outlet's are dropped.

    Parameters
    ----------
    X
        CSR, shape (n, columns): marked articles.
    share
        Shape (n,): their marks, from 0 to 1: each counts as so much of a state article, and the rest of it
        as an independent one.
    houses
        Shape (n,): their outlets.

    Returns
    -------
    float64, shape (columns,)
        All 0 when the marks are all 0 or all 1.
    """
    if not (0 < share.sum() < len(share)):
        return np.zeros(X.shape[1])
    names, codes, sizes = np.unique(houses.astype(str), return_inverse=True, return_counts=True)
    codes = np.where(sizes[codes] < FEWEST_READINGS, len(names), codes)
    cells = (np.full(len(codes), HOUSE_SCALE, dtype=np.float32), (np.arange(len(codes)), codes))
    beside = sp.hstack([X, sp.csr_matrix(cells, shape=(len(codes), len(names) + 1))], format="csr")
    return solve_shares(beside, share, C)[: X.shape[1]]


def solve_shares(X: Any, share: Floats, C: float) -> Floats:
    """Weights of a logistic regression whose targets are shares between 0 and 1.

    scikit-learn takes labels only. Each row twice, once as state with the share for a weight and once as
    independent with the rest, gives it the same problem (a test compares) at twice the work.
    """
    n, K = X.shape
    strength = 1 / (2 * n * C)  # scikit-learn's, for 2n rows of mean weight 1

    def loss(point: Floats) -> tuple[float, Floats]:
        weights = point[:K]
        margin = X @ weights.astype(X.dtype) + point[K]
        residual = expit(margin) - share
        gradient = np.empty_like(point)
        gradient[:K] = (residual.astype(X.dtype) @ X) / n + strength * weights
        gradient[K] = residual.mean()
        value = np.mean(np.logaddexp(0.0, margin) - share * margin) + strength / 2 * (weights @ weights)
        return float(value), gradient

    options = {"maxiter": SOLVER["max_iter"], "gtol": SOLVER["tol"], "ftol": 64 * np.finfo(np.float64).eps}
    found = minimize(loss, np.zeros(K + 1), jac=True, method="L-BFGS-B", options=options)
    return np.asarray(found.x[:K], dtype=np.float64)


def solve_logistic(X: Any, labels: Any, weights: Floats, C: float) -> Floats:
    """Weights of one logistic regression."""
    solver = LogisticRegression(C=C, **SOLVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        solver.fit(X, labels, sample_weight=weights / weights.mean())
    return np.asarray(solver.coef_[0], dtype=np.float64)


def classes_even(weights: Floats, labels: Any) -> Floats:
    """The weights, with those of the state articles scaled to the sum of the others'."""
    even, state = weights.copy(), labels == 1
    even[state] *= even[~state].sum() / even[state].sum()
    return even


def _unit_spread(X: Any, coefficients: Floats, weights: Floats) -> Floats:
    """The same direction, scaled so that its scores over X have weighted standard deviation 1."""
    scores = np.asarray(X @ coefficients, dtype=np.float64)
    spread = float(np.sqrt(np.average((scores - np.average(scores, weights=weights)) ** 2, weights=weights)))
    return coefficients / spread if spread > 0 else coefficients
