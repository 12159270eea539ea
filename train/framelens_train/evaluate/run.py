"""The whole evaluation of one recipe on one corpus, as `framelens evaluate` and every training run do it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framelens_train.evaluate import slices, summary
from framelens_train.evaluate.baselines import BASELINES, column_view
from framelens_train.evaluate.fitting import RecipeFitter
from framelens_train.evaluate.metrics import reliability
from framelens_train.evaluate.outlets import SIZES, TOGETHER, outlet_figures
from framelens_train.evaluate.probes import probe_figures, voice_and_quotation
from framelens_train.evaluate.protocols import (
    HEADLINE,
    ProtocolResult,
    Scored,
    available_splits,
    run_protocols,
)

if TYPE_CHECKING:
    from framelens_train.candidates import Recipe
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.splits import Split

WORST_SHOWN = 30

Progress = Callable[[str, int, int], None]
"""Called with the stage, the number of fits done in it and the number of all its fits."""


@dataclass(frozen=True)
class Evaluation:
    """Everything `framelens evaluate` found out.

    Attributes
    ----------
    figures
        The JSON: plain data.
    results
        The protocols carried out, for plots and probes; empty for a frozen model.
    """

    figures: dict[str, Any]
    results: dict[str, ProtocolResult]


def evaluate_recipe(
    recipe: Recipe,
    corpus: Corpus,
    *,
    seed: int = 0,
    jobs: int = 1,
    raw: Path | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Carry out every protocol, baseline, probe and slice for a recipe.

    Parameters
    ----------
    recipe
        A cell of the candidates' table.
    corpus
        State, independent and, if there are, mixed articles.
    seed
        Of splits, fits and bootstraps; the same seed gives the same bits, whatever `jobs`.
    jobs
        Processes.
    raw
        The file of raw articles the corpus was built from, for the probes that need text.

    Raises
    ------
    UserError
        When owners cannot be held out.
    """
    tell = progress or (lambda stage, done, total: None)
    splits, missing = available_splits(corpus, seed=seed)
    results = run_protocols(
        RecipeFitter(recipe),
        corpus,
        splits,
        seed=seed,
        jobs=jobs,
        progress=lambda n, total: tell("protocols", n, total),
    )
    headline = results[HEADLINE]
    figures: dict[str, Any] = {
        "protocols": {
            name: summary.figures_and_answers(corpus.articles, result.scored, seed=seed)
            for name, result in results.items()
        },
        "unavailable": missing,
        "per_owner": summary.groups_figures(corpus.articles, headline.scored, "owner"),
        "per_outlet": summary.groups_figures(corpus.articles, headline.scored, "outlet"),
    }
    figures["outlets"] = {name: together(corpus, result, seed=seed) for name, result in results.items()}
    plain, figures["baselines"] = _baselines(corpus, splits, seed=seed, jobs=jobs, tell=tell)
    figures["voice_and_quotation"] = voice_and_quotation(corpus, headline, plain, seed=seed)
    figures["hard_slices"] = slices.slice_figures(corpus, headline.scored, headline.mixed)
    tell("probes", 0, 1)
    figures["leak_probes"] = probe_figures(corpus, headline, raw=raw, seed=seed)
    figures["false_state_rate_nonwest"] = figures["protocols"][HEADLINE]["false_state_rate_nonwest"]
    figures["coverage"] = {name: summary.coverage_curve(r.scored) for name, r in results.items()}
    figures["reliability"] = {name: reliability_rows(result.scored) for name, result in results.items()}
    figures["calibration"] = {
        fold.fold.name: fold.choice.to_dict() | {"thresholds": fold.thresholds} for fold in headline.models
    }
    figures["worst_articles"] = worst_articles(corpus, headline.scored)
    figures["corpus"] = corpus_figures(corpus)
    figures["training_distribution"] = summary.training_distribution(headline.scored, corpus.batch.measures)
    figures["recipe"] = recipe.to_dict()
    figures["seed"] = seed
    tell("probes", 1, 1)
    return Evaluation(figures, results)


def _baselines(
    corpus: Corpus, splits: dict[str, Split], *, seed: int, jobs: int, tell: Progress
) -> tuple[ProtocolResult, dict[str, Any]]:
    """The bag of words' headline result, and the figures of every baseline on the headline and the leaky
    contrast.
    """
    table: dict[str, Any] = {}
    plain: ProtocolResult | None = None
    for name, baseline in BASELINES.items():
        heavy = baseline.columns is None  # the others are not worth a pool of processes
        results = run_protocols(
            baseline.fitter,
            corpus if baseline.columns is None else column_view(corpus, baseline.columns),
            {key: splits[key] for key in (HEADLINE, "random") if key in splits},
            seed=seed,
            jobs=jobs if heavy else 1,
            progress=lambda n, total, name=name: tell(f"baseline {name}", n, total),  # type: ignore[misc]
        )
        figures = {
            key: summary.protocol_figures(corpus.articles, result.scored, draws=200, seed=seed)
            for key, result in results.items()
        }
        table[name] = {"title": baseline.title} | figures
        table[name]["outlets"] = together(corpus, results[HEADLINE], sizes=(TOGETHER,), seed=seed)
        if heavy:
            plain = results[HEADLINE]
    assert plain is not None
    return plain, table


def together(
    corpus: Corpus, result: ProtocolResult, *, sizes: Sequence[int] = SIZES, seed: int
) -> list[dict[str, Any]]:
    """Several articles of one outlet answered together; see `framelens_train.evaluate.outlets`."""
    evidence = [model.outlet_evidence for model in result.models]
    boundaries = [model.boundary for model in result.models]
    return outlet_figures(corpus, result.scored, evidence, boundaries, sizes=sizes, seed=seed)


def reliability_rows(scored: Scored) -> list[dict[str, float]]:
    """The reliability diagram as plain data."""
    inside = scored.y >= 0
    return [
        {"p": row.p, "frequency": row.frequency, "n": row.n}
        for row in reliability(scored.y[inside], scored.p[inside])
    ]


def worst_articles(corpus: Corpus, scored: Scored, *, shown: int = WORST_SHOWN) -> list[dict[str, Any]]:
    """The articles the model is surest and most wrong about, at most three an outlet; no text, no title."""
    error = np.abs(scored.p - scored.y)
    listed: list[dict[str, Any]] = []
    seen: dict[str, int] = {}
    for i in np.argsort(-error, kind="stable"):
        row = corpus.articles.iloc[int(scored.rows[i])]
        outlet = str(row["outlet"])
        if error[i] <= 0.5 or len(listed) == shown:
            break
        if scored.y[i] < 0 or seen.get(outlet, 0) == 3:
            continue
        seen[outlet] = seen.get(outlet, 0) + 1
        date = row["date"] if "date" in row and isinstance(row["date"], str) else None
        listed.append(
            {
                "id": str(row["id"]),
                "outlet": outlet,
                "owner": str(row["owner"]),
                "date": date,
                "label": str(row["label"]),
                "p_state": float(scored.p[i]),
            }
        )
    return listed


def corpus_figures(corpus: Corpus) -> dict[str, Any]:
    """What the corpus holds, for the card."""
    articles = corpus.articles
    by_label = {
        label: {
            "articles": int((articles["label"] == label).sum()),
            "outlets": int(articles.loc[articles["label"] == label, "outlet"].nunique()),
            "owners": int(articles.loc[articles["label"] == label, "owner"].nunique()),
        }
        for label in ("state", "independent", "mixed")
    }
    dates: list[str] = articles["date"].dropna().astype(str).tolist() if "date" in articles else []
    return {
        "sha256": corpus.sha256,
        "articles": len(articles),
        "by_label": by_label,
        "state_owners": sorted(articles.loc[articles["label"] == "state", "owner"].astype(str).unique()),
        "first_date": min(dates, default=None),
        "last_date": max(dates, default=None),
        "readings": reading_figures(corpus),
    }


def reading_figures(corpus: Corpus) -> dict[str, Any] | None:
    """How well the reading marks tell who controls the outlet, which the reader did not know.

    Nothing is fitted: a mark of 50 or more says state. It stands beside the classifier with a grain of salt:
    a reader sees names, which the classifier does not. None where nobody read.
    """
    from framelens_train.corpus.marks import HIGHEST, marks_of
    from framelens_train.evaluate.metrics import macro_f1, roc_auc
    from framelens_train.evaluate.slices import non_western

    marks = marks_of(corpus.articles)
    read = np.isfinite(marks) & (corpus.y >= 0)
    state, foreign = corpus.y == 1, non_western(corpus) & (corpus.y == 0)
    if not (read & state).any() or not (read & ~state).any():
        return None
    found = marks >= HIGHEST / 2
    return {
        "n": int(read.sum()),
        "roc_auc": roc_auc(corpus.y[read].astype(np.int64), marks[read]),
        "macro_f1": macro_f1(corpus.y[read].astype(np.int64), found[read]),
        "false_state_rate_nonwest": float(found[read & foreign].mean()) if (read & foreign).any() else None,
        "state_recall": float(found[read & state].mean()),
    }
