"""What only the quick counter does: it remembers, within bounds, and counts long texts in blocks."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from string import ascii_lowercase

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framelens.features import quick
from framelens.features.batch import featurize
from framelens.features.vocabulary import Vocabulary

TERMS = ("the", "minister", "the minister", "so the minister", "said", "and <name>", "word", "so . the")
LINES = [
    'The minister said "so',
    "and the Minister's",
    "",
    "“the” BRONDAL Vesk and ADA",
    "ADA said so. The minister",
    "\u00ad",
    "Мир",
    "a word",
    "another word’s",
]


def row(counted: quick.Row) -> list[list[int]]:
    return [column.tolist() for column in counted]


def reference_row(text: str) -> list[list[int]]:
    batch = featurize([text], Vocabulary(TERMS), engine="reference")
    columns = (batch.term, batch.reporter, batch.quoted, batch.measures[0])
    return [column.tolist() for column in columns]


@settings(deadline=None)
@given(
    st.lists(st.sampled_from(LINES), max_size=12), st.sampled_from(["\n", "\r\n", "\r"]), st.integers(1, 90)
)
def test_a_text_in_blocks_counts_as_in_one_piece(lines: list[str], end: str, block: int) -> None:
    text = end.join(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quick, "BLOCK", block)
        assert row(quick.QuickCounter(TERMS).count(text)) == reference_row(text)


def test_an_ordinary_text_is_scanned_in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[int] = []
    block = quick.QuickCounter._block
    monkeypatch.setattr(
        quick.QuickCounter, "_block", lambda self, text: scanned.append(len(text)) or block(self, text)
    )
    text = "The minister said so.\n" * (3 * quick.BLOCK // 20)
    counted = quick.QuickCounter(TERMS).count(text)
    assert max(scanned) < quick.BLOCK + 50
    assert counted.reporter.tolist()[:3] == [text.count("\n")] * 3


def test_what_is_remembered_is_bounded_and_forgetting_changes_nothing() -> None:
    counter = quick.QuickCounter(TERMS)
    words = ["q" + "".join(letters) for letters in product(ascii_lowercase, repeat=4)][: 2 * quick.REMEMBERED]
    before = row(counter.count("The minister said so."))
    distinct = counter.count(" ".join(words)).measures[2]
    assert distinct == len(words)
    assert len(counter.codes) <= quick.REMEMBERED
    counter.count("x" * 100_000 + " 1" + "2" * 100_000)
    assert max(map(len, counter.codes)) <= 32
    assert row(counter.count("The minister said so.")) == before


def test_threads_may_share_a_counter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also while it forgets what it remembered."""
    monkeypatch.setattr(quick, "REMEMBERED", 8)
    texts = ["\n".join(LINES[i % 9 :] + LINES[: i % 5]) for i in range(60)]
    counter, interval = quick.QuickCounter(TERMS), sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(16) as pool:
            found = [row(counted) for counted in pool.map(counter.count, texts * 10)]
    finally:
        sys.setswitchinterval(interval)
    assert found == [reference_row(text) for text in texts] * 10


@pytest.mark.parametrize("terms", [(), ("",), ("the",), ("so the minister",), ("Foo", "the  minister")])
def test_any_vocabulary_will_do(terms: tuple[str, ...]) -> None:
    text = "So the minister said the Foo. So the minister"
    expected = featurize([text], Vocabulary(terms), engine="reference")
    batch = featurize([text], Vocabulary(terms), engine="quick")
    for name in ("indptr", "term", "reporter", "quoted", "measures"):
        np.testing.assert_array_equal(getattr(batch, name), getattr(expected, name))
