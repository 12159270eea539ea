"""Wrong files, places, models and options: one line with the remedy, exit 2, nothing written."""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from framelens.abstain import Thresholds
from framelens.artifact import save_model
from framelens.calibration import Calibration
from framelens.cli import main
from framelens.features.reference import MEASURES
from framelens.features.vocabulary import Vocabulary
from framelens.linear import LinearModel

# Invented.
TEXT = "The minister stressed that the two sides would strengthen their friendly cooperation this year. " * 5
PROGRESS = ("reading ", "cleaning ", "looking for ", "counting ", "writing ")
Write = Callable[[Path], object]


def rows(count: int = 40, **columns: object) -> list[dict[str, object]]:
    """Articles of two states' outlets and of two papers."""
    outlets = [("gazette.example", "state", "AA"), ("herald.example", "state", "BB")]
    outlets += [("paper.example", "independent", "CC"), ("tribune.example", "independent", "DD")]
    made = []
    for i in range(count):
        outlet, label, country = outlets[i % 4]
        text = f"{TEXT} It was the {'very ' * (i % 7)}long day that had come for the village by the river."
        made.append({"text": text, "label": label, "outlet": outlet, "country": country} | columns)
    return made


def lines(articles: list[dict[str, object]]) -> bytes:
    return "".join(json.dumps(a) + "\n" for a in articles).encode()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A model of three terms that knows what it was trained on."""
    size = len(MEASURES)
    ones, zeros = np.ones(size, dtype=np.float32), np.zeros(size, dtype=np.float32)
    weights = np.ones((3, 2), dtype=np.float32)
    linear = LinearModel(
        Vocabulary(("stressed", "whether", "cooperation")), weights, weights, zeros, ones, zeros, 3.0, 0.0
    )
    return save_model(
        tmp_path / "model",
        linear,
        Calibration("platt", slope=1.0, offset=0.0),
        Thresholds(20, 0.1, 0.2, 0.3, 0.45, 0.55),
        card="# Invented\n",
        version="1",
        training={"outlets": ["gazette.example"], "owners": ["state:AA"], "last_date": "2020-01-01"},
    )


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def refused(capsys: pytest.CaptureFixture[str], folder: Path, *arguments: str | Path) -> str:
    """The one line that a command refuses with, having left the folder as it was."""
    before = files(folder)
    code = main([str(a) for a in arguments])
    out, err = capsys.readouterr()
    told = [line for line in err.splitlines() if not line.startswith(PROGRESS)]
    assert (code, out, len(told)) == (2, "", 1), (code, out, err)
    assert told[0].startswith("framelens: ")
    assert files(folder) == before
    return told[0]


# -- corpora ---------------------------------------------------------------------------------------------

CORPORA: dict[str, tuple[str, bytes, tuple[str, ...]]] = {
    "gzip_without_its_suffix": ("c.jsonl", gzip.compress(lines(rows())), ("c.jsonl", "gzip", "rename")),
    "text_called_parquet": ("c.parquet", b"text,label\n", ("c.parquet", "Parquet", "text")),
    "text_called_gzip": ("c.csv.gz", b"text,label,outlet\n", ("c.csv.gz", "gzip", "text")),
    "cut_gzip": ("c.jsonl.gz", gzip.compress(lines(rows()))[:90], ("c.jsonl.gz", "end")),
    "broken_line": ("c.jsonl", lines(rows(6)) + b'{"text": "a\n', ("line 7", "not JSON")),
    "line_that_is_no_object": ("c.jsonl", lines(rows(2)) + b"[1]\n", ("line 3", "one JSON object a line")),
    "latin_1": ("c.csv", b"text,label,outlet\ncaf\xe9,state,a\n", ("c.csv", "UTF-8")),
    "unknown_label": ("c.csv", b"text,label,outlet\nabc,propaganda,a\n", ("row 1", "propaganda", "state")),
    "missing_column": ("c.csv", b"text,label\nabc,state\n", ("'outlet'", "row 1")),
    "unknown_kind": ("c.docx", b"PK\x03\x04", ("c.docx", ".jsonl")),
    "header_only": ("c.csv", b"text,label,outlet\n", ("c.csv", "no usable article")),
    "one_outlet_two_labels": (
        "c.jsonl",
        lines([*rows(8), rows(1)[0] | {"label": "independent"}]),
        ("row 9", "gazette.example", "row 1"),
    ),
}


@pytest.mark.parametrize("command", ["import", "stats"])
@pytest.mark.parametrize("fault", CORPORA)
def test_an_unusable_corpus_is_refused(
    command: str, fault: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, content, parts = CORPORA[fault]
    path = tmp_path / name
    path.write_bytes(content)
    out = ["--out", tmp_path / "seeds"] if command == "import" else []
    line = refused(capsys, tmp_path, "corpus", command, path, *out)
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        (["--column", "textbody"], ["--column", "'textbody'", "NAME=NAME"]),
        (["--column", "text=body", "--column", "address=link"], ["'link'", "own columns"]),
        (["--column", "text=body", "--label", "state=government"], ["'government'", "state, independent"]),
    ],
)
def test_a_wrong_mapping_is_refused(options, parts, tmp_path: Path, capsys) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(lines([{"body" if k == "text" else k: v for k, v in r.items()} for r in rows()]))
    line = refused(capsys, tmp_path, "corpus", "import", path, "--out", tmp_path / "seeds", *options)
    for part in parts:
        assert part in line


def test_a_damaged_seeds_folder_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, seeds = tmp_path / "c.jsonl", tmp_path / "seeds"
    path.write_bytes(lines(rows()))
    assert main(["corpus", "import", str(path), "--out", str(seeds)]) == 0
    capsys.readouterr()
    outlets = seeds / "outlets.csv"
    outlets.write_text(outlets.read_text(encoding="utf-8").replace("AA", "ZZ"), encoding="utf-8")
    assert "outlets.csv" in refused(capsys, tmp_path, "corpus", "verify", seeds)
    (seeds / "articles.parquet").write_bytes(b"PAR1")
    assert "articles.parquet" in refused(capsys, tmp_path, "corpus", "stats", seeds)
    (seeds / "manifest.json").write_text("{", encoding="utf-8")
    assert "manifest.json" in refused(capsys, tmp_path, "train", "--corpus", seeds)


# -- places ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ["corpus", "import", "c.jsonl", "--out", "{place}"],
        ["corpus", "build", "c.jsonl", "--out", "{place}"],
        ["corpus", "build", "c.jsonl", "--out", "seeds", "--report", "{place}"],
        ["promote", "abc", "--out", "{place}"],
        ["evaluate", "--report", "{place}"],
        ["score", "c.jsonl", "-o", "{place}.parquet", "--model", "{model}"],
    ],
    ids=lambda a: " ".join(a[:2] + a[-2:-1]),
)
@pytest.mark.parametrize("kind", ["below_a_file", "read_only"])
def test_a_place_that_cannot_be_written_is_refused_before_any_work(
    arguments: list[str],
    kind: str,
    model: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("c.jsonl").write_bytes(lines(rows()))
    parent = tmp_path / "parent"
    if kind == "below_a_file":
        parent.write_bytes(b"")
    else:
        parent.mkdir()
        parent.chmod(0o555)
        if os.access(parent, os.W_OK):  # root may write anywhere, but can be told that it may not
            if arguments[0] == "score":
                pytest.skip("this user may write anywhere")
            access = os.access
            monkeypatch.setattr(os, "access", lambda path, mode: path != parent and access(path, mode))
    names = {"place": parent / "place", "model": model}
    line = refused(capsys, tmp_path, *(a.format(**names) for a in arguments))
    assert f"cannot write {parent / 'place'}" in line


def test_a_store_that_cannot_be_made_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.jsonl"
    path.write_bytes(lines(rows()))
    Path("mlruns").write_bytes(b"")
    line = refused(capsys, tmp_path, "train", "--quick", "--jobs", "1", "--corpus", path)
    assert "mlruns" in line
    assert "is a file" in line


@pytest.mark.parametrize("uri", ["carrier-pigeon://attic", "http://127.0.0.1:9", "./folder"])
def test_a_store_that_does_not_answer_is_named(
    uri: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    for arguments in (["runs"], ["predict", TEXT, "--model", "models:/framelens@champion"]):
        assert uri in refused(capsys, tmp_path, *arguments)


# -- models ----------------------------------------------------------------------------------------------


def change(name: str, **values: object) -> Write:
    def write(folder: Path) -> object:
        manifest = json.loads((folder / name).read_text(encoding="utf-8")) | values
        return (folder / name).write_text(json.dumps(manifest), encoding="utf-8")

    return write


def flip(name: str) -> Write:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes()[:-1] + b"!")


MODELS: dict[str, tuple[Write, tuple[str, ...]]] = {
    "changed_weights": (flip("weights.safetensors"), ("weights.safetensors", "SHA-256", "again")),
    "changed_terms": (flip("terms.txt"), ("terms.txt", "SHA-256", "again")),
    "newer_format": (change("manifest.json", format_version=99), ("99", "pip install -U framelens")),
    "other_featuriser": (change("manifest.json", featuriser={}), ("featuriser", "train it again")),
    "no_manifest": (lambda f: (f / "manifest.json").unlink(), ("holds no model", "manifest.json")),
    "manifest_of_something_else": (
        lambda f: (f / "manifest.json").write_text("[]", encoding="utf-8"),
        ("not a model's manifest",),
    ),
    "no_folder": (shutil.rmtree, ("does not exist",)),
}


@pytest.mark.parametrize("command", ["predict", "info", "score", "evaluate"])
@pytest.mark.parametrize("fault", MODELS)
def test_a_model_that_is_not_whole_is_refused(
    command: str, fault: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spoil, parts = MODELS[fault]
    spoil(model)
    Path("c.jsonl").write_bytes(lines(rows()))
    arguments = {"predict": [TEXT], "score": ["c.jsonl", "-o", "o.jsonl"]}.get(command, [])
    line = refused(capsys, tmp_path, command, *arguments, "--model", model)
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("content", "part"),
    [(b"", "empty"), (lines(rows(label="mixed")), "no article is labelled"), (b"not json\n", "line 1")],
    ids=["empty", "mixed_only", "no_json"],
)
def test_articles_that_a_model_cannot_be_measured_on(
    content: bytes, part: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "test.jsonl"
    path.write_bytes(content)
    line = refused(capsys, tmp_path, "evaluate", "--model", model, "--corpus", path)
    assert "test.jsonl" in line
    assert part in line


def test_rows_that_a_model_cannot_be_measured_on_are_listed(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wrong: list[dict[str, object]] = [{"text": " "}, {"label": "?"}, {"outlet": 7}, {"date": "next Tuesday"}]
    path = tmp_path / "test.jsonl"
    path.write_bytes(lines([*rows(8), *(rows(1, **fault)[0] for fault in wrong)]))
    assert main(["evaluate", "--json", "--model", str(model), "--corpus", str(path)]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["protocols"]["all"]["n"] == 8
    reasons = {each["row"]: each["reason"] for each in answer["rejected"]}
    assert list(reasons) == [9, 10, 11, 12]
    for reason, part in zip(reasons.values(), ("text is empty", "'?'", "outlet is 7", "date"), strict=True):
        assert part in reason


def test_a_model_without_a_recipe_cannot_be_trained_anew(model: Path, tmp_path: Path, capsys) -> None:
    line = refused(capsys, tmp_path, "evaluate", "--model", model)
    assert "recipe" in line
    assert "framelens promote" in line


# -- options and texts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["predict", ""], ["the text is empty", "give an article"]),
        (["predict"], ["Missing argument", "framelens predict --help"]),
        (["train", "--fast"], ["'--fast'", "framelens train --help"]),
        (["train", "--jobs", "0"], ["--jobs", "0"]),
        (["train", "--seed", "-1"], ["--seed", "-1"]),
        (["score", "c.jsonl"], ["-o", "framelens score --help"]),
        (["corpus", "burn"], ["'burn'", "framelens corpus --help"]),
        (["prophesy"], ["'prophesy'", "framelens --help"]),
        (["runs", "--experiment", "nothing"], ["framelens train"]),
    ],
    ids=lambda a: " ".join(a) if isinstance(a, list) else None,
)
def test_a_wrong_call_is_one_line(
    arguments: list[str], parts: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = refused(capsys, tmp_path, *arguments)
    for part in parts:
        assert part in line


@pytest.mark.parametrize("text", ["Anna Maria Lopez 12 34", "2024 11 03 17:30", "?!... --", "\x00\x00 \x00"])
def test_a_text_without_words_is_answered_by_abstaining(
    text: str, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["predict", text, "--json", "--model", str(model)]) == 0
    out, err = capsys.readouterr()
    answer = json.loads(out)
    assert err == ""
    assert answer["label"] == "abstain"
    assert "too_short" in answer["reasons"]


def test_a_full_disk_is_one_line(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "there")

    Path("c.jsonl").write_bytes(lines(rows()))
    monkeypatch.setattr("framelens_train.corpus.storage.write_seeds", full)
    line = refused(capsys, tmp_path, "corpus", "import", "c.jsonl", "--out", "seeds")
    assert "No space left on device" in line
