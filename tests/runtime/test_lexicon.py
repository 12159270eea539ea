"""The tables of words come from their sources, and characters have the class that the specification says."""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

from framelens.features.alphabet import (
    TABLE_SIZE,
    CharClass,
    char_class,
    class_table,
    fold_table,
    upper_table,
)
from framelens.features.lexicon import CATEGORIES, NATION, build_table, expand, word_masks
from framelens.features.reference import MEASURES, count
from framelens.features.tokens import tokenize


def test_the_table_is_what_its_sources_make() -> None:
    written = (resources.files("framelens.features") / "data" / "words.tsv").read_text(encoding="ascii")
    assert written == build_table(), "run python -m framelens.features.lexicon"


def test_every_category_has_words() -> None:
    union = 0
    for mask in word_masks().values():
        union |= mask
    assert union == (1 << len(CATEGORIES)) - 1


def test_a_stem_takes_the_common_words_that_begin_with_it() -> None:
    lexicon = dict.fromkeys(CATEGORIES, "")
    lexicon["praise"], lexicon["hedge"] = "great*", "greatly maybe"
    masks = expand(["great", "greatest", "greet"], lexicon)
    bits = {name: 1 << i for i, name in enumerate(CATEGORIES)}
    assert masks == {
        "great": bits["praise"], "greatest": bits["praise"], "greet": 0,
        "greatly": bits["hedge"], "maybe": bits["hedge"],
    }  # fmt: skip


def test_a_lexicon_with_a_wrong_entry_or_category_is_refused() -> None:
    with pytest.raises(ValueError, match=r"\[praise\]: 'Great' is not a folded word"):
        expand([], dict.fromkeys(CATEGORIES, "") | {"praise": "Great"})
    with pytest.raises(ValueError, match="the code has"):
        expand([], {"praise": ""})


def test_the_name_of_a_country_has_no_other_category() -> None:
    assert all(mask == NATION for mask in word_masks().values() if mask & NATION)
    with pytest.raises(ValueError, match="'chad' is the name of a country and has another category too"):
        expand([], dict.fromkeys(CATEGORIES, "") | {"praise": "chad", "nation": "chad"})


@pytest.mark.parametrize(
    "country", ["Kenya", "Kenyan", "KENYANS", "Nairobi", "Sri Lanka", "Türkiye", "US", "Turkey"]
)
def test_no_country_can_be_told_from_another(country: str) -> None:
    """All are one token and one count, whichever it was."""
    here, there = (f"The army of {name} and “{name}’s” ally Brondal." for name in (country, "Peru"))
    assert [t.text for t in tokenize(here, word_masks()).tokens] == [
        "the", "army", "of", "<nation>", "and", '"', "<nation>", '"', "ally", "<name>", ".",
    ]  # fmt: skip
    assert count(here).terms == count(there).terms
    measures = dict(zip(MEASURES, count(here).measures.tolist(), strict=True))
    assert (measures["nation_reporter"], measures["nation_quoted"], measures["names"]) == (1, 1, 3)


def test_in_lower_case_a_country_is_a_word_like_any_other() -> None:
    counts = count("They polish the turkey of us all, he said.")
    assert counts.terms["turkey"] == (1, 0)
    assert not counts.measures[[MEASURES.index(f"nation_{field}") for field in ("reporter", "quoted")]].any()


@pytest.mark.parametrize(
    ("characters", "kind"),
    [
        ("aZéŁßẞ", CharClass.LETTER),
        ("059", CharClass.DIGIT),
        ("\u00ad\u0301\u200b\ufeff", CharClass.INVISIBLE),
        ("\n\r\u2028\x85", CharClass.NEWLINE),
        ("'’`", CharClass.APOSTROPHE),
        ("“„«", CharClass.QUOTE_OPEN),
        ("-‐‑", CharClass.HYPHEN),
        ("–—$€…]", CharClass.PUNCTUATION),
        ("йα中한\U00020000", CharClass.FOREIGN),
        (" \t\u00a0@#\ud800\ufffd😀", CharClass.SEPARATOR),
    ],
)
def test_characters_have_their_class(characters: str, kind: CharClass) -> None:
    assert {char: CharClass(char_class(ord(char))) for char in characters} == dict.fromkeys(characters, kind)


def test_every_letter_folds_to_lower_case_ascii_and_nothing_else_has_a_case() -> None:
    letters = class_table() == CharClass.LETTER
    first, second = fold_table()[:, 0], fold_table()[:, 1]
    assert ((first[letters] >= ord("a")) & (first[letters] <= ord("z"))).all()
    assert np.isin(second[letters], [0, *range(ord("a"), ord("z") + 1)]).all()
    assert not upper_table()[~letters].any()
    for code in np.flatnonzero(letters):
        assert upper_table()[code] == (chr(code) != chr(code).lower()), chr(code)
    assert len(class_table()) == TABLE_SIZE
