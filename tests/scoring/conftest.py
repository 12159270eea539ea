"""Invented articles, and `framelens score` run on files of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from framelens.cli import main

# Invented.
STATE = (
    "The minister stressed that the two sides will deepen friendly cooperation — and stressed that it is so."
)
REPORT = 'Critics, "had" concerns\nand said so, while it’s unclear whether, in the end, anybody was arrested.'


def articles(count: int) -> list[dict[str, Any]]:
    """Articles with an id, a date and a number."""
    return [
        {
            "id": f"a{i}",
            "text": "\n".join([f"{STATE} {REPORT}"] * (1 + i % 3)) + f" It was day {i}.",
            "date": f"2024-01-{1 + i % 28:02d}",
            "views": i * 7,
        }
        for i in range(count)
    ]


def json_lines(rows: list[dict[str, Any]]) -> bytes:
    """JSON lines as Python writes them."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


class Score:
    """Run the command in a folder of its own, which is the working folder."""

    def __init__(self, folder: Path, model_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.model_path, self._capsys = folder, model_path, capsys
        self.err = ""

    def __call__(self, *arguments: str, out: str = "out.jsonl") -> int:
        """The exit code; what was told is in `err`."""
        code = main(["score", *arguments, "-o", out, "--model", str(self.model_path)])
        told = self._capsys.readouterr()
        assert told.out == ""
        self.err = told.err
        return code

    @property
    def output(self) -> list[dict[str, Any]]:
        """The rows of out.jsonl."""
        return [json.loads(line) for line in Path("out.jsonl").read_text(encoding="utf-8").splitlines()]

    @property
    def rejects(self) -> list[dict[str, Any]]:
        """The rows of out.jsonl.rejects.jsonl; none if there is no such file."""
        path = Path("out.jsonl.rejects.jsonl")
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture
def score(
    tmp_path: Path, model_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Score:
    """The command, in an empty folder."""
    folder = tmp_path / "work"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return Score(folder, model_folder, capsys)
