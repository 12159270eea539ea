"""Rows of a user's file as a table of articles, each one checked."""

from __future__ import annotations

import datetime
import hashlib
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from framelens.errors import UserError
from framelens_train.corpus.outlets import LABELS
from framelens_train.corpus.readers import Row, iterate_rows

if TYPE_CHECKING:
    import pandas as pd

REQUIRED = ("text", "label", "outlet")
COLUMNS = (
    "row", "id", "outlet", "label", "owner", "country", "date", "address", "source", "topic", "title", "text",
    "truncated", "unpunctuated", "partisan",
)  # fmt: skip
_ALIASES = {"url": "address", "origin": "source"}
_DATE = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?:$|[T ])")
_SOURCE = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that is not used, and why."""

    file: str
    row: int
    id: str
    reason: str


class _BadRowError(Exception):
    """Why a row cannot be used and what to do about it."""


def read_articles(
    path: Path,
    rejects: list[Reject] | None = None,
    *,
    columns: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Articles of a file, one row each, with the columns `COLUMNS` (missing values where a row says nothing).

    Parameters
    ----------
    path
        JSON lines, CSV or Parquet with at least the columns of `REQUIRED`.
    rejects
        Where unusable rows are recorded. Without it, the first one is an error.
    columns
        What the file calls a column: ``{"text": "body"}``.
    labels
        What the file's labels mean: ``{"propaganda": "state"}``.

    Raises
    ------
    UserError
        When the file cannot be read, lacks a column in its first row, holds no article, or, without
        `rejects`, when a row is unusable.
    """
    import pandas as pd

    rows: list[dict[str, object]] = []
    seen: dict[str, int] = {}
    absent = set((columns or {}).values())
    names = _ALIASES | {theirs: ours for ours, theirs in (columns or {}).items()}
    for count, (number, raw) in enumerate(iterate_rows(path)):
        absent -= raw.keys()
        row = {names.get(key, key): value for key, value in raw.items()}
        if labels and "label" in row:
            row["label"] = labels.get(str(row["label"]), row["label"])
        if count == 0:
            _check_columns(path, row)
        try:
            article = _article(path, number, row)
            identifier = str(article["id"])
            if identifier in seen:
                raise _BadRowError(
                    f"id {identifier!r} is that of row {seen[identifier]} too; give each article its own"
                )
            seen[identifier] = number
            rows.append(article)
        except _BadRowError as bad:
            if rejects is None:
                raise UserError(f"{path}, row {number}: {bad}") from None
            rejects.append(Reject(path.name, number, str(row.get("id") or ""), str(bad)))
    if absent:
        raise UserError(f"{path}: no row has a column {min(absent)!r}; name the file's own columns")
    if not rows:
        raise UserError(f"{path}: no usable article in it; give rows with the columns {', '.join(REQUIRED)}")
    strings = [name for name in COLUMNS if name not in ("row", "truncated", "unpunctuated", "partisan")]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict.fromkeys(strings, "str"))


def _check_columns(path: Path, row: Row) -> None:
    missing = [name for name in REQUIRED if name not in row]
    if missing:
        raise UserError(
            f"{path}, row 1: no column {missing[0]!r} (there are {', '.join(sorted(row)) or 'none'}); "
            f"an article needs {', '.join(REQUIRED)}"
        )


def _article(path: Path, number: int, row: Row) -> dict[str, object]:
    text = _string(row, "text")
    if text is None:
        raise _BadRowError("the text is empty; remove the row or give it its text")
    label = (_string(row, "label") or "").lower()
    if label not in LABELS:
        raise _BadRowError(f"label is {row.get('label')!r}; it must be one of {', '.join(LABELS)}")
    outlet = _string(row, "outlet")
    if outlet is None:
        raise _BadRowError("the outlet is empty; without it articles of one outlet cannot be kept together")
    return {
        "row": number,
        "id": _string(row, "id") or f"row-{number}",
        "outlet": outlet,
        "label": label,
        "owner": _string(row, "owner"),
        "country": _string(row, "country"),
        "date": _date(row.get("date")),
        "address": _string(row, "address"),
        "source": _source(_string(row, "source")),
        "topic": _string(row, "topic"),
        "title": _string(row, "title"),
        "text": text,
        "truncated": _flag(row.get("truncated")),
        "unpunctuated": _flag(row.get("unpunctuated")),
        "partisan": _flag(row.get("partisan")),
    }


def _string(row: Row, name: str) -> str | None:
    value = row.get(name)
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if name in REQUIRED and not isinstance(value, str):
        raise _BadRowError(f"{name} is {value!r:.40}, a {type(value).__name__}; it must be a string")
    text = str(value)
    if name == "text":
        text = text.encode("utf-8", "replace").decode("utf-8")  # a lone surrogate has no UTF-8 and no hash
    return text.strip() or None if name != "text" else (text if text.strip() else None)


def _date(value: object) -> str | None:
    if value is None or value == "" or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, datetime.date):
        return value.isoformat()[:10]
    match = _DATE.match(str(value))
    if match is None:
        raise _BadRowError(f"date is {str(value)!r:.40}; write it as YYYY-MM-DD or leave it empty")
    try:
        return datetime.date(*map(int, match.groups())).isoformat()
    except ValueError:
        raise _BadRowError(
            f"date is {str(value)!r:.40}, which no calendar has; write YYYY-MM-DD or leave it empty"
        ) from None


def _source(value: str | None) -> str | None:
    """The public repository an article was found in, without the path of the file."""
    match = _SOURCE.match(value or "")
    return match[0] if match else value


def _flag(value: object) -> bool:
    if isinstance(value, str):
        return value.strip().lower() in ("1", "true", "yes")
    return bool(value) and not (isinstance(value, float) and math.isnan(value))


def text_sha256(text: str) -> str:
    """SHA-256 of the raw text in UTF-8, hexadecimal."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
