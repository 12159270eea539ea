"""A user's own labelled articles: counted on the way into training, or imported into a folder like the
seeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from framelens.clean import clean
from framelens.errors import UserError
from framelens.features.batch import FeatureBatch, featurize
from framelens.features.reference import MEASURES
from framelens.features.vocabulary import Vocabulary
from framelens.places import require_place
from framelens_train.corpus import storage
from framelens_train.corpus.articles import read_articles, text_sha256
from framelens_train.corpus.clusters import cluster_near_duplicates
from framelens_train.corpus.derive import describe
from framelens_train.corpus.recount import by_frequency

if TYPE_CHECKING:
    import pandas as pd

MAX_TERMS = 200_000
SMALL = 2_000
"""Corpora with fewer articles keep rarer terms."""


@dataclass(frozen=True, slots=True)
class CountedFile:
    """A file of articles, cleaned and counted; `articles` has the columns of `storage.ARTICLE_COLUMNS` and
    more.
    """

    articles: pd.DataFrame
    outlets: pd.DataFrame
    batch: FeatureBatch
    vocabulary: Vocabulary


def count_file(
    path: Path,
    *,
    vocabulary: Vocabulary | None = None,
    columns: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> CountedFile:
    """Read, clean and count every article of a file; the first unusable row is an error.

    Parameters
    ----------
    vocabulary
        The terms to count; None finds those of the file itself.
    columns, labels
        As `read_articles` takes them.

    Raises
    ------
    UserError
        When the file or a row is unusable, an outlet has two labels, or no term occurs in enough articles.
    """
    articles = read_articles(path, columns=columns, labels=labels)
    _refuse_two_labels(path, articles)
    texts = [clean(text) for text in articles["text"]]
    if vocabulary is None:
        batch, vocabulary = _discover(path, texts, articles["outlet"])
    else:
        batch = featurize(texts, vocabulary)
    _refuse_wordless(path, articles, batch)
    articles["cluster"] = cluster_near_duplicates(texts)
    articles["sha256"] = [text_sha256(text) for text in articles["text"]]
    described, outlets = describe(articles, batch)
    return CountedFile(described, outlets, batch, vocabulary)


def import_corpus(
    path: Path,
    out: Path,
    *,
    columns: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Turn a file of articles into a folder like the seeds: all of its articles, counts only. Returns the
    manifest.
    """
    require_place(out)
    counted = count_file(path, columns=columns, labels=labels)
    return storage.write_seeds(
        out,
        outlets=counted.outlets,
        articles=counted.articles,
        batch=counted.batch,
        vocabulary=counted.vocabulary,
        build={"imported": path.name, "raw_sha256": storage.file_sha256(path)},
    )


def _discover(path: Path, texts: list[str], outlets: pd.Series[str]) -> tuple[FeatureBatch, Vocabulary]:
    """Counts of the terms that stand in enough articles and outlets for the size of the file."""
    from framelens.features.discover import discover_terms

    groups = outlets.astype("category").cat.codes.to_numpy()
    small = len(texts) < SMALL
    vocabulary = discover_terms(
        texts,
        groups,
        min_documents=2 if small else 20,
        min_groups=min(2 if small else 5, int(groups.max()) + 1),
        max_terms=MAX_TERMS,
    )
    if not len(vocabulary):
        raise UserError(f"{path}: no term occurs in two articles and two outlets; give more articles")
    return by_frequency(featurize(texts, vocabulary), vocabulary)


def _refuse_two_labels(path: Path, articles: pd.DataFrame) -> None:
    first = articles.drop_duplicates("outlet").set_index("outlet")
    expected = articles["outlet"].map(first["label"])
    wrong = np.flatnonzero(articles["label"] != expected)
    if wrong.size:
        row = articles.iloc[wrong[0]]
        raise UserError(
            f"{path}, row {row['row']}: outlet {row['outlet']!r} is labelled {row['label']}, in row "
            f"{first['row'][row['outlet']]} {expected.iloc[wrong[0]]}; "
            "the label says who controls the outlet, give it one"
        )


def _refuse_wordless(path: Path, articles: pd.DataFrame, batch: FeatureBatch) -> None:
    function_words = [MEASURES.index(name) for name in ("function_reporter", "function_quoted")]
    wordless = np.flatnonzero(batch.measures[:, function_words].sum(axis=1) == 0)
    if wordless.size:
        raise UserError(
            f"{path}, row {articles['row'].iloc[wordless[0]]}: no English sentence is left of the text once "
            "names, numbers and layout are taken out; remove the row or give it an article's text"
        )
