"""The load benchmark runs and gives its figures; how fast anything is, is not tested."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from benchmarks import serve
from click.testing import CliRunner


def test_articles_are_long_and_the_same_every_time() -> None:
    texts = serve.articles()
    assert texts == serve.articles()
    assert len(set(texts)) == serve.ARTICLES
    assert all(690 < len(text.split()) < 730 for text in texts)


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
def test_it_drives_a_server_and_writes_every_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "WARM_UP_SECONDS", 0.1)
    figures = tmp_path / "serve.json"
    options = ["--connections", "1,4", "--seconds", "1", "--json", str(figures)]
    done = CliRunner().invoke(serve.main, options, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    found = json.loads(figures.read_text(encoding="utf-8"))
    assert [load["connections"] for load in found["loads"]] == [1, 4]
    for load in found["loads"]:
        assert load["errors"] == 0
        assert load["requests"] > 0
        assert 0 < load["p50"] <= load["p99"] <= load["slowest"]
        assert load["rate"] == pytest.approx(load["requests"] / load["seconds"])
    assert "| 4 |" in done.output


def test_a_soak_counts_every_part(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def drive(address: str, pid: int, connections: int, seconds: float, folder: Path) -> serve.Load:
        return serve.Load(connections, 30, seconds, 1.0, 2.0, 3.0, 1, 100)

    monkeypatch.setattr(serve, "drive", drive)
    parts = serve.soak("", 0, 1000, tmp_path)
    assert len(parts) == 10
    assert 1000 <= sum(part.requests for part in parts) < 1030
    assert sum(part.errors for part in parts) * 30 == sum(part.requests for part in parts)
    assert all(part.rate == pytest.approx(30 / serve.SOAK_SECONDS) for part in parts)


@pytest.mark.parametrize("wrong", ["a", "1,,2", "0"])
def test_wrong_connections_are_named(wrong: str) -> None:
    done = CliRunner().invoke(serve.main, ["--connections", wrong])
    assert done.exit_code == 2
    assert "Invalid value" in done.output
