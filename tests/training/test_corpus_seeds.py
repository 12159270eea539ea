"""The corpus that ships: sound, within its limits, described as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from framelens_train.corpus import storage
from framelens_train.corpus.dataset import Corpus, load_corpus
from framelens_train.corpus.marks import marks_of
from framelens_train.corpus.sampling import SEED_ID
from framelens_train.corpus.summary import summarise
from framelens_train.corpus.verify import verify
from framelens_train.evaluate.run import reading_figures

SEEDS = Path(__file__).resolve().parents[2] / "seeds"

pytestmark = pytest.mark.skipif(
    not (SEEDS / storage.MANIFEST).is_file(), reason="the shipped corpus is not in this checkout"
)


@pytest.fixture(scope="module")
def corpus() -> Corpus:
    return load_corpus()


def test_it_is_sound() -> None:
    assert verify(SEEDS) == []


def test_it_is_of_the_promised_size(corpus: Corpus) -> None:
    assert 15_000 <= len(corpus) <= 30_000
    assert sum(path.stat().st_size for path in SEEDS.iterdir()) <= 30_000_000
    assert corpus.articles.groupby("label")["owner"].nunique()["state"] >= 6


def test_the_seed_article_is_the_row_that_is_promised(corpus: Corpus) -> None:
    seed = corpus.articles[corpus.articles["id"] == SEED_ID]
    assert seed[["outlet", "label", "date"]].to_numpy().tolist() == [
        ["independent", "independent", "2022-03-07"]
    ]


def test_its_datasheet_gives_its_figures(corpus: Corpus) -> None:
    datasheet = (SEEDS / "README.md").read_text(encoding="utf-8")
    summary = summarise(corpus)
    figures = [
        summary["articles"],
        summary["marked"],
        *summary["flags"].values(),
        *(row["articles"] for row in summary["by_label"]),
    ]
    figures += [row["articles"] for row in summary["by_owner"] if row["owner"].startswith("state:")]
    missing = [figure for figure in figures if f"{figure:,}" not in datasheet]
    assert not missing
    assert f"{summary['outlets']} outlets" in datasheet
    assert f"{int(corpus.articles['date'].isna().sum()):,} articles have none" in datasheet.replace("\n", " ")


def test_readings_say_what_the_datasheet_says_of_them(corpus: Corpus) -> None:
    datasheet = (SEEDS / "README.md").read_text(encoding="utf-8").replace("\n", " ")
    readings = reading_figures(corpus)
    assert readings is not None
    assert not (
        marks_of(corpus.articles)[corpus.y < 0] >= 0
    ).any()  # mixed ones never train, and were not read
    assert (
        f"(ROC AUC {readings['roc_auc']:.2f}, macro-F1 {readings['macro_f1']:.2f};".replace("0.", ".")
        in datasheet
    )
    assert f"{readings['state_recall']:.2f} of the state articles state".replace("0.", ".") in datasheet
    assert f"{readings['false_state_rate_nonwest']:.2f} of non-Western".replace("0.", ".") in datasheet
