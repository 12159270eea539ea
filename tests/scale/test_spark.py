"""The Spark engine gives the local engine's rows, from real Spark on two cores."""

from __future__ import annotations

import gzip
import importlib.util
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from benchmarks import articles as invented
from benchmarks.dumps import write_warc

from framelens.errors import UserError
from framelens.predictor import load
from framelens.scoring.checkpoint import Counts
from framelens.scoring.rows import Columns
from framelens.scoring.run import score_files

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("pyspark") is None, reason="pyspark is not installed"),
    pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java, and there is none"),
    pytest.mark.filterwarnings("ignore"),  # Spark's own, of Python and pandas versions
]

# Invented.
SENTENCES = (
    "The minister stressed that the two sides will deepen friendly cooperation.",
    "Critics said the ministry “had concerns” about the count, and asked whether it was lawful.",
    "The council of Belmore met on 14 May to hear how much the new harbour wall would cost.",
    "Nobody from the ferry company answered questions by the evening.",
)


def articles(first: int, number: int) -> list[dict[str, Any]]:
    return [
        {
            "id": f"a{i}",
            "text": "\n\n".join(SENTENCES[(i + j) % 4] * (1 + (i * j) % 3) for j in range(1 + i % 7)),
            "views": str(i),
        }
        for i in range(first, first + number)
    ]


def json_lines(rows: list[Any]) -> bytes:
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


BROKEN: list[Any] = [
    b'{"id": "broken", "text": ',
    {"id": "null", "text": None},
    {"id": "number", "text": 5},
    {"id": "absent"},
    b"",
    b'{"id": "latin-1", "text": "caf\xe9"}',
    b"[1, 2]",
]


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("tests")
    for key, value in {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.memory": "1g",
        "spark.driver.host": "localhost",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.sql.files.maxPartitionBytes": "65536",
        "spark.sql.files.openCostInBytes": "1024",
    }.items():
        builder = builder.config(key, value)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        spark = builder.getOrCreate()
        spark.sparkContext.setLogLevel("OFF")
        yield spark
        spark.stop()


def local(inputs: list[Any], tmp_path: Path, columns: Columns | None = None) -> tuple[pa.Table, list[Any]]:
    output = tmp_path / "local.parquet"
    score_files(load(), [str(path) for path in inputs], output, columns or Columns())
    return pq.read_table(output), rejects_of(output)


def rejects_of(output: Path) -> list[Any]:
    """The local engine's file or Spark's folder."""
    place = output.with_name(f"{output.name}.rejects.jsonl")
    files = sorted(place.glob("part-*")) if place.is_dir() else [place] if place.exists() else []
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


def spark(
    session: Any,
    inputs: list[Any],
    output: Path,
    columns: Columns | None = None,
    **options: Any,
) -> Counts:
    from framelens.scoring.spark import score_with_spark

    return score_with_spark(
        session, [str(path) for path in inputs], str(output), columns or Columns(), **options
    )


def rows(table: pa.Table) -> list[dict[str, Any]]:
    listed: list[dict[str, Any]] = table.sort_by("id").to_pylist()
    return listed


def by_place(rejects: list[Any]) -> list[Any]:
    return sorted(rejects, key=lambda reject: (reject["file"], reject["row"]))


def test_a_dump_of_a_thousand_files_of_every_kind_equals_the_local_engine(
    session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dump = tmp_path / "dump"
    dump.mkdir()
    for i in range(995):
        (dump / f"{i:04d}.jsonl").write_bytes(json_lines(articles(3 * i, 3)))
    (dump / "1000.jsonl").write_bytes(json_lines([*articles(5000, 5), *BROKEN, *articles(5005, 5)]))
    (dump / "1001.jsonl.gz").write_bytes(gzip.compress(json_lines(articles(6000, 400)))[:-40])  # breaks off
    pq.write_table(pa.Table.from_pylist(articles(7000, 50)), dump / "1002.parquet")
    (dump / "1002.jsonl").write_bytes(json_lines([{"id": "1", "headline": "no text here"}]))
    (dump / "1003.csv").write_text("id,text\nc1,The council met.\nc2,one,field,too,many\n")
    if importlib.util.find_spec("resiliparse"):
        monkeypatch.setattr(invented, "SENTENCES", 400)
        write_warc(dump / "1004.warc.gz", 20_000)
    inputs = [dump / "*"]

    counts = spark(session, inputs, tmp_path / "spark.parquet")

    table, rejects = local(inputs, tmp_path)
    answers = pq.read_table(tmp_path / "spark.parquet")
    assert answers.column_names == table.column_names
    assert rows(answers) == rows(table)
    assert by_place(rejects_of(tmp_path / "spark.parquet")) == by_place(rejects)
    assert counts.scored == table.num_rows
    assert counts.rejected == len(rejects) >= 9
    assert not list(tmp_path.glob("*.partial"))


def test_uris_are_read_by_spark_and_split(session: Any, tmp_path: Path) -> None:
    """JSON lines and Parquet as from an object store; a file of 600 kB comes in several splits."""
    big, table_file = tmp_path / "big and wide.jsonl", tmp_path / "table.parquet"
    lines = [*articles(0, 400), *BROKEN, *articles(400, 600)]
    big.write_bytes(json_lines(lines))
    numbered = articles(2000, 900)
    numbered[7]["text"] = None
    pq.write_table(pa.Table.from_pylist(numbered), table_file, row_group_size=200)
    columns = Columns(keep=("views",))

    inputs = [f"file://{big}", table_file.as_uri()]
    counts = spark(session, inputs, tmp_path / "spark.jsonl", columns)

    table, rejects = local([big, table_file], tmp_path, columns)
    expected = rows(table)
    parts = sorted((tmp_path / "spark.jsonl").glob("part-*"))
    found = [json.loads(line) for part in parts for line in part.read_text().splitlines()]
    assert sorted(found, key=lambda row: row["id"]) == expected
    assert (counts.scored, counts.rejected) == (len(expected), len(rejects))
    places = rejects_of(tmp_path / "spark.jsonl")
    assert sorted(reject["reason"] for reject in places) == sorted(reject["reason"] for reject in rejects)
    assert any("big and wide.jsonl@" in reject["file"] for reject in places), "the file was split"
    assert [r["row"] for r in places if "table" in r["file"]] == [8]


def test_rows_without_an_id_are_named_by_their_place(session: Any, tmp_path: Path) -> None:
    file = tmp_path / "plain.jsonl"
    file.write_bytes(json_lines([{"text": SENTENCES[0]}, {"text": 1}, {"text": SENTENCES[1]}]))
    spark(session, [file], tmp_path / "paths.parquet")
    spark(session, [file.as_uri()], tmp_path / "uris.parquet")
    assert sorted(pq.read_table(tmp_path / "paths.parquet")["id"].to_pylist()) == [f"{file}:1", f"{file}:3"]
    uri = f"file://{file}"
    assert sorted(pq.read_table(tmp_path / "uris.parquet")["id"].to_pylist()) == [f"{uri}:1", f"{uri}:3"]


def test_a_run_that_fails_says_why_in_a_line_and_leaves_nothing(session: Any, tmp_path: Path) -> None:
    good, other = tmp_path / "good.jsonl", tmp_path / "other.jsonl"
    good.write_bytes(json_lines([*articles(0, 3), *BROKEN]))
    other.write_bytes(json_lines([{"id": "1", "headline": "x"}]))
    output = tmp_path / "out.parquet"
    for inputs, options, message in (
        ([other, good], {}, r"other\.jsonl has no column of text"),
        ([good], {"max_rejects": 2}, "6 rows were rejected, more than 2"),
        ([tmp_path / "absent.jsonl"], {}, "cannot read"),
        ([(tmp_path / "absent.jsonl").as_uri()], {}, "cannot read"),
        (["-"], {}, "standard input"),
        ([good], {"model": str(tmp_path)}, "holds no model"),
        ([good], {"columns": Columns(text="body")}, "no column 'body'"),
    ):
        with pytest.raises(UserError, match=message):
            spark(session, inputs, output, **options)
        assert not list(tmp_path.glob("out*"))
    with pytest.raises(UserError, match="ends in none"):
        spark(session, [good], tmp_path / "out.csv")
    output.write_bytes(b"mine")
    with pytest.raises(UserError, match="no earlier output"):
        spark(session, [good], output)


def test_an_earlier_output_is_replaced(session: Any, tmp_path: Path) -> None:
    file, output = tmp_path / "in.jsonl", tmp_path / "out.parquet"
    file.write_bytes(json_lines([*articles(0, 4), *BROKEN]))
    spark(session, [file], output)
    assert rejects_of(output)
    file.write_bytes(json_lines(articles(0, 2)))
    spark(session, [file], output)
    assert sorted(pq.read_table(output)["id"].to_pylist()) == ["a0", "a1"]
    assert not rejects_of(output)


def test_the_command_line_takes_the_engine(
    session: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the session that is there, as under spark-submit."""
    from framelens.cli import main

    file, output = tmp_path / "in.jsonl", tmp_path / "out.parquet"
    file.write_bytes(json_lines([*articles(0, 4), *BROKEN]))
    assert main(["score", str(file), "-o", str(output), "--engine", "spark"]) == 1
    assert "scored 4 rows" in capsys.readouterr().err
    assert main(["score", str(file), "-o", str(output), "--engine", "spark", "--resume"]) == 2
    assert "--resume is for the local engine" in capsys.readouterr().err
