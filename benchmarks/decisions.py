"""From scores to decisions on owners never seen: calibration methods, and what fewer false alarms cost.

    python -m benchmarks.decisions [--corpus seeds] [--seed 0] [--jobs 1]

The shipped recipe runs through the owner-disjoint protocol, nested as in ``framelens evaluate``: a fold's
calibration is fitted on the scores of models that saw neither this fold's owners nor the ones they score.
Printed are two tables in Markdown: Platt's sigmoid, isotonic regression and inductive Venn-Abers prediction
by Brier score, expected calibration error and macro-F1; and, for shares of non-Western independents called
state, the threshold that gives that share and what state owners' recall and macro-F1 are there. The second
table reads its thresholds off the test articles: it says what a threshold costs, not which to ship. Both are
artifacts of one MLflow run in the experiment `decisions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.evaluate.protocols import ProtocolResult

EXPERIMENT = "decisions"
METHODS = ("platt", "isotonic", "venn_abers")
SHARES = (0.05, 0.10, 0.15, 0.20, 0.25, 0.30, 0.35)
GRID = 101
"""Scores at which Venn-Abers is computed; between them it is interpolated."""
Floats = npt.NDArray[np.float64]


def venn_abers(y: npt.NDArray[np.int64], score: Floats, weights: Floats, new: Floats) -> Floats:
    """Inductive Venn-Abers (Vovk, Petej and Fedorova 2015): one probability for each new score.

    The new article is added to the calibration set once with either label, isotonic regression gives p0 and
    p1, and p1 / (1 - p0 + p1) is the probability that minimises the regret of the pair in log loss.
    """
    from sklearn.isotonic import IsotonicRegression

    grid = np.unique(np.quantile(new, np.linspace(0, 1, GRID)))
    added_weights = np.append(weights, weights.mean())
    pair = np.empty((2, len(grid)))
    for label in (0, 1):
        for i, value in enumerate(grid):
            fitted = IsotonicRegression(out_of_bounds="clip")
            fitted.fit(np.append(score, value), np.append(y, label), sample_weight=added_weights)
            pair[label, i] = fitted.predict([value])[0]
    return np.interp(new, grid, pair[1] / (1 - pair[0] + pair[1]))


def compare_methods(result: ProtocolResult) -> list[dict[str, Any]]:
    """Brier score, ECE and macro-F1 of each method, pooled over the folds."""
    from framelens_train.evaluate.calibrate import best_decision, fit_calibration
    from framelens_train.evaluate.metrics import expected_calibration_error, macro_f1

    scored, table = result.scored, []
    for method in METHODS:
        p, found = np.empty(len(scored.y)), np.empty(len(scored.y), dtype=np.bool_)
        for k, model in enumerate(result.models):
            held, inside = model.held_out, scored.fold == k
            if method == "venn_abers":
                p[inside] = venn_abers(held.y, held.score, held.weights, scored.score[inside])
                known = venn_abers(held.y, held.score, held.weights, held.score)
            else:
                fitted = fit_calibration(held.y, held.score, held.weights, method)
                p[inside], known = fitted.p_state(scored.score[inside]), fitted.p_state(held.score)
            found[inside] = p[inside] >= best_decision(held.y, known, held.weights)
        figures = {
            "brier": float(np.mean((p - scored.y) ** 2)),
            "ece": expected_calibration_error(scored.y, p),
            "macro_f1": macro_f1(scored.y, found),
        }
        table.append({"method": method, **figures})
    return table


def trade_off(corpus: Corpus, result: ProtocolResult) -> list[dict[str, Any]]:
    """What each share of false alarms among non-Western independents costs; last, the fitted decision."""
    from framelens_train.evaluate.metrics import macro_f1
    from framelens_train.evaluate.slices import non_western

    scored = result.scored
    foreign = non_western(corpus)[scored.rows] & (scored.y == 0)
    owners = corpus.articles["owner"].to_numpy(dtype=object)[scored.rows]
    state_owners = sorted(set(owners[scored.y == 1]))
    margin, table = scored.p - scored.decision, []
    for share in (*SHARES, None):
        bound = 0.0 if share is None else float(np.quantile(margin[foreign], 1 - share))
        found = margin >= bound
        recalls = {owner: float(found[(owners == owner) & (scored.y == 1)].mean()) for owner in state_owners}
        figures = {
            "false_state_nonwest": float(found[foreign].mean()),
            "false_state_west": float(found[(scored.y == 0) & ~foreign].mean()),
            "macro_f1": macro_f1(scored.y, found),
            "recall": float(np.mean(list(recalls.values()))),
        }
        table.append({"bound": "fitted" if share is None else round(bound, 3), **figures, **recalls})
    answered = ~scored.abstains
    kept = {"bound": "answered only", "coverage": float(answered.mean())}
    kept["false_state_nonwest"] = float(scored.found[foreign & answered].mean())
    kept["macro_f1"] = macro_f1(scored.y[answered], scored.found[answered])
    kept["recall"] = float(scored.found[answered & (scored.y == 1)].mean())
    return [*table, kept]


def table_of(rows: Sequence[dict[str, Any]]) -> str:
    """As Markdown; three decimals."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = [
        [f"{v:.3f}" if isinstance(v := row.get(n, ""), float) else str(v) for n in names] for row in rows
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in [names, ["---"] * len(names), *cells])


@click.command()
@click.option("--corpus", "path", type=click.Path(path_type=Path), help="As for `framelens train`.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the folds.")
@click.option("--jobs", type=click.IntRange(min=1), default=1, show_default=True)
def main(path: Path | None, seed: int, jobs: int) -> None:
    """Run the protocol, compare, print and record."""
    from benchmarks.ablations import SHIPPED
    from framelens_train import track
    from framelens_train.candidates import LIGHT, Recipe
    from framelens_train.corpus.dataset import load_corpus
    from framelens_train.evaluate.fitting import RecipeFitter
    from framelens_train.evaluate.protocols import run_protocols
    from framelens_train.splits import owner_disjoint

    corpus = load_corpus(path)
    recipe = Recipe("owner_ensemble", LIGHT[0], SHIPPED)
    splits = {"owner_disjoint": owner_disjoint(corpus.articles, seed=seed)}
    result = run_protocols(RecipeFitter(recipe), corpus, splits, seed=seed, jobs=jobs)["owner_disjoint"]
    methods, costs = compare_methods(result), trade_off(corpus, result)
    with track.open_store(create=True) as client:
        experiment = track.experiment_id(client, EXPERIMENT)
        with track.start_run(client, experiment, f"decisions on {corpus.name}") as run:
            run.dataset(corpus)
            run.params({"corpus_sha256": corpus.sha256, "seed": seed, "recipe": recipe.key})
            run.metrics(
                {f"{row['method']}/{k}": row[k] for row in methods for k in ("brier", "ece", "macro_f1")}
            )
            run.json({"calibration": methods, "trade_off": costs}, "decisions.json")
    click.echo(f"{table_of(methods)}\n\n{table_of(costs)}\n\nrun {run.run_id}")


if __name__ == "__main__":
    main()
