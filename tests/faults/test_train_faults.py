"""Training on what cannot be trained on: one line with the remedy, exit 2, and nothing written."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from framelens.cli import main

OPENINGS = {
    "state": "The ministry stressed that cooperation and sovereignty had been strengthened by the leadership",
    "independent": "It was unclear whether the arrested men had a lawyer, and the police gave no answers",
}
FILLERS = [
    *("rain", "fell", "over", "bridge", "while", "market", "traders", "counted", "small", "coins", "near"),
    *("quiet", "station", "children", "watched", "slow", "boats", "cross", "river", "before", "long"),
    *("evening", "bells", "rang", "above", "narrow", "streets", "brick", "and", "then", "went", "home"),
]


def article(label: str, rng: np.random.Generator) -> str:
    """An invented article: a slanted opening and a heap of neutral words, different every time."""
    return "\n".join(f"{OPENINGS[label]} {' '.join(rng.permutation(FILLERS)[:14])}." for _ in range(6))


def mine(path: Path, *, states: int = 2, papers: int = 4, each: int = 10, **third_row: object) -> Path:
    """A user's corpus; the given values stand in its third row."""
    rng = np.random.default_rng(0)
    rows = [("state", f"gazette{i}.example", "ABCD"[i] * 2) for i in range(states)]
    rows += [("independent", f"paper{i}.example", "ZZ") for i in range(papers)]
    records = [
        {"text": article(label, rng), "label": label, "outlet": outlet, "country": country}
        for label, outlet, country in rows
        for _ in range(each)
    ]
    records[2] |= third_row
    path.write_text("".join(json.dumps(r) + "\n" for r in records), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def one_line(capsys: pytest.CaptureFixture[str]) -> str:
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith("framelens: ")
    return line


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda p: mine(p, papers=0), ["state", "independent"]),
        (lambda p: mine(p, states=0), ["state", "independent"]),
        (lambda p: mine(p, states=1), ["1 state owner", "state:AA", "add state outlets"]),
        (lambda p: mine(p, papers=1), ["1 independent owner", "paper0.example", "add independent outlets"]),
        (lambda p: mine(p, label="propaganda"), ["propaganda", "row 3"]),
        (lambda p: p.write_text("", encoding="utf-8"), ["mine.jsonl"]),
        (lambda p: p.write_bytes(b"PAR1 no it is not"), ["mine.jsonl"]),
        (lambda p: p.write_text('{"text": "a", "label": "state"}\n', encoding="utf-8"), ["outlet"]),
        (lambda p: mine(p, text=""), ["row 3"]),
        (lambda p: mine(p, text="Anna Maria 12 34"), ["row 3"]),
        (lambda p: None, ["mine.jsonl", "no such"]),
    ],
    ids=[
        "state_only",
        "independent_only",
        "one_state_owner",
        "one_independent_owner",
        "unknown_label",
        "empty_file",
        "not_what_its_name_says",
        "missing_column",
        "empty_text",
        "names_and_digits_only",
        "no_file",
    ],
)
def test_a_corpus_that_cannot_be_trained_on(make, parts, tmp_path: Path, capsys) -> None:
    path = tmp_path / "mine.jsonl"
    make(path)
    assert main(["train", "--quick", "--corpus", str(path)]) == 2
    line = one_line(capsys)
    for part in parts:
        assert part in line
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--candidates", "logistic,oracle"], ["'oracle'", "logistic", "ridge"]),
        (["--candidates", "majority"], ["majority", "no baseline"]),
    ],
)
def test_candidates_that_are_not_there(arguments, parts, tmp_path: Path, capsys) -> None:
    assert main(["train", *arguments, "--corpus", str(mine(tmp_path / "mine.jsonl"))]) == 2
    line = one_line(capsys)
    assert all(part in line for part in parts)
    assert list(Path.cwd().iterdir()) == []


def test_runs_and_promote_before_any_training(capsys) -> None:
    assert main(["runs"]) == 2
    assert "framelens train" in one_line(capsys)
    assert main(["promote", "abcdef12"]) == 2
    assert "framelens train" in one_line(capsys)
    assert list(Path.cwd().iterdir()) == []


def test_a_tracking_server_that_does_not_answer(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    assert main(["train", "--quick", "--jobs", "1", "--corpus", str(mine(tmp_path / "mine.jsonl"))]) == 2
    line = one_line(capsys)
    assert "http://127.0.0.1:9" in line
    assert "MLFLOW_TRACKING_URI" in line
    assert list(Path.cwd().iterdir()) == []


def test_ones_own_corpus_trains_end_to_end(tmp_path: Path, capsys) -> None:
    path = mine(tmp_path / "mine.jsonl", states=3)
    arguments = ["train", "--candidates", "ridge", "--jobs", "1", "--corpus", str(path)]
    assert main([*arguments, "--json"]) == 0
    told = capsys.readouterr()
    answer = json.loads(told.out)
    assert {row["candidate"] for row in answer["leaderboard"]} == {"ridge"}
    assert answer["protocols"]["owner_disjoint"]["n"] == 70
    assert "temporal" in answer["unavailable"]
    assert answer["owner_disjoint_nested"]["n"] == 70
    out = tmp_path / "champion"
    assert main(["promote", answer["run_id"], "--no-evaluate", "--out", str(out)]) == 0
    metrics = json.loads((out / "manifest.json").read_text())["metrics"]
    assert metrics["owner_disjoint_nested"]["n"] == 70  # what only training can know stays with the model
    assert metrics["protocols"]["owner_disjoint"]["n"] == 70


@pytest.mark.skipif(os.name == "nt", reason="no SIGINT to a process group there")
def test_ctrl_c_stops_at_once_and_the_same_command_goes_on(tmp_path: Path) -> None:
    path = mine(tmp_path / "mine.jsonl", states=3, papers=6, each=25)
    code = (
        # a test that runs in the background of a shell inherits that interrupts are ignored
        "import signal, sys; from framelens.cli import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())"
    )
    command = [sys.executable, "-c", code]
    command += ["train", "--corpus", str(path), "--candidates", "sgd_log,ridge"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    deadline = time.monotonic() + 90
    journal: list[Path] = []
    while time.monotonic() < deadline and process.poll() is None:
        journal = [p for p in Path("mlruns/search").glob("*.sqlite") if finished_fits(p)]
        if journal:
            break
        time.sleep(0.02)
    assert journal, process.communicate()[1]
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "framelens: interrupted; the same command goes on where this one stopped"
    assert run_states() == ["KILLED"]
    before = finished_fits(journal[0])
    again = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert again.stderr is not None
    told = next(line for line in again.stderr if line.startswith("choosing: "))
    os.killpg(again.pid, signal.SIGINT)
    again.communicate(timeout=60)
    assert again.returncode == 130
    assert told == f"choosing: {before} of {told.split()[3]} fits are there\n"


def finished_fits(path: Path) -> int:
    import sqlite3

    try:
        db = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
        try:
            return int(db.execute("SELECT count(*) FROM fits").fetchone()[0])
        finally:
            db.close()
    except sqlite3.OperationalError:
        return 0


def run_states() -> list[str]:
    from framelens_train import track

    with track.open_store() as client:
        ids = [e.experiment_id for e in client.search_experiments()]
        return [
            run.info.status for run in client.search_runs(ids) if "mlflow.parentRunId" not in run.data.tags
        ]
