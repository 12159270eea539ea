"""What is committed of the notebooks; the files beside this one run them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 300_000
"""Bytes of a committed notebook, outputs included."""


def test_both_are_here() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["01_walkthrough", "02_what_it_learned"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_committed_is_small_and_names_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) <= LARGEST
    assert not re.search(r"/(work|home|root|tmp|opt|Users)/", text)
