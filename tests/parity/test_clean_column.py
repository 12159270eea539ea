"""Cleaning of a column: the compiled search for literals and the readable one lead to the same texts."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from framelens.clean import clean, column, kernel, load_rules
from framelens.clean.column import clean_column
from framelens.clean.kernel.characters import space_width
from framelens.features import arrow

# The rules' invented examples, and what stands around literals.
PIECES = st.sampled_from(
    [*(rule.example for rule in load_rules().all), "\n", " ", "\u2003", "“", "(", "@", "—", "é", "\U0001f600"]
)
TEXTS = st.one_of(
    st.text(max_size=60),
    st.lists(PIECES, max_size=6).map("".join),
    st.lists(PIECES, max_size=6).map("\n".join),
)


@settings(deadline=None)  # the first call compiles
@example(["(", None, "Reporting by"], False, 0)
@given(st.lists(st.one_of(st.none(), TEXTS), max_size=6), st.booleans(), st.integers(0, 2))
def test_a_column_is_cleaned_like_its_texts(texts: list[str | None], large: bool, skip: int) -> None:
    column = pa.array(texts, type=pa.large_string() if large else pa.string())[skip:]
    cleaned = clean_column(column)
    assert cleaned.type == pa.large_string()
    assert [text.strip() for text in cleaned.to_pylist()] == [clean(text or "") for text in texts[skip:]]


def test_tasks_of_threads_come_back_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "BYTES_PER_TASK", 64)
    texts = [f"HARARE, May {day} (Agency) -- The dam is full on day {day}." for day in range(1, 29)]
    assert clean_column(pa.array(texts)).to_pylist() == [f"The dam is full on day {n}." for n in range(1, 29)]
    assert clean_column(pa.array([], pa.string())).to_pylist() == []


def test_an_article_with_more_to_cut_than_there_is_room_for_is_cleaned_with_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def make_scratch(longest: int, rules: kernel.Rules, more: int) -> kernel.Scratch:
        asked.append(more)
        return real(longest, rules, more)

    asked: list[int] = []
    real = column._make_scratch
    monkeypatch.setattr(column, "_make_scratch", make_scratch)
    everywhere = [rule.example for rule in load_rules().all if rule.where not in ("head", "tail")]
    texts = ["\n".join(everywhere * 8), everywhere[0]]
    assert [text.strip() for text in clean_column(pa.array(texts)).to_pylist()] == [clean(t) for t in texts]
    assert asked == [1, 8]


def test_white_space_is_what_python_takes_for_it() -> None:
    for code in range(0x11000):
        if not 0xD800 <= code < 0xE000:
            encoded = np.frombuffer(chr(code).encode(), dtype=np.uint8)
            assert space_width(encoded, 0, len(encoded)) == len(encoded) * chr(code).isspace(), hex(code)


def test_a_column_of_broken_utf8_is_cleaned_around_the_breaks() -> None:
    texts = [b"HARARE, May 2 (Agency) -- The dam \xff is full.", b"The dam \xe2\x80 is full.", b"\xff"]
    offsets = np.cumsum([0, *map(len, texts)]).astype(np.int32)
    column = pa.StringArray.from_buffers(3, pa.py_buffer(offsets), pa.py_buffer(b"".join(texts)))
    assert clean_column(column)[0].as_py() == "The dam \ufffd is full."
