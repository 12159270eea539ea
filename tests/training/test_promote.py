"""From a run to the folder that is loaded, and what the command line says about it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import framelens
from framelens.artifact import load_model
from framelens.cli import main
from framelens_train import cli_train, promote, registry, track
from framelens_train.corpus import dataset
from framelens_train.evaluate import run as evaluation
from framelens_train.evaluate.card import card_matches


def test_the_promoted_model_is_the_registered_one(finished, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "champion"
    done = promote.promote(finished.result.run_id, out=out, evaluate=False)
    assert done["folder"] == str(out)
    assert done["candidate"] == finished.result.winner.candidate
    text = "The spokesman said that the price of rain stressed him. " * 9
    registered = framelens.load(f"models:/{registry.REGISTERED_NAME}@{registry.ALIAS}")
    assert framelens.load(out).predict(text) == registered.predict(text)
    assert sorted(p.name for p in out.parent.iterdir()) == ["champion"]


def test_the_card_comes_from_a_whole_evaluation_that_is_made_once(
    finished, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[dict] = []

    def stand_in(recipe, corpus, *, seed, jobs, progress):
        calls.append(recipe.to_dict())
        with track.open_store() as client:
            figures = track.read_json(client, finished.result.run_id, "measured.json")
        figures["protocols"]["owner_disjoint"]["macro_f1"] = 0.123
        return evaluation.Evaluation(figures, {})

    nested = {"macro_f1": 0.456, "roc_auc": 0.567}  # a quick training has none, a whole one keeps it here
    read = track.read_json

    def with_nested(client, run_id: str, name: str):
        found = read(client, run_id, name)
        return found | {"owner_disjoint_nested": nested} if name == "training.json" else found

    monkeypatch.setattr(track, "read_json", with_nested)
    monkeypatch.setattr(dataset, "load_corpus", lambda path: finished.corpus)
    monkeypatch.setattr(evaluation, "evaluate_recipe", stand_in)
    for name in ("one", "two"):
        done = promote.promote(finished.result.run_id[:8], out=tmp_path / name)
        artifact = load_model(tmp_path / name)
        assert (
            done["macro_f1"]
            == artifact.manifest["metrics"]["protocols"]["owner_disjoint"]["macro_f1"]
            == 0.123
        )
        assert card_matches(artifact.manifest, artifact.card)
        assert "0.12" in artifact.card
        assert artifact.manifest["metrics"]["owner_disjoint_nested"] == nested
        assert "macro-F1 0.46, ROC AUC 0.57" in artifact.card.split("chosen anew")[1]
    assert calls == [finished.result.winner.to_dict()]


def test_an_older_champion_is_replaced_whole(finished, tmp_path: Path) -> None:
    out = tmp_path / "champion"
    out.mkdir()
    (out / "stale.txt").write_text("old", encoding="utf-8")
    promote.promote(finished.result.run_id, out=out, evaluate=False)
    assert "stale.txt" not in {p.name for p in out.iterdir()}
    assert load_model(out).manifest["run_id"] == finished.result.run_id


def test_a_winners_own_run_leads_to_its_training(finished, tmp_path: Path) -> None:
    winner = next(row for row in finished.result.leaderboard if row["winner"])
    done = promote.promote(winner["run_id"], out=tmp_path / "c", evaluate=False)
    assert done["run_id"] == finished.result.run_id


def test_a_run_that_cannot_be_promoted_says_why(finished, tmp_path: Path, capsys, monkeypatch) -> None:
    loser = next(row for row in finished.result.leaderboard if not row["winner"])
    out = tmp_path / "champion"
    monkeypatch.setattr(
        dataset, "load_corpus", lambda path: finished.corpus.__class__(**vars_of(finished.corpus))
    )
    for arguments, message in (
        ([loser["run_id"]], "did not win its training"),
        (["feedface"], "there is no run 'feedface'"),
    ):
        assert main(["promote", *arguments, "--out", str(out)]) == 2
        told = capsys.readouterr()
        assert message in told.err
        assert told.out == ""
        assert len([line for line in told.err.splitlines() if line.startswith("framelens: ")]) == 1
    assert not out.exists()


def vars_of(corpus) -> dict:
    return {name: getattr(corpus, name) for name in ("articles", "batch", "vocabulary", "sha256", "name")}


def test_another_corpus_than_the_runs_is_refused(finished, tmp_path: Path, monkeypatch) -> None:
    other = finished.corpus.__class__(**{**vars_of(finished.corpus), "sha256": "f" * 64})
    monkeypatch.setattr(dataset, "load_corpus", lambda path: other)
    with track.open_store() as client:
        experiment = track.experiment_id(client, track.EXPERIMENT)
        with track.start_run(client, experiment, "fresh") as run:
            run.params({"corpus_sha256": finished.corpus.sha256, "seed": 0})
    with pytest.raises(framelens.errors.UserError, match="name the corpus with --corpus"):
        promote.promote(run.run_id, out=tmp_path / "c")


def test_a_run_that_left_no_model_says_so(finished, tmp_path: Path) -> None:
    with track.open_store() as client:
        experiment = track.experiment_id(client, track.EXPERIMENT)
        with track.start_run(client, experiment, "cut short") as run:
            pass
    with pytest.raises(framelens.errors.UserError, match="left no model"):
        promote.promote(run.run_id, out=tmp_path / "c", evaluate=False)


def test_runs_shows_random_beside_unseen_owners(finished, capsys) -> None:
    assert main(["runs"]) == 0
    table = capsys.readouterr().out
    assert "unseen owners" in table
    for row in finished.result.leaderboard:
        assert row["title"] in table
    assert main(["runs", "--json", "--experiment", "framelens"]) == 0
    rows = json.loads(capsys.readouterr().out)["runs"]
    assert [r["candidate"] for r in rows] == [r["candidate"] for r in finished.result.leaderboard]
    for mine, theirs in zip(rows, finished.result.leaderboard, strict=True):
        for protocol, figures in mine["protocols"].items():
            for name, value in figures.items():
                assert value == pytest.approx(theirs["protocols"][protocol][name])
    assert main(["runs", "--experiment", "no such"]) == 2


def test_top_terms_are_the_heaviest_on_either_side(finished) -> None:
    from framelens_train.figures import top_terms

    model = framelens.load(f"models:/{registry.REGISTERED_NAME}@{registry.ALIAS}").artifact.linear
    table = top_terms(model, shown=5)
    assert all(weight > 0 for _, weight in table["state"])
    assert all(weight < 0 for _, weight in table["independent"])
    heaviest = np.max((model.weights * model.idf).astype(float))
    assert table["state"][0][1] == pytest.approx(max(heaviest, float(model.style_weights.max())))
    named = {name.strip("“”") for side in table.values() for name, _ in side}
    assert named & {"sovereignty", "concerns", "stressed", "whether"}


def test_an_interrupt_is_one_line_and_130(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset, "load_corpus", interrupted)
    assert main(["train", "--quick"]) == cli_train.INTERRUPTED
    told = capsys.readouterr()
    assert [line for line in told.err.splitlines() if line.startswith("framelens")] == [
        "framelens: interrupted; the same command goes on where this one stopped"
    ]
