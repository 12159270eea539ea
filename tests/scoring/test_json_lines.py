"""The compiled scanner reads a block of lines as they are read one by one, or leaves it to that."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framelens.scoring import rows as limits
from framelens.scoring.readers import jsonl, read_blocks
from framelens.scoring.rows import Columns, Names, Position
from framelens.scoring.sources import sniff

NAMES = Names("text", "id", ("kept",))

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
VALUES = st.one_of(
    TEXTS,
    st.integers(-(2**70), 2**70),
    st.booleans(),
    st.none(),
    st.floats(),
    st.lists(st.integers(), max_size=2),
    st.dictionaries(st.sampled_from(["text", "a"]), st.none(), max_size=2),
)
WRITTEN = st.builds(
    lambda row, ascii_only: json.dumps(row, ensure_ascii=ascii_only).encode(),
    st.fixed_dictionaries(
        {"text": TEXTS}, optional={"id": st.one_of(TEXTS, st.integers()), "kept": VALUES, "other": VALUES}
    ),
    st.booleans(),
)
ODD = st.sampled_from(
    [
        b"",
        b" ",
        b"{}",
        b"[1]",
        b"3",
        b'"text"',
        b"null",
        b"{'text': 'a'}",
        b'{"text": "a"}{"text": "b"}',
        b'{"text": "a"} {"text": "b"}',
        b'{"text": "a",}',
        b'{"text": "a", "text": "b"}',
        b'{"other": 1, "other": 2, "text": "b"}',
        b'{"te\\u0078t": "a"}',
        b'{"text": "a\\u0000b"}',
        b'{"text": "a\x00b"}',
        b'{"text": "a"}\x00',
        b"\x00",
        b'{"text": "\\ud800"}',
        b'{"text": "\\udc00"}',
        b'{"text": "\\ud83d\\ude00"}',
        b'{"other": "\\ud800", "text": "a"}',
        b'{"text": "caf\xe9"}',
        b'{"text": "\xed\xa0\x80"}',
        b'{"other": "caf\xe9", "text": "a"}',
        b'{"oth\xe9r": 1, "text": "a"}',
        b'{"text": null}',
        b'{"text": 3}',
        b'{"text": {"text": "a"}}',
        b'{"id": "a"}',
        b'{"id": 1.0, "text": "a"}',
        b'{"id": -0, "text": "a"}',
        b'{"id": 1e3, "text": "a"}',
        b'{"id": 123456789012345678901234, "text": "a"}',
        b'{"id": "2024-01-01T00:00:00", "text": "2024-01-01", "kept": "12:00"}',
        b'{"other": NaN, "text": "a"}',
        b'{"kept": NaN, "text": "a"}',
        b'{"other": -NaN, "text": "a"}',
        b'{"other": Infinity, "text": "a"}',
        b'{"other": Inf, "text": "a"}',
        b'{"other": [Inf], "text": "a"}',
        b'{"other": -Inf, "text": "a -Inf, \\" -NaN"}',
        b'{"other": Infinit, "text": "a"}',
        b'{"other": Inf1, "text": "a"}',
        b'{"other": "Inf", "kept": -Infinity, "text": "a"}',
        b'{"other": 1e999, "text": "a"}',
        b'{"other": 01, "text": "a"}',
        b'{"other": "\t", "text": "a"}',
        b'{"other": {"text": 3}, "text": "a"}',
        b'  {"text": "a"}  ',
        b'{"text": "a"}\r',
        b'{"text": "a"}\r\r',
        b'\xef\xbb\xbf{"text": "a"}',
        b'{"text": "a", "": 1}',
        b'{"text": "a\\x"}',
        b'{"text": "a", "kept": tru}',
        b'{"a": {"text": "b"}, "text": "c"}',
        b'{"text": "\\ud83d\\u0041"}',
        b'{"text": "\\ud83d"}',
        b'{"text": "\\ud83d\\ud83d"}',
        b'{"text": "\\u00E9\\/\\b\\f\\n\\r\\t\\"\\\\"}',
        b'{"text": "\\u12g4"}',
        b'{"text": "\\u12',
        b'{"text": "a", "kept": -0, "id": 0}',
        b'{"text": "a", "kept": 1234567890123456789}',
        b'{"text": "a", "other": -}',
        b'{"text": "a", "other": 1.}',
        b'{"text": "a", "other": 1e+}',
        b'{"text": "a", "other": 1.5E-3}',
        b'{"text": "a", "other": ' + b"9" * 5000 + b"}",
        b'{"text": "a", "other": ' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"text": "a", "other": ' + b"[" * 60 + b"]" * 60 + b"}",
        b'{"text": "a", "other": [{}, [], {"b": [1, {"c": null}]}, "]"]}',
        b'{"text": "a", "other": [1,]}',
        b'{"text": "a", "other": {"b": 1,}}',
        b'{"text": "a", "other": {"b" 1}}',
        b'{"text": "a", "other": [1 2]}',
        b'{"text": "a", "other": [1}}',
        b'{"text": "a", "other": {1: 2}}',
        b'{"text": "a" "kept": 1}',
        b'{"text": "a", "id": null, "kept": false}',
        b'{"text": "a", "id": null, "id": "b"}',
        b'{"text": "a", "k\\u0065pt": true, "\\u00e9": 1}',
        b'{"text": "a", "kept": "\\u00e9\\u4e2d\\ud83d\\ude00 and more of it", "id": "\\\\"}',
        b'{"text": "a"}\x0b',
        b"\t\r ",
        b"{",
        b"}",
        b'{"text": "a',
        b'b"}',
    ]
)


@st.composite
def broken(draw: st.DrawFn) -> bytes:
    """A line in which some bytes are others, of those that JSON is made of."""
    line = bytearray(draw(WRITTEN))
    for _ in range(draw(st.integers(1, 3))):
        line[draw(st.integers(0, len(line) - 1))] = draw(
            st.sampled_from(b'{}[]",:\\u0019dDeE+-.tfna \t\r\x00\xe9')
        )
    return bytes(line)


LINES = st.lists(st.one_of(WRITTEN, WRITTEN, broken(), ODD), min_size=1, max_size=6)


def plain(rows: Any) -> Any:
    return rows and (rows.numbers.tolist(), rows.table.schema, rows.table.to_pydict())


@settings(max_examples=400, deadline=None)
@given(LINES, st.booleans())
@example([b'{"text": "a"}{"text": "b"}', b""], True)
@example([b'{"text": "a"} {"text": "b"}', b'{"text":'], True)
def test_the_fast_way_reads_what_the_slow_way_reads(lines: list[bytes], ended: bool) -> None:
    content = b"\n".join(lines) + (b"\n" if ended else b"")
    if not content:
        return
    fast = jsonl._parse_fast("f", 10, memoryview(content), NAMES)
    slow, rejects, count = jsonl._parse_slowly("f", 10, content, NAMES)
    assert count == len(content.removesuffix(b"\n").split(b"\n"))
    if fast is not None:
        assert rejects == []
        assert plain(fast[0]) == plain(slow)
        assert fast[1] == count
    numbers = [*(slow.numbers.tolist() if slow else []), *(reject.row for reject in rejects)]
    stripped = [i for i, line in enumerate(lines, start=11) if line.strip()]
    assert sorted(numbers) == stripped  # no line is lost


@settings(max_examples=300, deadline=None)
@given(st.lists(WRITTEN.filter(lambda line: b"kept" not in line), min_size=1, max_size=4))
def test_ordinary_lines_go_the_fast_way(lines: list[bytes]) -> None:
    ids = [json.loads(line).get("id") for line in lines]
    if all(abs(i) < 10**18 for i in ids if isinstance(i, int)):
        assert jsonl._parse_fast("f", 0, memoryview(b"\n".join(lines)), NAMES) is not None


def whole(path: Path, start: Position = Position()) -> list[Any]:  # noqa: B008 -- a tuple
    """Rows and rejects, each by its number."""
    found: list[Any] = []
    for block in read_blocks(sniff(str(path)), Columns(), start):
        if block.rows is not None:
            found += zip(block.rows.numbers.tolist(), *block.rows.table.to_pydict().values(), strict=True)
        found += [(reject.row, reject.reason) for reject in block.rejects]
    return sorted(found, key=lambda item: item[0])


@settings(max_examples=200, deadline=None)
@given(lines=st.lists(st.one_of(WRITTEN, ODD), min_size=1, max_size=12), size=st.integers(1, 200))
def test_where_blocks_end_makes_no_difference(
    lines: list[bytes], size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("lines") / "f.jsonl"
    path.write_bytes(b'{"text": "first", "id": "0"}\n' + b"\n".join(lines))
    expected = whole(path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(limits, "BLOCK_BYTES", size)
        assert whole(path) == expected
        for block in list(read_blocks(sniff(str(path)), Columns())):
            assert whole(path, block.end) == [item for item in expected if item[0] > block.end.row]
