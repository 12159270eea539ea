"""Arrow's parser reads a table as Python's `csv` does, or leaves it to that, wherever blocks end."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framelens.scoring import rows as limits
from framelens.scoring.readers import read_blocks, table
from framelens.scoring.rows import Columns, Position
from framelens.scoring.sources import Kind, Source

HEADER = b"id,text,other\n"
FIELDS = st.text(st.sampled_from('a,"\n\r\t é\0;'), max_size=5)
ROWS = st.lists(st.lists(FIELDS, min_size=3, max_size=3), max_size=8)
RAW = st.lists(
    st.sampled_from(
        [b"a", b"b,", b",", b'"', b'""', b"\n", b"\r\n", b"\r", b"\xe9", b"\xc3\xa9", b" ", b"1,2,3\n"]
    ),
    max_size=20,
).map(b"".join)


def written(rows: list[list[str]], quoting: int = csv.QUOTE_MINIMAL, end: str = "\n") -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=end, quoting=quoting).writerows(rows)
    return text.getvalue().encode()


def read(path: Path, start: Position = Position()) -> tuple[list[Any], list[Any]]:  # noqa: B008 -- a tuple
    good: list[Any] = []
    bad: list[Any] = []
    for block in read_blocks(Source(str(path), Kind.CSV, None, 0), Columns(keep=("other",)), start):
        if block.rows is not None:
            good += zip(block.rows.numbers.tolist(), *block.rows.table.to_pydict().values(), strict=True)
        bad += [(reject.row, reject.reason) for reject in block.rejects]
    return good, bad


@settings(max_examples=300, deadline=None)
@given(
    content=st.one_of(
        st.builds(written, ROWS, st.sampled_from([0, 1]), st.sampled_from(["\n", "\r\n"])), RAW
    ),
    size=st.integers(1, 40),
)
@example(content=b'1,"a\n2,b,c\n', size=3)
@example(content=b'1,a"b,c\n2,"x\ny",z\n', size=9)
@example(content=b"1,a,b,c\n2,a,b,c\n", size=100)
@example(content=b"\n1,a,b\n\n", size=100)
def test_both_ways_read_the_same(content: bytes, size: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("table") / "f.csv"
    path.write_bytes(HEADER + content)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "_read_fast", lambda *_: None)
        patch.setattr(table, "_whole_records", lambda content, _, final: (0, -1 if final else 0))
        slow = read(path)
    assert read(path) == slow
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "BLOCK_BYTES", size)
        assert read(path) == slow
        blocks = list(read_blocks(Source(str(path), Kind.CSV, None, 0), Columns(keep=("other",))))
        for block in blocks[:3]:
            good, bad = read(path, block.end)
            assert good == [row for row in slow[0] if row[0] > block.end.row]
            assert bad == [row for row in slow[1] if row[0] > block.end.row]


@settings(max_examples=200, deadline=None)
@given(rows=ROWS, quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
def test_what_a_writer_wrote_goes_the_fast_way(
    rows: list[list[str]], quoting: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    rows = [[field.replace("\r", "") for field in row] for row in rows]
    path = tmp_path_factory.mktemp("table") / "f.csv"
    path.write_bytes(HEADER + written(rows, quoting))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(table, "_read_slowly", lambda *_: pytest.fail("it went the slow way"))
        good, bad = read(path)
    assert [list(row[1:]) for row in good] == rows
    assert bad == []
