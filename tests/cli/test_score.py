"""framelens score: a row out for every row in, what is broken is listed, and nothing half-written appears."""

from __future__ import annotations

import csv
import gzip
import io
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from framelens.cli import main
from framelens.predictor import Model, load
from framelens.scoring import rows as limits
from framelens.scoring import run
from framelens.scoring.checkpoint import Checkpoint, locked

# Invented.
STATE = (
    "The minister stressed that the two sides will deepen friendly cooperation, and stressed that it is so. "
)
ROWS = [
    {"id": f"a{i}", "text": STATE * (1 + i % 3) + 'Critics, "had" concerns\nand said so. ' * (i % 4)}
    for i in range(50)
]


def json_lines(rows: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def table(rows: list[dict[str, Any]], delimiter: str) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def parquet(rows: list[dict[str, Any]]) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(rows), sink, row_group_size=7)
    return bytes(sink.getvalue().to_pybytes())


KINDS: dict[str, Callable[[list[dict[str, Any]]], bytes]] = {
    "in.jsonl": json_lines,
    "in.jsonl.gz": lambda rows: gzip.compress(json_lines(rows[:20])) + gzip.compress(json_lines(rows[20:])),
    "in.jsonl.zst": lambda rows: zstandard.compress(json_lines(rows)),
    "in.csv": lambda rows: table(rows, ","),
    "in.csv.gz": lambda rows: gzip.compress(table(rows, ",")),
    "in.tsv": lambda rows: table(rows, "\t"),
    "in.parquet": parquet,
}


class Score:
    """Run the command on files of a folder of its own."""

    def __init__(self, folder: Path, model_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.model_path, self.capsys = folder, model_path, capsys

    def __call__(self, content: bytes, *options: str, name: str = "in.jsonl", out: str = "out.jsonl") -> int:
        (self.folder / name).write_bytes(content)
        target = str(self.folder / out)
        return main(
            ["score", str(self.folder / name), "-o", target, "--model", str(self.model_path), *options]
        )

    @property
    def output(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "out.jsonl").read_text().splitlines()]

    @property
    def rejects(self) -> list[tuple[int, str]]:
        lines = (self.folder / "out.jsonl.rejects.jsonl").read_text().splitlines()
        return [(row["row"], row["reason"]) for row in map(json.loads, lines)]

    def files(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def score(tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]) -> Score:
    return Score(tmp_path, model_folder, capsys)


@pytest.fixture(scope="module")
def model(model_folder: Path) -> Model:
    return load(model_folder)


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_of_file_gives_the_predictions_of_its_rows(score: Score, model: Model, name: str) -> None:
    assert score(KINDS[name](ROWS), name=name) == 0
    assert [row["id"] for row in score.output] == [row["id"] for row in ROWS]
    for row, given in zip(score.output, ROWS, strict=True):
        expected = model.predict(given["text"])
        assert (row["label"], row["n_words"], row["reasons"]) == (
            expected.label, expected.words, list(expected.reasons)
        )  # fmt: skip
        assert row["p_state"] == pytest.approx(expected.p_state, abs=1e-9)
        assert row["model"] == "tiny 0.0.1"
    assert score.files() == {name, "out.jsonl"}


def test_parquet_and_csv_hold_what_json_lines_hold(score: Score) -> None:
    for out in ("out.jsonl", "out.parquet", "out.csv"):
        assert score(json_lines(ROWS), out=out) == 0
    assert pq.read_table(score.folder / "out.parquet").to_pylist() == score.output
    with (score.folder / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["p_state"]) for row in rows] == [row["p_state"] for row in score.output]
    assert [row["reasons"].split(";") if row["reasons"] else [] for row in rows] == [
        row["reasons"] for row in score.output
    ]


def test_what_cannot_be_scored_is_listed_and_the_rest_is_scored(score: Score) -> None:
    good = json_lines(ROWS[:1])
    content = (
        good
        + b'{"id": 1, "text": null}\n{"id": 2}\n{"broken\n[1]\n{"text": 3}\n\n{"text": "caf\xe9"}\n'
        + good
    )
    assert score(content) == 1
    assert [row["id"] for row in score.output] == ["a0", "a0"]
    assert [row for row, _ in score.rejects] == [2, 3, 4, 5, 6, 8]
    reasons = " | ".join(reason for _, reason in score.rejects)
    for part in (
        "'text' is null, not text",
        "it has no 'text'",
        "not JSON",
        "JSON object but list",
        "'text' is int",
    ):
        assert part in reasons
    assert "6 rejected, see" in score.capsys.readouterr().err


def test_an_empty_text_is_scored_and_abstains(score: Score) -> None:
    assert score(b'{"text": ""}\n') == 0
    assert [(r["label"], r["id"].rpartition(":")[2]) for r in score.output] == [("abstain", "1")]


@pytest.mark.parametrize("name", ["in.jsonl.gz", "in.jsonl.zst", "in.parquet"])
def test_a_truncated_file_is_told(score: Score, name: str) -> None:
    rows = [{"id": str(i), "text": f"{STATE} {i * 7919}"} for i in range(3000)]
    whole = KINDS[name](rows)
    assert score(whole[: len(whole) // 2], name=name) == 1
    (row, reason) = score.rejects[-1]
    assert "the file cannot be read from here on" in reason
    assert row == len(score.output) + len(score.rejects)


def test_broken_rows_of_a_table_are_told(score: Score) -> None:
    content = b"id,text\n1,fine words\n2,a,b\n3,caf\xe9\n4,also fine\n"
    assert score(content, name="in.csv") == 1
    assert [r["id"] for r in score.output] == ["1", "4"]
    assert score.rejects == [(2, "3 fields where the header has 2"), (3, "'text' is not valid UTF-8")]


def test_a_line_too_long_is_passed_over(score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "LONGEST_LINE", 1000)
    monkeypatch.setattr(limits, "BLOCK_BYTES", 300)
    long = json_lines([{"id": "long", "text": "the " * 5000}])
    assert score(long + json_lines(ROWS[:1]) + long) == 1
    assert [r["id"] for r in score.output] == ["a0"]
    assert [row for row, _ in score.rejects] == [1, 3]


def test_columns_are_found_or_given(score: Score) -> None:
    rows = [{"URL": "x.example", "Body": STATE, "other": STATE * 3}]
    assert score(json_lines(rows)) == 0
    assert [(r["id"], r["n_words"]) for r in score.output] == [("x.example", 17)]
    assert score(json_lines(rows), "--text-column", "other", "--id-column", "Body") == 0
    assert [(r["id"], r["n_words"]) for r in score.output] == [(STATE, 51)]


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        (
            "in.jsonl",
            b'{"a": 1, "b": 2}\n',
            [],
            "has no column of text; it has 'a', 'b': name the right one with",
        ),
        ("in.jsonl", b'{"text": "x"}\n', ["--id-column", "key"], "no column 'key'; it has 'text'"),
        ("in.docx", b"PK\x03\x04", [], "is a zip archive: unpack it first"),
        ("in.dat", b"prose", [], "is none of JSON lines, CSV"),
        ("in.json", b"[{}]", [], "is one JSON array; make it JSON lines with `jq -c '.[]'`"),
        ("in.jsonl", b'{"text": 1}\n{"text": 2}\n', ["--max-rejects", "1"], "more than 1 rows were rejected"),
    ],
)
def test_a_user_error_leaves_no_output(
    score: Score, name: str, content: bytes, options: list[str], message: str
) -> None:
    assert score(content, *options, name=name) == 2
    err = score.capsys.readouterr().err
    assert message in err
    assert err.count("\n") == 1
    assert score.files() == {name}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere.jsonl", "-o", "out.jsonl"], "cannot read nowhere.jsonl: No such file"),
        ([".", "-o", "out.jsonl"], "is a folder without a .txt or .html"),
        (["in.jsonl", "-o", "out.xlsx"], "ends in none of .parquet"),
        (["in.jsonl", "-o", "no/folder/out.jsonl"], "cannot write no/folder/out.jsonl: No such file"),
    ],
)
def test_a_wrong_place_is_named(
    score: Score, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(score.folder)
    Path("in.jsonl").write_bytes(json_lines(ROWS))
    assert main(["score", *arguments, "--model", str(score.model_path)]) == 2
    assert message in score.capsys.readouterr().err


def test_a_crash_leaves_the_old_output_and_nothing_beside(
    score: Score, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert score(json_lines(ROWS[:3])) == 0
    old = score.output

    def crash(*_: object) -> None:
        raise RuntimeError("bug")

    monkeypatch.setattr(run, "score_table", crash)
    with pytest.raises(RuntimeError, match="bug"):
        score(json_lines(ROWS))
    assert (score.output, score.files()) == (old, {"in.jsonl", "out.jsonl"})


def test_a_clean_run_removes_the_rejects_of_the_last(score: Score) -> None:
    assert score(b'{"text": 1}\n') == 1
    assert score.files() == {"in.jsonl", "out.jsonl", "out.jsonl.rejects.jsonl"}
    assert score.output == []
    assert score(json_lines(ROWS)) == 0
    assert score.files() == {"in.jsonl", "out.jsonl"}


def test_two_runs_on_one_output_do_not_mix(score: Score) -> None:
    with locked(Checkpoint(score.folder / "out.jsonl")):
        assert score(json_lines(ROWS)) == 2
        assert "another run is writing" in score.capsys.readouterr().err
    assert score.files() == {"in.jsonl"}
    assert score(json_lines(ROWS)) == 0


def test_many_batches_keep_the_order(score: Score, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BLOCK_BYTES", 700)
    rows = [{"id": str(i), "text": STATE if i % 5 else None} for i in range(500)]
    assert score(json_lines(rows)) == 1
    assert [r["id"] for r in score.output] == [str(i) for i in range(500) if i % 5]
    assert [row for row, _ in score.rejects] == list(range(1, 501, 5))


def test_standard_input_is_json_lines(score: Score) -> None:
    code = "import sys; from framelens.cli import main; sys.exit(main())"
    target = ["score", "-", "-o", str(score.folder / "out.jsonl"), "--model", str(score.model_path)]
    done = subprocess.run(
        [sys.executable, "-c", code, *target], input=json_lines(ROWS), capture_output=True, check=True
    )
    assert done.stdout == b""
    assert len(score.output) == len(ROWS)


def test_ctrl_c_leaves_nothing_half_written(score: Score) -> None:
    code = (
        # a test that runs in the background of a shell inherits that interrupts are ignored
        "import signal, sys; from framelens.cli import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); sys.exit(main())"
    )
    target = ["score", "-", "-o", str(score.folder / "out.jsonl"), "--model", str(score.model_path)]
    process = subprocess.Popen(
        [sys.executable, "-c", code, *target], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdin is not None
    process.stdin.write(json_lines(ROWS))
    process.stdin.flush()
    while not score.files():  # the partial output appears once the input is being read
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, b"framelens: interrupted\n")
    assert score.files() == set()
