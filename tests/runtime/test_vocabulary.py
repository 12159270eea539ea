"""A vocabulary is a set of distinct terms, found again by their documented hashes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framelens.features import vocabulary as vocabulary_module
from framelens.features.vocabulary import Vocabulary, term_hash, token_hash

TERMS = st.lists(
    st.lists(
        st.text("abcz", min_size=1, max_size=4) | st.text("az", min_size=7, max_size=17),
        min_size=1,
        max_size=3,
    ).map(" ".join),
    unique=True,
    max_size=60,
)


def find(vocabulary: Vocabulary, h: int) -> int:
    """The documented probe sequence, in Python integers."""
    keys, columns = vocabulary.table
    slot = h & (len(keys) - 1)
    while columns[slot] >= 0 and int(keys[slot]) != h:
        slot = (slot + 1) & (len(keys) - 1)
    return int(columns[slot])


def test_token_hash_takes_eight_letters_at_a_time() -> None:
    def mix(h: int, chunk: int) -> int:
        x = (h ^ chunk) * 0x9E3779B97F4A7C15 % 2**64
        return x ^ (x >> 32)

    assert token_hash("") == 0xCBF29CE484222325
    assert token_hash("ba") == mix(token_hash(""), ord("b") + 256 * ord("a"))
    assert token_hash("ministers") == mix(token_hash("minister"), ord("s"))
    assert len({token_hash(t) for t in ("a", "aa", "ab", "ba", "aaaaaaaa", "aaaaaaaaa", "<num>")}) == 7


def test_ngram_hash_depends_on_the_order_of_tokens() -> None:
    assert len({term_hash(t) for t in ("a b c", "a c b", "b a c", "a b", "b a", "ab c", "a bc", "abc")}) == 8


@given(TERMS)
def test_every_term_is_found_at_its_column_and_no_other(terms: list[str]) -> None:
    vocabulary = Vocabulary(terms)
    assert [find(vocabulary, term_hash(t)) for t in terms] == list(range(len(terms)))
    assert find(vocabulary, term_hash("not <name> here")) == -1


@given(TERMS)
def test_terms_are_hashed_together_as_each_by_itself(terms: list[str]) -> None:
    assert [int(h) for h in Vocabulary(terms).hashes] == [term_hash(t) for t in terms]


def test_a_repeated_term_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="'said'"):
        Vocabulary(["said", "had", "said"])


def test_colliding_terms_are_refused_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = lambda terms: np.array([len(term) for term in terms], dtype=np.uint64)  # noqa: E731
    monkeypatch.setattr(vocabulary_module, "_term_hashes", lengths)
    with pytest.raises(ValueError, match=r"'said' and 'were'"):
        _ = Vocabulary(["said", "the", "were"]).hashes


def test_hashes_are_read_only() -> None:
    vocabulary = Vocabulary(["said"])
    with pytest.raises(ValueError, match="read-only"):
        vocabulary.hashes[0] = np.uint64(1)
