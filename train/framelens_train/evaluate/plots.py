"""The report's drawings, each from the evaluation's JSON, as SVG that stands by itself in a page."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from framelens_train.evaluate.answers import ANSWER_TITLES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STATE, INDEPENDENT, UNSURE, INK = "#b35806", "#2166ac", "#bdbdbd", "#333333"
"""Told apart by every common kind of colour blindness, and in grey."""

PROTOCOL_TITLES = {
    "random": "random split (leaky)",
    "outlet_disjoint": "outlets unseen",
    "owner_disjoint": "owners unseen",
    "country_disjoint": "owners and countries unseen",
    "temporal": "later in time",
    "all": "all articles",
}
_SETTINGS: Any = {
    "svg.hashsalt": "framelens",
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
INDEPENDENTS_SHOWN = 15


def protocol_title(name: str, row: Mapping[str, Any]) -> str:
    """What to call a protocol: its own title, where it has one."""
    return str(row.get("title") or PROTOCOL_TITLES.get(name, name))


def protocols_figure(protocols: dict[str, dict[str, Any]]) -> Figure:
    """Macro-F1 of each protocol with its interval over outlets."""
    known = [(name, row) for name, row in protocols.items() if row.get("macro_f1") is not None]
    figure, axes = _canvas(7.2, 0.9 + 0.45 * max(len(known), 1))
    for place, (_, row) in enumerate(reversed(known)):
        axes.plot(row["macro_f1"], place, "o", color=INK, markersize=8)
        if row.get("ci95"):
            axes.plot(row["ci95"], [place, place], color=INK, linewidth=2)
        axes.annotate(
            f"{row['macro_f1']:.2f}",
            (row["macro_f1"], place),
            xytext=(0, 8),
            textcoords="offset points",
            ha="center",
        )
    axes.set_yticks(range(len(known)), [protocol_title(name, row) for name, row in reversed(known)])
    axes.set(
        xlim=(0.3, 1.0), ylim=(-0.5, len(known) - 0.3), xlabel="macro-F1 (0.5 is a coin, 1 is never wrong)"
    )
    return figure


def outlets_figure(figures: Mapping[str, Any]) -> Figure:
    """Macro-F1 by how many articles of an outlet are answered together, beside a plain bag of words."""
    plain = (figures.get("baselines") or {}).get("bag_of_words") or {}
    title = "owners unseen, plain bag of words"
    curves = [(title, plain.get("owner_disjoint"), plain.get("outlets"), "D:", UNSURE)]
    for name, style, colour in (
        ("country_disjoint", "s--", INK),
        ("all", "o-", STATE),
        ("owner_disjoint", "o-", STATE),
    ):
        single = figures["protocols"].get(name)
        curves.append(
            (protocol_title(name, single or {}), single, figures["outlets"].get(name), style, colour)
        )
    figure, axes = _canvas(7.2, 3.6)
    sizes: set[int] = set()
    for curve_title, single, several, style, colour in curves:
        if single and several:
            rows = [row for row in (single | {"articles": 1}, *several) if row["macro_f1"] is not None]
            _outlets_curve(axes, rows, style, colour, curve_title)
            sizes |= {row["articles"] for row in rows}
    axes.set_xscale("log")
    axes.set_xticks(sorted(sizes), [str(size) for size in sorted(sizes)])
    axes.minorticks_off()
    axes.set(xlabel="articles of one outlet, answered together", ylabel="macro-F1", ylim=(0.4, 1.0))
    axes.set_xlim(0.8, 1.25 * max(sizes, default=1))
    axes.legend(frameon=False, loc="lower right")
    return figure


def _outlets_curve(
    axes: Axes, rows: Sequence[Mapping[str, Any]], style: str, colour: str, title: str
) -> None:
    sizes, values = [row["articles"] for row in rows], [row["macro_f1"] for row in rows]
    axes.plot(sizes, values, style, color=colour, label=title)
    if colour == STATE:
        bounds = [row["ci95"] or (row["macro_f1"], row["macro_f1"]) for row in rows]
        low, high = [bound[0] for bound in bounds], [bound[1] for bound in bounds]
        axes.fill_between(sizes, low, high, color=colour, alpha=0.15, linewidth=0)
    if colour != INK:
        for size, value in zip(sizes, values, strict=True):
            place = (0, 8) if colour == STATE else (0, -15)
            axes.annotate(
                f"{value:.2f}", (size, value), xytext=place, textcoords="offset points", ha="center"
            )


def owners_figure(per_owner: dict[str, dict[str, Any]], *, least: int = 25) -> Figure:
    """Recall of every state owner, and of the independent owners that are taken for state most often."""
    state = _sorted(per_owner, "state", 1)
    independent = _sorted(per_owner, "independent", least)[:INDEPENDENTS_SHOWN]
    rows = state + independent
    figure, axes = _canvas(7.2, 1.0 + 0.3 * max(len(rows), 1))
    for place, (_, row) in enumerate(reversed(rows)):
        low, high = row["ci95"]
        colour = STATE if row["label"] == "state" else INDEPENDENT
        axes.barh(place, row["recall"], color=colour, height=0.7)
        axes.plot([low, high], [place, place], color=INK, linewidth=1.5)
    axes.set_yticks(range(len(rows)), [f"{name} (n={row['n']})" for name, row in reversed(rows)])
    axes.set(xlim=(0, 1), xlabel="share of articles given the right label, while the owner was unseen")
    _legend(axes, (("state owners", STATE), (f"independent owners, worst {len(independent)}", INDEPENDENT)))
    return figure


def confusion_figure(
    per_owner: dict[str, dict[str, Any]], answers: Mapping[str, Mapping[str, Any]]
) -> Figure:
    """What is said of each state owner's articles, and of the independents' by region (`answer_shares`)."""
    rows: list[tuple[str, Mapping[str, Any]]] = [*_sorted(per_owner, "state", 1)]
    rows += [(ANSWER_TITLES[kind], row) for kind, row in answers.items() if kind != "state"]
    figure, axes = _canvas(7.2, 1.1 + 0.32 * max(len(rows), 1))
    keys = (("called_state", STATE), ("abstained", UNSURE), ("called_independent", INDEPENDENT))
    for place, (_, row) in enumerate(reversed(rows)):
        left = 0.0
        for key, colour in keys:
            axes.barh(place, row[key], left=left, color=colour, height=0.75, edgecolor="white")
            if row[key] >= 0.06:
                ink = INK if colour == UNSURE else "white"
                middle = left + row[key] / 2
                axes.text(
                    middle, place, f"{100 * row[key]:.0f}", ha="center", va="center", color=ink, fontsize=9
                )
            left += row[key]
    axes.set_yticks(range(len(rows)), [f"{name} (n={row['n']})" for name, row in reversed(rows)])
    axes.set(xlim=(0, 1), xlabel="of 100 articles, while the owner was unseen")
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25", "50", "75", "100"])
    _legend(axes, (("called state", STATE), ("no answer", UNSURE), ("called independent", INDEPENDENT)))
    return figure


def reliability_figure(tables: dict[str, Sequence[dict[str, float]]]) -> Figure:
    """Probability given against frequency found."""
    figure, axes = _canvas(4.6, 4.2)
    axes.plot([0, 1], [0, 1], color=UNSURE, linestyle="--", label="perfect")
    for name, style, colour in (
        ("owner_disjoint", "o-", STATE),
        ("random", "s:", INDEPENDENT),
        ("all", "o-", STATE),
    ):
        rows = tables.get(name)
        if rows:
            axes.plot(
                [row["p"] for row in rows],
                [row["frequency"] for row in rows],
                style,
                color=colour,
                markersize=4,
                label=PROTOCOL_TITLES[name],
            )
    axes.set(
        xlim=(0, 1), ylim=(0, 1), xlabel="probability of state given", ylabel="share of state articles found"
    )
    axes.legend(frameon=False, loc="upper left")
    return figure


def coverage_figure(curves: dict[str, dict[str, list[float]]]) -> Figure:
    """Errors among the answers against the share of articles answered."""
    figure, axes = _canvas(4.6, 4.2)
    for name, style, colour in (
        ("owner_disjoint", "-", STATE),
        ("outlet_disjoint", "-.", INK),
        ("random", ":", INDEPENDENT),
        ("all", "-", STATE),
    ):
        curve = curves.get(name)
        if curve and curve["coverage"]:
            axes.plot(curve["coverage"], curve["risk"], style, color=colour, label=PROTOCOL_TITLES[name])
    for risk in (0.05, 0.10):
        axes.axhline(risk, color=UNSURE, linewidth=0.8)
    axes.set(
        xlim=(0, 1),
        ylim=(0, None),
        xlabel="share of articles answered, surest first",
        ylabel="share of them wrong",
    )
    axes.legend(frameon=False, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2)
    return figure


def svg(figure: Figure) -> str:
    """The figure as an SVG element; the same figure gives the same text."""
    import matplotlib as mpl

    with mpl.rc_context(_SETTINGS), io.StringIO() as stream:
        figure.savefig(stream, format="svg", bbox_inches="tight", metadata={"Date": None, "Creator": None})
        text = stream.getvalue()
    return text[text.index("<svg") :]


def _canvas(width: float, height: float) -> tuple[Figure, Axes]:
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure as NewFigure

    with mpl.rc_context(_SETTINGS):
        figure = NewFigure(figsize=(width, height))
        FigureCanvasSVG(figure)
        return figure, figure.add_subplot()


def _legend(axes: Axes, entries: Sequence[tuple[str, str]]) -> None:
    from matplotlib.patches import Patch

    handles = [Patch(color=colour, label=label) for label, colour in entries]
    place: dict[str, Any] = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0), "ncols": len(entries)}
    axes.legend(handles=handles, frameon=False, **place)


def _sorted(per_owner: dict[str, dict[str, Any]], label: str, least: int) -> list[tuple[str, dict[str, Any]]]:
    rows = [(name, row) for name, row in per_owner.items() if row["label"] == label and row["n"] >= least]
    return sorted(rows, key=lambda item: (item[1]["recall"], item[0]))
