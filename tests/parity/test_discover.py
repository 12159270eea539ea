"""Terms are found by hash in the kernel; counting strings with the reference finds the same ones."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framelens.features import arrow, discover
from framelens.features.discover import discover_terms
from framelens.features.reference import count

WORDS = [
    "the",
    "minister's",
    "“we",
    "will”",
    "Brondal",
    "12",
    ".",
    "-",
    "\n",
    "said",
    "Don't",
    "café",
    "й",
    "\u00ad",
]
ARTICLES = st.lists(
    st.tuples(st.lists(st.sampled_from(WORDS), max_size=15).map(" ".join), st.integers(-1, 3)), max_size=10
)


def by_strings(texts: list[str], groups: list[int], documents: int, spread: int, limit: int) -> list[str]:
    seen: dict[str, list[int]] = defaultdict(list)
    for text, group in zip(texts, groups, strict=True):
        for term in count(text).terms:
            seen[term].append(group)
    passed = [t for t, g in seen.items() if len(g) >= documents and len(set(g)) >= spread]
    passed.sort(key=lambda t: (-len(set(seen[t])), -len(seen[t]), t))
    return sorted(passed[:limit])


@settings(max_examples=150, deadline=None)
@given(ARTICLES, st.integers(1, 4), st.integers(1, 3), st.integers(1, 30))
def test_terms_are_those_that_counting_strings_finds(
    articles: list[tuple[str, int]], documents: int, spread: int, limit: int
) -> None:
    texts, groups = [text for text, _ in articles], [group for _, group in articles]
    found = discover_terms(
        texts, np.array(groups, dtype=np.int64), min_documents=documents, min_groups=spread, max_terms=limit
    )
    assert list(found.terms) == by_strings(texts, groups, documents, spread, limit)


def test_parts_tasks_and_growing_tables_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(3)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    words = ["".join(rng.choice(letters, 6)) for _ in range(30_000)]
    texts = [" ".join(rng.choice(words, 300)) + " the minister said." for _ in range(300)]
    groups = rng.integers(0, 5, len(texts))
    monkeypatch.setattr(discover, "BYTES_PER_PART", 100_000)
    monkeypatch.setattr(arrow, "BYTES_PER_TASK", 50_000)
    found = discover_terms(pa.array(texts), groups, min_documents=2, min_groups=2, max_terms=10**6)
    assert list(found.terms) == by_strings(texts, groups.tolist(), 2, 2, 10**6)


def test_nulls_and_an_empty_corpus_have_no_terms() -> None:
    assert len(discover_terms([], [], min_documents=1, min_groups=1, max_terms=9)) == 0
    assert len(discover_terms([None, ""], [0, 1], min_documents=1, min_groups=1, max_terms=9)) == 0


def test_wrong_bounds_and_groups_are_named() -> None:
    with pytest.raises(ValueError, match="min_documents 0"):
        discover_terms(["the"], [0], min_documents=0, min_groups=1, max_terms=9)
    with pytest.raises(ValueError, match=r"shape \(2,\); expected one an article, \(1,\)"):
        discover_terms(["the"], [0, 1], min_documents=1, min_groups=1, max_terms=9)
