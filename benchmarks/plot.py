"""The bars of ``python -m benchmarks.score --plot``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

PANELS = {"kernel": "In memory: text to score", "files": "End to end: JSON lines to Parquet"}
_PANEL_OF = {"kernel": "kernel", "column": "kernel", "files": "files"}
_OURS, _OTHERS, _INK = "#0072b2", "#b0b0b0", "#1a1a1a"


def draw(result: dict[str, Any], path: Path) -> None:
    """Horizontal bars of MB/s, a panel for work in memory and one from file to file."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    rows = {
        panel: sorted(
            (line for line in result["lines"] if _PANEL_OF[line["group"]] == panel),
            key=lambda line: line["mb_per_s"],
        )
        for panel in PANELS
    }
    heights = [max(1, len(lines)) for lines in rows.values()]
    settings = {"svg.hashsalt": "framelens", "svg.fonttype": "none", "font.size": 10, "text.color": _INK}
    with mpl.rc_context(settings):
        figure, axes = plt.subplots(
            2, 1, figsize=(8, 0.42 * sum(heights) + 1.6), height_ratios=heights, layout="constrained"
        )
        for axis, (panel, lines) in zip(axes, rows.items(), strict=True):
            _panel(axis, PANELS[panel], lines)
        cores, size = result["machine"]["cores"], result["input"]["bytes"] / 1e6
        axes[-1].set_xlabel(f"MB of text a second ({cores} cores, {size:.0f} MB of articles)")
        metadata = {"Date": None} if path.suffix == ".svg" else None
        figure.savefig(path, metadata=metadata, facecolor="white", dpi=150)
        plt.close(figure)


def _panel(axis: Any, title: str, lines: list[dict[str, Any]]) -> None:
    speeds = [line["mb_per_s"] for line in lines]
    colors = [_OURS if line["title"].startswith("framelens") else _OTHERS for line in lines]
    axis.barh([line["title"] for line in lines], speeds, color=colors, height=0.7)
    for row, speed in enumerate(speeds):
        axis.annotate(f"{speed:.3g}", (speed, row), xytext=(4, 0), textcoords="offset points", va="center")
    axis.set_title(title, loc="left", fontsize=11, fontweight="bold")
    axis.set_xlim(0, 1.12 * max(speeds, default=1))
    axis.spines[["top", "right", "left"]].set_visible(False)
    axis.tick_params(axis="y", length=0)
