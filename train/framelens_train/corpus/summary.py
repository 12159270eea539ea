"""What is in a corpus: by label, owner, outlet and year."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from framelens_train.corpus.marks import marks_of

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from framelens_train.corpus.dataset import Corpus

BY = ("label", "owner", "outlet", "year")
_SHOWN = 25


def summarise(corpus: Corpus) -> dict[str, Any]:
    """Figures of a corpus, JSON-able.

    Returns
    -------
    dict
        Totals (articles, outlets, owners, terms, entries, clusters, first and last date, sha256), `flags`,
        and for each of `BY` a list of rows with articles, share of state, median words and, except for
        outlets, outlets.
    """
    articles = corpus.articles.assign(year=corpus.articles["date"].str[:4].fillna("unknown"))
    flags = [name for name in articles if articles[name].dtype == bool]
    dates = articles["date"].dropna()
    return {
        "corpus": corpus.name,
        "sha256": corpus.sha256,
        "articles": len(articles),
        "outlets": int(articles["outlet"].nunique()),
        "owners": int(articles["owner"].nunique()),
        "clusters": int(articles["cluster"].nunique()),
        "terms": len(corpus.vocabulary),
        "entries": len(corpus.batch.term),
        "words": int(articles["words"].sum()),
        "first_date": dates.min() if len(dates) else None,
        "last_date": dates.max() if len(dates) else None,
        "marked": int(np.isfinite(marks_of(corpus.articles)).sum()),
        "flags": {name: int(articles[name].sum()) for name in flags},
        **{f"by_{key}": _group(articles, key) for key in BY},
    }


def _group(articles: pd.DataFrame, key: str) -> list[dict[str, Any]]:
    rows = []
    for value, group in articles.groupby(key):
        row: dict[str, Any] = {key: value, "articles": len(group)}
        if key == "outlet":
            row |= {name: group[name].iloc[0] for name in ("owner", "country", "label")}
        elif key != "label":
            row |= {
                label: int((group["label"] == label).sum()) for label in ("state", "independent", "mixed")
            }
        if key != "outlet":
            row["outlets"] = int(group["outlet"].nunique())
        row["median_words"] = int(np.median(group["words"]))
        rows.append(row)
    return rows if key == "year" else sorted(rows, key=lambda row: (-row["articles"], row[key]))


def show(summary: dict[str, Any], console: Console) -> None:
    """Tables for the terminal; long ones are cut and say so."""
    from rich.table import Table

    console.print(
        f"{summary['articles']:,} articles of {summary['outlets']} outlets and {summary['owners']} owners, "
        f"{summary['first_date'] or '?'} to {summary['last_date'] or '?'}; {summary['terms']:,} terms, "
        f"{summary['entries']:,} counts, {summary['words']:,} words; {summary['marked']:,} read and marked"
    )
    console.print(", ".join(f"{name} {count:,}" for name, count in summary["flags"].items()))
    for key in BY:
        rows = summary[f"by_{key}"]
        shown = rows if key in ("label", "year") else rows[:_SHOWN]
        rest = len(rows) - len(shown)
        caption = f"and {rest} more: --json lists them" if rest else None
        table = Table(title=f"by {key}", title_justify="left", caption=caption)
        for name, value in rows[0].items():
            numeric = isinstance(value, int)
            table.add_column(name.replace("_", " "), justify="right" if numeric else "left")
        for row in shown:
            table.add_row(*(f"{value:,}" if isinstance(value, int) else str(value) for value in row.values()))
        console.print(table)
