"""What MLflow is told of a training: its settings, each candidate, and all measured of the winner."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framelens_train import candidates, figures, promote, registry, track
from framelens_train.evaluate.protocols import HEADLINE
from framelens_train.evaluate.run import corpus_figures, reliability_rows, together
from framelens_train.evaluate.slices import slice_figures
from framelens_train.evaluate.summary import figures_and_answers, groups_figures, training_distribution
from framelens_train.selection import Contender, Selection, best_by_key

if TYPE_CHECKING:
    from framelens_train.candidates import Recipe
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.evaluate.calibrate import CalibratedFit
    from framelens_train.evaluate.protocols import ProtocolResult
    from framelens_train.splits import Split
    from framelens_train.training import Settings


def log_setup(
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


def log_contender(run: track.TrackedRun, contender: Contender, won: bool) -> dict[str, Any]:
    """A child run, and the contender's row of the leaderboard."""
    recipe = contender.recipe
    title = candidates.CANDIDATES[recipe.candidate].title
    found = {name: outcome.figures() for name, outcome in contender.protocols.items()}
    metrics = {"objective": contender.objective, "fit_seconds": contender.seconds}
    for name, outcome in contender.protocols.items():
        metrics |= {f"{name}/{key}": value for key, value in found[name].items()}
        for fold, values in outcome.by_fold().items():
            metrics |= {f"{name}/fold {fold}/{key}": value for key, value in values.items()}
    with run.child(recipe.candidate) as child:
        settings = {f"features.{key}": value for key, value in recipe.features.items()}
        settings |= {f"classifier.{key}": value for key, value in recipe.classifier.items()}
        child.params(
            {"candidate": recipe.candidate, "title": title, "weighting": recipe.weighting, **settings}
        )
        child.metrics(metrics)
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


def log_winner(
    run: track.TrackedRun,
    corpus: Corpus,
    sample: Corpus,
    settings: Settings,
    selection: Selection,
    results: dict[str, ProtocolResult],
    fit: CalibratedFit,
    unavailable: dict[str, str],
) -> dict[str, Any]:
    """Metrics, figures and out-of-fold scores of the winner; returns them as the card needs them."""
    recipe, headline = selection.winner.recipe, results[HEADLINE]
    measured: dict[str, Any] = {
        "protocols": {
            name: figures_and_answers(sample.articles, result.scored, seed=settings.seed)
            for name, result in results.items()
        },
        "outlets": {name: together(sample, result, seed=settings.seed) for name, result in results.items()},
        "unavailable": unavailable,
        "per_owner": groups_figures(sample.articles, headline.scored, "owner"),
        "hard_slices": slice_figures(sample, headline.scored, headline.mixed),
        "corpus": corpus_figures(corpus),
        "training_distribution": training_distribution(headline.scored, sample.batch.measures),
        "seed": settings.seed,
    }
    protocols = dict(measured["protocols"])
    if selection.nested:
        protocols["owner_disjoint_nested"] = selection.nested.figures()
    run.metrics(_flat(protocols))
    for row in measured["outlets"][HEADLINE]:
        run.metrics(_flat({HEADLINE: {f"{row['articles']} articles of an outlet": row}}))
    run.params({"winner": recipe.candidate, "articles_measured": len(sample.articles)})
    run.tags({"recipe": recipe.key, "winner": recipe.candidate})
    run.json(measured, "measured.json")
    _log_scores(run, sample, results)
    _log_figures(run, sample, results, measured, fit)
    return measured


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
    measured: dict[str, Any],
    fit: CalibratedFit,
) -> None:
    from framelens_train.pipeline import to_linear_model

    per_owner, answers = measured["per_owner"], measured["protocols"][HEADLINE]["answers"]
    scored = {name: (r.scored.y, r.scored.score, r.scored.fold) for name, r in results.items()}
    rows: dict[str, Sequence[dict[str, float]]] = {n: reliability_rows(r.scored) for n, r in results.items()}
    drawings = {
        "roc": figures.roc_figure(scored),
        "precision_recall": figures.precision_recall_figure(scored),
        "reliability": figures.reliability_figure(rows),
        "confusion": figures.confusion_figure(per_owner, answers),
        "owners": figures.owners_figure(per_owner),
        "top_terms": figures.terms_figure(to_linear_model(fit.pipeline, corpus.vocabulary)),
    }
    for name, drawing in drawings.items():
        run.figure(drawing, f"figures/{name}.png")


def log_models(
    run: track.TrackedRun, corpus: Corpus, recipe: Recipe, fit: CalibratedFit, measured: dict[str, Any]
) -> str:
    scratch = Path(tempfile.mkdtemp(prefix="framelens-"))
    try:
        folder = promote.write_folder(
            scratch / "framelens", corpus, recipe, fit, run_id=run.run_id, evaluation=measured
        )
        uri = registry.log_models(run, folder, fit.pipeline)
        tags = {"candidate": recipe.candidate, "corpus_sha256": corpus.sha256}
        return registry.register(run.client, uri, run.run_id, tags)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
