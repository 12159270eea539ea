"""Reading marks lie beside the corpus, wrong ones are refused, and only the owner ensemble learns from them.

All articles are invented.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp

from framelens.cli import main
from framelens.errors import UserError
from framelens.features.reference import MEASURES
from framelens_train.candidates import LIGHT, Recipe, fit_recipe
from framelens_train.corpus import storage
from framelens_train.corpus.adapt import import_corpus
from framelens_train.corpus.dataset import Corpus, load_corpus
from framelens_train.corpus.marks import add_marks, marks_of
from framelens_train.corpus.verify import verify
from framelens_train.evaluate.run import corpus_figures, reading_figures
from framelens_train.owner_ensemble import (
    PRIOR_WITHOUT_MARKS,
    OwnerEnsemble,
    reading_direction,
    solve_logistic,
    solve_shares,
)

M = len(MEASURES)
IDS = [f"a{i}" for i in range(8)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        {
            "id": name,
            "text": f"The minister said on the {name} that they were glad of it. " * 9,
            "label": ("state", "independent")[i % 2],
            "outlet": f"{'sp'[i % 2]}{i % 4}.example",
            "country": "KE",
        }
        for i, name in enumerate(IDS)
    ]
    (tmp_path / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_corpus(tmp_path / "mine.jsonl", tmp_path / "seeds")
    return tmp_path / "seeds"


def csv(folder: Path, *lines: str) -> Path:
    path = folder.parent / "marks.csv"
    path.write_text("\n".join(("id,mark", *lines)) + "\n")
    return path


def test_marks_are_found_by_article_and_change_the_corpus_digest(folder: Path) -> None:
    before = load_corpus(folder)
    assert np.isnan(marks_of(before.articles)).all()
    assert add_marks(folder, csv(folder, "a5,100", "a0,37", "a2,0")) == {"marked": 3, "articles": 8}
    after = load_corpus(folder)
    given = dict(zip(after.articles["id"], marks_of(after.articles), strict=True))
    assert {name: mark for name, mark in given.items() if not np.isnan(mark)} == {
        "a0": 37,
        "a2": 0,
        "a5": 100,
    }
    assert after.sha256 != before.sha256
    assert verify(folder) == []


def test_marks_that_went_missing_are_missed(folder: Path) -> None:
    add_marks(folder, csv(folder, "a0,37"))
    (folder / storage.MARKS).unlink()
    with pytest.raises(UserError, match=r"marks\.parquet: no such file"):
        load_corpus(folder)
    assert any("marks.parquet: the file is missing" in finding for finding in verify(folder))


def test_a_corpus_that_is_built_anew_keeps_its_marks(folder: Path) -> None:
    add_marks(folder, csv(folder, "a0,37", "a7,90"))  # a7 will not be there
    fewer = (folder.parent / "mine.jsonl").read_text().splitlines(keepends=True)
    (folder.parent / "mine.jsonl").write_text("".join(fewer[:6]))
    import_corpus(folder.parent / "mine.jsonl", folder)
    assert np.nansum(marks_of(load_corpus(folder).articles)) == 37
    assert verify(folder) == []


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        (["a0,37", "a99,5"], "line 3: no article has the id 'a99'"),
        (["a0,37", "a0,38"], "line 3: 'a0' was marked in a line before"),
        (["a0,101"], "mark is '101', must be a whole number from 0 to 100"),
        (["a0,-1"], "mark is '-1'"),
        (["a0,"], "mark is ''"),
        (["a0,3.5"], "mark is '3.5'"),
        ([], "no row"),
    ],
)
def test_wrong_marks_are_one_line_and_change_nothing(
    folder: Path, lines: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (folder / storage.MANIFEST).read_bytes()
    assert main(["corpus", "mark", str(csv(folder, *lines)), "--corpus", str(folder)]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert (folder / storage.MANIFEST).read_bytes() == before
    assert not (folder / storage.MARKS).exists()


@pytest.mark.parametrize("name", ["nowhere.csv", "other.csv"])
def test_a_file_without_marks_is_refused(folder: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (folder.parent / "other.csv").write_text("id,note\na0,5\n")
    assert main(["corpus", "mark", str(folder.parent / name), "--corpus", str(folder)]) == 2
    assert {"nowhere.csv": "no such file", "other.csv": "no column 'mark'"}[name] in capsys.readouterr().err


def test_the_command_says_how_many_are_marked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", "mark", str(csv(folder, "a0,37", "a1,5")), "--corpus", str(folder)]) == 0
    assert capsys.readouterr().out == f"{folder}: 2 of 8 articles are marked\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"id": ["a0", "a0"], "mark": [1, 2]}, "row 2 (a0): the id stands in a row before"),
        ({"id": ["a0", "a1"], "mark": [1, -1]}, "row 2 (a1): mark is -1"),
        ({"id": ["a0"], "note": [1]}, "its columns are id, note"),
    ],
)
def test_verify_finds_marks_that_were_tampered_with(
    folder: Path, rows: dict[str, list[object]], message: str
) -> None:
    add_marks(folder, csv(folder, "a0,37"))
    pq.write_table(pa.table(rows), folder / storage.MARKS)
    found = verify(folder)
    assert message in found[0]
    assert any("SHA-256" in finding for finding in found)


# -- what is learned from them ------------------------------------------------------------------------------


def readings(seed: int = 0) -> tuple[sp.csr_matrix, np.ndarray, np.ndarray]:
    """Column 0 goes with the mark inside every house, column 1 with the house's mean and nothing else."""
    rng = np.random.default_rng(seed)
    house = np.arange(600) % 6
    inside = rng.random(600)
    share = np.clip(0.15 * house + 0.2 * (inside - 0.5) + 0.1, 0, 1)
    X = 0.1 * rng.random((600, 4 + M))
    X[:, 0] += inside
    X[:, 1] += house / 5
    return sp.csr_matrix(X), share, house


def test_readings_teach_what_differs_inside_outlets_and_not_between_them() -> None:
    X, share, house = readings()
    apart = reading_direction(X, share, house, 1.0)
    assert apart[0] > 0
    assert abs(apart[1]) < apart[0] / 10
    together = reading_direction(X, share, np.zeros(600), 1.0)
    assert together[1] > together[0]  # without the outlets, the house gives the mark away


@pytest.mark.parametrize("C", [0.1, 1.0, 10.0])
def test_shares_are_solved_as_each_row_twice(C: float) -> None:
    X, share, _ = readings()
    twice = sp.vstack([X, X], format="csr")
    weights = np.concatenate([share, 1 - share])
    expected = solve_logistic(twice, np.repeat([1, 0], len(share)), weights, C)
    solved = solve_shares(X, share, C)
    np.testing.assert_allclose(solved, expected, rtol=0.02, atol=0.02 * abs(expected).max())


def test_without_a_difference_there_is_no_direction() -> None:
    X, _, house = readings()
    assert not reading_direction(X, np.zeros(600), house, 1.0).any()


def test_the_reading_member_is_left_out_without_marks() -> None:
    X, _, house = readings()
    y, owners = (house < 2).astype(int), np.where(house < 2, "state:AA", house.astype(str))
    without = OwnerEnsemble(prior_weight=PRIOR_WITHOUT_MARKS, reading_weight=0.0, random_state=0).fit(
        X, y, groups=owners
    )
    nobody = OwnerEnsemble(random_state=0).fit(X, y, groups=owners, marks=np.full(600, np.nan), houses=house)
    assert np.array_equal(without.coef_, nobody.coef_)
    marks = np.where(np.arange(600) % 2, 100 * X[:, 0].toarray().ravel(), np.nan)
    some = OwnerEnsemble(random_state=0).fit(X, y, groups=owners, marks=marks, houses=house)
    assert some.coef_[0, 0] > without.coef_[0, 0]
    instead = OwnerEnsemble(prior_weight=0.0, random_state=0).fit(
        X, y, groups=owners, marks=marks, houses=house
    )
    assert np.array_equal(some.coef_, instead.coef_)  # readings take the prior's place


def test_a_fit_does_not_look_at_marks_of_other_rows(corpus: Corpus) -> None:
    rows = np.flatnonzero(corpus.y >= 0)
    train, rest = np.split(rows, [len(rows) * 3 // 4])
    papers = rest[corpus.y[rest] == 0][:5]
    recipe = Recipe("owner_ensemble", {**LIGHT[0], "min_df": 2.0}, {})

    def weights(marks: np.ndarray) -> np.ndarray:
        marked = replace(corpus, articles=corpus.articles.assign(mark=marks))
        chosen = np.concatenate([train, papers])
        return np.asarray(fit_recipe(recipe, marked, chosen).named_steps["classifier"].coef_)

    rng = np.random.default_rng(1)
    marks = rng.integers(0, 101, len(corpus)).astype(float)
    other = marks.copy()
    untrained = np.setdiff1d(rest, papers)
    other[untrained] = 100 - other[untrained]
    assert np.array_equal(weights(marks), weights(other))
    other = marks.copy()
    other[train] = 100 - other[train]
    assert not np.array_equal(weights(marks), weights(other))


# -- what marks say of the label ----------------------------------------------------------------------------


def test_figures_of_the_readings_count_articles_that_were_read(corpus: Corpus) -> None:
    state, foreign = corpus.y == 1, (corpus.y == 0) & (corpus.articles["region"] == "nonwest").to_numpy()
    marks = np.where(state, 80.0, 20.0)
    marks[np.flatnonzero(foreign)[:3]] = 90.0
    marks[np.flatnonzero(state)[:6]] = 10.0
    marks[np.flatnonzero(state)[6:8]] = np.nan
    marked = replace(corpus, articles=corpus.articles.assign(mark=marks))
    figures = reading_figures(marked)
    assert figures is not None
    assert figures["n"] == int((corpus.y >= 0).sum()) - 2
    assert figures["state_recall"] == pytest.approx(1 - 6 / (state.sum() - 2))
    assert figures["false_state_rate_nonwest"] == pytest.approx(3 / foreign.sum())
    assert 0.9 < figures["roc_auc"] < 1
    assert corpus_figures(marked)["readings"] == figures


def test_a_corpus_that_nobody_read_has_no_figures_of_readings(corpus: Corpus) -> None:
    assert reading_figures(corpus) is None
    assert reading_figures(replace(corpus, articles=corpus.articles.assign(mark=np.nan))) is None
