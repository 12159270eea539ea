"""Several articles of one outlet together: how their evidence adds up, and what it is worth.

The label is about who controls an outlet, and a single article says little of that. Here the held-out
articles of each outlet are dealt at random into groups of 2, 5, ... and each group is answered once, as
`framelens.outlets` does it: by a model that has not seen the outlet's owner, with a base rate and an
intraclass correlation that were fitted, like calibration and thresholds, on owners held out inside the fold's
training rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens.outlets import NO_EVIDENCE, OutletEvidence
from framelens_train.evaluate import summary

if TYPE_CHECKING:
    from framelens.calibration import Calibration
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.evaluate.calibrate import OutOfFold
    from framelens_train.evaluate.metrics import Ints
    from framelens_train.evaluate.protocols import Scored

SIZES = (2, 5, 10, 20, 50)
"""Articles of an outlet that are answered together."""

TOGETHER = 20
"""The size that is shown where there is room for one."""

LEAST_ARTICLES = 5
"""An outlet with fewer says nothing about the intraclass correlation."""

DRAWS = 200


def fit_outlet_evidence(scored: OutOfFold, calibration: Calibration, corpus: Corpus) -> OutletEvidence:
    """Base rate and intraclass correlation from held-out articles.

    Parameters
    ----------
    scored
        Articles by classifiers that saw neither their owner nor a near-duplicate.
    calibration
        Fitted on the same.
    """
    outlets = corpus.articles["outlet"].to_numpy(dtype=object)[scored.rows].astype(str)
    base_rate = float(np.clip(np.average(scored.y, weights=scored.weights), 1e-6, 1 - 1e-6))
    odds = OutletEvidence(base_rate, 1.0).of_articles(calibration.p_state(scored.score))
    return OutletEvidence(base_rate, intraclass_correlation(odds, outlets, scored.y))


def intraclass_correlation(values: npt.ArrayLike, outlets: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Share of the variance within a label that lies between its outlets.

    By one-way analysis of variance with unweighted means (Searle, Casella and McCulloch, *Variance
    Components*, 1992): the variance of the outlets' means, less what so many articles would scatter by
    themselves. The components are averaged over the labels, each counting alike.

    Parameters
    ----------
    values
        Log-odds of each article; shape (n,).
    outlets, labels
        Of each article; shape (n,).

    Returns
    -------
    float
        0..1; 1 where no label has two outlets of `LEAST_ARTICLES` articles, which counts all of an outlet as
        a single article.
    """
    numbers, names, classes = np.asarray(values, dtype=np.float64), np.asarray(outlets), np.asarray(labels)
    between, within = [], []
    for label in np.unique(classes):
        code = np.unique(names[classes == label], return_inverse=True)[1]
        mine, count = numbers[classes == label], np.bincount(code)
        mean = np.bincount(code, weights=mine) / count
        scatter = np.bincount(code, weights=(mine - mean[code]) ** 2)
        known = count >= LEAST_ARTICLES
        if known.sum() < 2:
            continue
        noise = scatter[known].sum() / (count[known] - 1).sum()
        between.append(max(0.0, float(np.var(mean[known], ddof=1) - np.mean(noise / count[known]))))
        within.append(float(noise))
    total = sum(between) + sum(within)
    return sum(between) / total if total > 0 else 1.0


def outlet_figures(
    corpus: Corpus,
    scored: Scored,
    evidence: Sequence[OutletEvidence],
    boundaries: Sequence[tuple[float, float]],
    *,
    sizes: Sequence[int] = SIZES,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """What is right of groups of articles of one outlet.

    Parameters
    ----------
    scored
        A protocol's test articles.
    evidence, boundaries
        Of each fold's model, by the number of its fold: how evidence adds up, and between which
        probabilities it abstains.
    sizes
        Articles a group.

    Returns
    -------
    list of dict
        For each size that any outlet has: ``articles`` (the size) and the figures of
        `framelens_train.evaluate.summary.protocol_figures`, in which ``n`` counts groups.
    """
    found = []
    for size in sizes:
        grouped = group_articles(corpus, scored, evidence, boundaries, size, seed=seed)
        if len(grouped.rows):
            figures = summary.protocol_figures(corpus.articles, grouped, draws=DRAWS, seed=seed)
            found.append({"articles": size} | figures)
    return found


def group_articles(
    corpus: Corpus,
    scored: Scored,
    evidence: Sequence[OutletEvidence],
    boundaries: Sequence[tuple[float, float]],
    size: int,
    *,
    seed: int = 0,
) -> Scored:
    """Groups of so many articles of one outlet by one fold's model, as if each were an article.

    Articles that give no evidence are left out, and so is what remains of an outlet when its groups are full.
    """
    from framelens_train.evaluate.protocols import Scored

    silent = np.logical_or.reduce([scored.reasons[reason] for reason in NO_EVIDENCE])
    usable = scored.take((scored.y >= 0) & ~silent)
    members = deal(corpus.articles["outlet"].to_numpy(dtype=object)[usable.rows], usable.fold, size, seed)
    first, fold = members[:, 0], usable.fold[members[:, 0]]
    p, low, high = np.empty(len(members)), np.empty(len(members)), np.empty(len(members))
    for k in np.unique(fold):
        inside = fold == k
        total = evidence[k].of_articles(usable.p[members[inside]]).sum(axis=1)
        p[inside] = evidence[k].p_state(total, np.full(len(total), size))
        low[inside], high[inside] = boundaries[k]
    near = (p >= low) & (p <= high)
    return Scored(
        usable.rows[first],
        usable.y[first],
        np.log(np.maximum(p, 1e-12) / np.maximum(1 - p, 1e-12)),
        p,
        usable.decision[first],
        near,
        {"near_boundary": near},
        fold,
        usable.fold_names,
    )


def deal(outlets: npt.NDArray[Any], fold: Ints, size: int, seed: int) -> Ints:
    """Deal articles into groups of one outlet and fold; int64, shape (groups, size), of their places."""
    named = np.array([f"{k} {name}" for k, name in zip(fold, outlets, strict=True)])
    codes = np.unique(named, return_inverse=True)[1]
    order = np.random.default_rng(seed).permutation(len(outlets))
    order = order[np.argsort(codes[order], kind="stable")]
    groups = [np.zeros(0, dtype=np.int64)]
    for mine in np.split(order, np.flatnonzero(np.diff(codes[order])) + 1):
        groups.append(mine[: len(mine) - len(mine) % size])
    return np.concatenate(groups).reshape(-1, size)
