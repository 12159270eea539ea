"""An explanation adds up to the score, points at the text, and shows it without trusting it."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from framelens.abstain import REASONS
from framelens.predictor import Model

# Invented articles.
TEXT = (
    "The minister stressed that cooperation is friendly. "
    '"The two sides had concerns," critics said. "Go!" they said.\n'
    "Brondal Vesk said 12 were arrested; the two sides stressed cooperation, and stressed it again."
)
WORDS = (
    "stressed",
    "that",
    "the two sides",
    "Cooperation",
    "said",
    "arrested",
    "had",
    "concerns",
    "friendly",
)
SIGNS = ('"', "“", "”", ".", "!", "\n", "\x1c", "12", "<b>", "&amp;", "'", "\x00", "й", "’s")
PIECES = st.sampled_from([*WORDS, "Brondal", "Vesk", *SIGNS])
ARTICLES = st.lists(PIECES, max_size=40).map(" ".join)


class Text(HTMLParser):
    """The text and the tags of a fragment; tags must nest."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.article = ""
        self.inside = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.stack.append(tag)
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.inside = self.inside or ("class", "fl-article") in attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.stack.pop() == tag
        self.inside = self.inside and tag != "div"

    def handle_data(self, data: str) -> None:
        if self.inside:
            self.article += data


def parse(fragment: str) -> Text:
    parser = Text()
    parser.feed(fragment)
    parser.close()
    assert parser.stack == []
    return parser


def squeeze(text: str) -> str:
    return re.sub(r"\s+", "", text.replace("\x00", "\ufffd").replace("\x1c", "\ufffd"))


def assert_adds_up(model: Model, text: str) -> None:
    e = model.explain(text)
    terms = math.fsum(t.contribution for t in e.terms)
    total = e.bias + terms + math.fsum(s.contribution for s in e.style)
    assert total == pytest.approx(e.prediction.score, abs=1e-12)
    assert math.fsum(s.contribution for s in e.sentences) == pytest.approx(terms, abs=1e-12)
    assert math.fsum(w.contribution for w in e.words) == pytest.approx(terms, abs=1e-12)


@settings(max_examples=150, deadline=None)
@given(ARTICLES)
def test_contributions_sum_to_the_score_of_predict(model: Model, text: str) -> None:
    assert_adds_up(model, text)
    assert model.explain(text).prediction == model.predict(text)


def test_terms_are_named_by_voice_with_their_counts(model: Model) -> None:
    explanation = model.explain(TEXT)
    terms = {(t.term, t.field): t for t in explanation.terms}
    assert terms["stressed", "reporter"].count == 3
    assert terms["the two sides", "quoted"].count == terms["the two sides", "reporter"].count == 1
    assert terms["stressed that", "reporter"].contribution > 0 > terms["arrested", "reporter"].contribution
    sizes = [abs(t.contribution) for t in explanation.terms]
    assert sizes == sorted(sizes, reverse=True)


def test_sentences_are_cut_where_a_reader_would(model: Model) -> None:
    explanation = model.explain(TEXT)
    assert [explanation.text[s.start : s.stop] for s in explanation.sentences] == [
        "The minister stressed that cooperation is friendly.",
        '"The two sides had concerns," critics said.',
        '"Go!"',
        "they said.",
        "Brondal Vesk said 12 were arrested; the two sides stressed cooperation, and stressed it again.",
    ]


def test_what_was_masked_quoted_and_cleaned_is_told(model: Model) -> None:
    text = "TEHRAN - The minister stressed cooperation.\n" + TEXT
    explanation = model.explain(text)
    assert explanation.masked == ("Brondal Vesk", "12")
    assert [explanation.text[a:b] for a, b in explanation.quoted] == ["The two sides had concerns,", "Go!"]
    assert [r.text for r in explanation.removed] == ["TEHRAN -"]


def test_every_reason_to_abstain_is_checked(model: Model) -> None:
    checks = model.explain("The minister stressed cooperation.").checks
    assert [c.reason for c in checks] == list(REASONS)
    assert [c.reason for c in checks if c.holds] == ["too_short"]
    assert checks[0].detail == "4 words; at least 20 are needed"


def test_the_title_is_part_of_the_text(model: Model) -> None:
    explanation = model.explain(TEXT, title="Two sides vow cooperation")
    assert explanation.text.startswith("Two sides vow cooperation\n")
    assert explanation.prediction == model.predict(TEXT, title="Two sides vow cooperation")


def test_as_json_it_has_the_attributes_names(model: Model) -> None:
    data = json.loads(json.dumps(model.explain(TEXT).to_dict()))
    assert data["terms"][0].keys() == {"term", "field", "count", "contribution"}
    assert data["prediction"] == json.loads(json.dumps(model.predict(TEXT).to_dict()))


@settings(max_examples=150, deadline=None)
@given(st.one_of(ARTICLES, st.text(max_size=80)))
def test_html_is_well_formed_and_shows_the_whole_text(model: Model, text: str) -> None:
    explanation = model.explain(text)
    html = explanation.to_html()
    html.encode()
    parsed = parse(html)
    assert parsed.tags <= {
        *("style", "section", "p", "strong", "mark", "q", "span", "div"),
        *("table", "caption", "tr", "th", "td"),
    }
    assert parsed.attributes <= {"class", "aria-label", "title", "scope"}
    shown = re.sub("[\ufffd]+", "", squeeze(parsed.article))
    expected = re.sub(
        r"[\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffd-\uffff\u2028\u2029]+", "", explanation.text
    )
    assert shown == squeeze(expected)


def test_markup_in_an_article_stays_text(model: Model) -> None:
    hostile = '<script>alert(1)</script> said <img src=x onerror="alert(1)"> & critics </mark></section>'
    html = model.explain(hostile, title="<b>said</b>").to_html()
    assert "<script" not in html
    assert "<img" not in html
    assert "&lt;script&gt;" in html


def test_html_marks_both_sides_without_relying_on_colour(model: Model) -> None:
    html = model.explain(TEXT).to_html(css=False)
    assert "<style" not in html
    assert re.search(r'<mark class="fl-s fl-\d" title="\+[\d.]+">stressed</mark>', html)
    assert re.search(r'<mark class="fl-i fl-\d" title="-[\d.]+">arrested</mark>', html)
    assert re.search(r"&quot;<q>.*concerns</mark>,</q>&quot;", html)
    assert "dotted underline" in html
