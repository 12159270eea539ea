"""The seeds folder: how a corpus of counts lies on disk.

=================== ==========================================================================================
outlets.csv         one row an outlet: who it is, who controls it, its label and why
articles.parquet    one row an article: where it came from, when, its hash; no text, no title
terms.parquet       one row a term: the string and in how many articles it stands
counts.parquet      one row a term in an article, term by term: `gap` to the previous article of the term
(the first
                    one counts from -1), and `pair`, a row of pairs.parquet
pairs.parquet       the pairs of counts (reporter's voice, quoted speech) that occur, the most frequent first
measures.parquet    one row an article, one column a measure
marks.parquet       if there are any: the reading mark of an article, by id (`framelens_train.corpus.marks`)
manifest.json       format version, sizes, how it was built, SHA-256 of each file above
=================== ==========================================================================================

Term by term and the frequent terms first, because neighbouring gaps are then of one size: each costs about
what the entropy of its term allows, seven bits on average, and a pair of counts two.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from framelens.errors import UserError
from framelens.features.batch import FeatureBatch
from framelens.features.reference import MEASURES
from framelens.features.vocabulary import Vocabulary

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FORMAT_VERSION = 1
MANIFEST = "manifest.json"
FILES = (
    "outlets.csv",
    "articles.parquet",
    "terms.parquet",
    "counts.parquet",
    "pairs.parquet",
    "measures.parquet",
)
MARKS = "marks.parquet"
"""Not of `FILES`: a corpus has none until somebody has read its articles."""

OUTLET_COLUMNS = (
    "outlet",
    "name",
    "domain",
    "owner",
    "country",
    "region",
    "typology",
    "label",
    "articles",
    "why",
)
FLAGS = ("truncated", "unpunctuated", "partisan", "opinion", "sport", "wire")
ARTICLE_COLUMNS = ("id", "outlet", "label", "date", "address", "source", "words", "sha256", "cluster", *FLAGS)
"""What articles.parquet says of an article; owner, country and region are joined from outlets.csv."""
CHECK = "check"
"""Last column of articles.parquet: CRC-32 of all that is stored about the article, so that a wrong row has
a name.
"""


def write_seeds(
    folder: Path,
    *,
    outlets: pd.DataFrame,
    articles: pd.DataFrame,
    batch: FeatureBatch,
    vocabulary: Vocabulary,
    build: dict[str, Any],
) -> dict[str, Any]:
    """Write a seeds folder and return its manifest.

    All files are written beside the folder and moved into it together; files of other names (a README, marks)
    stay.

    Parameters
    ----------
    outlets, articles
        With at least the columns `OUTLET_COLUMNS` and `ARTICLE_COLUMNS`; dates are ISO strings or missing.
    batch
        One row an article, in the order of `articles`.
    build
        JSON-able record of how the corpus was made; no paths.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        outlets.loc[:, list(OUTLET_COLUMNS)].to_csv(scratch / "outlets.csv", index=False, lineterminator="\n")
        _write_articles(scratch / "articles.parquet", articles, batch)
        _write_counts(scratch, batch, vocabulary)
        manifest: dict[str, Any] = {
            "format": FORMAT_VERSION,
            "articles": len(articles),
            "outlets": len(outlets),
            "terms": len(vocabulary),
            "entries": len(batch.term),
            "measures": list(MEASURES),
            "build": build,
            "sha256": {name: file_sha256(scratch / name) for name in FILES},
        }
        if (folder / MARKS).is_file():
            manifest["sha256"][MARKS] = file_sha256(folder / MARKS)
        write_manifest(scratch, manifest)
        folder.mkdir(exist_ok=True)
        for name in (*FILES, MANIFEST):
            (scratch / name).replace(folder / name)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return manifest


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """Write or replace the manifest of a folder."""
    text = json.dumps(manifest, indent=2, ensure_ascii=False) + "\n"
    part = folder / f".{MANIFEST}.part"
    part.write_text(text, encoding="utf-8")
    part.replace(folder / MANIFEST)


def _write_articles(path: Path, articles: pd.DataFrame, batch: FeatureBatch) -> None:
    import pyarrow as pa

    def strings(name: str) -> pa.Array:
        return pa.array(articles[name].astype(object).where(articles[name].notna(), None), type=pa.string())

    columns: dict[str, pa.Array] = {
        name: strings(name) for name in ("id", "outlet", "label", "address", "source")
    }
    columns["date"] = strings("date").cast(pa.date32())
    columns["words"] = pa.array(articles["words"], type=pa.int32())
    columns["sha256"] = pa.array([bytes.fromhex(h) for h in articles["sha256"]], type=pa.binary(32))
    columns["cluster"] = pa.array(articles["cluster"], type=pa.int32())
    columns |= {flag: pa.array(articles[flag].astype(bool), type=pa.bool_()) for flag in FLAGS}
    table = pa.table({name: columns[name] for name in ARTICLE_COLUMNS})
    _write_parquet(path, table.append_column(CHECK, pa.array(row_checks(table, batch), type=pa.uint32())))


def row_checks(articles: pa.Table, batch: FeatureBatch) -> npt.NDArray[np.uint32]:
    """CRC-32 of each article's row (`ARTICLE_COLUMNS`), terms, counts and measures; uint32, shape (n,)."""
    said = zip(*(articles[name].to_pylist() for name in ARTICLE_COLUMNS), strict=True)
    columns = [array.astype("<i4", copy=False) for array in (batch.term, batch.reporter, batch.quoted)]
    measures = batch.measures.astype("<i4", copy=False)
    checks = np.empty(batch.rows, dtype=np.uint32)
    for i, row in enumerate(said):
        check = zlib.crc32(repr(row).encode("utf-8"))
        for column in columns:
            check = zlib.crc32(column[batch.indptr[i] : batch.indptr[i + 1]].tobytes(), check)
        checks[i] = zlib.crc32(measures[i].tobytes(), check)
    return checks


def _write_counts(folder: Path, batch: FeatureBatch, vocabulary: Vocabulary) -> None:
    import pyarrow as pa

    order = np.argsort(batch.term, kind="stable")  # rows ascend within a term: the sort is stable
    term, row = batch.term[order], batch.row[order]
    documents = np.bincount(term, minlength=len(vocabulary)).astype(np.int32)
    previous = np.concatenate([[-1], row[:-1]])
    previous[np.concatenate([[True], term[1:] != term[:-1]])[: len(term)]] = -1
    gap = (row - previous[: len(row)]).astype(np.int32)
    _write_parquet(
        folder / "terms.parquet",
        pa.table({"term": pa.array(vocabulary.terms, type=pa.string()), "documents": documents}),
    )
    code = batch.reporter.astype(np.int64) << 32 | batch.quoted
    distinct, number, uses = np.unique(code, return_inverse=True, return_counts=True)
    by_use = np.argsort(-uses, kind="stable")
    rank = np.empty(len(by_use), dtype=np.int32)
    rank[by_use] = np.arange(len(by_use), dtype=np.int32)
    pairs = {"reporter": distinct[by_use] >> 32, "quoted": distinct[by_use] & 0xFFFFFFFF}
    pairs = {name: counts.astype(np.int32) for name, counts in pairs.items()}
    _write_parquet(folder / "pairs.parquet", pa.table(pairs), split_bytes=tuple(pairs))
    counts = {"gap": gap, "pair": rank[number][order]}
    _write_parquet(folder / "counts.parquet", pa.table(counts), split_bytes=tuple(counts))
    measures = {name: np.ascontiguousarray(batch.measures[:, i]) for i, name in enumerate(MEASURES)}
    _write_parquet(folder / "measures.parquet", pa.table(measures), split_bytes=tuple(measures))


def _write_parquet(path: Path, table: pa.Table, split_bytes: tuple[str, ...] = ()) -> None:
    """Zstandard; `split_bytes` columns store the bytes of their integers apart, so that the high ones
    vanish.
    """
    import pyarrow.parquet as pq

    dictionary = [name for name in table.column_names if str(table.schema.field(name).type) == "string"]
    pq.write_table(
        table,
        path,
        compression="zstd",
        compression_level=15,
        use_dictionary=False if split_bytes else dictionary,
        column_encoding=dict.fromkeys(split_bytes, "BYTE_STREAM_SPLIT") or None,
        write_statistics=False,
        store_schema=False,
        data_page_size=1 << 20,
    )


# -- reading ------------------------------------------------------------------------------------------------


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a seeds folder.

    Raises
    ------
    UserError
        When there is none, it is not JSON, or its format or measures are not those this version reads.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise UserError(f"{folder}: no {MANIFEST} there; build the corpus with `framelens corpus build`")
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); fetch or build the corpus again") from None
    if manifest.get("format") != FORMAT_VERSION:
        raise UserError(
            f"{path}: format is {manifest.get('format')!r}, this version reads {FORMAT_VERSION}; "
            "build the corpus again"
        )
    if manifest.get("measures") != list(MEASURES):
        raise UserError(
            f"{path}: the measures are not those of this version's featuriser; build the corpus again"
        )
    return manifest


def read_table(path: Path) -> pa.Table:
    """A Parquet file of the folder; a broken one is a `UserError`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        raise UserError(f"{path}: no such file; fetch or build the corpus again")
    try:
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        first = str(error).splitlines()[0]
        raise UserError(
            f"{path}: not a readable Parquet file ({first}); fetch or build the corpus again"
        ) from None


def read_vocabulary(folder: Path) -> tuple[Vocabulary, npt.NDArray[np.int64]]:
    """The terms and in how many articles each stands."""
    table = read_table(folder / "terms.parquet")
    return Vocabulary(table["term"].to_pylist()), table["documents"].to_numpy().astype(np.int64)


def read_batch(folder: Path, documents: npt.NDArray[np.int64], articles: int) -> FeatureBatch:
    """The counts, turned from term by term to article by article."""
    from scipy.sparse import csc_matrix

    counts = read_table(folder / "counts.parquet")
    starts = np.concatenate([[0], np.cumsum(documents)])
    rows = decode_gaps(counts["gap"].to_numpy(), documents)
    turned = csc_matrix(
        (np.arange(len(rows), dtype=np.int32), rows, starts), shape=(articles, len(documents))
    ).tocsr()
    pairs = read_table(folder / "pairs.parquet")
    pair = counts["pair"].to_numpy()[turned.data]
    measures = read_table(folder / "measures.parquet")
    return FeatureBatch(
        turned.indptr.astype(np.int64),
        turned.indices.astype(np.int32),
        pairs["reporter"].to_numpy()[pair],
        pairs["quoted"].to_numpy()[pair],
        np.column_stack([measures[name].to_numpy() for name in MEASURES]).astype(np.int32),
    )


def decode_gaps(gap: npt.NDArray[np.int32], documents: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The article of each entry from the gaps of all terms; int64, shape (nnz,)."""
    total = np.cumsum(gap, dtype=np.int64)
    starts = np.concatenate([[0], np.cumsum(documents)])[:-1]
    before = np.concatenate([[0], total])[starts]
    rows: npt.NDArray[np.int64] = total - np.repeat(before, documents) - 1
    return rows


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
