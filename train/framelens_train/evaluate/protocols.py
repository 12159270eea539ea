"""The protocols: which articles are tested by models trained on which others.

``random`` deals articles (the leaky contrast: every outlet, its layout and its year are in training too);
``outlet_disjoint`` holds out outlets; ``owner_disjoint``, the headline, holds out owners, so that all
outlets of a state are unseen together; ``country_disjoint`` holds out the non-Western countries of a fold's
test articles besides; ``temporal`` trains before a day and tests from it on. Near-duplicates of test
articles never train.

Every protocol is nested: what maps scores to probabilities and decides on abstention is fitted inside each
fold's training rows, on the same kind of split. A partition into K folds is nested cheaply: the model
trained without folds j and k scores fold j for the calibration of fold k, and fold k for that of fold j, so
K + K(K-1)/2 fits do the work of K + K(K-1). ``temporal`` has one fold, inside which owners are held out.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens.calibration import Calibration
from framelens_train.evaluate.calibrate import (
    CalibrationChoice,
    InnerFolds,
    OutOfFold,
    abstains,
    choose_calibration,
    fit_thresholds,
    pool,
)
from framelens_train.evaluate.fitting import Done, Fitter, Job, Scorer, stream_jobs
from framelens_train.evaluate.metrics import Bools, Floats, Ints
from framelens_train.evaluate.outlets import fit_outlet_evidence
from framelens_train.splits import protocol_splits, region_of

if TYPE_CHECKING:
    from framelens.outlets import OutletEvidence
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.splits import Fold, Split

PROTOCOLS = ("random", "outlet_disjoint", "owner_disjoint", "country_disjoint", "temporal")
HEADLINE = "owner_disjoint"


@dataclass(frozen=True)
class Scored:
    """The test articles of one protocol.

    Attributes
    ----------
    rows
        int64, shape (n,): rows of the corpus.
    y, score, p
        Label (1 state, 0 independent, -1 neither), margin and calibrated probability of state.
    decision
        float64, shape (n,): the probability from which on the fold's model says state.
    abstains
        bool, shape (n,): the model would have abstained.
    reasons
        For each reason, the articles it holds for.
    fold
        int64, shape (n,): index into `fold_names`.
    """

    rows: Ints
    y: Ints
    score: Floats
    p: Floats
    decision: Floats
    abstains: Bools
    reasons: dict[str, Bools]
    fold: Ints
    fold_names: tuple[str, ...] = ()

    @property
    def found(self) -> Bools:
        """Whether each is called state when the model has to answer; bool, shape (n,)."""
        return np.asarray(self.p >= self.decision)

    def take(self, which: Bools | Ints) -> Scored:
        """Some of the articles."""
        return Scored(
            self.rows[which],
            self.y[which],
            self.score[which],
            self.p[which],
            self.decision[which],
            self.abstains[which],
            {reason: holds[which] for reason, holds in self.reasons.items()},
            self.fold[which],
            self.fold_names,
        )


@dataclass(frozen=True)
class FoldModel:
    """The model of one fold: what it was fitted on inside, and which rows it tests.

    Attributes
    ----------
    held_out
        The scores that calibration and thresholds were fitted on.
    """

    fold: Fold
    scorer: Scorer
    held_out: OutOfFold
    calibration: Calibration
    choice: CalibrationChoice
    thresholds: dict[str, float]
    outlet_evidence: OutletEvidence

    @property
    def boundary(self) -> tuple[float, float]:
        """Between which probabilities it abstains."""
        return self.thresholds["abstain_low"], self.thresholds["abstain_high"]


@dataclass(frozen=True)
class ProtocolResult:
    """A protocol carried out.

    Attributes
    ----------
    scored
        Its test articles, ascending by row.
    mixed
        Articles labelled neither state nor independent, by the mean over the folds' models.
    models
        One a fold.
    """

    name: str
    scored: Scored
    mixed: Scored
    models: tuple[FoldModel, ...]


@dataclass
class _Plan:
    """A protocol's work: the jobs of its folds and where the inner ones went."""

    name: str
    split: Split
    jobs: list[Job] = field(default_factory=list)
    inner: list[InnerFolds] = field(default_factory=list)
    pairs: list[tuple[int, int]] = field(default_factory=list)


def available_splits(corpus: Corpus, *, seed: int = 0) -> tuple[dict[str, Split], dict[str, str]]:
    """The protocols this corpus allows, and for each other one the reason why not.

    Raises
    ------
    UserError
        When owners cannot be held out: one class only, or one owner.
    """
    made, missing = protocol_splits(corpus.articles, seed=seed)
    return {name: made[name] for name in PROTOCOLS if name in made}, missing


def run_protocols(
    fitter: Fitter,
    corpus: Corpus,
    splits: dict[str, Split],
    *,
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
    run: Callable[[Sequence[Job]], Iterable[Done]] | None = None,
) -> dict[str, ProtocolResult]:
    """Carry out protocols, nested; the same bits for any number of processes.

    Parameters
    ----------
    fitter
        A recipe or a baseline.
    splits
        See `available_splits`.
    jobs
        Processes.
    progress
        Called with the number of fits done and the number of all fits.
    run
        Does the jobs, in order, in place of `framelens_train.evaluate.fitting.stream_jobs`.
    """
    mixed = np.flatnonzero(corpus.y < 0).astype(np.int64)
    plans = [_plan(name, split, corpus, mixed, seed) for name, split in splits.items()]
    work = [job for plan in plans for job in plan.jobs]
    done: list[Done] = []
    for result in run(work) if run else stream_jobs(fitter, corpus, work, seed=seed, jobs=jobs):
        done.append(result)
        if progress is not None:
            progress(len(done), len(work))
    results, start = {}, 0
    for plan in plans:
        results[plan.name] = _assemble(plan, corpus, mixed, done[start : start + len(plan.jobs)])
        start += len(plan.jobs)
    return results


def check_split(corpus: Corpus, split: Split) -> None:
    """Refuse a split whose folds share articles or near-duplicates, or hold out what they claim to hold out.

    Raises
    ------
    ValueError
        Naming the fold and what straddles it.
    """
    from framelens_train.splits import cluster_codes

    clusters = cluster_codes(corpus.articles)
    held_out = _held_out_values(corpus, split.name)
    for fold in split.folds:
        if np.intersect1d(clusters[fold.train], clusters[fold.test]).size:
            raise ValueError(f"{split.name}, fold {fold.name}: near-duplicates stand in training and in test")
        for values in held_out:
            both = np.setdiff1d(np.intersect1d(values[fold.train], values[fold.test]), [""])
            if both.size:
                raise ValueError(f"{split.name}, fold {fold.name}: {both[0]} stands in training and in test")


def _held_out_values(corpus: Corpus, protocol: str) -> list[npt.NDArray[Any]]:
    """What a protocol keeps apart, as columns of which no value but "" may stand on both sides."""
    articles = corpus.articles
    if protocol == "outlet_disjoint":
        return [np.char.add(corpus.y.astype(str), articles["outlet"].to_numpy(dtype=object).astype(str))]
    owners = articles["owner"].to_numpy(dtype=object).astype(str)
    if protocol == "owner_disjoint":
        return [owners]
    if protocol == "country_disjoint":
        foreign = (corpus.y == 0) & (region_of(articles) == "nonwest")
        return [
            owners,
            np.where(foreign, articles["country"].fillna("").to_numpy(dtype=object).astype(str), ""),
        ]
    return []


def _plan(name: str, split: Split, corpus: Corpus, mixed: Ints, seed: int) -> _Plan:
    check_split(corpus, split)
    plan = _Plan(name, split)
    plan.jobs = [Job(fold.train, (fold.test, mixed)) for fold in split.folds]
    pairs = list(itertools.combinations(range(len(split.folds)), 2))
    joint = [np.intersect1d(split.folds[j].train, split.folds[k].train) for j, k in pairs]
    if len(split.folds) >= 3 and all(len(np.unique(corpus.y[rows])) == 2 for rows in joint):
        plan.pairs = pairs
        for (j, k), rows in zip(pairs, joint, strict=True):
            plan.jobs.append(Job(rows, (_calibrating(split, j, k), _calibrating(split, k, j))))
        return plan
    for fold in split.folds:
        plan.inner.append(InnerFolds.of(corpus, fold.train, seed=seed))
        plan.jobs += plan.inner[-1].jobs
    return plan


def _calibrating(split: Split, j: int, k: int) -> Ints:
    """Rows of fold j that may calibrate fold k: those without a near-duplicate in its test."""
    return np.intersect1d(split.folds[j].test, split.folds[k].train)


def _assemble(plan: _Plan, corpus: Corpus, mixed: Ints, done: Sequence[Done]) -> ProtocolResult:
    folds = plan.split.folds
    models, parts, mixed_parts = [], [], []
    for k, (fold, outer) in enumerate(zip(folds, done, strict=False)):
        held_out = _held_out(plan, corpus, k, done[len(folds) :])
        choice = choose_calibration(held_out)
        thresholds = fit_thresholds(held_out, choice.calibration, corpus)
        evidence = fit_outlet_evidence(held_out, choice.calibration, corpus)
        models.append(
            FoldModel(fold, outer.scorer, held_out, choice.calibration, choice, thresholds, evidence)
        )
        names = tuple(f.name for f in folds)
        parts.append(make_scored(corpus, fold.test, outer.scores[0], models[-1], k, names))
        mixed_parts.append(make_scored(corpus, mixed, outer.scores[1], models[-1], k, names))
    scored = _join(parts)
    return ProtocolResult(
        plan.name, scored.take(np.argsort(scored.rows, kind="stable")), _average(mixed_parts), tuple(models)
    )


def _held_out(plan: _Plan, corpus: Corpus, k: int, done: Sequence[Done]) -> OutOfFold:
    """Scores from which fold k's calibration is fitted."""
    if plan.pairs:
        parts = []
        for pair, result in zip(plan.pairs, done, strict=True):
            if k in pair:
                j, place = (pair[0], 0) if pair[1] == k else (pair[1], 1)
                parts.append((_calibrating(plan.split, j, k), result.scores[place]))
        return pool(corpus, parts)
    start = sum(len(inner.jobs) for inner in plan.inner[:k])
    inner = plan.inner[k]
    return inner.pool(corpus, done[start : start + len(inner.jobs)])


def make_scored(
    corpus: Corpus, rows: Ints, score: Floats, model: FoldModel, fold: int = 0, names: tuple[str, ...] = ()
) -> Scored:
    """What a fold's model says of some rows whose scores are known."""
    p = model.calibration.p_state(score)
    reasons = abstains(corpus, rows, p, model.thresholds)
    silent = np.logical_or.reduce(list(reasons.values())) if len(rows) else np.zeros(0, dtype=np.bool_)
    labels = corpus.y[rows].astype(np.int64)
    decision = np.full(len(rows), model.thresholds["decision"])
    folds = np.full(len(rows), fold, dtype=np.int64)
    return Scored(rows, labels, score, p, decision, silent, reasons, folds, names)


def _join(parts: Sequence[Scored]) -> Scored:
    def joined(name: str) -> npt.NDArray[Any]:
        return np.concatenate([getattr(part, name) for part in parts])

    return Scored(
        joined("rows"),
        joined("y"),
        joined("score"),
        joined("p"),
        joined("decision"),
        joined("abstains"),
        {reason: np.concatenate([part.reasons[reason] for part in parts]) for reason in parts[0].reasons},
        joined("fold"),
        parts[0].fold_names,
    )


def _average(parts: Sequence[Scored]) -> Scored:
    """The same rows as several models saw them: mean score and probability, abstaining where most abstain."""
    first = parts[0]
    share = {reason: np.mean([part.reasons[reason] for part in parts], axis=0) for reason in first.reasons}
    return Scored(
        first.rows,
        first.y,
        np.mean([part.score for part in parts], axis=0),
        np.mean([part.p for part in parts], axis=0),
        np.mean([part.decision for part in parts], axis=0),
        np.mean([part.abstains for part in parts], axis=0) > 0.5,
        {reason: held > 0.5 for reason, held in share.items()},
        first.fold,
        first.fold_names,
    )
