"""What each part of the recipe brings: a fixed list of recipes on the same folds, as MLflow runs.

    python -m benchmarks.ablations [--corpus seeds] [--jobs 2] [--seed 0] [--quick] [--only NAME ...]

Every recipe is fitted on the owner-disjoint folds and, for contrast, on three outlet-disjoint and three
random ones. Nothing is searched here: settings are fixed before fitting, so the figures compare levers; the
figure to quote for the shipped model is the nested one of ``framelens evaluate``. Probabilities and the
decision threshold of a fold come from the scores of the other folds. The runs are children of one run in
the experiment `ablations`; finished fits are kept in ``mlruns/search`` until all are recorded, so the same
command goes on after an interrupt. The table goes to standard output as Markdown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import numpy.typing as npt

from framelens_train.candidates import LIGHT, STYLED, TERMS, WORDS, Recipe

if TYPE_CHECKING:
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.search import Result
    from framelens_train.splits import Split
    from framelens_train.track import TrackedRun

EXPERIMENT = "ablations"
COLUMNS = {
    "recipe": "recipe",
    "owner_disjoint/roc_auc": "AUC, mean of folds",
    "owner_disjoint/roc_auc_pooled": "AUC, pooled",
    "owner_disjoint/macro_f1": "macro-F1",
    "owner_disjoint/false_state_nonwest": "false state, non-Western",
    "owner_disjoint/worst_recall": "worst owner's recall",
    "outlet_disjoint/roc_auc": "outlet-disjoint AUC",
    "random/roc_auc": "random AUC",
    "random/macro_f1": "random macro-F1",
    "run": "run",
}
"""Columns of the table: figure and heading."""


@dataclass(frozen=True)
class Ablation:
    """A row of the table: a name, what it is compared with, and the recipe."""

    name: str
    against: str
    recipe: Recipe


SHIPPED: Mapping[str, Any] = {
    "C": 0.1,
    "overlap_power": 1.0,
    "topics": (20, 40, 60),
    "reading_weight": 0.5,
    "pooled_weight": 0.1,
}
"""The owner ensemble's settings as they are trained by default."""

BASE: Mapping[str, Any] = {
    **SHIPPED,
    "C": 0.5,
    "overlap_power": 0.75,
    "topics": (60,),
    "prior_weight": 0.5,
    "reading_weight": 0.0,
    "pooled_weight": 0.0,
}
"""The ensemble around which one setting at a time is changed: members and prior alone."""


def ablations() -> list[Ablation]:
    """The fixed list, in the table's order."""
    terms = Recipe("logistic", TERMS, {"C": 1.0})
    styled = replace(terms, features=STYLED)
    light = Recipe("owner_ensemble", LIGHT[0], SHIPPED)
    before = {"topics": (60,), "pooled_weight": 0.25}
    reporter, everything = {"fields": "reporter"}, {"style": "all"}
    elastic = {"alpha": 3e-5, "l1_ratio": 0.15}
    bare = {**BASE, "overlap_power": 0.0, "prior_weight": 0.0}

    def base(
        features: Mapping[str, Any] = LIGHT[0], weighting: str = "owner_sqrt", **settings: Any
    ) -> Recipe:
        return Recipe("owner_ensemble", features, {**BASE, **settings}, weighting)

    def shipped(**settings: Any) -> Recipe:
        return replace(light, classifier={**SHIPPED, **settings})

    def plain(**settings: Any) -> Recipe:
        return replace(light, classifier={**bare, **settings})

    rows = [
        ("terms, 1-2-grams, logistic", "", terms),
        ("terms, single words", "terms", replace(terms, features={**TERMS, "ngram_max": 1})),
        ("terms, every article alike", "terms", replace(terms, weighting="class_balanced")),
        ("all style measures", "terms", replace(terms, features={**STYLED, **everything})),
        ("styled: framing measures only", "terms", styled),
        ("styled, single words", "styled", replace(terms, features=WORDS)),
        ("styled, 1-3-grams", "styled", replace(terms, features={**STYLED, "ngram_max": 3})),
        ("styled, reporter's voice only", "styled", replace(terms, features={**STYLED, **reporter})),
        ("lightly styled, logistic", "styled", replace(terms, features=LIGHT[0], classifier={"C": 0.5})),
        ("one per state owner, averaged", "lightly styled", plain()),
        ("... + overlap weights", "the row above", plain(overlap_power=0.75)),
        ("... + prior 0.5 (base)", "the row above", base()),
        ("... + C 0.1 and pooled 0.25 (second)", "the row above", base(C=0.1, pooled_weight=0.25)),
        ("... with readings 0.5 for the prior", "the row above", shipped(**before, overlap_power=0.75)),
        ("... + overlap power 1", "the row above", shipped(**before)),
        ("... + topics of 20, 40 and 60 dimensions", "the row above", shipped(pooled_weight=0.25)),
        ("... + pooled 0.1 instead of 0.25 (shipped)", "the row above", light),
        ("shipped, overlap power 1.25", "shipped", shipped(overlap_power=1.25)),
        ("shipped, topics 60", "shipped", shipped(topics=(60,))),
        ("shipped, topics 5 to 60", "shipped", shipped(topics=(5, 10, 15, 20, 30, 40, 50, 60))),
        ("shipped, no pooled member", "shipped", shipped(pooled_weight=0.0)),
        ("shipped, pooled 0.5", "shipped", shipped(pooled_weight=0.5)),
        ("shipped, owners' C 0.3", "shipped", shipped(C=0.3)),
        ("shipped, prior 0.25", "shipped", shipped(prior_weight=0.25)),
        ("shipped, prior 0.5", "shipped", shipped(prior_weight=0.5)),
        ("shipped, readings 0.25", "shipped", shipped(reading_weight=0.25)),
        ("shipped, readings 1", "shipped", shipped(reading_weight=1.0)),
        ("shipped, readings' C 3", "shipped", shipped(reading_C=3.0)),
        ("base, pooled 0.25", "base", base(pooled_weight=0.25)),
        ("base, pooled 0.5", "base", base(pooled_weight=0.5)),
        ("base, pooled 1.0", "base", base(pooled_weight=1.0)),
        ("base, prior 0.25", "base", base(prior_weight=0.25)),
        ("base, prior 1.0", "base", base(prior_weight=1.0)),
        ("base, no overlap weights", "base", base(overlap_power=0.0)),
        ("base, overlap power 0.5", "base", base(overlap_power=0.5)),
        ("base, overlap power 1", "base", base(overlap_power=1.0)),
        ("base, owners' C 0.1", "base", base(C=0.1)),
        ("base, owners' C 0.25", "base", base(C=0.25)),
        ("base, owners' C 2", "base", base(C=2.0)),
        ("base, owners' C 0.1, pooled 0.5", "base", base(C=0.1, pooled_weight=0.5)),
        ("base, all style measures", "base", base({**LIGHT[0], **everything})),
        ("base, reporter's voice only", "base", base({**LIGHT[0], **reporter})),
        ("base, single words", "base", base({**LIGHT[0], "ngram_max": 1})),
        ("base, every article alike", "base", base(weighting="class_balanced")),
        ("lexicon prior almost alone (weight 1000)", "", plain(prior_weight=1000.0)),
        ("complement naive Bayes, terms", "terms", Recipe("complement_nb", TERMS, {"alpha": 1.0})),
        ("ridge, styled", "styled", Recipe("ridge", STYLED, {"alpha": 10.0})),
        ("linear SVM, styled", "styled", Recipe("svm", STYLED, {"C": 0.1})),
        ("SGD log loss, styled", "styled", Recipe("sgd_log", STYLED, {"alpha": 1e-4})),
        ("SGD elastic net, styled", "styled", Recipe("elastic_net", STYLED, elastic)),
    ]
    return [Ablation(*row) for row in rows]


def measure(corpus: Corpus, split: Split, parts: Sequence[npt.NDArray[np.float64]]) -> dict[str, float]:
    """Figures of one protocol.

    Parameters
    ----------
    parts
        Margins of each fold's test rows, in the order of the folds.

    Returns
    -------
    dict
        ``roc_auc`` (mean over folds), ``roc_auc_pooled`` (of probabilities), ``macro_f1``, ``ece``,
        ``false_state_nonwest`` and ``worst_recall``; what the corpus has no articles for is missing.
    """
    from framelens_train.evaluate.calibrate import best_decision, fit_calibration, pool
    from framelens_train.evaluate.metrics import (
        by_group,
        expected_calibration_error,
        fold_auc,
        macro_f1,
        roc_auc,
        worst_group,
    )
    from framelens_train.evaluate.slices import non_western

    known = pool(corpus, [(fold.test, scores) for fold, scores in zip(split.folds, parts, strict=True)])
    p, found = np.empty(len(known.y)), np.empty(len(known.y), dtype=np.bool_)
    for k in range(len(parts)):
        inside, others = known.fold == k, known.fold != k
        y, score, weights = known.y[others], known.score[others], known.weights[others]
        calibration = fit_calibration(y, score, weights, "platt")
        p[inside] = calibration.p_state(known.score[inside])
        found[inside] = p[inside] >= best_decision(y, calibration.p_state(score), weights)
    foreign = non_western(corpus)[known.rows] & (known.y == 0)
    owners = corpus.articles["owner"].to_numpy(dtype=object)[known.rows]
    worst = worst_group(by_group(owners, known.y, p, found=found, fold=known.fold), "state")
    figures = {
        "roc_auc": fold_auc(known.y, known.score, known.fold),
        "roc_auc_pooled": roc_auc(known.y, p),
        "macro_f1": macro_f1(known.y, found),
        "ece": expected_calibration_error(known.y, p),
        "false_state_nonwest": float(found[foreign].mean()) if foreign.any() else None,
        "worst_recall": worst["recall"] if worst else None,
    }
    for k, fold in enumerate(split.folds):
        inside = known.fold == k
        figures[f"fold {fold.name}/roc_auc"] = roc_auc(known.y[inside], known.score[inside])
    return {name: float(value) for name, value in figures.items() if value is not None}


def splits_of(corpus: Corpus, *, seed: int, quick: bool) -> list[Split]:
    """The headline's folds, and three of each contrast (of a quick run: three random ones only)."""
    from framelens_train.splits import outlet_disjoint, owner_disjoint, random_split

    contrasts = (random_split,) if quick else (outlet_disjoint, random_split)
    contrast = [make(corpus.articles, seed=seed) for make in contrasts]
    return [owner_disjoint(corpus.articles, seed=seed), *contrast]


def record(run: TrackedRun, row: Ablation, figures: Mapping[str, float], seconds: float) -> str:
    """One recipe as a child run; returns its id."""
    recipe = row.recipe
    with run.child(row.name) as child:
        child.tags({"mlflow.source.name": "python -m benchmarks.ablations", "recipe": recipe.key})
        child.params({"candidate": recipe.candidate, "title": row.name, "against": row.against})
        child.params({f"features.{key}": value for key, value in recipe.features.items()})
        child.params({f"classifier.{key}": value for key, value in recipe.classifier.items()})
        child.params({"weighting": recipe.weighting})
        objective = {"objective": figures["owner_disjoint/roc_auc"], "fit_seconds": seconds}
        child.metrics({**figures, **objective})
    return child.run_id


def run_ablations(
    corpus: Corpus, rows: Sequence[Ablation], *, jobs: int, seed: int = 0, quick: bool = False
) -> tuple[str, list[dict[str, Any]]]:
    """Fit, measure and record all rows; returns the parent run's id and the table's rows."""
    from framelens_train import track
    from framelens_train.search import Journal, run_fits
    from framelens_train.training import Settings, search_key

    splits = splits_of(corpus, seed=seed, quick=quick)
    with track.open_store(create=True) as client:
        experiment = track.experiment_id(client, EXPERIMENT)
        with track.start_run(client, experiment, f"ablations of {corpus.name}") as run:
            run.dataset(corpus)
            run.params({"corpus_sha256": corpus.sha256, "articles": len(corpus), "jobs": jobs, "seed": seed})
            run.params({f"version.{name}": version for name, version in track.versions().items()})
            settings = Settings(EXPERIMENT, quick=quick, seed=seed)
            journal = Journal(track.STORE / "search" / f"ablations-{search_key(corpus, settings)}.sqlite")
            requests = [(row.recipe, fold.train) for row in rows for split in splits for fold in split.folds]
            results = run_fits(corpus, requests, journal, jobs=jobs, seed=seed, progress=_tell)
            table = [_measured(run, corpus, row, splits, results) for row in rows]
            run.json(table, "ablations.json")
            journal.remove()
    return run.run_id, table


def _tell(done: int, total: int) -> None:
    click.echo(f"{done} of {total} fits", err=True)


def _measured(
    run: TrackedRun, corpus: Corpus, row: Ablation, splits: Sequence[Split], results: Mapping[str, Result]
) -> dict[str, Any]:
    from framelens_train.search import request_key

    figures: dict[str, float] = {}
    seconds = 0.0
    for split in splits:
        fits = [results[request_key((row.recipe, fold.train))] for fold in split.folds]
        parts = [fit.scores[fold.test] for fit, fold in zip(fits, split.folds, strict=True)]
        figures |= {f"{split.name}/{key}": v for key, v in measure(corpus, split, parts).items()}
        seconds += sum(fit.seconds for fit in fits)
    return {"recipe": row.name, "run": record(run, row, figures, seconds), "seconds": seconds, **figures}


def markdown(table: Sequence[Mapping[str, Any]]) -> str:
    """The table as Markdown, figures with three decimals."""
    columns = [name for name in COLUMNS if any(name in row for row in table)]

    def cell(value: Any) -> str:
        return f"{value:.3f}".replace("0.", ".", 1) if isinstance(value, float) else str(value or "")

    lines = [[COLUMNS[name] for name in columns], ["---"] * len(columns)]
    lines += [
        [f"`{row['run'][:8]}`" if name == "run" else cell(row.get(name)) for name in columns] for row in table
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@click.command()
@click.option("--corpus", "path", type=click.Path(path_type=Path), help="As for `framelens train`.")
@click.option("--jobs", type=click.IntRange(min=1), default=2, show_default=True)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of folds and solvers."
)
@click.option("--quick", is_flag=True, help="10,000 articles, and no outlet-disjoint folds.")
@click.option("--only", multiple=True, metavar="NAME", help="Recipes whose name begins so; all by default.")
def main(path: Path | None, jobs: int, seed: int, quick: bool, only: tuple[str, ...]) -> None:
    """Measure every recipe of the list, or some, and print the table."""
    from framelens_train.corpus.dataset import load_corpus

    rows = [row for row in ablations() if not only or row.name.startswith(only)]
    if not rows:
        raise click.UsageError(f"--only {only[0]!r}: no recipe's name begins so; see docs/experiments.md")
    corpus = load_corpus(path)
    if quick:
        from framelens_train.training import QUICK_ARTICLES, thinned

        corpus = thinned(corpus, QUICK_ARTICLES, seed=seed)
    run_id, table = run_ablations(corpus, rows, jobs=jobs, seed=seed, quick=quick)
    click.echo(markdown(table))
    click.echo(f"\nparent run {run_id}; corpus {corpus.sha256}; {len(corpus)} articles")


if __name__ == "__main__":
    main()
