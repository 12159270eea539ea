"""The corpus as training and evaluation see it: a table of articles, their counts, and a matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

import framelens_train
from framelens.errors import UserError
from framelens.features.batch import FeatureBatch
from framelens.features.vocabulary import Vocabulary
from framelens_train.corpus import storage
from framelens_train.corpus.marks import read_marks
from framelens_train.corpus.recount import recount

if TYPE_CHECKING:
    import pandas as pd
    import scipy.sparse as sp

LABEL_CODES = {"state": 1, "independent": 0, "mixed": -1}
JOINED = ("owner", "country", "region")


@dataclass(eq=False)
class Corpus:
    """Labelled articles and their counts.

    Attributes
    ----------
    articles
        One row an article, RangeIndex: id, outlet, owner, country, region, label, date (ISO string or
        missing), words, sha256 (hexadecimal, of the raw text), cluster (near-duplicates share one),
        address, source, the boolean flags of `framelens_train.corpus.storage.FLAGS` and, where the corpus
        has any, mark (see `framelens_train.corpus.marks`; NaN for an article that nobody read).
    batch
        Counts, row for row.
    vocabulary
        The terms that were counted.
    sha256
        Digest of the whole: of the seeds' manifest, or of the file it was read from.
    name
        What to call it in logs: the folder's or file's name.
    """

    articles: pd.DataFrame
    batch: FeatureBatch
    vocabulary: Vocabulary
    sha256: str
    name: str = "corpus"

    def __len__(self) -> int:
        return len(self.articles)

    @cached_property
    def y(self) -> npt.NDArray[np.int8]:
        """1 for state, 0 for independent, -1 for mixed; int8, shape (n,)."""
        return np.array([LABEL_CODES[label] for label in self.articles["label"]], dtype=np.int8)

    @cached_property
    def X(self) -> sp.csr_matrix:  # noqa: N802
        """Counts as a matrix: reporter's, then quoted, then measures; CSR float32, shape (n, 2 * terms +
        measures).
        """
        import scipy.sparse as sp

        shape = (len(self), len(self.vocabulary))
        fields = []
        for counts in (self.batch.reporter, self.batch.quoted):
            field = sp.csr_matrix(
                (counts.astype(np.float32), self.batch.term, self.batch.indptr), shape=shape, copy=True
            )
            field.eliminate_zeros()
            fields.append(field)
        measures = sp.csr_matrix(self.batch.measures.astype(np.float32))
        return sp.csr_matrix(sp.hstack([*fields, measures], format="csr", dtype=np.float32))

    def subset(self, rows: npt.ArrayLike) -> Corpus:
        """The given articles (integers in any order, or one boolean an article), with the same vocabulary
        and digest.
        """
        chosen = np.arange(len(self))[np.asarray(rows)]
        articles = self.articles.iloc[chosen].reset_index(drop=True)
        return Corpus(articles, self.batch.take(chosen), self.vocabulary, self.sha256, self.name)


def default_seeds() -> Path:
    """The seeds folder of this checkout, or ``seeds`` in the working directory."""
    beside = Path(framelens_train.__file__).resolve().parents[2] / "seeds"
    return beside if (beside / storage.MANIFEST).is_file() else Path("seeds")


def load_corpus(path: Path | str | None = None, *, vocabulary: Vocabulary | None = None) -> Corpus:
    """Read a corpus: a seeds folder, or a file of raw articles, which is cleaned and featurised on the way.

    Parameters
    ----------
    path
        A folder made by ``framelens corpus build`` or ``import``, a .jsonl, .csv or .parquet file (also
        .gz, .zst) with the columns text, label and outlet, or None for the seeds that ship.
    vocabulary
        Count these terms instead of the corpus's own: a model's, when it is to be evaluated. Of a seeds
        folder only the terms that it has can be counted.

    Raises
    ------
    UserError
        When the path is neither, a row is unusable, or one of the two classes has no article.
    """
    path = default_seeds() if path is None else Path(path)
    if path.is_dir():
        corpus = _load_seeds(path)
        corpus = (
            corpus
            if vocabulary is None
            else replace(
                corpus, batch=recount(corpus.batch, corpus.vocabulary, vocabulary), vocabulary=vocabulary
            )
        )
    elif path.exists():
        corpus = _load_raw(path, vocabulary)
    else:
        raise UserError(
            f"{path}: no such folder or file; build the corpus with `framelens corpus build` or name another"
        )
    for code, label in ((1, "state"), (0, "independent")):
        if not (corpus.y == code).any():
            raise UserError(
                f"{path}: no article is labelled {label}; a corpus needs both state and independent ones"
            )
    return corpus


def _load_seeds(folder: Path) -> Corpus:
    import pandas as pd

    manifest = storage.read_manifest(folder)
    vocabulary, documents = storage.read_vocabulary(folder)
    articles = storage.read_table(folder / "articles.parquet").drop_columns([storage.CHECK]).to_pandas()
    outlets = read_outlets(folder)
    articles["sha256"] = [digest.hex() for digest in articles["sha256"]]
    articles["date"] = pd.Series(
        [None if d is None else d.isoformat() for d in articles["date"]], dtype="str"
    )
    unknown = ~articles["outlet"].isin(outlets["outlet"])
    if unknown.any():
        row = int(np.flatnonzero(unknown)[0])
        raise UserError(
            f"{folder}/articles.parquet, row {row + 1}: outlet {articles['outlet'][row]!r} is not in "
            "outlets.csv; add it there or build the corpus again"
        )
    place = articles.columns.get_loc("outlet")
    known = outlets.set_index("outlet")
    for shift, column in enumerate(JOINED, 1):
        articles.insert(int(place) + shift, column, articles["outlet"].map(known[column]))
    try:
        batch = storage.read_batch(folder, documents, len(articles))
    except (ValueError, KeyError, IndexError) as error:
        raise UserError(
            f"{folder}: the tables disagree ({error}); run `framelens corpus verify {folder}`"
        ) from None
    if storage.MARKS in manifest["sha256"]:  # what the digest covers is read, or missed aloud
        articles["mark"] = read_marks(folder, articles["id"])
    digest = storage.file_sha256(folder / storage.MANIFEST)
    if manifest["articles"] != len(articles) or batch.rows != len(articles):
        raise UserError(
            f"{folder}: the tables disagree on the number of articles; run `framelens corpus verify {folder}`"
        )
    return Corpus(articles, batch, vocabulary, digest, folder.resolve().name)


def read_outlets(folder: Path) -> pd.DataFrame:
    """outlets.csv of a seeds folder; text columns hold empty strings, not missing values."""
    import pandas as pd

    path = folder / "outlets.csv"
    if not path.is_file():
        raise UserError(f"{path}: no such file; fetch or build the corpus again")
    try:
        outlets = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8")
    except (ValueError, pd.errors.ParserError) as error:
        raise UserError(
            f"{path}: not a readable CSV file ({error}); fetch or build the corpus again"
        ) from None
    missing = [name for name in storage.OUTLET_COLUMNS if name not in outlets]
    if missing:
        raise UserError(f"{path}: no column {missing[0]!r}; fetch or build the corpus again")
    return outlets.astype({"articles": int})


def _load_raw(path: Path, vocabulary: Vocabulary | None) -> Corpus:
    from framelens_train.corpus.adapt import count_file

    counted = count_file(path, vocabulary=vocabulary)
    columns = [*storage.ARTICLE_COLUMNS[:2], *JOINED, *storage.ARTICLE_COLUMNS[2:]]
    articles = counted.articles[columns].reset_index(drop=True)
    return Corpus(articles, counted.batch, counted.vocabulary, storage.file_sha256(path), path.name)
