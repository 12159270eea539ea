"""The table of ablations says what its runs in MLflow say."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from framelens_train import track
from framelens_train.splits import owner_disjoint


@pytest.fixture
def ablations(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(Path(__file__).resolve().parents[2])
    import benchmarks.ablations

    return benchmarks.ablations


def test_every_row_has_a_name_and_a_recipe_of_its_own(ablations) -> None:
    rows = ablations.ablations()
    assert len({row.name for row in rows}) == len({row.recipe.key for row in rows}) == len(rows)


def test_the_shipped_row_is_what_training_fits_by_default(ablations) -> None:
    from framelens_train.candidates import CANDIDATES
    from framelens_train.owner_ensemble import OwnerEnsemble

    shipped = next(row.recipe for row in ablations.ablations() if "(shipped)" in row.name)
    make = CANDIDATES[shipped.candidate].make
    defaults = {name: values[0] for name, values in CANDIDATES[shipped.candidate].grid.items()}
    assert make(seed=0, **shipped.classifier).get_params() == make(seed=0, **defaults).get_params()
    assert isinstance(make(seed=0), OwnerEnsemble)


def test_a_perfect_score_is_perfect_and_thresholds_come_from_other_folds(ablations, corpus) -> None:
    split = owner_disjoint(corpus.articles)
    parts = [corpus.y[fold.test].astype(np.float64) for fold in split.folds]
    figures = ablations.measure(corpus, split, parts)
    assert figures["roc_auc"] == figures["macro_f1"] == figures["worst_recall"] == 1
    assert figures["false_state_nonwest"] == 0
    # a fold whose margins are turned round is wrong throughout: nothing of its own labels was used
    parts[0] = 1 - parts[0]
    turned = ablations.measure(corpus, split, parts)
    assert turned["worst_recall"] == 0
    assert turned[f"fold {split.folds[0].name}/roc_auc"] == 0


def test_rows_are_runs_below_one_parent(ablations, corpus, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    rows = [row for row in ablations.ablations() if row.name.startswith(("terms, single", "... + C 0.1"))]
    parent, table = ablations.run_ablations(corpus, rows, jobs=1, quick=True)
    with track.open_store() as client:
        experiment = client.get_experiment_by_name("ablations")
        children = track.search_children(client, [experiment.experiment_id], parent)
        kept = {run.info.run_id: run.data.metrics for run in children}
    assert {row["run"] for row in table} == set(kept)
    for row in table:
        assert kept[row["run"]]["owner_disjoint/roc_auc"] == pytest.approx(row["owner_disjoint/roc_auc"])
    lines = ablations.markdown(table).splitlines()
    assert len(lines) == 2 + len(rows)
    assert all(f"`{row['run'][:8]}`" in line for row, line in zip(table, lines[2:], strict=True))
