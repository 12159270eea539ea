"""One training from corpus to registered champion: choose, measure, refit on everything, record."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framelens_train import candidates, record, registry, track
from framelens_train.candidates import fit_recipe
from framelens_train.evaluate.calibrate import (
    CalibratedFit,
    InnerFolds,
    OutOfFold,
    calibrated_fit,
    choose_calibration,
)
from framelens_train.evaluate.fitting import Done, Job, RecipeFitter
from framelens_train.evaluate.protocols import HEADLINE, ProtocolResult, available_splits, run_protocols
from framelens_train.search import Journal, request_key, run_fits
from framelens_train.selection import Fit, select

if TYPE_CHECKING:
    from framelens_train.candidates import Recipe
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.splits import Split

CONTRAST = "random"
QUICK_ARTICLES = 10_000
"""A quick training chooses and measures on no more articles than this; the winner is refitted on all."""

Progress = Callable[[str, int, int], None]
"""Called with the stage and how many of its fits are done, of how many."""


@dataclass(frozen=True)
class Settings:
    """What the user asked for.

    Attributes
    ----------
    experiment
        MLflow experiment.
    candidates
        Names from the table; None for all.
    quick
        One recipe a candidate, two protocols, and no more than `QUICK_ARTICLES` to choose and measure on.
    jobs
        Processes side by side.
    seed
        Of splits, solvers and bootstraps.
    """

    experiment: str = track.EXPERIMENT
    candidates: tuple[str, ...] | None = None
    quick: bool = False
    jobs: int = 2
    seed: int = 0


@dataclass(frozen=True)
class Trained:
    """What a training left behind.

    Attributes
    ----------
    run_id
        Of the parent run.
    leaderboard
        One row a candidate, best first; plain data.
    winner
        The recipe that was refitted on everything and registered.
    figures
        Of the winner, by protocol; see `framelens_train.evaluate.summary.figures_and_answers`.
    nested
        Owner-disjoint figures with the recipe chosen anew for each fold without it; empty where there are
        none.
    unavailable
        Protocols that the corpus does not allow, and why.
    version
        Of the registered model.
    """

    run_id: str
    leaderboard: list[dict[str, Any]]
    winner: Recipe
    figures: dict[str, dict[str, Any]]
    nested: dict[str, float]
    unavailable: dict[str, str]
    version: str

    def to_dict(self) -> dict[str, Any]:
        """As ``framelens train --json`` prints it."""
        return {
            "run_id": self.run_id,
            "tracking_uri": track.tracking_uri(),
            "model": f"models:/{registry.REGISTERED_NAME}@{registry.ALIAS}",
            "version": self.version,
            "winner": self.winner.to_dict(),
            "leaderboard": self.leaderboard,
            "protocols": self.figures,
            "owner_disjoint_nested": self.nested,
            "unavailable": self.unavailable,
        }


def train(corpus: Corpus, settings: Settings, progress: Progress | None = None) -> Trained:
    """Train every candidate, choose by owners never seen, and register the winner.

    An interrupted training leaves its finished fits in ``mlruns/search``; the same call goes on from there.

    Raises
    ------
    UserError
        When the corpus cannot be split by owner, a candidate is unknown, or MLflow does not answer.
    KeyboardInterrupt
        After MLflow's runs were ended as KILLED.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    tell = progress or (lambda stage, done, total: None)
    sample = thinned(corpus, QUICK_ARTICLES, seed=settings.seed) if settings.quick else corpus
    splits, unavailable = available_splits(sample, seed=settings.seed)
    if settings.quick:
        splits = {name: splits[name] for name in (CONTRAST, HEADLINE) if name in splits}
    recipes = candidates.recipes(settings.candidates, quick=settings.quick)
    with threadpool_limits(limits=1), track.open_store(create=True) as client:
        experiment = track.experiment_id(client, settings.experiment)
        name = f"{corpus.name} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        with track.start_run(client, experiment, name) as run:
            record.log_setup(run, corpus, settings, recipes, splits, unavailable)
            journal = Journal(track.STORE / "search" / f"{search_key(corpus, settings)}.sqlite")
            fit = partial(run_fits, sample, journal=journal, jobs=settings.jobs, seed=settings.seed)
            choosing = partial(fit, progress=partial(tell, "choosing"))
            selection = select(sample, recipes, splits, choosing, nested=not settings.quick)
            leaderboard = [
                record.log_contender(run, c, c is selection.winner) for c in selection.contenders.values()
            ]
            run.json(leaderboard, "leaderboard.json")
            measuring = partial(fit, progress=partial(tell, "measuring the winner"))
            recipe = selection.winner.recipe
            results, held_out = measure(sample, recipe, splits, measuring, seed=settings.seed)
            tell("refitting on everything", 0, 1)
            refit = calibrated(corpus, recipe, sample, held_out, seed=settings.seed)
            tell("refitting on everything", 1, 1)
            measured = record.log_winner(
                run, corpus, sample, settings, selection, results, refit, unavailable
            )
            version = record.log_models(run, corpus, recipe, refit, measured)
            nested = selection.nested.figures() if selection.nested else {}
            protocols = measured["protocols"]
            trained = Trained(run.run_id, leaderboard, recipe, protocols, nested, unavailable, version)
            run.json(trained.to_dict(), "training.json")
            journal.remove()
    return trained


def thinned(corpus: Corpus, articles: int, *, seed: int = 0) -> Corpus:
    """At most so many articles, drawn at random; the labels keep their shares.

    Within a label the same number is drawn from every outlet that has as many: the large ones shrink first.
    """
    if len(corpus.articles) <= articles:
        return corpus
    order = np.random.default_rng(seed).permutation(len(corpus.articles))
    place = corpus.articles.iloc[order].groupby(["label", "outlet"], sort=False).cumcount().to_numpy()
    labels = corpus.articles["label"].to_numpy(dtype=object)[order]
    kept = np.zeros(len(order), dtype=np.bool_)
    for label in np.unique(labels.astype(str)):
        inside = labels == label
        budget = max(1, int(articles * inside.mean()))
        counts = np.cumsum(np.bincount(place[inside]))  # articles kept under a cap of 1, 2, ... an outlet
        kept |= inside & (place <= max(0, int(np.searchsorted(counts, budget, side="right")) - 1))
    return corpus.subset(np.sort(order[kept]))


@dataclass(frozen=True)
class _ScoresOnly:
    """Stands for a fold's classifier, of which the journal kept the scores."""

    def decision_function(self, X: Any) -> Any:
        raise TypeError("of this classifier only its scores were kept")


def measure(
    corpus: Corpus, recipe: Recipe, splits: dict[str, Split], fit: Fit, *, seed: int = 0
) -> tuple[dict[str, ProtocolResult], OutOfFold]:
    """Carry out the protocols for one recipe; and the scores that the shipped calibration is fitted on.

    The same as `run_protocols`, but fits that were made in choosing are not made again.
    """

    def run(work: Sequence[Job]) -> list[Done]:
        found = fit([(recipe, job.train) for job in work])
        scores = [found[request_key((recipe, job.train))].scores for job in work]
        return [
            Done(_ScoresOnly(), tuple(s[rows] for rows in j.score)) for j, s in zip(work, scores, strict=True)
        ]

    results = run_protocols(RecipeFitter(recipe), corpus, splits, seed=seed, run=run)
    inner = InnerFolds.of(corpus, np.flatnonzero(corpus.y >= 0), seed=seed)
    return results, inner.pool(corpus, run(inner.jobs))


def calibrated(
    corpus: Corpus, recipe: Recipe, sample: Corpus, held_out: OutOfFold, *, seed: int = 0
) -> CalibratedFit:
    """The recipe fitted on every labelled article, calibrated by scores that were held out in `sample`.

    The same as `fit_calibrated` when the sample is the whole.
    """
    pipeline = fit_recipe(recipe, corpus, np.flatnonzero(corpus.y >= 0), seed=seed)
    calibration = choose_calibration(held_out).calibration
    return calibrated_fit(pipeline, held_out, calibration, sample)


AFTER_FITTING = frozenset(
    (
        "cli_corpus",
        "cli_evaluate",
        "cli_train",
        "figures",
        "promote",
        "pyfunc_model",
        "record",
        "selection",
        "track",
        "training",
    )
)
"""Modules that no fit depends on: a change in them does not make finished fits worthless."""


def search_key(corpus: Corpus, settings: Settings) -> str:
    """Name of the journal: the same corpus, seed and code have the same."""
    here = Path(__file__).parent
    fitting = (path for path in sorted(here.glob("*.py")) if path.stem not in AFTER_FITTING)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in fitting))
    sample = QUICK_ARTICLES if settings.quick else None
    digest.update(json.dumps([corpus.sha256, sample, settings.seed, track.versions()]).encode())
    return digest.hexdigest()[:16]
