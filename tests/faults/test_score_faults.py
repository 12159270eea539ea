"""Dumps as they are found: every good row is scored, every other one is told, and nothing stops the run."""

from __future__ import annotations

import errno
import gzip
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from framelens.scoring import checkpoint, run
from framelens.scoring import rows as limits

TESTS = Path(__file__).parents[1]


def module(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, TESTS / path)
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


formats = module("scoring/test_formats.py")
score = module("scoring/conftest.py").score
GOOD = json.dumps({"id": "good", "text": formats.TEXT}).encode() + b"\n"
UNREADABLE = "the file cannot be read from here on"


def reasons(score: Any) -> list[tuple[int, str]]:
    return [(reject["row"], reject["reason"]) for reject in score.rejects]


def one_line(score: Any) -> str:
    line, end, rest = score.err.partition("\n")
    assert (end, rest) == ("\n", "")
    return str(line)


# -- files that break off --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["tool.jsonl.gz", "tool.jsonl.zst", "tool.csv.gz", "stream.arrows"])
@pytest.mark.parametrize("share", [0.01, 0.5, 0.99])
def test_a_truncated_file_gives_the_rows_before_the_end(score: Any, name: str, share: float) -> None:
    noise = [dict(row, text=f"{row['text']} {os.urandom(300).hex()}") for row in formats.given(1500)]
    whole = formats.MADE[name](noise)
    Path(name).write_bytes(whole[: int(len(whole) * share)])
    assert score(name, "--id-column", "id", "--text-column", "text") == 1
    ids = [row["id"] for row in score.output]
    assert ids == [row["id"] for row in noise[: len(ids)]]
    assert len(ids) > {0.01: -1, 0.5: 500, 0.99: 1300}[share]
    assert len(score.rejects) == 1
    assert score.rejects[0]["row"] == len(ids) + 1
    assert UNREADABLE in score.rejects[0]["reason"]
    assert "1 rejected, see out.jsonl.rejects.jsonl" in one_line(score)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.999])
def test_a_truncated_parquet_does_not_stop_the_other_files(score: Any, share: float) -> None:
    whole = formats.parquet(formats.given(50))
    Path("a.parquet").write_bytes(whole[: int(len(whole) * share)])
    Path("b.jsonl").write_bytes(GOOD)
    assert score("a.parquet", "b.jsonl") == 1
    assert [row["id"] for row in score.output] == ["good"]
    assert score.rejects[0]["file"] == "a.parquet"
    assert UNREADABLE in score.rejects[0]["reason"]


def test_a_parquet_with_a_broken_page_is_told(score: Any) -> None:
    content = bytearray(formats.parquet(formats.given(400)))
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(200)
    Path("a.parquet").write_bytes(content)
    assert score("a.parquet") == 1
    ids = [row["id"] for row in score.output]
    assert ids == [f"a{i}" for i in range(len(ids))]
    assert reasons(score)[-1][0] == len(ids) + 1


def test_an_empty_file_has_no_rows(score: Any) -> None:
    for name in ("a.jsonl", "b.csv", "c.warc"):
        Path(name).write_bytes(b"")
    assert score("a.jsonl", "c.warc") == 0
    assert score.output == []
    assert score("a.jsonl", "b.csv") == 1
    assert "no column of text" in score.rejects[0]["reason"]


# -- WARC ------------------------------------------------------------------------------------------------


def records(*, packed: bool) -> list[bytes]:
    """Each with its request, its own member if it is packed."""
    rows = [dict(row, text=f"{row['text']} It was {i} times so.") for i, row in enumerate(formats.given(6))]
    return [
        formats.warc([(f"https://a.example/{i}", formats.response(row))], packed=packed)
        for i, row in enumerate(rows)
    ]


def urls(score: Any) -> list[int]:
    return [int(row["id"].rpartition("/")[2]) for row in score.output]


def spoil(record: bytes, how: str) -> bytes:
    length = (
        record.rindex(b"Content-Length: ", 0, record.index(b"HTTP/1.1 200")) + 16
        if b"HTTP/1.1 200" in record
        else 0
    )
    if how == "longer":
        return record[:length] + b"9" + record[length:]
    if how == "no_number":
        return record[:length] + b"x" + record[length:]
    if how == "no_version":
        head, _, tail = record.rpartition(b"WARC/1.")
        return head + b"WXRC/1." + tail
    if how == "noise":
        return b"\x00\xff no record at all\r\n\r\n"
    if how == "cut":
        return record[: len(record) * 2 // 3]
    at = len(record) * 3 // 4
    return record[:at] + bytes(byte ^ 0x5A for byte in record[at : at + 20]) + record[at + 20 :]


@pytest.mark.parametrize("how", ["longer", "no_number", "no_version", "noise", "cut"])
def test_a_broken_record_costs_itself_alone(score: Any, how: str) -> None:
    parts = records(packed=False)
    parts[2] = spoil(parts[2], how)
    Path("a.warc").write_bytes(b"".join(parts))
    assert score("a.warc", "--id-column", "url") == 1
    assert urls(score) == [0, 1, 3, 4, 5]
    assert [row for row, _ in reasons(score)] == [3]
    assert "the record cannot be read" in reasons(score)[0][1]


@pytest.mark.parametrize("how", ["cut", "flipped", "noise"])
def test_a_broken_member_costs_itself_alone(score: Any, how: str) -> None:
    parts = records(packed=True)
    parts[2] = spoil(parts[2], how)
    Path("a.warc.gz").write_bytes(b"".join(parts))
    assert score("a.warc.gz", "--id-column", "url") == 1
    assert urls(score) == [0, 1, 3, 4, 5]
    assert len(score.rejects) == 1


@pytest.mark.parametrize("packed", [True, False])
@pytest.mark.parametrize("off", [3, 60, 400])
def test_a_truncated_warc_is_told(score: Any, packed: bool, off: int) -> None:
    Path("a.warc").write_bytes(b"".join(records(packed=packed))[:-off])
    assert score("a.warc", "--id-column", "url") in (0, 1)
    found = urls(score)
    assert found == list(range(len(found)))
    if off == 3:  # of what separates records
        assert len(found) == 6
    else:
        assert len(score.rejects) == 1
        assert len(found) == 5


def test_a_file_that_is_no_warc_inside(score: Any) -> None:
    Path("a.warc.gz").write_bytes(gzip.compress(b"WARC/1.0 and then nothing of the kind"))
    assert score("a.warc.gz") == 1
    assert len(score.rejects) == 1


# -- lines -----------------------------------------------------------------------------------------------


def test_a_line_of_200_mb_is_passed_over_in_little_memory(score: Any) -> None:
    with Path("in.jsonl").open("wb") as file:
        file.write(GOOD + b'{"id": "long", "text": "')
        for _ in range(230):
            file.write(b"the two sides " * (1 << 16))
        file.write(b'"}\n' + GOOD)
    assert Path("in.jsonl").stat().st_size > 170 << 20
    # not ru_maxrss: what the process that started this one had is kept there across exec
    code = (
        "import re, sys; from framelens.cli import main; code = main()\n"
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]); sys.exit(code)"
    )
    command = ["score", "in.jsonl", "-o", "out.jsonl", "--model", str(score.model_path)]
    done = subprocess.run([sys.executable, "-c", code, *command], capture_output=True, check=False, text=True)
    assert done.returncode == 1, done.stderr
    assert int(done.stdout) < 600 << 10
    assert [row["id"] for row in score.output] == ["good", "good"]
    assert reasons(score) == [(2, "the line is longer than 64 MB")]


def test_a_record_of_many_mb_is_passed_over(score: Any) -> None:
    with Path("in.csv").open("wb") as file:
        file.write(b'id,text\n1,fine\n2,"')
        for _ in range(40):
            file.write(b'the ""two"" sides\n' * (1 << 15))
        file.write(b'"\n3,"fine, too"\n')
    assert score("in.csv") == 1
    assert [row["id"] for row in score.output] == ["1", "3"]
    assert reasons(score) == [(2, "the record is longer than 16 MB")]


def test_many_rejects_do_not_wait_in_memory(score: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "PART_REJECTS", 10)
    monkeypatch.setattr(limits, "BLOCK_BYTES", 50)
    Path("in.jsonl").write_bytes(GOOD + b"{\n" * 200)
    assert score("in.jsonl", "--max-rejects", "100") == 2
    assert "1 rows are kept" in score.err
    parts = list(Path("out.jsonl.partial").glob("*.rejects.jsonl"))
    assert len(parts) >= 3
    assert score("in.jsonl", "--resume") == 1
    assert [row for row, _ in reasons(score)] == list(range(2, 202))


def test_a_text_too_long_for_an_article_is_told(score: Any) -> None:
    long = json.dumps({"id": "long", "text": "the " * (limits.LONGEST_TEXT // 4 + 1)}).encode()
    Path("in.jsonl").write_bytes(GOOD + long + b"\n" + GOOD)
    pq.write_table(pa.table({"text": ["short", "x" * (limits.LONGEST_TEXT + 1)]}), "b.parquet")
    assert score("in.jsonl", "b.parquet") == 1
    assert [reason for _, reason in reasons(score)] == [
        "'text' has 2,097,156 bytes, more than an article's 2 MB",
        "'text' has 2,097,153 bytes, more than an article's 2 MB",
    ]
    assert len(score.output) == 3


BAD_LINES: dict[str, tuple[bytes, str]] = {
    "invalid_utf8": (b'{"text": "caf\xe9"}', "not valid UTF-8"),
    "lone_surrogate": (b'{"text": "\\ud800"}', "'text' is not valid UTF-8"),
    "surrogate_as_bytes": (b'{"text": "\xed\xa0\x80"}', "not valid UTF-8"),
    "nul_byte": (b'{"text": "a\x00b"}', "not JSON"),
    "null": (b'{"text": null}', "'text' is null, not text"),
    "number": (b'{"text": 3.5}', "'text' is float, not text"),
    "boolean": (b'{"text": true}', "'text' is bool, not text"),
    "list": (b'{"text": ["a"]}', "'text' is list, not text"),
    "missing": (b'{"id": "a"}', "it has no 'text'"),
    "cut": (b'{"text": "a', "not JSON"),
    "no_object": (b'["text"]', "not a JSON object but list"),
    "only_nul": (b"\x00\x00", "not JSON"),
    "deep": (b'{"a": ' + b"[" * 5000 + b"]" * 5000 + b', "text": 1}', "not JSON"),
}


@pytest.mark.parametrize("fault", BAD_LINES)
def test_a_bad_line_is_told_and_costs_no_other(score: Any, fault: str) -> None:
    line, reason = BAD_LINES[fault]
    Path("in.jsonl").write_bytes(GOOD + line + b"\n" + GOOD)
    assert score("in.jsonl") == 1
    assert [row["id"] for row in score.output] == ["good", "good"]
    assert [row for row, _ in reasons(score)] == [2]
    assert reason in reasons(score)[0][1]


@pytest.mark.parametrize(
    "line",
    [
        b'{"id": "good", "text": "a\\u0000b"}',
        b'{"id": "good", "other": "\\ud800", "text": "a"}',
        b'{"id": "good", "other": NaN, "text": "a"}',
        b'{"id": "good", "other": 123456789012345678901234567890, "text": "a"}',
    ],
)
def test_an_odd_line_is_scored(score: Any, line: bytes) -> None:
    Path("in.jsonl").write_bytes(GOOD + line + b"\n")
    assert score("in.jsonl") == 0
    assert [row["id"] for row in score.output] == ["good", "good"]


def test_duplicate_ids_are_passed_through(score: Any) -> None:
    Path("in.jsonl").write_bytes(GOOD * 3)
    assert score("in.jsonl") == 0
    assert [row["id"] for row in score.output] == ["good"] * 3


def test_columns_of_parquet_that_no_article_is_in(score: Any) -> None:
    pq.write_table(pa.table({"text": [1, 2]}), "in.parquet")
    assert score("in.parquet") == 2
    assert "'text' is int64, not text: name the right column with --text-column" in one_line(score)
    damaged = pa.Array.from_buffers(pa.string(), 2, pa.array([b"good", b"caf\xe9"]).buffers())
    pq.write_table(pa.table({"text": damaged, "id": pa.array([None, "b"])}), "in.parquet")
    assert score("in.parquet") == 1
    assert reasons(score) == [(2, "'text' is not valid UTF-8")]
    assert [row["id"] for row in score.output] == ["in.parquet:1"]


def test_a_table_with_bad_rows(score: Any) -> None:
    content = b'id,text\n1,fine\n2,a,b\n3,caf\xe9\n\n5,"two\nlines"\n6,nul\x00byte\n7\n8,"never closed\n9,x\n'
    Path("in.csv").write_bytes(content)
    assert score("in.csv") == 1
    assert [row["id"] for row in score.output] == ["1", "5", "6", "8"]
    assert reasons(score) == [
        (2, "3 fields where the header has 2"),
        (3, "'text' is not valid UTF-8"),
        (7, "1 fields where the header has 2"),
    ]


def test_a_later_file_without_text_is_one_reject(score: Any) -> None:
    Path("a.jsonl").write_bytes(GOOD)
    Path("b.jsonl").write_bytes(b'{"headline": "x"}\n')
    assert score("a.jsonl", "b.jsonl", "a.jsonl") == 1
    assert len(score.output) == 2
    assert score.rejects[0]["file"] == "b.jsonl"
    assert "no column of text; it has 'headline'" in score.rejects[0]["reason"]
    assert score("b.jsonl", "a.jsonl") == 2
    assert not list(Path().glob("*.partial"))


# -- places ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("out", ["out.parquet", "out.jsonl", "out.csv"])
def test_a_full_disk_is_one_line_and_leaves_nothing(score: Any, out: str) -> None:
    """No file may grow beyond 20 kB, in a process of its own: what a full disk does, for any user."""
    rows = [dict(row, id=os.urandom(40).hex()) for row in formats.given(600)]
    Path("in.jsonl").write_bytes(formats.lines(rows))
    assert score("in.jsonl", out="warm.jsonl") == 0  # the compiler's cache is written, and is not the test
    limit = (
        "import resource, sys; from framelens.cli import main; "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, -1)); sys.exit(main(sys.argv[1:]))"
    )
    command = [sys.executable, "-c", limit, "score", "in.jsonl", "-o", out, "--model", str(score.model_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    score.err = ended.stderr
    assert ended.returncode == 2, ended.stderr
    assert f"cannot write {out}: File too large" in one_line(score)
    assert not list(Path().glob("out*"))


def test_a_disk_that_fills_up_keeps_what_was_scored(score: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in.jsonl").write_bytes(formats.lines(formats.given(60)))
    monkeypatch.setattr(limits, "BLOCK_BYTES", 3_000)
    monkeypatch.setattr(run, "PART_BYTES", 8_000)
    replace, left = checkpoint._replace, 3

    def full(path: Path, content: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        replace(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "_replace", full)
        assert score("in.jsonl") == 2
    assert "cannot write out.jsonl: No space left on device" in one_line(score)
    assert "rows are kept: run it again with --resume" in score.err
    assert score("in.jsonl", "--resume") == 0
    assert [row["id"] for row in score.output] == [f"a{i}" for i in range(60)]


def test_a_read_only_folder_is_one_line(score: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("in.jsonl").write_bytes(GOOD)
    make = os.mkdir

    def refused(path: Any, *rest: Any, **more: Any) -> None:
        if str(path).endswith(".partial"):  # root may write anywhere
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        make(path, *rest, **more)

    monkeypatch.setattr(os, "mkdir", refused)
    assert score("in.jsonl") == 2
    assert "cannot write out.jsonl: Read-only file system" in one_line(score)


def test_two_runs_on_one_output(score: Any) -> None:
    Path("in.jsonl").write_bytes(GOOD)
    with checkpoint.locked(checkpoint.Checkpoint(Path("out.jsonl"))):
        for options in ([], ["--resume"]):
            assert score("in.jsonl", *options) == 2
            assert "another run is writing out.jsonl; wait for it" in one_line(score)
    assert score("in.jsonl") == 0


def test_an_output_that_is_an_input_is_refused(score: Any) -> None:
    Path("out.jsonl").write_bytes(GOOD)
    assert score("out.jsonl") == 2
    assert "out.jsonl is an input, too" in one_line(score)
    assert Path("out.jsonl").read_bytes() == GOOD


def test_a_file_where_the_folder_of_the_run_should_be(score: Any) -> None:
    Path("in.jsonl").write_bytes(GOOD)
    Path("out.jsonl.partial").write_bytes(b"")
    assert score("in.jsonl") == 2
    assert "cannot write out.jsonl" in one_line(score)
    assert Path("out.jsonl.partial").read_bytes() == b""
