"""The drawings that a training keeps in MLflow: curves by protocol, and the terms that weigh most.

Per-owner bars, the confusion and the reliability diagram are those of the evaluation's report.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens_train.evaluate.plots import (
    INDEPENDENT,
    INK,
    PROTOCOL_TITLES,
    STATE,
    UNSURE,
    confusion_figure,
    owners_figure,
    reliability_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from framelens.linear import LinearModel

__all__ = [
    "confusion_figure",
    "owners_figure",
    "precision_recall_figure",
    "reliability_figure",
    "roc_figure",
    "terms_figure",
    "top_terms",
]

TERMS_SHOWN = 25
_LINES = {
    "random": (":", INDEPENDENT),
    "outlet_disjoint": ("-.", INK),
    "owner_disjoint": ("-", STATE),
    "country_disjoint": ("--", STATE),
    "temporal": ("--", UNSURE),
}

Scored = Mapping[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.int64]]]
"""By protocol: labels, margins and folds of its test articles."""
Curve = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], float]
_GRID = np.linspace(0, 1, 201)


def roc_figure(scored: Scored) -> Figure:
    """True against false state calls of every protocol: the mean over its folds."""
    from sklearn.metrics import roc_auc_score, roc_curve

    def curve(y: npt.NDArray[np.int64], score: npt.NDArray[np.float64]) -> Curve:
        false, true, _ = roc_curve(y, score)
        return false, true, float(roc_auc_score(y, score))

    figure, axes = _canvas(5.2, 4.8)
    axes.plot([0, 1], [0, 1], color=UNSURE, linewidth=0.8)
    _draw(axes, scored, curve, start=0.0)
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1.01),
        xlabel="share of independent articles called state",
        ylabel="share of state articles called state",
    )
    axes.legend(frameon=False, loc="lower right", title="area under the curve, mean of folds")
    return figure


def precision_recall_figure(scored: Scored) -> Figure:
    """Precision against recall of the state label: the mean over the folds of every protocol."""
    from sklearn.metrics import average_precision_score, precision_recall_curve

    def curve(y: npt.NDArray[np.int64], score: npt.NDArray[np.float64]) -> Curve:
        precision, recall, _ = precision_recall_curve(y, score)
        return recall[::-1], precision[::-1], float(average_precision_score(y, score))

    figure, axes = _canvas(5.2, 4.8)
    _draw(axes, scored, curve)
    axes.set(
        xlim=(0, 1),
        ylim=(0, 1.01),
        xlabel="share of state articles found (recall)",
        ylabel="share of state calls that are right (precision)",
    )
    axes.legend(frameon=False, loc="lower left", title="average precision, mean of folds")
    return figure


def _draw(
    axes: Axes,
    scored: Scored,
    curve: Callable[[npt.NDArray[np.int64], npt.NDArray[np.float64]], Curve],
    start: float | None = None,
) -> None:
    """The mean curve of each protocol over its folds of both labels, with the mean of their areas."""
    for name, (y, score, fold) in scored.items():
        inside = [fold == k for k in np.unique(fold)]
        found = [curve(y[rows], score[rows]) for rows in inside if len(np.unique(y[rows])) == 2]
        if not found:
            continue
        mean = np.mean([np.interp(_GRID, x, height) for x, height, _ in found], axis=0)
        mean[0] = mean[1] if start is None else start  # a curve may stand upright at 0
        style, colour = _LINES.get(name, ("-", INK))
        area = float(np.mean([area for _, _, area in found]))
        axes.plot(_GRID, mean, style, color=colour, label=f"{PROTOCOL_TITLES.get(name, name)}: {area:.2f}")


def terms_figure(model: LinearModel, *, shown: int = TERMS_SHOWN) -> Figure:
    """The terms and style measures that weigh most on either side."""
    table = top_terms(model, shown=shown)
    figure, axes = _canvas(10.0, 0.8 + 0.24 * shown, columns=2)
    sides = (("independent", INDEPENDENT), ("state", STATE))
    for axis, (side, colour) in zip(axes, sides, strict=True):
        names = [name for name, _ in table[side]]
        weights = [abs(weight) for _, weight in table[side]]
        axis.barh(range(len(names)), weights, color=colour, height=0.7)
        axis.set_yticks(range(len(names)), names, fontsize=8)
        axis.invert_yaxis()
        axis.set_title(f"speaks for {side}", fontsize=10)
        axis.set_xlabel("weight times idf; style: weight of one standard deviation", fontsize=8)
    figure.tight_layout()
    return figure


def top_terms(model: LinearModel, *, shown: int = TERMS_SHOWN) -> dict[str, list[tuple[str, float]]]:
    """Names and weights that move the score most, by side, the heaviest first.

    A quoted term has quotation marks; a style measure is in brackets. A term's weight is multiplied by its
    idf: its pull when it stands in an article once.
    """
    from framelens.features.reference import MEASURES

    pull = np.concatenate([(model.weights * model.idf).T.ravel(), model.style_weights]).astype(np.float64)
    order = np.argsort(pull, kind="stable")
    V = len(model.vocabulary)

    def name(column: int) -> str:
        if column >= 2 * V:
            return f"[{MEASURES[column - 2 * V]}]"
        term = model.vocabulary.terms[column % V]
        return f"“{term}”" if column >= V else term

    sides = {"state": order[::-1][:shown], "independent": order[:shown]}
    positive = {"state": 1.0, "independent": -1.0}
    return {
        side: [(name(int(c)), float(pull[c])) for c in columns if pull[c] * positive[side] > 0]
        for side, columns in sides.items()
    }


def _canvas(width: float, height: float, *, columns: int = 1) -> tuple[Figure, Any]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as NewFigure

    figure = NewFigure(figsize=(width, height))
    FigureCanvasAgg(figure)
    axes: Any = figure.subplots(1, columns)
    for axis in np.ravel(axes):
        _plain(axis)
    return figure, axes


def _plain(axis: Axes) -> None:
    axis.spines[["top", "right"]].set_visible(False)
