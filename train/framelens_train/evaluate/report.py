"""One self-contained page of an evaluation, for people who have not read the code."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

from framelens.errors import UserError
from framelens_train.evaluate import plots
from framelens_train.evaluate.outlets import TOGETHER
from framelens_train.evaluate.plots import PROTOCOL_TITLES, protocol_title
from framelens_train.evaluate.protocols import HEADLINE
from framelens_train.evaluate.table import (
    ANSWER_COLUMNS,
    OUTLET_COLUMNS,
    answer_cells,
    answers_of,
    interval,
    number,
    outlet_cells,
    outlet_rows,
    protocol_cells,
    with_together,
)


def write_report(figures: Mapping[str, Any], path: Path) -> None:
    """Write the page beside its place and move it there.

    Parameters
    ----------
    figures
        The JSON of an evaluation, of a recipe or of a frozen model.

    Raises
    ------
    UserError
        When the page cannot be written.
    """
    fresh = path.with_name(f".{path.name}.new-{os.getpid()}")
    try:
        fresh.write_text(render_report(figures), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        fresh.unlink(missing_ok=True)
        raise UserError(f"cannot write the report {path}: {error.strerror or error}") from None


def render_report(figures: Mapping[str, Any]) -> str:
    """The page as a string; the same figures give the same page."""
    model = figures.get("model")
    title = f"{model['name']} {model['version']}" if model else "Recipe"
    body = [
        f"<h1>{escape(title)}: what it is worth</h1>",
        _lead(figures),
        _cards(figures),
        _section("How it was tested", _protocols(figures)),
        _section("Several articles of one outlet", _outlets(figures)) if outlet_rows(figures) else "",
        _section("Owner by owner", _owners(figures)),
        _section("Can its probabilities be trusted?", _probabilities(figures)),
        _section("Where models like this fail", _slices(figures)),
    ]
    if "leak_probes" in figures:
        body.append(_section("What it leans on", _probes(figures)))
    body.append(_section("Its worst articles", _worst(figures)))
    body.append(_section("How to read this page", _glossary()))
    head = f'<meta charset="utf-8"><title>{escape(title)}: evaluation</title><style>{_style()}</style>'
    head += '<meta name="viewport" content="width=device-width, initial-scale=1">'
    return (
        f'<!doctype html>\n<html lang="en"><head>{head}</head><body>\n'
        + "\n".join(body)
        + "\n</body></html>\n"
    )


def _style() -> str:
    return (resources.files("framelens_train.evaluate") / "report.css").read_text(encoding="utf-8")


def _lead(figures: Mapping[str, Any]) -> str:
    corpus = figures["corpus"]
    counts = ", ".join(
        f"{row['articles']:,} {label} articles of {row['owners']} owner{'s' if row['owners'] != 1 else ''}"
        for label, row in corpus["by_label"].items()
        if row["articles"]
    )
    text = (
        "The model says whether an English news article is framed the way state-controlled media frame "
        "the news, or "
        "reported the way editorially independent media report it. This page shows how often it is "
        "right about "
        f"owners, outlets and times it has never seen. It was tested on {counts}."
    )
    return f'<p class="lead">{escape(text)}</p>'


def _cards(figures: Mapping[str, Any]) -> str:
    protocols = figures["protocols"]
    headline = protocols.get(HEADLINE) or {}
    cards = []
    if headline.get("macro_f1") is not None:
        cards.append(
            (number(headline["macro_f1"]), f"macro-F1 on owners never seen ({interval(headline['ci95'])})")
        )
        cards.append((number(headline["roc_auc"]), "ROC AUC on owners never seen"))
    for row in with_together((figures.get("outlets") or {}).get(HEADLINE, ())):
        if row["macro_f1"] is not None:
            text = f"macro-F1 with {TOGETHER} articles of an outlet together, on owners never seen"
            cards.append((number(row["macro_f1"]), f"{text} ({interval(row['ci95'])})"))
    leaky = protocols.get("random") or {}
    if leaky.get("macro_f1") is not None:
        cards.append(
            (number(leaky["macro_f1"]), "macro-F1 where outlets were seen in training: do not expect this")
        )
    rate = figures.get("false_state_rate_nonwest")
    if rate is not None:
        cards.append((f"{100 * rate:.0f} %", "of non-Western independent articles are called state"))
    worst = headline.get("worst_state_owner")
    if worst:
        cards.append(
            (number(worst["recall"]), f"of the articles of {worst['name']} are found: its worst state owner")
        )
    items = "".join(f"<li><b>{escape(value)}</b><span>{escape(text)}</span></li>" for value, text in cards)
    return f'<ul class="cards">{items}</ul>'


def _protocols(figures: Mapping[str, Any]) -> str:
    head = (
        "articles of", "n", "macro-F1", "95 % interval", "ROC AUC", "95 % interval", "ECE", "Brier",
        "answered at 5 % errors", "at 10 %",
    )  # fmt: skip
    rows = [
        (protocol_cells(protocol_title(name, row), row), "headline" if name == HEADLINE else "")
        for name, row in figures["protocols"].items()
    ]
    for row in figures["baselines"].values():
        if HEADLINE in row:
            rows.append((protocol_cells(f"owners unseen: {row['title']}", row[HEADLINE]), "aside"))
    text = (
        "Each line holds other articles out. In a random split every outlet is in training too, so a "
        "model may learn "
        "outlets instead of framing; its figure is the one usually published. The line that counts is "
        "owners unseen: all "
        "outlets of a state are held out together. Grey lines are baselines any model must beat."
    )
    missing = "".join(
        f'<p class="note">{escape(PROTOCOL_TITLES.get(name, name))}: not possible here. {escape(why)}</p>'
        for name, why in figures.get("unavailable", {}).items()
    )
    figure = _figure(
        plots.protocols_figure(figures["protocols"]),
        "Macro-F1 with its 95 % interval from resampling outlets.",
    )
    return f"<p>{escape(text)}</p>{figure}{_table(head, rows)}{missing}"


def _outlets(figures: Mapping[str, Any]) -> str:
    text = (
        "The label is about who controls an outlet, and a single article says little of that. Here the "
        "articles of each outlet are dealt at random into groups, and each group is answered once. Groups "
        "are "
        "counted, not articles; the band is the 95 % interval from resampling outlets."
    )
    figure = _figure(plots.outlets_figure(figures), "Macro-F1 by the number of articles answered together.")
    ours = protocol_title(HEADLINE, figures["protocols"].get(HEADLINE) or {})
    rows = [
        (outlet_cells(title, row), "headline" if title == f"{ours}, {TOGETHER} articles" else "")
        for title, row in outlet_rows(figures)
    ]
    return f"<p>{escape(text)}</p>{figure}{_table(OUTLET_COLUMNS, rows)}"


def _owners(figures: Mapping[str, Any]) -> str:
    bars = _figure(
        plots.owners_figure(figures["per_owner"]),
        "How often each owner's articles get the right label when no answer is refused. The thin line "
        "is the 95 % interval "
        "over articles (Wilson).",
    )
    title, answers = answers_of(figures)
    confusion = _figure(
        plots.confusion_figure(figures["per_owner"], answers),
        "What the model says of each owner's articles when it may refuse to answer.",
    )
    text = (
        f"What it says of state media's articles and of independents', {title}; intervals resample outlets."
    )
    rows = [(answer_cells(kind, row), "") for kind, row in answers.items()]
    return f"{bars}{confusion}<p>{escape(text)}</p>{_table(ANSWER_COLUMNS, rows)}"


def _probabilities(figures: Mapping[str, Any]) -> str:
    text = (
        "Left: of the articles given a probability of 0.7, seven in ten should be state media's; the "
        "closer the points to "
        "the dashed line, the better. Right: when the model may leave the least sure articles "
        "unanswered, how many of its "
        "answers are wrong; grey lines mark 5 and 10 % errors."
    )
    left = _figure(plots.reliability_figure(figures["reliability"]), "Reliability")
    right = _figure(plots.coverage_figure(figures["coverage"]), "Coverage and risk")
    return f'<p>{escape(text)}</p><div class="pair">{left}{right}</div>'


def _slices(figures: Mapping[str, Any]) -> str:
    head = ("kind of article", "n", "called state", "95 % interval", "mean probability of state", "ROC AUC")
    rows = []
    for row in figures["hard_slices"].values():
        if row["n"]:
            said = [row[key] for key in ("recall_state", "false_state_rate", "called_state") if key in row]
            cells = (
                row["title"],
                f"{row['n']:,}",
                " / ".join(number(value) for value in said) or "-",
                interval(row.get("ci95")),
                number(row.get("mean_p_state", row.get("p_state"))),
                number(row.get("roc_auc")),
            )
            rows.append((cells, ""))
    text = (
        "State articles should be called state, all others should not. A line with two shares gives "
        "state articles first, "
        "independent ones second. ROC AUC compares the slice with all articles of the other label."
    )
    return f"<p>{escape(text)}</p>{_table(head, rows)}"


def _probes(figures: Mapping[str, Any]) -> str:
    head = (
        "what was changed",
        "n",
        "macro-F1 before",
        "after",
        "ROC AUC before",
        "after",
        "labels that changed",
    )
    rows, notes = [], []
    for name, row in figures["leak_probes"].items():
        title = name.replace("_", " ")
        if "status" in row:
            notes.append(f"{title}: {row['status']}.")
        elif "accuracy" in row:
            notes.append(
                f"The same features name the right one of {row['outlets']} outlets in "
                f"{100 * row['accuracy']:.0f} of 100 "
                f"articles (chance: {100 * row['chance']:.0f}). So much of an outlet's habits is still "
                "in them."
            )
        else:
            f1, auc = row["macro_f1"], row["roc_auc"]
            cells = (
                title,
                f"{row['n']:,}",
                *(number(value) for value in (*f1, *auc)),
                number(row["label_changes"]),
            )
            rows.append((cells, ""))
    parts = [_table(head, rows), *(f'<p class="note">{escape(note)}</p>' for note in notes)]
    return "".join(parts) + _versus(figures.get("voice_and_quotation", {}))


def _versus(rows: Mapping[str, Any]) -> str:
    head = (
        "slice", "n", "wrong, ours", "plain", "margin (95 % interval)", "ROC AUC, ours", "plain",
        "margin (95 % interval)",
    )  # fmt: skip
    lines = []
    for name, row in rows.items():
        if row["n"]:
            errors, areas = row["errors"], row["roc_auc"]
            cells = (
                name.replace("_", " "),
                f"{row['n']:,}",
                number(errors[0]),
                number(errors[1]),
                _signed(row["margin"], row["ci95"]),
                number(areas[0]),
                number(areas[1]),
                _signed(row.get("roc_auc_margin"), row.get("roc_auc_ci95")),
            )
            lines.append((cells, ""))
    if not lines:
        return ""
    text = (
        "Keeping the reporter's voice and quoted words apart, against a plain bag of words. Both call "
        "as many articles "
        "state as there are; a positive margin speaks for keeping them apart."
    )
    return f"<p>{escape(text)}</p>{_table(head, lines)}"


def _signed(value: float | None, bounds: list[float] | None) -> str:
    return "-" if value is None or bounds is None else f"{value:+.3f} ({bounds[0]:+.3f} to {bounds[1]:+.3f})"


def _worst(figures: Mapping[str, Any]) -> str:
    head = ("outlet", "article", "owner", "date", "is", "probability of state")
    rows = [
        (
            (
                row["outlet"],
                row["id"],
                row["owner"],
                row["date"] or "-",
                row["label"],
                number(row["p_state"]),
            ),
            "",
        )
        for row in figures["worst_articles"]
    ]
    if not rows:
        return "<p>No article was given the wrong label.</p>"
    return (
        "<p>The articles it was surest and most wrong about, at most three an outlet. Texts and titles "
        "are not "
        f"shown.</p>{_table(head, rows)}"
    )


def _glossary() -> str:
    entries = (
        ("Macro-F1", "one figure for both labels: 1 is never wrong, about 0.5 is a coin."),
        ("ROC AUC", "how often a state article scores above an independent one: 0.5 is a coin."),
        (
            "95 % interval",
            "where the figure lands when other outlets of the same kind are drawn: wide means few outlets.",
        ),
        ("ECE, Brier", "how far the probabilities are off, on average; 0 is best."),
        (
            "Owner",
            "a state with all its outlets, a company with all its outlets, or an independent outlet by "
            "itself.",
        ),
        ("Label", "who controls the outlet. It says nothing about whether an article is true."),
    )
    return "<dl>" + "".join(f"<dt><b>{escape(a)}</b></dt><dd>{escape(b)}</dd>" for a, b in entries) + "</dl>"


def _section(title: str, content: str) -> str:
    return f"<section><h2>{escape(title)}</h2>\n{content}</section>"


def _figure(figure: Any, caption: str) -> str:
    return f"<figure>{plots.svg(figure)}<figcaption>{escape(caption)}</figcaption></figure>"


def _table(head: Iterable[str], rows: Iterable[tuple[Iterable[str], str]]) -> str:
    top = "".join(f"<th>{escape(cell)}</th>" for cell in head)
    lines = "".join(
        f'<tr class="{kind}">' + "".join(f"<td>{escape(str(cell))}</td>" for cell in cells) + "</tr>"
        for cells, kind in rows
    )
    return f'<div class="scroll"><table><thead><tr>{top}</tr></thead><tbody>{lines}</tbody></table></div>'
