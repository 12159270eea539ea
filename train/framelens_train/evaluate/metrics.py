"""Figures of merit for one set of scored articles.

Every figure counts articles, each once, unless its name says ``owner_balanced``: there each owner counts
the same within its class and the two classes count the same, so that a large outlet cannot carry the
figure. ``y`` is 1 for state and 0 for independent throughout, ``p`` is the calibrated probability of state
framing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

ECE_BINS = 15
"""Bins of the expected calibration error; each holds (ties apart) the same number of articles."""

MIN_OWNER_ARTICLES = 25
"""An owner with fewer articles than this cannot be named the worst: its recall is mostly chance."""


def expected_calibration_error(
    y: npt.ArrayLike, p: npt.ArrayLike, *, weights: npt.ArrayLike | None = None, bins: int = ECE_BINS
) -> float:
    """Mean gap between the probability given and the frequency found, over equal-mass bins.

    The bins' edges are quantiles of `p`, so each bin holds the same number of articles; equal values of `p`
    are never parted, whatever their order. The gap of a bin weighs as much as the bin has articles.

    Parameters
    ----------
    y
        Labels, 0 or 1, shape (n,).
    p
        Probabilities of label 1, in 0..1, shape (n,).
    weights
        Of the articles within a bin and of the bins; the bins' edges are those of the articles each once.

    Returns
    -------
    float
        In 0..1; nan for no articles.

    Examples
    --------
    >>> expected_calibration_error([0, 1, 0, 1], [0.5, 0.5, 0.5, 0.5])
    0.0
    """
    labels, given = np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    if not len(given):
        return float("nan")
    mass = np.ones(len(given)) if weights is None else np.asarray(weights, dtype=np.float64)
    gaps = np.bincount(_equal_mass_bins(given, bins), weights=(given - labels) * mass)
    return float(np.abs(gaps).sum() / mass.sum())


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bin of the reliability diagram: mean probability given, share of state articles found,
    articles.
    """

    p: float
    frequency: float
    n: int


def reliability(y: npt.ArrayLike, p: npt.ArrayLike, *, bins: int = ECE_BINS) -> list[ReliabilityBin]:
    """The equal-mass bins behind `expected_calibration_error`, from low to high probability."""
    labels, given = np.asarray(y, dtype=np.float64), np.asarray(p, dtype=np.float64)
    if not len(given):
        return []
    index = _equal_mass_bins(given, bins)
    return [
        ReliabilityBin(float(given[inside].mean()), float(labels[inside].mean()), int(inside.sum()))
        for inside in (index == b for b in range(bins))
        if inside.any()
    ]


def _equal_mass_bins(p: Floats, bins: int) -> Ints:
    """Bin of each probability, from 0; edges are quantiles, so equal probabilities share a bin."""
    edges = np.unique(np.quantile(p, np.linspace(0, 1, bins + 1)[1:-1], method="higher"))
    return np.searchsorted(edges, p, side="right").astype(np.int64)


@dataclass(frozen=True, slots=True)
class CoverageRisk:
    """Share of articles answered against the share of those answers that are wrong, most confident first.

    Attributes
    ----------
    coverage, risk
        float64, shape (k,), one point a distinct confidence; coverage ascends to 1.
    """

    coverage: Floats
    risk: Floats

    def coverage_at(self, risk: float) -> float:
        """Largest share of articles that can be answered with at most this share of errors; 0 when none
        can.
        """
        within = self.coverage[self.risk <= risk]
        return float(within[-1]) if len(within) else 0.0


def coverage_risk(
    y: npt.ArrayLike, p: npt.ArrayLike, *, weights: npt.ArrayLike | None = None, decision: npt.ArrayLike = 0.5
) -> CoverageRisk:
    """Coverage-risk curve when the articles nearest to the decision threshold are the first left unanswered.

    Confidence is the distance of `p` from `decision`, as a share of the way to the end of its side, so that
    a threshold away from one half does not favour one label. Articles of equal confidence are answered
    together.
    """
    labels, given = np.asarray(y) == 1, np.asarray(p, dtype=np.float64)
    threshold = np.broadcast_to(np.asarray(decision, dtype=np.float64), given.shape)
    mass = np.ones(len(given)) if weights is None else np.asarray(weights, dtype=np.float64)
    if not len(given):
        return CoverageRisk(np.empty(0), np.empty(0))
    side = np.maximum(np.where(given >= threshold, 1 - threshold, threshold), 1e-12)
    confidence = np.abs(given - threshold) / side
    order = np.argsort(-confidence, kind="stable")
    wrong = (labels != (given >= threshold))[order] * mass[order]
    last_of_tie = np.append(np.diff(confidence[order]) != 0, True)
    answered = np.cumsum(mass[order])
    coverage = (answered / answered[-1])[last_of_tie]
    return CoverageRisk(coverage, (np.cumsum(wrong) / answered)[last_of_tie])


def macro_f1(
    y: npt.ArrayLike, predicted: npt.ArrayLike, *, weights: npt.ArrayLike | None = None
) -> float | None:
    """Mean of the F1 of both classes; None where the truth holds one class only."""
    from sklearn.metrics import f1_score

    labels = np.asarray(y)
    if len(np.unique(labels)) < 2:
        return None
    found = np.asarray(predicted).astype(np.int64)
    return float(f1_score(labels, found, average="macro", sample_weight=weights, zero_division=0.0))


def roc_auc(y: npt.ArrayLike, score: npt.ArrayLike, *, weights: npt.ArrayLike | None = None) -> float | None:
    """Chance that a state article scores above an independent one; None where the truth holds one class
    only.
    """
    from sklearn.metrics import roc_auc_score

    labels = np.asarray(y)
    if len(np.unique(labels)) < 2:
        return None
    return float(roc_auc_score(labels, np.asarray(score), sample_weight=weights))


def fold_auc(y: npt.ArrayLike, score: npt.ArrayLike, fold: npt.ArrayLike) -> float | None:
    """Mean over folds of the ROC AUC inside the fold; None where no fold has both labels.

    Margins of different models do not compare: pooled over leave-one-owner-out folds, even a constant model
    falls below one half, because a fold that holds out more state articles learns a lower share of them. So
    areas are averaged (Forman and Scholz, 2010), while F1 is computed from the pooled counts.
    """
    labels, values, folds = np.asarray(y), np.asarray(score), np.asarray(fold)
    each = [roc_auc(labels[inside], values[inside]) for inside in (folds == k for k in np.unique(folds))]
    known = [value for value in each if value is not None]
    return float(np.mean(known)) if known else None


def owner_balance(y: npt.ArrayLike, owners: Sequence[Any] | npt.NDArray[Any]) -> Floats:
    """Article weights under which every owner counts the same within its class, and the classes count the
    same.

    Returns
    -------
    float64, shape (n,)
        Sums to n.
    """
    labels = np.asarray(y)
    codes = np.unique(np.asarray(owners, dtype=object).astype(str), return_inverse=True)[1]
    pairs, inverse, counts = np.unique(codes * 2 + (labels == 1), return_inverse=True, return_counts=True)
    owners_in_class = np.bincount(pairs % 2, minlength=2)
    weight = 1.0 / (counts[inverse] * owners_in_class[labels.astype(np.int64)])
    return np.asarray(weight * (len(labels) / weight.sum()), dtype=np.float64)


def wilson(successes: float, n: int, *, z: float = 1.959964) -> tuple[float, float]:
    """95 % interval of a share by Wilson's score; it treats articles as independent draws of one owner's
    output.
    """
    if n == 0:
        return (0.0, 1.0)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(share * (1 - share) / n + z * z / (4 * n * n)))
    return (max(0.0, centre - half), min(1.0, centre + half))


def by_group(
    groups: Sequence[Any] | npt.NDArray[Any],
    y: npt.ArrayLike,
    p: npt.ArrayLike,
    *,
    found: npt.ArrayLike | None = None,
    answered: npt.ArrayLike | None = None,
    fold: npt.ArrayLike | None = None,
) -> dict[str, dict[str, Any]]:
    """What became of the articles of each owner or outlet.

    Returns
    -------
    dict
        By group, in alphabetical order: ``label``, ``n``, ``recall`` (share given its own label), ``ci95``
        of it, ``mean_p_state``; ``called_state``, ``called_independent`` and ``abstained``, which sum to 1;
        for independents ``false_state_rate``, which is what recall leaves over; for state groups ``roc_auc``
        against the independent articles of the same fold. A group of both labels (an outlet that changed
        hands) has one entry a label, ``NAME [state]`` and ``NAME [independent]``.
    """
    names, labels, given = np.asarray(groups, dtype=object).astype(str), np.asarray(y), np.asarray(p)
    state = given >= 0.5 if found is None else np.asarray(found, dtype=np.bool_)
    replied = (
        np.ones(len(names), dtype=np.bool_) if answered is None else np.asarray(answered, dtype=np.bool_)
    )
    folds = np.zeros(len(names), dtype=np.int64) if fold is None else np.asarray(fold)
    table: dict[str, dict[str, Any]] = {}
    for group in np.unique(names):
        member = names == group
        present = np.unique(labels[member])
        for label in present:
            inside = member & (labels == label)
            name = "state" if label == 1 else "independent"
            key = f"{group} [{name}]" if len(present) > 1 else str(group)
            right = int((state[inside] == (label == 1)).sum())
            n = int(inside.sum())
            entry: dict[str, Any] = {
                "label": name,
                "n": n,
                "recall": right / n,
                "ci95": list(wilson(right, n)),
            }
            entry["mean_p_state"] = float(given[inside].mean())
            entry |= shares_of_answers(state[inside], replied[inside])
            if label == 0:
                entry["false_state_rate"] = 1.0 - right / n
            else:
                against = inside | (labels == 0)
                entry["roc_auc"] = fold_auc(labels[against], given[against], folds[against])
            table[key] = entry
    return table


def shares_of_answers(state: Bools, answered: Bools) -> dict[str, float]:
    """``called_state``, ``called_independent`` and ``abstained``, which sum to 1.

    Parameters
    ----------
    state, answered
        Shape (n,), n at least 1: whether each would be called state, and whether it is answered at all.
    """
    return {
        "called_state": float((state & answered).mean()),
        "called_independent": float((~state & answered).mean()),
        "abstained": float((~answered).mean()),
    }


def worst_group(
    table: dict[str, dict[str, Any]], label: str, *, least: int = MIN_OWNER_ARTICLES
) -> dict[str, Any] | None:
    """The group of this label with the lowest recall among those of at least `least` articles (else of
    all).
    """
    mine = {name: row for name, row in table.items() if row["label"] == label}
    if not mine:
        return None
    large = {name: row for name, row in mine.items() if row["n"] >= least} or mine
    name = min(large, key=lambda key: (large[key]["recall"], key))
    return {"name": name, "recall": large[name]["recall"], "n": large[name]["n"]}
