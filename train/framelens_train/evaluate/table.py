"""The evaluation as tables for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from framelens_train.evaluate.answers import ANSWER_TITLES
from framelens_train.evaluate.outlets import TOGETHER
from framelens_train.evaluate.plots import protocol_title
from framelens_train.evaluate.protocols import HEADLINE

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

OUTLET_COLUMNS = (
    "", "n", "outlets", "macro-F1", "95 % interval", "ROC AUC", "ECE", "worst state owner",
    "false state, non-West",
)  # fmt: skip
ANSWER_COLUMNS = (
    "articles of", "n", "called state", "95 % interval", "no answer", "called independent",
    "called state, forced", "95 % interval",
)  # fmt: skip


def render_tables(figures: dict[str, Any]) -> list[RenderableType]:
    """Protocols, baselines, answers, outlets, state owners, slices, probes: whichever the evaluation has."""
    tables: list[RenderableType] = [_protocols(figures), _answers(figures)]
    if outlet_rows(figures):
        tables.append(_outlets(figures))
    if _state_owners(figures["per_owner"]):
        tables.append(_owners(figures["per_owner"]))
    tables.append(_slices(figures["hard_slices"]))
    if "leak_probes" in figures:
        tables.append(_probes(figures))
    tables += [f"{name} is missing: {why}" for name, why in figures.get("unavailable", {}).items()]
    if figures.get("rejected"):
        first = figures["rejected"][0]
        tables.append(
            f"{len(figures['rejected'])} rows could not be used; the first is row {first['row']}: "
            f"{first['reason']}"
        )
    return tables


def _table(title: str, *columns: str) -> Table:
    from rich import box
    from rich.table import Table as New

    table = New(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD)
    table.add_column(columns[0])
    for column in columns[1:]:
        table.add_column(column, justify="right")
    return table


def _protocols(figures: dict[str, Any]) -> Table:
    table = _table(
        "Protocols",
        "", "n", "macro-F1", "95 % interval", "ROC AUC", "ECE", "Brier", "worst state owner",
        "false state, non-West",
    )  # fmt: skip
    for name, row in figures["protocols"].items():
        worst = row.get("worst_state_owner")
        table.add_row(
            protocol_title(name, row),
            f"{row['n']:,}",
            number(row["macro_f1"]),
            interval(row["ci95"]),
            number(row["roc_auc"]),
            number(row["ece"], 3),
            number(row["brier"], 3),
            f"{number(worst['recall'])} {worst['name']}" if worst else "-",
            number(row["false_state_rate_nonwest"]),
            style="bold" if name == HEADLINE else None,
        )
    for row in figures["baselines"].values():
        measured = row.get(HEADLINE) or row.get("all")
        table.add_row(
            f"baseline: {row['title']}",
            f"{measured['n']:,}" if "n" in measured else "",
            number(measured["macro_f1"]),
            interval(measured.get("ci95")),
            number(measured.get("roc_auc")),
            number(measured.get("ece"), 3),
            number(measured.get("brier"), 3),
            "",
            number(measured.get("false_state_rate_nonwest")),
            style="dim",
        )
    return table


def answers_of(figures: Mapping[str, Any]) -> tuple[str, Mapping[str, Any]]:
    """Title and ``answers`` of the headline protocol; of all articles where a frozen model was measured.

    None are there in what was measured before they were kept.
    """
    protocols = figures["protocols"]
    name = next(name for name in ("all", HEADLINE, *protocols) if name in protocols)
    return protocol_title(name, protocols[name]), protocols[name].get("answers", {})


def answer_cells(kind: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    """A kind of articles as the terminal, the card and the page show it; its head is `ANSWER_COLUMNS`."""
    return (
        ANSWER_TITLES[kind],
        f"{row['n']:,}",
        number(row["called_state"]),
        interval(row["called_state_ci95"]),
        number(row["abstained"]),
        number(row["called_independent"]),
        number(row["forced_state"]),
        interval(row["forced_state_ci95"]),
    )


def _answers(figures: Mapping[str, Any]) -> Table:
    title, rows = answers_of(figures)
    table = _table(f"What it answers, {title}", *ANSWER_COLUMNS)
    for kind, row in rows.items():
        table.add_row(*answer_cells(kind, row))
    return table


def outlet_rows(figures: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """What is shown of several articles of one outlet, each row with its title.

    The headline protocol by number of articles, from a single one; others and baselines with `TOGETHER`.
    """
    rows: list[tuple[str, Mapping[str, Any]]] = []
    measured = figures.get("outlets") or {}
    names = sorted((name for name in measured if measured[name]), key=lambda name: name != HEADLINE)
    for name in names:
        protocol = figures["protocols"][name]
        title = protocol_title(name, protocol)
        if name == HEADLINE:
            rows.append((f"{title}, 1 article", protocol))
        shown = measured[name] if name == HEADLINE else with_together(measured[name])
        rows += [(f"{title}, {row['articles']} articles", row) for row in shown]
    for baseline in figures.get("baselines", {}).values():
        found = with_together(baseline.get("outlets", ()))
        rows += [(f"baseline: {baseline['title']}, {row['articles']} articles", row) for row in found]
    return rows


def with_together(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The row of `TOGETHER` articles, if there is one."""
    return [row for row in rows if row["articles"] == TOGETHER]


def outlet_cells(title: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    """A row of `outlet_rows` as the terminal, the card and the page show it; its head is `OUTLET_COLUMNS`."""
    worst = row.get("worst_state_owner")
    return (
        title,
        f"{row['n']:,}",
        f"{row['n_outlets']:,}",
        number(row["macro_f1"]),
        interval(row["ci95"]),
        number(row["roc_auc"]),
        number(row["ece"], 3),
        f"{number(worst['recall'])} {worst['name']}" if worst else "-",
        number(row["false_state_rate_nonwest"]),
    )


def _outlets(figures: dict[str, Any]) -> Table:
    table = _table("Several articles of one outlet, answered together", *OUTLET_COLUMNS)
    for title, row in outlet_rows(figures):
        ours = title.startswith(f"{protocol_title(HEADLINE, figures['protocols'].get(HEADLINE, {}))}, ")
        table.add_row(
            *outlet_cells(title, row), style="bold" if ours and row.get("articles") == TOGETHER else None
        )
    return table


def _state_owners(per_owner: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    rows = [(name, row) for name, row in per_owner.items() if row["label"] == "state"]
    return sorted(rows, key=lambda item: (item[1]["recall"], item[0]))


def _owners(per_owner: dict[str, Any]) -> Table:
    table = _table(
        "State owners, while unseen", "owner", "n", "recall", "95 % interval", "ROC AUC", "no answer"
    )
    for name, row in _state_owners(per_owner):
        table.add_row(
            name,
            f"{row['n']:,}",
            number(row["recall"]),
            interval(row["ci95"]),
            number(row["roc_auc"]),
            number(row["abstained"]),
        )
    return table


def _slices(slices: dict[str, Any]) -> Table:
    table = _table("Hard slices", "slice", "n", "called state", "mean p_state", "ROC AUC")
    for row in slices.values():
        if not row["n"]:
            continue
        said = [row[key] for key in ("recall_state", "false_state_rate", "called_state") if key in row]
        table.add_row(
            row["title"],
            f"{row['n']:,}",
            " / ".join(number(value) for value in said) or "-",
            number(row.get("mean_p_state", row.get("p_state"))),
            number(row.get("roc_auc")),
        )
    return table


def _probes(figures: dict[str, Any]) -> Table:
    table = _table("Probes", "probe", "n", "macro-F1", "after", "ROC AUC", "after")
    for name, row in figures["leak_probes"].items():
        title = name.replace("_", " ")
        if "status" in row:
            table.add_row(title, "", row["status"], "", "", "")
        elif "accuracy" in row:
            text = f"{row['accuracy']:.2f} right of {row['outlets']} outlets (chance {row['chance']:.2f})"
            table.add_row(title, f"{row['n']:,}", text, "", "", "")
        else:
            f1, auc = row["macro_f1"], row["roc_auc"]
            table.add_row(
                title, f"{row['n']:,}", number(f1[0]), number(f1[1]), number(auc[0]), number(auc[1])
            )
    return table


def protocol_cells(title: str, row: Mapping[str, Any]) -> tuple[str, ...]:
    """A protocol's row as the card and the page show it."""
    return (
        title,
        f"{row['n']:,}",
        number(row["macro_f1"]),
        interval(row["ci95"]),
        number(row["roc_auc"]),
        interval(row["roc_auc_ci95"]),
        number(row["ece"], 3),
        number(row["brier"], 3),
        number(row["coverage_at_5_risk"]),
        number(row["coverage_at_10_risk"]),
    )


def number(value: float | None, digits: int = 2) -> str:
    """A figure, or a dash for none."""
    return "-" if value is None else f"{value:.{digits}f}"


def interval(value: list[float] | None) -> str:
    """An interval, or a dash for none."""
    return "-" if value is None else f"{value[0]:.2f} to {value[1]:.2f}"
