"""A corpus folder that was tampered with is found out, and the row is named. All articles are invented."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framelens.cli import main
from framelens.errors import UserError
from framelens.features.batch import FeatureBatch
from framelens.features.reference import MEASURES
from framelens.features.vocabulary import Vocabulary
from framelens_train.corpus import storage
from framelens_train.corpus.adapt import import_corpus
from framelens_train.corpus.clusters import THRESHOLD, cluster_near_duplicates, signatures
from framelens_train.corpus.dataset import load_corpus
from framelens_train.corpus.recount import by_frequency, recount
from framelens_train.corpus.verify import verify

TEXTS = (
    "The minister stressed that the sides will strengthen cooperation. The people welcomed it and were glad.",
    "The court did not say whether the law would change. Critics said that they had concerns about it.",
)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    rows = [
        {
            "id": f"a{i}",
            "text": TEXTS[i % 2]
            + f"\nIn the end the {('cat', 'dog', 'cow')[i % 3]} came home after {i} days.",
            "label": ("state", "independent")[i % 2],
            "outlet": f"{'sp'[i % 2]}{i % 4}.example",
            "country": "KE",
            "date": "2024-05-06",
        }
        for i in range(12)
    ]
    (folder / "mine.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    import_corpus(folder / "mine.jsonl", folder / "seeds")
    return folder / "seeds"


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    shutil.copytree(sound, tmp_path / "seeds")
    return tmp_path / "seeds"


def change(folder: Path, name: str, edit: Callable[[pd.DataFrame], object]) -> None:
    """Edit a table of the folder in place, keeping its column types."""
    path = folder / name
    if path.suffix == ".csv":
        frame = pd.read_csv(path, keep_default_na=False)
        edit(frame)
        frame.to_csv(path, index=False)
        return
    table = pq.read_table(path)
    frame = table.to_pandas()
    edit(frame)
    pq.write_table(pa.Table.from_pandas(frame, schema=table.schema, preserve_index=False), path)


def put(column: str, row: int, value: object) -> Callable[[pd.DataFrame], object]:
    return lambda frame: frame.__setitem__(
        column, [value if i == row else v for i, v in enumerate(frame[column])]
    )


def test_a_sound_folder_has_no_findings(sound: Path) -> None:
    assert verify(sound) == []


@pytest.mark.parametrize(
    ("name", "edit", "finding"),
    [
        ("outlets.csv", put("label", 1, "State"), "outlets.csv, row 2 (p3.example): label is 'State'"),
        ("outlets.csv", put("country", 0, "Kenya"), "outlets.csv, row 1 (p1.example): country is 'Kenya'"),
        ("outlets.csv", put("owner", 0, ""), "outlets.csv, row 1 (p1.example): the owner is empty"),
        (
            "outlets.csv",
            put("owner", 0, "state:KE"),
            "owner 'state:KE' is state here and independent in row 1",
        ),
        ("outlets.csv", put("articles", 2, 5), "outlets.csv, row 3 (s0.example): articles is 5, there are 3"),
        ("outlets.csv", put("outlet", 1, "p1.example"), "row 2 (p1.example): the outlet stands in row 1 too"),
        (
            "articles.parquet",
            put("label", 3, "mixed"),
            "row 4 (a3): label is 'mixed', outlets.csv says 'independent'",
        ),
        (
            "articles.parquet",
            put("outlet", 3, "x"),
            "articles.parquet, row 4 (a3): outlet 'x' is not in outlets.csv",
        ),
        (
            "articles.parquet",
            put("id", 3, "a1"),
            "articles.parquet, row 4 (a1): the id is empty or that of row 2 too",
        ),
        ("articles.parquet", put("cluster", 3, 99), "articles.parquet, row 4 (a3): cluster is 99"),
        (
            "articles.parquet",
            put("words", 3, 7),
            "measures.parquet, row 4 (a3): words is 27, articles.parquet says 7",
        ),
        (
            "articles.parquet",
            put("address", 3, "b"),
            "articles.parquet, row 4 (a3): what is stored about the article",
        ),
        ("articles.parquet", put("sha256", 3, bytes(32)), "articles.parquet, row 4 (a3): what is stored"),
        (
            "articles.parquet",
            put("date", 3, pd.Timestamp("1024-05-06").date()),
            "row 4 (a3): date is 1024-05-06",
        ),
        (
            "measures.parquet",
            put("names", 2, -1),
            "measures.parquet, row 3 (a2): names is -1, must be 0 or more",
        ),
        (
            "measures.parquet",
            put("names", 2, 900),
            "measures.parquet, row 3 (a2): names is 900, more than its",
        ),
        ("measures.parquet", put("comma", 2, 5), "articles.parquet, row 3 (a2): what is stored"),
        ("counts.parquet", put("gap", 4, 0), "counts.parquet, row 5: gap is 0, must be 1 or more"),
        (
            "counts.parquet",
            put("gap", 0, 500),
            "counts.parquet, row 1: its gap leads beyond the last article",
        ),
        ("counts.parquet", put("pair", 4, 77), "counts.parquet, row 5: pair is 77, must be from 0 to"),
        ("counts.parquet", put("pair", 0, 1), "articles.parquet, row 1 (a0): what is stored"),
        ("pairs.parquet", put("reporter", 0, -3), "pairs.parquet, row 1: counts are -3 and 0"),
        ("terms.parquet", put("documents", 0, 0), "terms.parquet, row 1 ("),
        ("terms.parquet", put("documents", 3, 13), "more documents than the row before"),
        ("terms.parquet", put("term", 1, "the"), "the term 'the' stands in the vocabulary more than once"),
    ],
)
def test_the_wrong_row_is_named(
    folder: Path,
    name: str,
    edit: Callable[[pd.DataFrame], object],
    finding: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    change(folder, name, edit)
    found = verify(folder)
    assert any(finding in each for each in found), found
    assert found[-1] == f"{name}: its SHA-256 is not the manifest's, the file was changed after the build"
    assert main(["corpus", "verify", str(folder)]) == 2
    error = capsys.readouterr().err
    assert found[0] in error
    assert error.count("\n") == 1


def test_missing_and_broken_files_are_named(folder: Path) -> None:
    (folder / "counts.parquet").write_bytes(b"PAR1 rubbish")
    (folder / "pairs.parquet").unlink()
    found = verify(folder)
    assert "counts.parquet: not a readable Parquet file" in found[0]
    assert "pairs.parquet: the file is missing" in found


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", 99, "format is 99, this version reads 1"),
        ("measures", ["words"], "not those of this version"),
    ],
)
def test_other_formats_are_refused(folder: Path, key: str, value: object, message: str) -> None:
    manifest = json.loads((folder / storage.MANIFEST).read_text()) | {key: value}
    (folder / storage.MANIFEST).write_text(json.dumps(manifest))
    with pytest.raises(UserError, match=message):
        load_corpus(folder)
    (folder / storage.MANIFEST).write_text("{")
    with pytest.raises(UserError, match="not JSON"):
        verify(folder)


def test_loading_refuses_tables_that_disagree(folder: Path) -> None:
    change(folder, "outlets.csv", put("outlet", 0, "gone.example"))
    with pytest.raises(UserError, match=r"row 2: outlet 'p1\.example' is not in outlets\.csv"):
        load_corpus(folder)


# -- storage ------------------------------------------------------------------------------------------------


def test_an_imported_file_and_the_file_itself_make_the_same_corpus(sound: Path) -> None:
    stored, read = load_corpus(sound), load_corpus(sound.parent / "mine.jsonl")
    pd.testing.assert_frame_equal(stored.articles, read.articles, check_dtype=False)
    assert stored.vocabulary == read.vocabulary
    assert (stored.X != read.X).nnz == 0
    assert (stored.y == read.y).all()


@pytest.mark.parametrize("seed", range(3))
def test_counts_survive_the_folder(tmp_path: Path, seed: int, sound: Path) -> None:
    rng = np.random.default_rng(seed)
    template = load_corpus(sound)
    n, v = len(template), 300
    dense = rng.poisson(0.2, (n, v, 2)) * rng.integers(1, 400, (n, v, 2))
    dense[rng.integers(0, n)] = 0  # an article without any term
    row, term = np.nonzero(dense.sum(axis=2))
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=n))]).astype(np.int64)
    fields = dense[row, term].astype(np.int32)
    measures = rng.integers(0, 9, (n, len(MEASURES))).astype(np.int32)
    batch = FeatureBatch(indptr, term.astype(np.int32), fields[:, 0].copy(), fields[:, 1].copy(), measures)
    batch, vocabulary = by_frequency(batch, Vocabulary([f"t{'abcdefghij'[i % 10]}{i}" for i in range(v)]))
    outlets = pd.read_csv(sound / "outlets.csv", keep_default_na=False)
    storage.write_seeds(
        tmp_path / "s",
        outlets=outlets,
        articles=template.articles,
        batch=batch,
        vocabulary=vocabulary,
        build={},
    )
    back = load_corpus(tmp_path / "s")
    for name in ("indptr", "term", "reporter", "quoted", "measures"):
        assert np.array_equal(getattr(back.batch, name), getattr(batch, name)), name
        assert getattr(back.batch, name).dtype == getattr(batch, name).dtype
    assert back.vocabulary == vocabulary


def test_seeds_are_counted_with_another_vocabulary(sound: Path) -> None:
    corpus = load_corpus(sound)
    other = Vocabulary(["said", "nowhere", *reversed(corpus.vocabulary.terms[:7])])
    again = load_corpus(sound, vocabulary=other)
    columns = [corpus.vocabulary.index.get(term, -1) for term in other.terms]
    dense = corpus.X.toarray()
    expected = np.column_stack([dense[:, c] if c >= 0 else np.zeros(len(dense)) for c in columns])
    assert np.array_equal(again.X.toarray()[:, : len(other)], expected)
    assert (np.diff(again.batch.term)[np.diff(again.batch.row) == 0] > 0).all()
    assert recount(corpus.batch, corpus.vocabulary, Vocabulary(["nowhere"])).term.size == 0


# -- near-duplicates ----------------------------------------------------------------------------------------


def jaccard(a: str, b: str) -> float:
    def shingles(text: str) -> set[tuple[str, ...]]:
        words = text.lower().replace(".", " ").replace(",", " ").split()
        return {tuple(words[i : i + 4]) for i in range(len(words) - 3)}

    x, y = shingles(a), shingles(b)
    return len(x & y) / len(x | y)


def test_signatures_estimate_what_datasketch_estimates() -> None:
    datasketch = pytest.importorskip("datasketch")
    rng = np.random.default_rng(1)
    words = np.array([f"w{c}{d}" for c in "abcdefghij" for d in "klmnopqrst"])
    base = rng.choice(words, 400)
    texts = [" ".join(base)]
    for share in (0.01, 0.05, 0.1, 0.3, 1.0):
        altered = base.copy()
        altered[rng.random(400) < share] = "zz"
        texts.append(" ".join(altered))
    ours = signatures(texts)

    def theirs(text: str) -> Any:
        sketch = datasketch.MinHash(num_perm=256)
        tokens = text.split()
        sketch.update_batch([" ".join(tokens[i : i + 4]).encode() for i in range(len(tokens) - 3)])
        return sketch

    for text, signature in zip(texts, ours, strict=True):
        estimate = float((signature == ours[0]).mean())
        exact = jaccard(texts[0], text)
        assert abs(estimate - exact) < 0.2
        assert abs(estimate - theirs(texts[0]).jaccard(theirs(text))) < 0.2


def test_reprints_share_a_cluster_and_others_do_not() -> None:
    rng = np.random.default_rng(2)
    words = [f"{a}{b}{c}" for a in "bdfgk" for b in "aeiou" for c in "lmnrs"]
    texts = [" ".join(rng.choice(words, 120)) for _ in range(40)]
    reprint = texts[7].split()
    reprint[50] = "CHANGED"
    texts += [" ".join(reprint), "Head line. " + texts[7], texts[3].upper(), "", "", "one word"]
    assert jaccard(texts[7], texts[40]) > THRESHOLD
    cluster = cluster_near_duplicates(texts)
    assert cluster[:40].tolist() == list(range(40))
    assert cluster[40:43].tolist() == [7, 7, 3]
    assert cluster[45] not in cluster[:45]
    assert cluster_near_duplicates([]).tolist() == []


# -- the command --------------------------------------------------------------------------------------------


def test_stats_in_the_terminal_and_as_json(sound: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", "stats", str(sound), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["articles"], summary["outlets"], summary["owners"]) == (12, 4, 3)
    assert [(row["label"], row["articles"]) for row in summary["by_label"]] == [
        ("independent", 6),
        ("state", 6),
    ]
    assert sum(row["articles"] for row in summary["by_outlet"]) == 12
    assert summary["by_year"] == [
        {
            "year": "2024",
            "articles": 12,
            "state": 6,
            "independent": 6,
            "mixed": 0,
            "outlets": 4,
            "median_words": 26,
        }
    ]
    assert summary["by_owner"][0]["owner"] == "state:KE"
    assert main(["corpus", "stats", str(sound)]) == 0
    shown = capsys.readouterr().out
    assert "12 articles of 4 outlets and 3 owners" in shown
    assert "by year" in shown


def test_build_import_and_verify_from_the_command_line(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in (sound.parent / "mine.jsonl").read_text().splitlines()]
    foreign = [
        {"body": r["text"], "side": r["label"][0], "outlet": r["outlet"], "country": "KE"} for r in rows
    ]
    (tmp_path / "raw.jsonl").write_text("".join(json.dumps(row) + "\n" for row in foreign))
    options = [
        "--column",
        "text=body",
        "--column",
        "label=side",
        "--label",
        "s=state",
        "--label",
        "i=independent",
    ]
    out = str(tmp_path / "mine")
    assert main(["corpus", "import", str(tmp_path / "raw.jsonl"), "--out", out, *options]) == 0
    assert "12 articles of 4 outlets" in capsys.readouterr().out
    assert main(["corpus", "verify", out]) == 0
    assert capsys.readouterr().out == f"{out}: sound\n"
    assert main(["corpus", "import", str(tmp_path / "raw.jsonl"), "--out", out, "--column", "text"]) == 2
    assert "write it as NAME=NAME" in capsys.readouterr().err
    assert main(["corpus", "build", str(sound.parent / "mine.jsonl"), "--out", str(tmp_path / "seeds")]) == 2
    assert "no article is left" in capsys.readouterr().err
    assert not (tmp_path / "seeds").exists()
