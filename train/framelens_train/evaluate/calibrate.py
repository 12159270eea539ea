"""Probabilities and the right to abstain, fitted on owners the classifier did not see.

`fit_calibrated` trains a recipe on some rows. Inside those rows it first holds out owner after owner, and
from the scores of the held-out articles it fits

* the **probability**: Platt's sigmoid or isotonic regression, whichever has the lower Brier score on owners
  that neither the classifier nor the calibration saw (isotonic must win by a margin: it can memorise an
  owner);
* the **near_boundary** region by split-conformal prediction, one threshold a class (Mondrian): at 90 % the
  set of a text keeps a label while nine in ten held-out articles of that label looked less like the other
  one; between ``abstain_low`` and ``abstain_high`` the set holds both labels;
* the **unfamiliar** bound: a text whose share of known terms is below that of all but one in a hundred
  held-out articles;
* the **decision** threshold of the forced label: where macro-F1 over the held-out articles is highest.

An owner weighs by the square root of its size within its class. The classes weigh what they weigh among the
training articles: ``p_state`` is meant for a stream of articles mixed like the corpus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from framelens.abstain import REASONS, Thresholds, reasons_to_abstain, text_shares
from framelens.calibration import Calibration
from framelens_train.evaluate.fitting import Done, Job
from framelens_train.evaluate.metrics import Bools, Floats, Ints, expected_calibration_error
from framelens_train.evaluate.outlets import fit_outlet_evidence

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

    from framelens.outlets import OutletEvidence
    from framelens_train.candidates import Recipe
    from framelens_train.corpus.dataset import Corpus

CONFORMAL_LEVEL = 0.90
UNFAMILIAR_QUANTILE = 0.01
ISOTONIC_MARGIN = 0.002
"""Isotonic regression is chosen only when it lowers the Brier score by more than this."""

LEAST_FOR_ISOTONIC = 500
DECISIONS = np.round(np.arange(0.2, 0.801, 0.02), 2)
"""Decision thresholds that are tried."""

FIXED_THRESHOLDS = {"min_words": 60.0, "min_function_share": 0.2, "max_foreign_share": 0.2}
"""Bounds that are not fitted: of 28,000 English articles one in a thousand has fewer function words than
this.
"""


class CalibratedFit(NamedTuple):
    """What `fit_calibrated` returns: the fitted pipeline, the map from score to p_state, when to abstain,
    and how the articles of an outlet add up.
    """

    pipeline: Pipeline
    calibration: Calibration
    thresholds: dict[str, float]
    outlet_evidence: OutletEvidence


@dataclass(frozen=True)
class OutOfFold:
    """Scores of articles by classifiers that saw neither their owner nor a near-duplicate.

    Attributes
    ----------
    rows
        int64, shape (n,): rows of the corpus.
    y, score, weights
        Label (0 or 1), margin and weight of each.
    fold
        int64, shape (n,): which held-out group an article came from.
    """

    rows: Ints
    y: Ints
    score: Floats
    weights: Floats
    fold: Ints


@dataclass(frozen=True)
class CalibrationChoice:
    """The calibration chosen, and what each candidate measured on owners it was not fitted on."""

    calibration: Calibration
    brier: dict[str, float]
    ece: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """For the evaluation's JSON."""
        return {"method": self.calibration.method, "brier": self.brier, "ece": self.ece}


def fit_calibrated(
    recipe: Recipe, corpus: Corpus, train_rows: npt.ArrayLike, *, seed: int = 0, jobs: int = 1
) -> CalibratedFit:
    """Train a recipe on some rows and fit calibration and thresholds from owner-disjoint folds inside them.

    Parameters
    ----------
    recipe
        What to fit: a cell of the candidates' table.
    corpus
        The corpus the rows belong to. No other row of it is looked at.
    train_rows
        int64, shape (n,).
    jobs
        Processes for the inner fits.

    Raises
    ------
    UserError
        When the rows hold one class only.
    """
    from framelens_train.evaluate.fitting import PipelineScorer, RecipeFitter, run_jobs

    rows = np.asarray(train_rows, dtype=np.int64)
    inner = InnerFolds.of(corpus, rows, seed=seed)
    work = [*inner.jobs, Job(rows, ())]
    *scored, final = run_jobs(RecipeFitter(recipe), corpus, work, seed=seed, jobs=jobs)
    fitted = inner.pool(corpus, scored)
    choice = choose_calibration(fitted)
    assert isinstance(final.scorer, PipelineScorer)
    return calibrated_fit(final.scorer.pipeline, fitted, choice.calibration, corpus)


def calibrated_fit(
    pipeline: Pipeline, held_out: OutOfFold, calibration: Calibration, corpus: Corpus
) -> CalibratedFit:
    """A fitted pipeline with all that is fitted on held-out articles."""
    return CalibratedFit(
        pipeline,
        calibration,
        fit_thresholds(held_out, calibration, corpus),
        fit_outlet_evidence(held_out, calibration, corpus),
    )


@dataclass(frozen=True)
class InnerFolds:
    """Owner-disjoint folds inside training rows, as work to do; see
    `framelens_train.splits.calibration_split`.
    """

    jobs: tuple[Job, ...]

    @classmethod
    def of(cls, corpus: Corpus, rows: Ints, *, seed: int = 0) -> InnerFolds:
        """The folds inside `rows`."""
        from framelens_train.splits import calibration_split

        split = calibration_split(corpus.articles, rows, seed=seed)
        return cls(tuple(Job(fold.train, (fold.test,)) for fold in split.folds))

    def pool(self, corpus: Corpus, done: Sequence[Done]) -> OutOfFold:
        """What the jobs scored, together."""
        return pool(corpus, [(job.score[0], d.scores[0]) for job, d in zip(self.jobs, done, strict=True)])


def pool(corpus: Corpus, parts: Sequence[tuple[Ints, Floats]]) -> OutOfFold:
    """Held-out scores of several folds in one table, weighted by owner within the class; mean weight 1."""
    from framelens_train.weighting import sample_weights

    rows = np.concatenate([part for part, _ in parts])
    y = corpus.y[rows].astype(np.int64)
    weights = sample_weights(corpus.articles, rows)
    for label in (0, 1):  # within a class as in training; the classes as they come
        inside = y == label
        weights[inside] *= inside.sum() / max(weights[inside].sum(), 1e-12)
    return OutOfFold(
        rows,
        y,
        np.concatenate([scores for _, scores in parts]),
        weights,
        np.repeat(np.arange(len(parts)), [len(part) for part, _ in parts]),
    )


# -- probability --------------------------------------------------------------------------------------------


def choose_calibration(scored: OutOfFold) -> CalibrationChoice:
    """Platt or isotonic, by the Brier score on folds left out of the calibration's own fit."""
    methods = ["platt"] + (["isotonic"] if len(scored.y) >= LEAST_FOR_ISOTONIC else [])
    brier: dict[str, float] = {}
    ece: dict[str, float] = {}
    for method in methods:
        p = _cross_calibrated(scored, method)
        brier[method] = float(np.average((p - scored.y) ** 2, weights=scored.weights))
        ece[method] = expected_calibration_error(scored.y, p, weights=scored.weights)
    best = "platt"
    if brier.get("isotonic", np.inf) < brier["platt"] - ISOTONIC_MARGIN:
        best = "isotonic"
    return CalibrationChoice(fit_calibration(scored.y, scored.score, scored.weights, best), brier, ece)


def _cross_calibrated(scored: OutOfFold, method: str) -> Floats:
    """Probability of each article by a calibration fitted on the other folds (on all, where those lack a
    class).
    """
    p = np.empty(len(scored.y))
    for fold in np.unique(scored.fold):
        inside = scored.fold == fold
        rest = ~inside if len(np.unique(scored.y[~inside])) == 2 else np.ones_like(inside)
        fitted = fit_calibration(scored.y[rest], scored.score[rest], scored.weights[rest], method)
        p[inside] = fitted.p_state(scored.score[inside])
    return p


def fit_calibration(y: Ints, score: Floats, weights: Floats, method: str) -> Calibration:
    """Fit one map from scores to probabilities.

    Parameters
    ----------
    y, score, weights
        Shape (n,); both labels present.
    method
        ``"platt"`` (a sigmoid; a slope below zero becomes zero) or ``"isotonic"`` (its steps, kept off 0
        and 1 by the rule of succession, since no number of articles proves a certainty).
    """
    if method == "platt":
        return _platt(y, score, weights)
    if method == "isotonic":
        return _isotonic(y, score, weights)
    raise ValueError(f"calibration method is {method!r}; it must be 'platt' or 'isotonic'")


def _platt(y: Ints, score: Floats, weights: Floats) -> Calibration:
    from sklearn.linear_model import LogisticRegression

    spread = float(np.sqrt(np.cov(score, aweights=weights))) or 1.0
    fitted = LogisticRegression(C=1e4, tol=1e-8, max_iter=1000).fit(
        (score / spread)[:, None], y, sample_weight=weights / weights.mean()
    )
    slope, offset = float(fitted.coef_[0, 0]) / spread, float(fitted.intercept_[0])
    if slope < 0:
        share = float(np.clip(np.average(y, weights=weights), 1e-6, 1 - 1e-6))
        return Calibration("platt", slope=0.0, offset=float(np.log(share / (1 - share))))
    return Calibration("platt", slope=slope, offset=offset)


def _isotonic(y: Ints, score: Floats, weights: Floats) -> Calibration:
    from sklearn.isotonic import IsotonicRegression

    fitted = IsotonicRegression(out_of_bounds="clip").fit(score, y, sample_weight=weights)
    x = np.asarray(fitted.X_thresholds_, dtype=np.float64)
    floor = 1.0 / (len(y) + 2)
    steps = np.clip(np.asarray(fitted.y_thresholds_, dtype=np.float64), floor, 1 - floor)
    return Calibration("isotonic", x=tuple(x.tolist()), y=tuple(steps.tolist()))


# -- abstention ---------------------------------------------------------------------------------------------


def fit_thresholds(scored: OutOfFold, calibration: Calibration, corpus: Corpus) -> dict[str, float]:
    """When to abstain, as the manifest keeps it; every key is a number."""
    p = calibration.p_state(scored.score)
    low, high = conformal_region(scored.y, p, scored.weights)
    shares = text_shares(corpus.batch.measures[scored.rows])
    return FIXED_THRESHOLDS | {
        "min_known_share": float(np.quantile(shares["known"], UNFAMILIAR_QUANTILE)),
        "abstain_low": low,
        "abstain_high": high,
        "decision": best_decision(scored.y, p, scored.weights),
    }


def best_decision(y: Ints, p: Floats, weights: Floats) -> float:
    """The probability from which on to say state, where the macro-F1 of held-out owners is highest.

    Of `DECISIONS` the one with the highest mean macro-F1 over itself and its two neighbours, so that a lucky
    spike does not decide; of equals the one nearest to one half.
    """
    scores = np.array([_weighted_macro_f1(y == 1, p >= decision, weights) for decision in DECISIONS])
    smooth = np.convolve(np.pad(scores, 1, mode="edge"), np.full(3, 1 / 3), mode="valid")
    near_half = -np.abs(DECISIONS - 0.5) * 1e-9
    return float(DECISIONS[int(np.argmax(smooth + near_half))])


def _weighted_macro_f1(state: Bools, found: Bools, weights: Floats) -> float:
    errors = weights[state != found].sum()
    hits = weights[state & found].sum(), weights[~state & ~found].sum()
    return float(np.mean([2 * hit / max(2 * hit + errors, 1e-12) for hit in hits]))


def conformal_region(
    y: npt.ArrayLike, p: npt.ArrayLike, weights: npt.ArrayLike, *, level: float = CONFORMAL_LEVEL
) -> tuple[float, float]:
    """The probabilities between which the conformal set holds both labels.

    Returns
    -------
    (low, high)
        ``low <= p <= high`` means both labels stay possible; ``low > high`` that no probability leaves both.
    """
    labels, given, mass = (
        np.asarray(y),
        np.asarray(p, dtype=np.float64),
        np.asarray(weights, dtype=np.float64),
    )
    state, independent = labels == 1, labels == 0
    low = 1.0 - _conformal_quantile(1.0 - given[state], mass[state], level)
    high = _conformal_quantile(given[independent], mass[independent], level)
    return (low, high)


def _conformal_quantile(nonconformity: Floats, weights: Floats, level: float) -> float:
    """Smallest value that covers `level` of the weight, one more article of mean weight counted above
    all.
    """
    if not len(nonconformity):
        return 1.0
    order = np.argsort(nonconformity, kind="stable")
    covered = np.cumsum(weights[order])
    needed = level * (covered[-1] + weights.mean())
    position = int(np.searchsorted(covered, needed * (1 - 1e-12)))
    return float(nonconformity[order][position]) if position < len(order) else 1.0


def abstains(
    corpus: Corpus, rows: npt.ArrayLike, p: npt.ArrayLike, thresholds: dict[str, float]
) -> dict[str, Bools]:
    """For each reason to abstain, which of the rows the runtime would give it for; bool, shape (n,) each."""
    measures = corpus.batch.measures[np.asarray(rows, dtype=np.int64)]
    table = reasons_to_abstain(measures, np.asarray(p, dtype=np.float64), Thresholds.from_dict(thresholds))
    return {reason: table[:, i] for i, reason in enumerate(REASONS)}
