"""The compiled kernel and the quick counter count exactly what the readable reference counts."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framelens.features.alphabet import CharClass
from framelens.features.batch import Engine, FeatureBatch, featurize
from framelens.features.kernel import layout
from framelens.features.lexicon import word_masks
from framelens.features.reference import MEASURES, count
from framelens.features.tokens import ngrams, tokenize
from framelens.features.vocabulary import Vocabulary

# Everything the tokeniser treats specially, and ordinary words between; all invented.
PIECES = [
    "the", "The", "minister", "Minister's", "don't", "DON’T", "president", "Brondal", "BRONDAL",
    "Brondal-Vesk", "we'll", "s", "ll", "a", "I", "re", "straße", "É", "naïve", "œuvre", "ŁÓDŹ",
    "well-known", "3,400.5", "12:30", "1/2", "7th", " ", " ", " ", " ", "\n", "\r\n", "\n\n", "\u2028",
    "\t", "\u00a0", "\u00ad", "\u200b", "\u0301", "\ufeff", "\u2060", '"', '"', "“", "”", "„", "«", "»",
    "‘", "’", "'", "`", "‚", ".", ".", "…", ",", ";", ":", "?", "!", "¿", "(", "]", "-", "--", "–", "—",
    "‑", "−", "$", "€", "₽", "%", "‰", "@", "#", "/", "&", "й", "да", "中", "文", "한", "𝒳", "😀", "\ue000",
    "\ufffd", "ﬁ", "\u0345", "ſ", "ǆ", "ŉ", "\U000e0041", "\x00", "said", "stressed that",
    "according to", "Kenya", "Kenya", "KENYA’s", "kenya", "Turkey", "turkey", "Türkiye", "Sri Lanka", "poles",
    "US", "us",
]  # fmt: skip
TEXTS = st.one_of(
    st.lists(st.sampled_from(PIECES), max_size=40).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=40).map(" ".join),
    st.text(max_size=60),
)


ENGINES: tuple[Engine, ...] = ("kernel", "quick")
NEVER_COUNTED = {"zz zz", ". <name>", "<num>", "the the the the"}


def vocabulary_of(texts: list[str | None], every: int = 1) -> Vocabulary:
    """Every n-gram of the texts, so that no difference can hide, or every so many-th; and some that are
    never counted.
    """
    terms = sorted({term for text in texts for term in count(text or "").terms})
    return Vocabulary(sorted({*terms[::every], *NEVER_COUNTED}))


def assert_equal(actual: FeatureBatch, expected: FeatureBatch) -> None:
    for name in ("indptr", "term", "reporter", "quoted"):
        left, right = getattr(actual, name), getattr(expected, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right, err_msg=name)
    for column, name in enumerate(MEASURES):
        assert actual.measures[:, column].tolist() == expected.measures[:, column].tolist(), name


def assert_parity(engine: Engine, texts: list[str | None]) -> None:
    for every in (1, 3):  # with words that the vocabulary knows, and with words that it does not
        vocabulary = vocabulary_of(texts, every)
        expected = featurize(texts, vocabulary, engine="reference")
        assert_equal(featurize(texts, vocabulary, engine=engine), expected)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=300, deadline=None)
@given(texts=st.lists(TEXTS, max_size=4))
def test_any_text_counts_the_same(engine: Engine, texts: list[str]) -> None:
    assert_parity(engine, list(texts))


@given(TEXTS)
def test_counted_terms_are_the_ngrams_of_the_tokens(text: str) -> None:
    listed: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for term, field, _, _ in ngrams(tokenize(text, word_masks()).tokens):
        listed[term][field] += 1
    assert count(text).terms == {term: tuple(fields) for term, fields in listed.items()}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "text",
    [
        "",
        '"' + "we will win and " * 80 + '" he said. "Then we go."',
        '"' + "we will s s s win " * 60 + '“so” he said. "Then we go."',
        *('"' + "so " * n + '" said "the" minister' for n in (148, 149, 150, 151, 152)),
        "“the “inner” quotation ‘of another’ style” ends. ‘Single don’t end’ here’s the rest",
        "«Bonjour» he said „low“ and ”stray",
        "\"The first paragraph is not closed\nthe second is the reporter's own",
        "Brondal Vesk-Olum “Brondal Vesk” BRONDAL brondal's",
        "Kenya Uganda Brondal Kenya “Kenya’s Uganda” kenya Türkiye and the turkey of US us Poles poles",
        "a" * 5000 + " the " + "É" * 3000,
        "state-\u00adrun half\u00ad\u200bway e\u0301t\u0301e\u0301 don\u2019\u200bt \u200bA",
        "so the minister\nso the\nminister\nso\nthe minister said so the minister",
        "- - -- the – — - x-y 3-4 -5 a- -b \u00ad-\u00ad the\u200b-\u200bend",
        "Мир the мир. The!й The!\u200bthe. the.5 the.”",
        "ll re ve s LL Re 'tis rock'n'roll o'clock we're we'RE they'd'v",
        "\ud800 the \udfff lone surrogates",
        "1.2.3 1,,2 1. 2 1\u00ad2 1.\u00ad2 5% $3 £4",
        "\ufb01 \uff21 \u1e9e \u0130 \u01c5 ẞTRASSE",
    ],
)
def test_corners_count_the_same(text: str, engine: Engine) -> None:
    assert_parity(engine, [text, "the minister said", text])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.none() | TEXTS, max_size=12), st.data())
def test_any_arrow_layout_counts_the_same(texts: list[str | None], data: st.DataObject) -> None:
    usable = [t if t is None else t.encode("utf-8", "replace").decode() for t in texts]
    start = data.draw(st.integers(0, len(usable)))
    stop = data.draw(st.integers(start, len(usable)))
    kind = data.draw(st.sampled_from([pa.string(), pa.large_string(), pa.string_view()]))
    whole = pa.array(usable, type=kind)
    vocabulary = vocabulary_of(usable)
    expected = featurize(usable[start:stop], vocabulary, engine="reference")
    assert_equal(featurize(whole.slice(start, stop - start), vocabulary), expected)
    middle = (start + stop) // 2
    chunked = pa.chunked_array([whole[start:middle], whole[middle:stop]], type=kind)
    assert_equal(featurize(chunked, vocabulary), expected)


def test_bytes_under_a_null_are_not_read() -> None:
    offsets, data = np.array([0, 3, 6], dtype=np.int32), b"thethe"
    buffers = [pa.py_buffer(b"\x02"), pa.py_buffer(offsets), pa.py_buffer(data)]
    array = pa.Array.from_buffers(pa.string(), 2, buffers)
    assert featurize(array, Vocabulary(["the"])).indptr.tolist() == [0, 0, 1]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from([b"the ", b"\xc3", b"\xe2\x80", b"\x80", b"\xf0\x9f", b"\xed\xa0\x80",
b"\xff",
                                 b"\xc0\xaf", b"\xe0\x80\x80", b"\xf4\x90\x80\x80", b"\xe2(\xa1", b"A", b'"',
                                 b"."])))  # fmt: skip
def test_bytes_that_are_not_utf8_only_separate(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    offsets = np.array([0, len(data)], dtype=np.int32)
    array = pa.Array.from_buffers(pa.string(), 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)])
    text = data.decode("utf-8", "replace")
    vocabulary = vocabulary_of([text])
    assert_equal(featurize(array, vocabulary), featurize([text], vocabulary, engine="reference"))


def test_many_tasks_keep_their_order() -> None:
    texts = [f"the minister said {'so ' * (i % 50)}." for i in range(40_000)]
    vocabulary = Vocabulary(["so", "so so", "the minister"])
    batch = featurize(texts, vocabulary)
    so = batch.reporter[batch.term == 0]
    assert so.tolist() == [i % 50 for i in range(40_000) if i % 50]
    assert batch.rows == 40_000


@pytest.mark.parametrize("rows", [1, 3])
def test_more_terms_than_there_is_room_for_are_counted_with_more(rows: int) -> None:
    text = " ".join(f"{a}{b}{c}" for a in "bcdfgh" for b in "klmnpqrstvwx" for c in "defghijklmnopqrstuvwxyz")
    texts: list[str | None] = [text] * rows
    vocabulary = vocabulary_of(texts)
    found = featurize(texts, vocabulary, engine="kernel")
    assert len(found.term) > 1024 + rows * len(text) // 4
    assert_equal(found, featurize(texts, vocabulary, engine="reference"))


def test_the_kernel_knows_the_character_classes_by_their_values() -> None:
    assert {kind.name: getattr(layout, kind.name) for kind in CharClass} == {
        k.name: int(k) for k in CharClass
    }


def test_an_array_of_something_else_is_refused() -> None:
    with pytest.raises(TypeError, match="strings, not of int64"):
        featurize(pa.array([1, 2]), Vocabulary(["the"]))
    with pytest.raises(TypeError, match="must be a string, not int"):
        featurize(["the", 3], Vocabulary(["the"]))  # type: ignore[list-item]


@pytest.mark.parametrize(
    "behind", ["", " ", ".", "'", "'s", "'t", "’s", "é", "3", "\u200b", "\u0301x", "A", "@"]
)
def test_words_of_every_length_count_the_same_to_the_last_byte_of_the_buffer(behind: str) -> None:
    """Eight letters are read in one step, but never behind the text or the buffer."""
    letters = "consequentialismus"
    words = [letters[:n] + behind for n in range(1, len(letters) + 1)]
    words += [word.capitalize() for word in words] + [word.upper() for word in words]
    vocabulary = vocabulary_of(list(words))
    expected = featurize(words, vocabulary, engine="reference")
    encoded = [word.encode() for word in words]
    offsets = pa.py_buffer(np.cumsum([0, *map(len, encoded)]).astype(np.int32))
    glued = pa.StringArray.from_buffers(len(words), offsets, pa.py_buffer(b"".join(encoded)))
    assert_equal(featurize(glued, vocabulary), expected)  # the next word stands right behind
    for row, word in enumerate(encoded):
        ends = pa.py_buffer(np.array([0, len(word)], dtype=np.int32))
        alone = pa.StringArray.from_buffers(1, ends, pa.py_buffer(word))
        assert_equal(featurize(alone, vocabulary), expected.take([row]))
