"""A run that was stopped anywhere and continued gives the bytes of one that was not."""

from __future__ import annotations

import gc
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType, ModuleType
from typing import Any

import pytest

from framelens.cli import main
from framelens.scoring import checkpoint, run, writers
from framelens.scoring import rows as limits

_spec = importlib.util.spec_from_file_location("formats", Path(__file__).parent / "test_formats.py")
assert _spec is not None
assert _spec.loader is not None
formats: ModuleType = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(formats)

ROWS = formats.given(60)


def write_inputs() -> list[str]:
    """Inputs of every kind, with what cannot be scored in between."""
    broken = b'{"id": 1, "text": null}\n{"id"\n'
    lines = formats.lines
    Path("a.jsonl").write_bytes(lines(ROWS[:7]) + broken + lines(ROWS[7:30]))
    Path("b.jsonl.gz").write_bytes(formats.tool("gzip", lines(ROWS[:20]) + broken + lines(ROWS[20:])))
    Path("c.csv").write_bytes(formats.MADE["pandas.csv"](ROWS[:20]) + b"only one\n")
    Path("d.parquet").write_bytes(formats.parquet([*ROWS[:40], {"id": "none", "text": None}, *ROWS[40:]]))
    Path("e.arrows").write_bytes(formats.arrow_stream(ROWS))
    pages = [(f"https://paper.example/{row['id']}", formats.response(row)) for row in ROWS[:9]]
    Path("f.warc.gz").write_bytes(formats.warc(pages, packed=True))
    for row in ROWS[:9]:
        Path("g", row["id"]).mkdir(parents=True)
        Path("g", row["id"], "x.txt").write_text(row["text"], encoding="utf-8")
    Path("h.jsonl").write_bytes(b'{"no": "text"}\n')
    return ["a.jsonl", "b.jsonl.gz", "c.csv", "d.parquet", "e.arrows", "f.warc.gz", "g", "h.jsonl"]


class Killed(BaseException):
    """As good as kill -9: nothing is tidied up after it."""


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLOCK_BYTES", 3_000)
    monkeypatch.setattr(limits, "BLOCK_ROWS", 7)
    monkeypatch.setattr(run, "PART_BYTES", 8_000)
    monkeypatch.setattr(writers, "ROWS_OF_A_GROUP", 50)


def files() -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(Path().glob("out*")) if path.is_file()}


@pytest.mark.parametrize("out", ["out.parquet", "out.jsonl", "out.csv"])
def test_a_run_killed_at_any_moment_goes_on(score: Any, out: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = write_inputs()
    assert score(*inputs, out=out) == 1
    expected, told = files(), score.err
    assert set(expected) == {out, f"{out}.rejects.jsonl"}
    for name in expected:
        Path(name).unlink()

    replace, left = checkpoint._replace, 0

    def killed_after(steps: int, *options: str) -> bool:
        """Whether the run came so far as to be killed."""
        nonlocal left
        left = steps
        with monkeypatch.context() as patch:
            patch.setattr(checkpoint, "_replace", fails)
            patch.setattr(checkpoint.Checkpoint, "delete", lambda self: None)
            try:
                score(*inputs, *options, out=out)
            except Killed:
                assert files() == {}
                return True
        return False

    def fails(path: Path, content: Any) -> None:
        nonlocal left
        left -= 1
        if not left:
            path.with_name(f"{path.name}.new").write_bytes(b"half")
            raise Killed
        replace(path, content)

    step = 1
    while killed_after(step):
        if step % 2:
            killed_after(4, "--resume")  # and once more, further on
        assert score(*inputs, "--resume", out=out) == 1
        assert files() == expected
        assert score.err.split(" in ")[0] == told.split(" in ")[0]
        assert not Path(f"{out}.partial").exists()
        for name in expected:
            Path(name).unlink()
        step += 5 if out == "out.jsonl" else 10
    assert step > 20


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # a file cut off as it opened
def test_an_interrupt_at_any_line_leaves_nothing_or_what_can_be_gone_on_from(score: Any) -> None:
    Path("in.jsonl").write_bytes(formats.lines(ROWS[:30]))
    assert score("in.jsonl") == 0
    expected = files()
    watched = {run.score_files.__code__.co_filename, checkpoint.__file__}
    left = 0

    def interrupt(frame: FrameType, event: str, _: object) -> Any:
        nonlocal left
        if frame.f_code.co_filename not in watched:
            return None
        left -= event == "line"
        if not left:
            raise KeyboardInterrupt
        return interrupt

    line, outcomes = 0, []
    while True:
        line = left = line + 1
        Path("out.jsonl").unlink(missing_ok=True)
        sys.settrace(interrupt)
        try:
            code = score("in.jsonl")
        finally:
            sys.settrace(None)
        if left > 0:
            break
        assert code == 130
        kept = Path("out.jsonl.partial").exists()
        assert kept or files() in ({}, expected)
        if kept:
            assert score("in.jsonl", "--resume") == 0
            assert files() == expected
            assert not Path("out.jsonl.partial").exists()
        outcomes.append(kept)
    gc.collect()  # so that what was cut off is closed here, not in another test
    assert outcomes.count(True) > 20
    assert outcomes.count(False) > 50


def test_a_run_killed_by_the_system_goes_on(score: Any) -> None:
    rows = formats.given(400)
    Path("in.jsonl").write_bytes(formats.lines(rows[:200]) + b"{\n" + formats.lines(rows[200:]))
    assert score("in.jsonl") == 1
    expected = files()
    for name in expected:
        Path(name).unlink()
    code = (
        "import sys, time; from framelens.cli import main\n"
        "from framelens.scoring import rows, run, checkpoint\n"
        "rows.BLOCK_BYTES = 3000; run.PART_BYTES = 8000\n"
        "commit = checkpoint.Checkpoint.commit\n"
        "checkpoint.Checkpoint.commit = lambda *a: (commit(*a), time.sleep(0.05))[0]\n"
        "sys.exit(main())"
    )
    command = ["score", "in.jsonl", "-o", "out.jsonl", "--model", str(score.model_path)]
    process = subprocess.Popen([sys.executable, "-c", code, *command])
    journal = Path("out.jsonl.partial/journal.json")
    while not (journal.exists() and json.loads(journal.read_text())["parts"] >= 3):
        time.sleep(0.01)
        assert process.poll() is None
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert files() == {}
    kept = json.loads(journal.read_text())["counts"]["scored"]
    assert 0 < kept < len(rows)
    assert score("in.jsonl", "--resume") == 1
    assert "scored 400 rows to out.jsonl in " in score.err
    assert " of them earlier" in score.err
    assert files() == expected


def stopped(score: Any, *arguments: str) -> None:
    """A run that keeps some parts."""
    assert score(*arguments, "--max-rejects", "0") == 2
    assert "rows are kept: run it again with --resume to go on" in score.err
    assert score.err.count("\n") == 1


@pytest.fixture
def begun(score: Any) -> Any:
    rows = formats.given(60)
    Path("in.jsonl").write_bytes(formats.lines(rows) + b"{\n" + formats.lines(rows[:1]))
    stopped(score, "in.jsonl")
    return score


def test_too_many_rejects_stop_a_run_that_a_higher_limit_continues(begun: Any) -> None:
    assert not Path("out.jsonl").exists()
    assert begun("in.jsonl", "--resume", "--max-rejects", "1") == 1
    assert len(begun.output) == 61
    assert [reject["row"] for reject in begun.rejects] == [61]


def test_an_unfinished_run_is_not_begun_anew_by_accident(begun: Any) -> None:
    assert begun("in.jsonl") == 2
    assert "holds an unfinished run: go on with it by --resume, or delete that folder" in begun.err
    shutil.rmtree("out.jsonl.partial")
    assert begun("in.jsonl") == 1


def test_nothing_to_resume_is_a_run_from_the_beginning(score: Any) -> None:
    Path("in.jsonl").write_bytes(formats.lines(formats.given(3)))
    assert score("in.jsonl", "--resume") == 0
    assert len(score.output) == 3


@pytest.mark.parametrize(
    ("change", "arguments", "message"),
    [
        (lambda: None, ["in.jsonl", "--text-column", "id"], "the options is not what the run began with"),
        (lambda: None, ["in.jsonl", "--keep", "views"], "the options is not"),
        (lambda: None, ["in.jsonl", "in.jsonl"], "1 inputs then, 2 now"),
        (
            lambda: os.utime("in.jsonl", (1, 1)),
            ["in.jsonl"],
            "in.jsonl is not as it was when the run began (mod",
        ),
        (lambda: Path("in.jsonl").write_bytes(b"{}"), ["in.jsonl"], "(size, modified, head)"),
        (lambda: Path("x.jsonl").write_bytes(b""), ["x.jsonl"], "x.jsonl is not as it was"),
    ],
)
def test_another_run_is_not_mixed_in(begun: Any, change: Any, arguments: list[str], message: str) -> None:
    before = sorted(Path("out.jsonl.partial").iterdir())
    change()
    assert begun(*arguments, "--resume") == 2
    assert message in begun.err
    assert "delete out.jsonl.partial to start anew" in begun.err
    assert begun.err.count("\n") == 1
    assert sorted(Path("out.jsonl.partial").iterdir()) == before


def test_another_model_is_not_mixed_in(begun: Any, tmp_path: Path) -> None:
    copy = shutil.copytree(begun.model_path, tmp_path / "copy")
    manifest = json.loads((copy / "manifest.json").read_text())
    (copy / "manifest.json").write_text(json.dumps(manifest | {"version": "0.0.2"}))
    assert main(["score", "in.jsonl", "-o", "out.jsonl", "--resume", "--model", str(copy)]) == 2


def test_a_folder_that_changed_is_told(score: Any) -> None:
    Path("g").mkdir()
    for row in formats.given(60):
        Path("g", f"{row['id']}.txt").write_text(row["text"], encoding="utf-8")
    Path("g/z.txt").write_bytes(b"\xff")
    stopped(score, "g")
    Path("g/a.txt").write_text("more", encoding="utf-8")
    assert score("g", "--resume") == 2
    assert "g is not as it was when the run began (files)" in score.err


def test_standard_input_cannot_be_resumed(score: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Given:
        buffer = (Path("in.jsonl"), Path("in.jsonl").write_bytes(formats.lines(formats.given(60)) + b"{\n"))[
            0
        ].open("rb")

    monkeypatch.setattr("sys.stdin", Given)
    stopped(score, "-")
    assert score("-", "--resume") == 2
    assert "a run that reads standard input cannot be resumed" in score.err
    Given.buffer.close()


@pytest.mark.parametrize("step", [0, 1])
def test_a_run_killed_while_its_output_is_put_in_place_goes_on(
    begun: Any, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, left = Path.replace, step

    def fails(path: Path, target: Path) -> Path:
        nonlocal left
        if path.name in ("output", "rejects"):
            left -= 1
            if left < 0:
                raise Killed
        return replace(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", fails)
        with pytest.raises(Killed):
            begun("in.jsonl", "--resume")
    assert not Path("out.jsonl").exists()
    assert begun("in.jsonl", "--resume") == 1
    assert len(begun.output) == 61
    assert len(begun.rejects) == 1


def test_an_interrupted_run_says_how_to_go_on(begun: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint.Checkpoint, "finish", interrupt)
        assert begun("in.jsonl", "--resume") == 130
    assert "interrupted; 61 rows are kept: run it again with --resume to go on" in begun.err
    assert begun("in.jsonl", "--resume") == 1
    assert len(begun.output) == 61
