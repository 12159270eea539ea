"""One training from corpus to registered champion: choose, measure, refit on everything, record."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framelens_train import candidates, figures, promote, track
from framelens_train.evaluate.calibrate import CalibratedFit, fit_calibrated
from framelens_train.evaluate.fitting import RecipeFitter
from framelens_train.evaluate.protocols import ProtocolResult, available_splits, run_protocols
from framelens_train.evaluate.run import corpus_figures, reliability_rows
from framelens_train.evaluate.slices import slice_figures
from framelens_train.evaluate.summary import groups_figures, protocol_figures
from framelens_train.search import Journal, run_fits
from framelens_train.selection import Contender, Selection, best_by_key, select

if TYPE_CHECKING:
    from framelens_train.candidates import Recipe
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.splits import Split

HEADLINE, CONTRAST = "owner_disjoint", "random"
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
        One recipe a candidate, the winner measured on two protocols only.
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
        Of the winner, by protocol; see `framelens_train.evaluate.summary.protocol_figures`.
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
            "model": f"models:/{track.REGISTERED_NAME}@{track.ALIAS}",
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
    splits, unavailable = available_splits(corpus, seed=settings.seed)
    recipes = candidates.recipes(settings.candidates, quick=settings.quick)
    journal = Journal(track.STORE / "search" / f"{search_key(corpus, settings)}.sqlite")
    with threadpool_limits(limits=1), track.open_store(create=True) as client:
        experiment = track.experiment_id(client, settings.experiment)
        name = f"{corpus.name} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        with track.start_run(client, experiment, name) as run:
            _log_setup(run, corpus, settings, recipes, splits, unavailable)
            selection = select(
                corpus,
                recipes,
                splits,
                lambda requests: run_fits(
                    corpus,
                    requests,
                    journal,
                    jobs=settings.jobs,
                    seed=settings.seed,
                    progress=lambda done, total: tell("choosing", done, total),
                ),
                nested=not settings.quick,
            )
            leaderboard = [
                _log_contender(run, c, c is selection.winner) for c in selection.contenders.values()
            ]
            trained = _log_winner(run, corpus, settings, selection, splits, unavailable, leaderboard, tell)
    journal.remove()
    return trained


def search_key(corpus: Corpus, settings: Settings) -> str:
    """Name of the journal: the same corpus, seed and code have the same."""
    here = Path(__file__).parent
    sources = ["candidates.py", "pipeline.py", "search.py", "splits.py", "weighting.py"]
    digest = hashlib.sha256(b"".join((here / name).read_bytes() for name in sources))
    digest.update(json.dumps([corpus.sha256, settings.seed, track.versions()]).encode())
    return digest.hexdigest()[:16]


def _log_setup(
    run: track.TrackedRun,
    corpus: Corpus,
    settings: Settings,
    recipes: Sequence[Recipe],
    splits: dict[str, Split],
    unavailable: dict[str, str],
) -> None:
    run.dataset(corpus)
    run.params(
        {
            **asdict(settings),
            "candidates": ",".join(dict.fromkeys(r.candidate for r in recipes)),
            "recipes": len(recipes),
            "corpus": corpus.name,
            "corpus_sha256": corpus.sha256,
            "articles": len(corpus.articles),
            "terms": len(corpus.vocabulary),
        }
    )
    run.params({f"version.{name}": version for name, version in track.versions().items()})
    for name, split in splits.items():
        run.params({f"folds.{name}": ", ".join(fold.name for fold in split.folds)})
        run.metrics({f"{name}/purged_duplicates": sum(fold.purged for fold in split.folds)})
    run.params({f"unavailable.{name}": why for name, why in unavailable.items()})


def _log_contender(run: track.TrackedRun, contender: Contender, won: bool) -> dict[str, Any]:
    """A child run, and the contender's row of the leaderboard."""
    recipe = contender.recipe
    title = candidates.CANDIDATES[recipe.candidate].title
    found = {name: outcome.figures() for name, outcome in contender.protocols.items()}
    with run.child(recipe.candidate) as child:
        child.params({"candidate": recipe.candidate, "title": title, "weighting": recipe.weighting})
        child.params({f"features.{k}": v for k, v in recipe.features.items()})
        child.params({f"classifier.{k}": v for k, v in recipe.classifier.items()})
        child.metrics({"objective": contender.objective, "fit_seconds": contender.seconds})
        for name, outcome in contender.protocols.items():
            child.metrics({f"{name}/{key}": value for key, value in found[name].items()})
            folds = outcome.by_fold().items()
            child.metrics({f"{name}/fold {f}/{key}": v for f, values in folds for key, v in values.items()})
        child.tags({"winner": str(won).lower(), "recipe": recipe.key})
        cells = [{"recipe": cell, "objective": value} for cell, value in best_by_key(contender.tried)]
        child.json({"grid": cells, "warnings": list(contender.warnings)}, "grid.json")
    return {
        "candidate": recipe.candidate,
        "title": title,
        "run_id": child.run_id,
        "winner": won,
        "objective": contender.objective,
        "recipe": recipe.to_dict(),
        "protocols": found,
        "seconds": contender.seconds,
        "warnings": list(contender.warnings),
    }


def _log_winner(
    run: track.TrackedRun,
    corpus: Corpus,
    settings: Settings,
    selection: Selection,
    splits: dict[str, Split],
    unavailable: dict[str, str],
    leaderboard: list[dict[str, Any]],
    tell: Progress,
) -> Trained:
    recipe = selection.winner.recipe
    if settings.quick:
        splits = {name: splits[name] for name in (HEADLINE, CONTRAST) if name in splits}
    results = run_protocols(
        RecipeFitter(recipe),
        corpus,
        splits,
        seed=settings.seed,
        jobs=settings.jobs,
        progress=lambda done, total: tell("measuring the winner", done, total),
    )
    found = {
        name: protocol_figures(corpus.articles, result.scored, seed=settings.seed)
        for name, result in results.items()
    }
    tell("refitting on everything", 0, 1)
    rows = np.flatnonzero(corpus.y >= 0)
    fit = fit_calibrated(recipe, corpus, rows, seed=settings.seed, jobs=settings.jobs)
    tell("refitting on everything", 1, 1)
    nested = selection.nested.figures() if selection.nested else {}
    for name, values in found.items():
        run.metrics({f"{name}/{key}": value for key, value in _flat(values).items()})
    run.metrics({f"owner_disjoint_nested/{key}": value for key, value in nested.items()})
    run.params({"winner": recipe.candidate})
    run.tags({"recipe": recipe.key, "winner": recipe.candidate})
    run.json(leaderboard, "leaderboard.json")
    headline = results[HEADLINE]
    measured: dict[str, Any] = {
        "protocols": found,
        "unavailable": unavailable,
        "per_owner": groups_figures(corpus.articles, headline.scored, "owner"),
        "hard_slices": slice_figures(corpus, headline.scored, headline.mixed),
        "corpus": corpus_figures(corpus),
        "seed": settings.seed,
    }
    run.json(measured | {"owner_disjoint_nested": nested}, "measured.json")
    _log_scores(run, corpus, results)
    _log_figures(run, corpus, results, measured["per_owner"], fit)
    version = _log_models(run, corpus, recipe, fit, measured)
    winner = Trained(run.run_id, leaderboard, recipe, found, nested, unavailable, version)
    run.json(winner.to_dict(), "training.json")
    return winner


def _flat(values: dict[str, Any]) -> dict[str, float]:
    """Numbers of nested figures, by joined names; intervals as their two ends."""
    flat: dict[str, float] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= {f"{key}/{name}": inner for name, inner in _flat(value).items()}
        elif isinstance(value, (list, tuple)) and len(value) == 2:
            flat |= {f"{key}_low": value[0], f"{key}_high": value[1]}
        elif isinstance(value, (int, float)):
            flat[key] = value
    return flat


def _log_scores(run: track.TrackedRun, corpus: Corpus, results: dict[str, ProtocolResult]) -> None:
    """What each protocol said of each article out of fold, with its id, outlet, owner and label."""
    import pandas as pd

    columns = ["id", "outlet", "owner", "label"]
    with tempfile.TemporaryDirectory() as scratch:
        for name, result in results.items():
            scored = result.scored
            table = corpus.articles.loc[scored.rows, columns].reset_index(drop=True)
            folds = np.array(scored.fold_names, dtype=object)[scored.fold]
            added = pd.DataFrame({"fold": folds, "score": scored.score, "p_state": scored.p})
            path = Path(scratch) / f"{name}.parquet"
            pd.concat([table, added], axis=1).to_parquet(path, index=False)
            run.client.log_artifact(run.run_id, str(path), "out_of_fold")


def _log_figures(
    run: track.TrackedRun,
    corpus: Corpus,
    results: dict[str, ProtocolResult],
    per_owner: dict[str, dict[str, Any]],
    fit: CalibratedFit,
) -> None:
    from framelens_train.pipeline import to_linear_model

    scored = {name: (result.scored.y, result.scored.p) for name, result in results.items()}
    rows: dict[str, Sequence[dict[str, float]]] = {n: reliability_rows(r.scored) for n, r in results.items()}
    drawings = {
        "roc": figures.roc_figure(scored),
        "precision_recall": figures.precision_recall_figure(scored),
        "reliability": figures.reliability_figure(rows),
        "confusion": figures.confusion_figure(per_owner),
        "owners": figures.owners_figure(per_owner),
        "top_terms": figures.terms_figure(to_linear_model(fit.pipeline, corpus.vocabulary)),
    }
    for name, drawing in drawings.items():
        run.figure(drawing, f"figures/{name}.png")


def _log_models(
    run: track.TrackedRun, corpus: Corpus, recipe: Recipe, fit: CalibratedFit, measured: dict[str, Any]
) -> str:
    scratch = Path(tempfile.mkdtemp(prefix="framelens-"))
    try:
        folder = promote.write_folder(
            scratch / "framelens", corpus, recipe, fit, run_id=run.run_id, evaluation=measured
        )
        uri = track.log_models(run, folder, fit.pipeline)
        tags = {"candidate": recipe.candidate, "corpus_sha256": corpus.sha256}
        return track.register(run.client, uri, run.run_id, tags)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
