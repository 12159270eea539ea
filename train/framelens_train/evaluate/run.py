"""The whole evaluation of one recipe on one corpus, as `framelens evaluate` and every training run do it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framelens_train.evaluate import slices, summary
from framelens_train.evaluate.baselines import BASELINES, column_view
from framelens_train.evaluate.fitting import Fitter, Job, RecipeFitter, run_jobs
from framelens_train.evaluate.metrics import reliability
from framelens_train.evaluate.probes import probe_figures, voice_and_quotation
from framelens_train.evaluate.protocols import ProtocolResult, Scored, available_splits, run_protocols

if TYPE_CHECKING:
    from framelens_train.candidates import Recipe
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.splits import Split

HEADLINE = "owner_disjoint"
COUNTRY_GROUPS = 3
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
    fitter = RecipeFitter(recipe)
    results = run_protocols(
        fitter, corpus, splits, seed=seed, jobs=jobs, progress=lambda n, total: tell("protocols", n, total)
    )
    headline = results[HEADLINE]
    figures: dict[str, Any] = {
        "protocols": {
            name: summary.protocol_figures(corpus.articles, result.scored, seed=seed)
            for name, result in results.items()
        },
        "unavailable": missing,
        "per_owner": summary.groups_figures(corpus.articles, headline.scored, "owner"),
        "per_outlet": summary.groups_figures(corpus.articles, headline.scored, "outlet"),
    }
    plain, figures["baselines"] = _baselines(corpus, splits, seed=seed, jobs=jobs, tell=tell)
    figures["voice_and_quotation"] = voice_and_quotation(corpus, headline, plain, seed=seed)
    figures["hard_slices"] = slices.slice_figures(corpus, headline.scored, headline.mixed)
    figures["hard_slices"]["country_disjoint"] = country_disjoint(
        fitter, corpus, headline, seed=seed, jobs=jobs, progress=lambda n, total: tell("countries", n, total)
    )
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
        if heavy:
            plain = results[HEADLINE]
    assert plain is not None
    return plain, table


def country_disjoint(
    fitter: Fitter,
    corpus: Corpus,
    headline: ProtocolResult,
    *,
    seed: int = 0,
    jobs: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Non-Western independents with their whole country held out, countries dealt to a few groups.

    `owner_disjoint` holds out one outlet of a country at a time; here no independent of the country trains.
    The map from scores to probabilities is the headline's, fitted on its held-out articles of other
    countries.

    Returns
    -------
    dict
        ``title``, ``n``, ``false_state_rate`` and the same ``per_country``; ``{"n": 0}`` without such
        articles.
    """
    from framelens_train.evaluate.calibrate import choose_calibration, pool

    articles = corpus.articles
    title = "non-Western independents, their whole country unseen"
    if "country" not in articles or "region" not in articles:
        return {"title": title, "n": 0}
    country = articles["country"].fillna("").to_numpy(dtype=object).astype(str)
    held = (corpus.y == 0) & (articles["region"].to_numpy(dtype=object) == "nonwest") & (country != "")
    names, counts = np.unique(country[held], return_counts=True)
    if not len(names):
        return {"title": title, "n": 0}
    order = names[np.argsort(-counts, kind="stable")]
    groups = [order[k::COUNTRY_GROUPS] for k in range(min(COUNTRY_GROUPS, len(order)))]
    tests = [np.flatnonzero(held & np.isin(country, group)) for group in groups]
    labelled = np.flatnonzero(corpus.y >= 0)
    work = [Job(_without(corpus, labelled, test), (test,)) for test in tests]
    work = [job for job in work if len(np.unique(corpus.y[job.train])) == 2]
    done = run_jobs(fitter, corpus, work, seed=seed, jobs=jobs)
    if progress is not None:
        progress(len(done), len(work))
    per_country: dict[str, Any] = {}
    for job, result in zip(work, done, strict=True):
        rows = job.score[0]
        kept = ~np.isin(country[headline.scored.rows], np.unique(country[rows])) | (headline.scored.y == 1)
        known = headline.scored.take(kept)
        calibration = choose_calibration(pool(corpus, _by_fold(known))).calibration
        decision = float(np.mean([model.thresholds["decision"] for model in headline.models]))
        found = calibration.p_state(result.scores[0]) >= decision
        for name in np.unique(country[rows]):
            inside = country[rows] == name
            per_country[str(name)] = {"n": int(inside.sum()), "false_state_rate": float(found[inside].mean())}
    n = sum(row["n"] for row in per_country.values())
    rate = sum(row["n"] * row["false_state_rate"] for row in per_country.values()) / n if n else None
    return {
        "title": title,
        "n": n,
        "false_state_rate": rate,
        "per_country": dict(sorted(per_country.items())),
    }


def _without(corpus: Corpus, rows: Any, test: Any) -> Any:
    """Training rows: all but the test's independents of the same countries and its near-duplicates."""
    from framelens_train.splits import cluster_codes

    clusters = cluster_codes(corpus.articles)
    return rows[~np.isin(clusters[rows], clusters[test])]


def _by_fold(scored: Scored) -> list[tuple[Any, Any]]:
    return [(scored.rows[scored.fold == k], scored.score[scored.fold == k]) for k in np.unique(scored.fold)]


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
