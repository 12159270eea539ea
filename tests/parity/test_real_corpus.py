"""On real articles, where the corpus lies beside the repository, the engines agree."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pytest

from framelens.clean import clean
from framelens.clean.column import clean_column
from framelens.features.arrow import score_arrow
from framelens.features.batch import Engine, as_arrow_chunks, featurize
from framelens.features.discover import discover_terms
from framelens.features.reference import MEASURES
from framelens.linear import LinearModel

CORPUS = Path(__file__).parents[2].parent / "shared" / "corpus" / "articles-en.jsonl.zst"
EVERY = 120


@pytest.fixture(scope="module")
def texts() -> list[str]:
    if not CORPUS.exists():
        pytest.skip("the raw corpus is not beside this repository (../shared/corpus)")
    with pa.CompressedInputStream(pa.OSFile(str(CORPUS)), "zstd") as packed:
        lines = io.BufferedReader(packed, 1 << 20)
        return [orjson.loads(line)["text"] for i, line in enumerate(lines) if i % EVERY == 0]


def test_counts_and_scores_agree(texts: list[str]) -> None:
    vocabulary = discover_terms(texts, np.arange(len(texts)), min_documents=3, min_groups=1, max_terms=50_000)
    reference = featurize(texts, vocabulary, engine="reference")
    engines: tuple[Engine, ...] = ("kernel", "quick")
    for engine in engines:
        batch = featurize(texts, vocabulary, engine=engine)
        for name in ("indptr", "term", "reporter", "quoted", "measures"):
            np.testing.assert_array_equal(
                getattr(batch, name), getattr(reference, name), err_msg=f"{name}, {engine}"
            )
    rng, terms, m = np.random.default_rng(5), len(vocabulary), len(MEASURES)
    linear = LinearModel(
        vocabulary,
        rng.uniform(1, 9, (terms, 2)).astype(np.float32),
        rng.normal(size=(terms, 2)).astype(np.float32),
        rng.normal(size=m).astype(np.float32),
        rng.uniform(0.5, 2, m).astype(np.float32),
        rng.normal(size=m).astype(np.float32),
        style_clip=3.0,
        intercept=0.1,
    )
    scores, measures = score_arrow(as_arrow_chunks(texts), linear)
    np.testing.assert_allclose(scores, linear.decision_function(reference), atol=1e-6)
    np.testing.assert_array_equal(measures, reference.measures)


def test_columns_are_cleaned_like_texts(texts: list[str]) -> None:
    cleaned = clean_column(pa.array(texts, type=pa.large_string())).to_pylist()
    assert [text.strip() for text in cleaned] == [clean(text) for text in texts]
