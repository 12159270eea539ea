"""Confidence intervals from resampling outlets: articles of one outlet are not independent draws.

Outlets are drawn with replacement within each class, so that every resample has both. A draw is a weight an
outlet; macro-F1 then needs only the outlets' confusion counts, and the ROC AUC one pass over the sorted
scores a draw. A class with a single cluster contributes no spread: the interval is then too narrow, and
says so by its ``clusters``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from framelens_train.evaluate.metrics import Floats, Ints

DRAWS = 1000


@dataclass(frozen=True)
class Resamples:
    """The clusters of some articles and how often each is drawn.

    Attributes
    ----------
    cluster
        int64, shape (n,): the cluster of each article.
    weights
        float64, shape (draws, clusters): how often each cluster stands in each resample.
    """

    cluster: Ints
    weights: Floats

    def article_weights(self, draw: int) -> Floats:
        """Weight of each article in one resample, shape (n,)."""
        return np.asarray(self.weights[draw][self.cluster])


def resample(
    y: npt.ArrayLike, groups: Sequence[Any] | npt.NDArray[Any], *, draws: int = DRAWS, seed: int = 0
) -> Resamples:
    """Draw groups (outlets or owners) with replacement within each class."""
    labels = np.asarray(y).astype(np.int64)
    names = np.asarray(groups, dtype=object).astype(str)
    codes = np.unique(names, return_inverse=True)[1] * 2 + labels
    pairs, cluster = np.unique(codes, return_inverse=True)
    rng = np.random.default_rng(seed)
    weights = np.zeros((draws, len(pairs)))
    for label in (0, 1):
        members = np.flatnonzero(pairs % 2 == label)
        if len(members):
            even = np.full(len(members), 1.0 / len(members))
            weights[:, members] = rng.multinomial(len(members), even, size=draws)
    return Resamples(cluster.astype(np.int64), weights)


def macro_f1_draws(y: npt.ArrayLike, predicted: npt.ArrayLike, resamples: Resamples) -> Floats:
    """Macro-F1 of each resample; shape (draws,)."""
    labels, found = np.asarray(y) == 1, np.asarray(predicted) == 1
    clusters = resamples.weights.shape[1]

    def total(which: npt.NDArray[np.bool_]) -> Floats:
        counts = np.bincount(resamples.cluster, weights=which.astype(np.float64), minlength=clusters)
        return np.asarray(resamples.weights @ counts)

    tp, tn = total(labels & found), total(~labels & ~found)
    fp, fn = total(~labels & found), total(labels & ~found)
    errors = fp + fn
    f1_state = 2 * tp / np.maximum(2 * tp + errors, 1e-12)
    f1_independent = 2 * tn / np.maximum(2 * tn + errors, 1e-12)
    return np.asarray((f1_state + f1_independent) / 2)


def roc_auc_draws(y: npt.ArrayLike, score: npt.ArrayLike, resamples: Resamples) -> Floats:
    """ROC AUC of each resample, ties counted half; shape (draws,)."""
    order = np.argsort(np.asarray(score), kind="stable")
    ranked, cluster = np.asarray(score)[order], resamples.cluster[order]
    state = (np.asarray(y) == 1)[order]
    starts = np.flatnonzero(np.append(True, np.diff(ranked) != 0))
    result = np.empty(len(resamples.weights))
    for draw, weights in enumerate(resamples.weights):
        mass = weights[cluster]
        positive = np.add.reduceat(np.where(state, mass, 0.0), starts)
        negative = np.add.reduceat(np.where(state, 0.0, mass), starts)
        below = np.cumsum(negative) - negative / 2
        result[draw] = (positive @ below) / max(positive.sum() * negative.sum(), 1e-12)
    return result


def mean_draws(values: npt.ArrayLike, resamples: Resamples) -> Floats:
    """Mean over articles of any quantity (an error, a difference of two models) in each resample."""
    clusters = resamples.weights.shape[1]
    sums = np.bincount(resamples.cluster, weights=np.asarray(values, dtype=np.float64), minlength=clusters)
    sizes = np.bincount(resamples.cluster, minlength=clusters)
    return np.asarray((resamples.weights @ sums) / np.maximum(resamples.weights @ sizes, 1e-12))


def interval(draws: Floats, *, level: float = 0.95) -> list[float]:
    """Percentile interval of bootstrap draws as ``[low, high]``."""
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail])
    return [float(low), float(high)]
