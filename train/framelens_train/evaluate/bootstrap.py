"""Confidence intervals from resampling outlets: articles of one outlet are not independent draws.

Outlets are drawn with replacement within each class, so that every resample has both. A draw is a weight an
outlet; macro-F1 then needs only the outlets' confusion counts, and the ROC AUC only how often one outlet's
articles score above another's. A class with a single cluster contributes no spread: the interval is then
too narrow, and says so by its ``clusters``.
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

    def take(self, which: npt.NDArray[np.bool_]) -> Resamples:
        """The same draws for some of the articles."""
        return Resamples(self.cluster[which], self.weights)

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


def fold_auc_draws(
    y: npt.ArrayLike, score: npt.ArrayLike, fold: npt.ArrayLike, resamples: Resamples
) -> Floats:
    """Mean ROC AUC over the folds in which a resample has both labels; shape (draws,)."""
    labels, values, folds = np.asarray(y), np.asarray(score), np.asarray(fold)
    total, counted = np.zeros(len(resamples.weights)), np.zeros(len(resamples.weights))
    for k in np.unique(folds):
        inside = folds == k
        each = roc_auc_draws(labels[inside], values[inside], resamples.take(inside))
        known = np.isfinite(each)
        total[known] += each[known]
        counted += known
    return np.asarray(total / np.maximum(counted, 1))


def roc_auc_draws(y: npt.ArrayLike, score: npt.ArrayLike, resamples: Resamples) -> Floats:
    """ROC AUC of each resample, ties counted half; nan where it has one label only; shape (draws,).

    The won comparisons of every state cluster against every independent one are counted once; a resample only
    weighs them.
    """
    values, state = np.asarray(score, dtype=np.float64), np.asarray(y) == 1
    clusters = resamples.weights.shape[1]
    sizes = np.bincount(resamples.cluster, minlength=clusters).astype(np.float64)
    against, against_cluster = values[~state], resamples.cluster[~state]
    won = np.zeros((clusters, clusters))
    for a in np.unique(resamples.cluster[state]):
        mine = np.sort(values[state & (resamples.cluster == a)])
        low, high = (np.searchsorted(mine, against, side=side) for side in ("left", "right"))
        above = len(mine) - (low + high) / 2
        won[a] = np.bincount(against_cluster, weights=above, minlength=clusters)
    is_state = np.zeros(clusters, dtype=np.bool_)
    is_state[resamples.cluster[state]] = True
    mass = resamples.weights * sizes
    pairs = mass[:, is_state].sum(axis=1) * mass[:, ~is_state].sum(axis=1)
    weighted = ((resamples.weights @ won) * resamples.weights).sum(axis=1)
    return np.where(pairs > 0, weighted / np.maximum(pairs, 1e-12), np.nan)


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
