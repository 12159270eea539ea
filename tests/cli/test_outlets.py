"""framelens outlets: from scored files to a label an outlet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framelens.cli import main
from framelens.predictor import load

# Invented.
STATE = (
    "The minister stressed that the two sides will deepen friendly cooperation, and stressed that it is so. "
)
CRITICS = 'Critics said they had "concerns", and said so in May; the men arrested had said the same. '
ROWS: list[dict[str, Any]] = [
    *({"id": f"g{i}", "text": STATE * (2 + i), "outlet": "gazette"} for i in range(4)),
    *({"id": f"p{i}", "text": CRITICS * (2 + i), "outlet": 'The "Paper", daily'} for i in range(3)),
    {"id": "s", "text": "Too short.", "outlet": "gazette"},
    {"id": "e", "text": "Too short.", "outlet": "empty"},
]


@pytest.fixture
def scored(tmp_path: Path, model_folder: Path) -> Any:
    """Score some rows to a file of this ending."""

    def score(name: str, rows: list[dict[str, Any]] = ROWS) -> Path:
        source, out = tmp_path / "in.jsonl", tmp_path / name
        source.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        kept = ["--keep", "outlet"] if any("outlet" in row for row in rows) else []
        arguments = ["score", str(source), "-o", str(out), "--model", str(model_folder), *kept]
        assert main(arguments) == 0
        return out

    return score


def asked(
    capsys: pytest.CaptureFixture[str], model_folder: Path, *arguments: object
) -> tuple[int, dict[str, Any], str]:
    capsys.readouterr()
    code = main(["outlets", *map(str, arguments), "--model", str(model_folder), "--json"])
    told = capsys.readouterr()
    return code, json.loads(told.out) if told.out else {}, told.err


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl", "out.csv"])
def test_each_outlet_gets_the_answer_of_its_articles(
    name: str, scored: Any, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, told, err = asked(capsys, model_folder, scored(name), "--least", 0)
    assert (code, err) == (0, "")
    model = load(model_folder)
    assert told["model"] == {"name": "tiny", "version": "0.0.1"}
    assert [row["outlet"] for row in told["outlets"]] == ["gazette", "empty", 'The "Paper", daily']
    for row in told["outlets"]:
        expected = model.predict_outlet([r["text"] for r in ROWS if r["outlet"] == row["outlet"]]).to_dict()
        del expected["model"]
        assert row["p_state"] == pytest.approx(expected.pop("p_state"), abs=1e-9)
        assert {key: row[key] for key in expected} == expected
    assert [row["label"] for row in told["outlets"]] == ["state", "abstain", "independent"]


def test_several_files_and_a_folder_of_parts_count_like_one(
    scored: Any, tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = asked(capsys, model_folder, scored("whole.parquet"))[1]
    first, second = scored("first.jsonl", ROWS[:3]), scored("second.csv", ROWS[3:])
    assert asked(capsys, model_folder, first, second)[1] == whole
    parts = tmp_path / "parts"
    parts.mkdir()
    for i, rows in enumerate((ROWS[:5], ROWS[5:])):
        scored(f"part{i}.parquet", rows).rename(parts / f"part{i}.parquet")
    assert asked(capsys, model_folder, parts)[1] == whole


def test_outlets_of_few_articles_are_left_out_and_counted(
    scored: Any, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = scored("out.parquet")
    code, told, err = asked(capsys, model_folder, out, "--least", 4)
    assert [row["outlet"] for row in told["outlets"]] == ["gazette"]
    assert (code, told["not_shown"]) == (0, 2)
    assert err == "not shown, with fewer than 4 articles that give evidence: 2\n"


def test_rows_without_an_outlet_are_counted_and_the_exit_code_is_1(
    scored: Any, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*ROWS, {"id": "n", "text": STATE * 3, "outlet": None}, {"id": "b", "text": STATE, "outlet": ""}]
    for name in ("out.jsonl", "out.csv", "out.parquet"):
        code, told, err = asked(capsys, model_folder, scored(name, rows))
        assert (code, told["rows_without_outlet"]) == (1, 2)
        assert err.splitlines()[-1] == "rows that name no outlet in 'outlet': 2"


def test_the_table_is_sorted_and_says_why_it_abstains(
    scored: Any, model_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    out = scored("out.parquet")
    capsys.readouterr()
    assert main(["outlets", str(out), "--least", "0", "--model", str(model_folder)]) == 0
    told = capsys.readouterr().out
    assert told.index("gazette") < told.index("empty") < told.index("The ")
    assert "abstain (no evidence)" in told


def _line(reasons: list[str], p_state: object = 0.5) -> bytes:
    row = {"outlet": "a", "p_state": p_state, "reasons": reasons, "model": "tiny 0.0.1"}
    return json.dumps(row).encode() + b"\n"


@pytest.mark.parametrize("name", ["out.parquet", "out.jsonl", "out.csv"])
def test_outlets_that_are_numbers_are_called_by_them(
    name: str, tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = {"text": [STATE * 3, CRITICS * 3, STATE * 4], "outlet": pa.array([7, 8, 7], pa.int16())}
    pq.write_table(pa.table(table), tmp_path / "in.parquet")
    out = tmp_path / name
    arguments = ["score", str(tmp_path / "in.parquet"), "-o", str(out), "--keep", "outlet"]
    assert main([*arguments, "--model", str(model_folder)]) == 0
    told = asked(capsys, model_folder, out)[1]
    assert [(row["outlet"], row["articles"]) for row in told["outlets"]] == [("7", 2), ("8", 1)]


@pytest.mark.parametrize(
    ("name", "content", "parts"),
    [
        ("none.parquet", None, ["none.parquet", "does not exist"]),
        ("x.parquet", b"PAR1 no it is not", ["x.parquet", "cannot be read"]),
        ("x.jsonl", b'{"a": 1}\n', ["lacks p_state"]),
        ("x.jsonl", b"nothing\n", ["x.jsonl", "cannot be read"]),
        ("x.jsonl", b"", ["names an outlet"]),
        ("x.jsonl", _line(["mood"]), ["cannot be read", "'mood'"]),
        ("x.jsonl", _line([], "high"), ["cannot be read"]),
        ("x.jsonl", _line([], 2), ["cannot be read", "from 0 to 1"]),
        ("x.jsonl", _line([], None), ["cannot be read", "from 0 to 1"]),
        ("x.jsonl", _line([]) + b'{"outlet": "a"}\n', ["cannot be read", "lacks 'p_state'"]),
        ("x.jsonl", _line([]) + _line([]).replace(b'"tiny 0.0.1"', b"null"), ["cannot be read", "no model"]),
        ("x.jsonl", _line([]).replace(b"[]", b"null"), ["cannot be read", "no reasons"]),
        ("x.jsonl", _line([]) + b"[1]\n", ["cannot be read"]),
        ("x.jsonl", _line([]).replace(b"tiny", b"vast"), ["by vast 0.0.1", "here is tiny 0.0.1", "--model"]),
        ("x.csv", b"a,b\n1,2\n", ["lacks p_state"]),
        ("x.csv", b"", ["lacks p_state"]),
        ("x.txt", b"text", ["x.txt", ".parquet"]),
    ],
)
def test_a_file_that_will_not_do_is_named_in_one_line(
    name: str,
    content: bytes | None,
    parts: list[str],
    tmp_path: Path,
    model_folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    refused(asked(capsys, model_folder, tmp_path / name), parts)


def test_a_column_that_was_not_kept_is_named_with_those_that_were(
    tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = {
        "id": ["1"],
        "paper": ["a"],
        "p_state": [0.5],
        "reasons": pa.array([[]], pa.list_(pa.string())),
        "model": ["tiny 0.0.1"],
    }
    pq.write_table(pa.table(columns), tmp_path / "y.parquet")
    found = asked(capsys, model_folder, tmp_path / "y.parquet")
    refused(found, ["no column 'outlet'", "--keep outlet", "kept were paper"])
    assert asked(capsys, model_folder, tmp_path / "y.parquet", "--column", "paper")[0] == 0


def test_a_folder_without_parts_is_named(
    tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused(asked(capsys, model_folder, tmp_path), ["holds no .parquet"])


def refused(found: tuple[int, dict[str, Any], str], parts: list[str]) -> None:
    code, told, err = found
    assert (code, told) == (2, {})
    (line,) = err.splitlines()
    assert line.startswith("framelens: ")
    for part in parts:
        assert part in line
