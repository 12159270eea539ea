"""What a user's file of articles may be, and what is said of an unusable one. Articles are invented."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
import zstandard

from framelens.errors import UserError
from framelens.features.vocabulary import Vocabulary
from framelens_train.corpus.articles import Reject, read_articles
from framelens_train.corpus.dataset import load_corpus

Row = dict[str, Any]
SENTENCES = (
    "The minister stressed that both sides will strengthen cooperation.",
    "The court did not say whether the law would change.",
    "Critics said they had concerns about the new rules.",
    "The people of the town welcomed the new bridge with joy.",
    "“We will not wait,” the teacher said on the phone.",
    "Prices of bread and rice went up again in the market.",
    "The party praised the achievements of the great leader.",
    "Police arrested four men after a protest near the river.",
)


def article(i: int, label: str, outlet: str, **more: object) -> Row:
    text = "\n".join(SENTENCES[(i * 3 + k * (1 + i % 5)) % len(SENTENCES)] for k in range(9))
    return {"text": text, "label": label, "outlet": outlet, "country": "KE", **more}


@pytest.fixture
def rows() -> list[Row]:
    return [
        article(i, label, f"{label}{i % 3}.example") for label in ("state", "independent") for i in range(9)
    ]


def write_jsonl(path: Path, rows: list[Row]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def as_csv(path: Path, rows: list[Row]) -> None:
    pyarrow.csv.write_csv(pa.Table.from_pylist(rows), path)


def as_tsv(path: Path, rows: list[Row]) -> None:
    pyarrow.csv.write_csv(pa.Table.from_pylist(rows), path, pyarrow.csv.WriteOptions(delimiter="\t"))


def as_parquet(path: Path, rows: list[Row]) -> None:
    pq.write_table(pa.Table.from_pylist(rows), path)


def as_gzip(path: Path, rows: list[Row]) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))


def as_zstd(path: Path, rows: list[Row]) -> None:
    path.write_bytes(zstandard.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))


def as_bom(path: Path, rows: list[Row]) -> None:
    path.write_text("\ufeff" + "\n\n".join(json.dumps(row) for row in rows), encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.jsonl", write_jsonl),
        ("a.ndjson", as_bom),
        ("a.csv", as_csv),
        ("a.tsv", as_tsv),
        ("a.parquet", as_parquet),
        ("a.jsonl.gz", as_gzip),
        ("A.JSONL.ZST", as_zstd),
    ],
)
def test_the_same_articles_make_the_same_corpus_in_every_format(
    tmp_path: Path, rows: list[Row], name: str, write: Callable[[Path, list[Row]], object]
) -> None:
    write(tmp_path / name, rows)
    corpus = load_corpus(tmp_path / name)
    expected = load_corpus(write_jsonl(tmp_path / "plain.jsonl", rows))
    assert corpus.articles.drop(columns="id").equals(expected.articles.drop(columns="id"))
    assert (corpus.X != expected.X).nnz == 0
    assert corpus.name == name


def test_what_a_corpus_says_of_its_articles(tmp_path: Path, rows: list[Row]) -> None:
    rows[0] |= {
        "id": "first",
        "date": "2024-02-29T10:00:00Z",
        "url": "https://a.example/sport/x",
        "title": "T",
    }
    corpus = load_corpus(write_jsonl(tmp_path / "a.jsonl", rows))
    first = corpus.articles.iloc[0]
    assert (first["id"], first["date"], bool(first["sport"])) == ("first", "2024-02-29", True)
    assert (first["owner"], first["region"]) == ("state:KE", "nonwest")
    assert corpus.articles["id"][1] == "row-2"
    assert set(corpus.articles["owner"]) == {"state:KE", *(f"independent{i}.example" for i in range(3))}
    assert corpus.y.tolist() == [1] * 9 + [0] * 9
    words = corpus.X[:, 2 * len(corpus.vocabulary)].toarray().ravel()
    assert words.tolist() == corpus.articles["words"].tolist()
    said = corpus.vocabulary.index["said"]
    assert corpus.X[0, said] == rows[0]["text"].count("said")
    assert "title" not in corpus.articles
    assert "text" not in corpus.articles


def test_a_subset_keeps_rows_and_counts_together(tmp_path: Path, rows: list[Row]) -> None:
    corpus = load_corpus(write_jsonl(tmp_path / "a.jsonl", rows))
    some = corpus.subset([12, 3])
    assert some.articles["id"].tolist() == [corpus.articles["id"][12], corpus.articles["id"][3]]
    assert some.articles.index.tolist() == [0, 1]
    assert (corpus.X[[12, 3]] != some.X).nnz == 0
    assert len(corpus.subset(corpus.y == 1)) == 9


def test_a_given_vocabulary_is_counted_in_its_own_order(tmp_path: Path, rows: list[Row]) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", rows)
    corpus = load_corpus(path, vocabulary=Vocabulary(["said", "absent", "the"]))
    assert corpus.X.shape[1] == 6 + corpus.batch.measures.shape[1]
    assert corpus.X[:, 1].nnz == 0
    assert corpus.X[0, 2] + corpus.X[0, 5] == sum(
        word.strip("“”,.\n").lower() == "the" for word in rows[0]["text"].split()
    )


# -- bad input -----------------------------------------------------------------------------------------------


def changed(rows: list[Row], index: int, **change: object) -> list[Row]:
    return [row | change if i == index else row for i, row in enumerate(rows)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"text": ""}, "row 5: the text is empty"),
        ({"text": " \n\t"}, "row 5: the text is empty"),
        ({"text": None}, "row 5: the text is empty"),
        ({"text": 5}, "row 5: text is 5, a int"),
        ({"text": "12 345 67.8 Ada Sample, Bo Example 99"}, "row 5: no English sentence is left"),
        ({"text": "By Ama Example\nhttps://a.example"}, "row 5: no English sentence is left"),
        (
            {"label": "propaganda"},
            "row 5: label is 'propaganda'; it must be one of state, independent, mixed",
        ),
        ({"label": None}, "row 5: label is None"),
        ({"outlet": ""}, "row 5: the outlet is empty"),
        ({"date": "31.12.2024"}, "row 5: date is '31.12.2024'; write it as YYYY-MM-DD"),
        ({"date": "2023-02-29"}, "row 5: date is '2023-02-29', which no calendar has"),
        ({"label": "independent"}, "row 5: outlet 'state1.example' is labelled independent, in row 2"),
    ],
)
def test_an_unusable_row_is_named(
    tmp_path: Path, rows: list[Row], change: dict[str, object], message: str
) -> None:
    path = write_jsonl(tmp_path / "mine.jsonl", changed(rows, 4, **change))
    with pytest.raises(UserError) as error:
        load_corpus(path)
    assert message in str(error.value)
    assert str(error.value).startswith(str(path))
    assert "\n" not in str(error.value)


def test_two_rows_with_one_id_are_both_named(tmp_path: Path, rows: list[Row]) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", changed(changed(rows, 2, id="x"), 7, id="x"))
    with pytest.raises(UserError, match="row 8: id 'x' is that of row 3 too"):
        load_corpus(path)


def test_one_class_is_not_enough(tmp_path: Path, rows: list[Row]) -> None:
    with pytest.raises(UserError, match="no article is labelled independent"):
        load_corpus(write_jsonl(tmp_path / "a.jsonl", rows[:9]))


def test_a_state_outlet_needs_a_country_or_an_owner(tmp_path: Path, rows: list[Row]) -> None:
    rows = [row | {"country": None} for row in rows]
    with pytest.raises(
        UserError, match=r"'state0\.example' is labelled state and has no country and no owner"
    ):
        load_corpus(write_jsonl(tmp_path / "a.jsonl", rows))
    owned = [row | {"owner": "state:KE"} if row["label"] == "state" else row for row in rows]
    assert "state:KE" in set(load_corpus(write_jsonl(tmp_path / "b.jsonl", owned)).articles["owner"])


FILES: list[tuple[str, bytes, str]] = [
    ("a.jsonl", b"", "the file is empty"),
    ("a.jsonl", b"\n\n", "no usable article"),
    ("a.csv", b"text,label,outlet\n", "no usable article"),
    ("a.jsonl", b'{"text": "a", "label": "state"}\n', "row 1: no column 'outlet'"),
    ("a.csv", b"body,label,outlet\na,state,b\n", "row 1: no column 'text' (there are body, label, outlet)"),
    ("a.jsonl", b'{"text": \n', "line 1: not JSON"),
    ("a.jsonl", b"[1, 2]\n", "line 1: a JSON list"),
    ("a.jsonl", b'{"text": "\xff"}\n', "is not UTF-8"),
    ("a.csv", b"text,label,outlet\na,state,b,c\n", "row 1: more fields than columns"),
    ("a.csv", b'text,label,outlet\n"a"b,state,c\n', "row 1: not CSV"),
    ("a.parquet", b"text,label,outlet\n", "the name says Parquet, the content is text"),
    ("a.parquet", b"PAR1 and nothing else", "broken Parquet"),
    ("a.jsonl", b"PAR1", "the name says text, the content is Parquet"),
    ("a.jsonl", b"\x1f\x8b\x08", "the name says text, the content is gzip"),
    ("a.csv", b"PK\x03\x04", "the content is zip or Excel"),
    ("a.jsonl.gz", b"{}", "the name says gzip, the content is text"),
    ("a.jsonl.zst", b"{}", "the name says zstd, the content is text"),
    (
        "a.jsonl.gz",
        gzip.compress(b'{"text": "a", "label": "state", "outlet": "o"}\n', mtime=0)[:-9],
        "cannot be read to its end",
    ),
    ("a.jsonl.zst", b"\x28\xb5\x2f\xfdrubbish", "broken zstd"),
    ("a.xlsx", b"PK\x03\x04", "unknown kind of file"),
    ("a.parquet.gz", b"\x1f\x8b\x08", "unknown kind of file"),
]


@pytest.mark.parametrize(("name", "content", "message"), FILES, ids=[f"{row[0]}: {row[2]}" for row in FILES])
def test_an_unusable_file_is_one_clear_line(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(UserError) as error:
        read_articles(path)
    assert message in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_an_absent_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nowhere\.jsonl: no such folder or file"):
        load_corpus(tmp_path / "nowhere.jsonl")
    with pytest.raises(UserError, match=r"no manifest\.json there"):
        load_corpus(tmp_path)


def test_with_a_list_of_rejects_reading_goes_on(tmp_path: Path, rows: list[Row]) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", changed(rows, 4, text="", id="bad"))
    rejects: list[Reject] = []
    assert len(read_articles(path, rejects)) == len(rows) - 1
    assert rejects == [Reject("a.jsonl", 5, "bad", "the text is empty; remove the row or give it its text")]


def test_columns_and_labels_can_be_mapped(tmp_path: Path) -> None:
    path = write_jsonl(tmp_path / "a.jsonl", [{"body": "Rain fell.", "kind": "1", "outlet": "a.example"}])
    articles = read_articles(path, columns={"text": "body", "label": "kind"}, labels={"1": "state"})
    assert articles[["text", "label"]].to_numpy().tolist() == [["Rain fell.", "state"]]
