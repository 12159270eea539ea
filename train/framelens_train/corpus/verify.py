"""Check a seeds folder: every row against what must hold of it, every file against its hash."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens.errors import UserError
from framelens.features.reference import MEASURES
from framelens.features.vocabulary import Vocabulary
from framelens_train.corpus import marks, storage
from framelens_train.corpus.dataset import read_outlets
from framelens_train.corpus.outlets import LABELS

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_AT_MOST_WORDS = ("quoted_words", "distinct_words", "common_words", "names", "shouted")
_COUNTRY = re.compile(r"[A-Z]{2}|")
_DATES = ("1900-01-01", "2100-01-01")


def verify(folder: Path) -> list[str]:
    """Everything that is wrong with a seeds folder, the most exact findings first; empty when it is sound.

    Each finding names the file and the row (counted from 1). Rows are checked by what must hold of them and
    by the CRC-32 that was stored with each article; files by the SHA-256 of the manifest.

    Raises
    ------
    UserError
        When there is no manifest or a file cannot be read at all.
    """
    manifest = storage.read_manifest(folder)
    hashes = list(_file_hashes(folder, manifest))
    try:
        outlets = read_outlets(folder)
        articles = storage.read_table(folder / "articles.parquet")
        found = [*_outlets(outlets), *_articles(articles, outlets), *_counts(folder, articles, manifest)]
        found += marks.findings(folder)
    except UserError as error:
        return [str(error), *hashes]
    return found + hashes


def _file_hashes(folder: Path, manifest: dict[str, Any]) -> Iterator[str]:
    read = [storage.MARKS] if storage.MARKS in manifest.get("sha256", {}) else []
    for name in (*storage.FILES, *read):
        expected = manifest.get("sha256", {}).get(name)
        if not (folder / name).is_file():
            yield f"{name}: the file is missing"
        elif storage.file_sha256(folder / name) != expected:
            yield f"{name}: its SHA-256 is not the manifest's, the file was changed after the build"


def _outlets(outlets: pd.DataFrame) -> Iterator[str]:
    classes: dict[str, tuple[str, int]] = {}
    seen: dict[str, int] = {}
    for number, row in enumerate(outlets.to_dict("records"), 1):
        where = f"outlets.csv, row {number} ({row['outlet']})"
        if row["outlet"] in seen:
            yield f"{where}: the outlet stands in row {seen[row['outlet']]} too"
        seen.setdefault(row["outlet"], number)
        if row["label"] not in LABELS:
            yield f"{where}: label is {row['label']!r}, must be one of {', '.join(LABELS)}"
        if not row["owner"]:
            yield f"{where}: the owner is empty"
        if not _COUNTRY.fullmatch(row["country"]):
            yield f"{where}: country is {row['country']!r}, must be two capital letters or empty"
        label, first = classes.setdefault(row["owner"], (row["label"], number))
        if label != row["label"] and "mixed" not in (label, row["label"]):
            yield f"{where}: owner {row['owner']!r} is {row['label']} here and {label} in row {first}"


def _articles(articles: pa.Table, outlets: pd.DataFrame) -> Iterator[str]:
    missing = [
        name for name in (*storage.ARTICLE_COLUMNS, storage.CHECK) if name not in articles.column_names
    ]
    if missing:
        yield f"articles.parquet: no column {missing[0]!r}"
        return
    label_of = dict(zip(outlets["outlet"], outlets["label"], strict=True))
    seen: dict[str, int] = {}
    used: dict[str, int] = {}
    for number, row in enumerate(articles.to_pylist(), 1):
        where = f"articles.parquet, row {number} ({row['id']})"
        used[row["outlet"]] = used.get(row["outlet"], 0) + 1
        if not row["id"] or row["id"] in seen:
            yield f"{where}: the id is empty or that of row {seen.get(row['id'], '?')} too"
        seen.setdefault(row["id"], number)
        if row["outlet"] not in label_of:
            yield f"{where}: outlet {row['outlet']!r} is not in outlets.csv"
        elif row["label"] != label_of[row["outlet"]]:
            yield f"{where}: label is {row['label']!r}, outlets.csv says {label_of[row['outlet']]!r}"
        if row["date"] is not None and not _DATES[0] <= row["date"].isoformat() < _DATES[1]:
            yield f"{where}: date is {row['date']}, must be from {_DATES[0]} to {_DATES[1]}"
        if row["sha256"] is None or len(row["sha256"]) != 32:
            yield f"{where}: sha256 must be 32 bytes"
        if row["cluster"] is None or not 0 <= row["cluster"] < len(articles):
            yield f"{where}: cluster is {row['cluster']}, must be from 0 to {len(articles) - 1}"
    for number, (outlet, count) in enumerate(zip(outlets["outlet"], outlets["articles"], strict=True), 1):
        if used.get(outlet, 0) != count:
            there = used.get(outlet, 0)
            yield f"outlets.csv, row {number} ({outlet}): articles is {count}, there are {there}"


def _counts(folder: Path, articles: pa.Table, manifest: dict[str, Any]) -> Iterator[str]:
    """Terms, counts and measures; the check of each article comes last, when all else can be read."""
    terms = storage.read_table(folder / "terms.parquet")
    counts = storage.read_table(folder / "counts.parquet")
    pairs = storage.read_table(folder / "pairs.parquet")
    measures = storage.read_table(folder / "measures.parquet")
    sizes = {"articles": len(articles), "terms": len(terms), "entries": len(counts)}
    wrong = [
        f"{name}: there are {n}, the manifest says {manifest[name]}"
        for name, n in sizes.items()
        if n != manifest[name]
    ]
    documents = terms["documents"].to_numpy().astype(np.int64)
    findings = [*wrong, *_terms(terms["term"].to_pylist(), documents), *_measures(measures, articles)]
    findings += _entries(counts, pairs, documents, len(articles))
    yield from findings
    if findings:
        return
    batch = storage.read_batch(folder, documents, len(articles))
    stored = articles[storage.CHECK].to_numpy()
    for row in np.flatnonzero(storage.row_checks(articles, batch) != stored):
        yield (
            f"articles.parquet, row {row + 1} ({articles['id'][row].as_py()}): what is stored "
            "about the article or its counts is not what was built"
        )


def _terms(terms: list[str], documents: npt.NDArray[np.int64]) -> Iterator[str]:
    try:
        Vocabulary(terms).hashes  # noqa: B018 - computing them refuses collisions
    except ValueError as error:
        yield f"terms.parquet: {error}"
    for row in np.flatnonzero(documents < 1)[:1]:
        yield f"terms.parquet, row {row + 1} ({terms[row]}): documents is {documents[row]}, must be 1 or more"
    for row in np.flatnonzero(np.diff(documents) > 0)[:1]:
        yield f"terms.parquet, row {row + 2} ({terms[row + 1]}): more documents than the row before"


def _entries(
    counts: pa.Table, pairs: pa.Table, documents: npt.NDArray[np.int64], articles: int
) -> Iterator[str]:
    if len(counts) != documents.sum():
        yield f"counts.parquet: {len(counts)} rows, terms.parquet adds up to {documents.sum()}"
        return
    gap, pair = counts["gap"].to_numpy(), counts["pair"].to_numpy()
    for row in np.flatnonzero(gap < 1)[:1]:
        yield f"counts.parquet, row {row + 1}: gap is {gap[row]}, must be 1 or more"
    for row in np.flatnonzero((pair < 0) | (pair >= len(pairs)))[:1]:
        yield f"counts.parquet, row {row + 1}: pair is {pair[row]}, must be from 0 to {len(pairs) - 1}"
    for row in np.flatnonzero(storage.decode_gaps(gap, documents) >= articles)[:1]:
        yield f"counts.parquet, row {row + 1}: its gap leads beyond the last article"
    reporter, quoted = pairs["reporter"].to_numpy(), pairs["quoted"].to_numpy()
    for row in np.flatnonzero((reporter < 0) | (quoted < 0) | (reporter + quoted < 1))[:1]:
        counted = f"{reporter[row]} and {quoted[row]}"
        yield f"pairs.parquet, row {row + 1}: counts are {counted}, must be 0 or more and not both 0"


def _measures(measures: pa.Table, articles: pa.Table) -> Iterator[str]:
    if measures.column_names != list(MEASURES):
        yield "measures.parquet: its columns are not the measures of this version's featuriser"
        return
    if len(measures) != len(articles):
        yield f"measures.parquet: {len(measures)} rows, articles.parquet has {len(articles)}"
        return
    values = {name: measures[name].to_numpy() for name in MEASURES}
    identifiers = articles["id"]

    def where(row: np.intp) -> str:
        return f"measures.parquet, row {row + 1} ({identifiers[row].as_py()})"

    for name, column in values.items():
        for row in np.flatnonzero(column < 0)[:1]:
            yield f"{where(row)}: {name} is {column[row]}, must be 0 or more"
    for name in _AT_MOST_WORDS:
        for row in np.flatnonzero(values[name] > values["words"])[:1]:
            yield f"{where(row)}: {name} is {values[name][row]}, more than its {values['words'][row]} words"
    words = articles["words"].to_numpy()
    for row in np.flatnonzero(values["words"] != words)[:1]:
        yield f"{where(row)}: words is {values['words'][row]}, articles.parquet says {words[row]}"
