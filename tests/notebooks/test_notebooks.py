"""The notebooks run from top to bottom, and leave nothing outside their temporary folder."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
LARGEST = 300_000
"""Bytes of a committed notebook, outputs included."""


def read(path: Path):  # type: ignore[no-untyped-def]
    nbformat = pytest.importorskip("nbformat", reason="needs the notebooks extra")
    return nbformat.read(path, as_version=4)


def test_both_are_here() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["01_walkthrough", "02_what_it_learned"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_committed_is_small_and_names_no_machine(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.encode()) <= LARGEST
    assert not re.search(r"/(work|home|root|tmp|opt|Users)/", text)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# tornado and zmq, under the kernel's client, warn of their own sockets and loops
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_it_runs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nbclient = pytest.importorskip("nbclient", reason="needs the notebooks extra")
    if not (ROOT / "seeds" / "manifest.json").exists():
        pytest.skip("seeds/ is not built")
    monkeypatch.setenv("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path.as_posix()}/theirs.db")
    book = read(path)
    nbclient.NotebookClient(
        book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    outputs = [output for cell in book.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in outputs)
    complaints = [o["text"] for o in outputs if o["output_type"] == "stream" and o["name"] == "stderr"]
    assert not complaints
    assert not (tmp_path / "theirs.db").exists()
    assert not list(tmp_path.glob("mlruns"))
