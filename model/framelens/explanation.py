"""Why a score is what it is: contributions of terms, sentences and style that sum to it."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from framelens.abstain import REASONS, Thresholds, text_shares
from framelens.clean import explain_clean
from framelens.features.batch import FeatureBatch, featurize
from framelens.features.lexicon import word_masks
from framelens.features.reference import MEASURES
from framelens.features.tokens import Field, Token, ngrams, tokenize

if TYPE_CHECKING:
    from framelens.linear import LinearModel
    from framelens.predictor import Model, Prediction


@dataclass(frozen=True, slots=True)
class TermContribution:
    """What one term in one field (``reporter`` or ``quoted``) adds to the score, all occurrences together."""

    term: str
    field: str
    count: int
    contribution: float


@dataclass(frozen=True, slots=True)
class StyleContribution:
    """What one measure of style adds to the score; `count` is the measure itself."""

    measure: str
    count: int
    contribution: float


@dataclass(frozen=True, slots=True)
class SentenceContribution:
    """What the terms that end in one sentence add; ``text[start:stop]`` is the sentence."""

    start: int
    stop: int
    contribution: float


@dataclass(frozen=True, slots=True)
class Word:
    """A token where it stands, and its share of the terms it is part of.

    ``kind`` is ``word``, ``name``, ``number`` or ``punctuation``; names and numbers are masked from the
    model.
    """

    start: int
    stop: int
    kind: str
    quoted: bool
    contribution: float


@dataclass(frozen=True, slots=True)
class Removed:
    """What cleaning took out of the text as it was given, and by which rule."""

    rule: str
    text: str


@dataclass(frozen=True, slots=True)
class Check:
    """One reason to abstain: whether it holds, and how near it is, in words."""

    reason: str
    holds: bool
    detail: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A prediction and what moved it; positive contributions speak for state framing.

    ``prediction.score`` is ``bias`` plus all of `terms` plus all of `style` (up to the rounding of a
    double), and the contributions of `sentences`, like those of `words`, sum to those of `terms`.

    Attributes
    ----------
    prediction
        The answer.
    text
        The text that was read: cleaned, a title as its first paragraph. All offsets are into it, in
        characters.
    bias
        The model's intercept.
    terms, style
        Strongest first; a term or measure without a contribution is left out.
    sentences, words
        In the order of the text.
    removed
        What cleaning took out, in order.
    checks
        Every reason to abstain, holding or not.
    """

    prediction: Prediction
    text: str
    bias: float
    terms: tuple[TermContribution, ...]
    style: tuple[StyleContribution, ...]
    sentences: tuple[SentenceContribution, ...]
    words: tuple[Word, ...]
    removed: tuple[Removed, ...]
    checks: tuple[Check, ...]

    @property
    def masked(self) -> tuple[str, ...]:
        """The names and numbers that were hidden from the model, as they stand in the text."""
        return tuple(self.text[w.start : w.stop] for w in self.words if w.kind in ("name", "number"))

    @property
    def quoted(self) -> tuple[tuple[int, int], ...]:
        """The stretches that were read as quoted speech."""
        stretches: list[tuple[int, int]] = []
        open_ = False
        for word in self.words:
            if word.quoted and open_:
                stretches[-1] = (stretches[-1][0], word.stop)
            elif word.quoted:
                stretches.append((word.start, word.stop))
            open_ = word.quoted
        return tuple(stretches)

    def to_dict(self) -> dict[str, Any]:
        """JSON data with the attributes' names as keys."""
        parts = ("terms", "style", "sentences", "words", "removed", "checks")
        listed = {part: [asdict(item) for item in getattr(self, part)] for part in parts}
        whole = {"prediction": self.prediction.to_dict(), "text": self.text, "bias": self.bias}
        return whole | listed | {"masked": list(self.masked), "quoted": [list(q) for q in self.quoted]}

    def to_html(self, *, css: bool = True) -> str:
        """A self-contained HTML fragment; `css` False leaves out its style sheet (`framelens.html.CSS`)."""
        from framelens.html import explanation_fragment

        return explanation_fragment(self, css=css)


def explain_text(model: Model, text: str, title: str | None = None) -> Explanation:
    """`framelens.predictor.Model.explain`."""
    from framelens.predictor import prepare

    read = prepare(text, title)
    linear = model.artifact.linear
    batch = featurize([read], linear.vocabulary, engine="reference")
    prediction = model.answer(linear.decision_function(batch), batch.measures)[0]
    by_term = _term_contributions(linear, batch)
    tokens = tokenize(read, word_masks()).tokens
    shares = _shares(tokens, by_term)
    return Explanation(
        prediction=prediction,
        text=read,
        bias=float(linear.intercept),
        terms=tuple(sorted(by_term.values(), key=lambda t: (-abs(t.contribution), t.term, t.field))),
        style=_style_contributions(linear, batch),
        sentences=_sentences(tokens, [last for last, _ in shares]),
        words=tuple(
            Word(t.start, t.stop, t.kind.name.lower(), t.field is Field.QUOTED, spread)
            for t, (_, spread) in zip(tokens, shares, strict=True)
        ),
        removed=tuple(Removed(r.rule, text[r.start : r.stop].strip()) for r in explain_clean(text)),
        checks=_checks(batch, prediction, model.artifact.thresholds),
    )


def _term_contributions(
    linear: LinearModel, batch: FeatureBatch
) -> dict[tuple[str, Field], TermContribution]:
    contributions = linear.term_contributions(batch)
    counts = np.stack([batch.reporter, batch.quoted], axis=1)
    found = {}
    for entry, field in np.argwhere(contributions != 0.0).tolist():
        key = (linear.vocabulary.terms[batch.term[entry]], Field(field))
        found[key] = TermContribution(
            key[0], key[1].name.lower(), int(counts[entry, field]), float(contributions[entry, field])
        )
    return found


def _style_contributions(linear: LinearModel, batch: FeatureBatch) -> tuple[StyleContribution, ...]:
    added = zip(
        MEASURES,
        batch.measures[0].tolist(),
        linear.style_contributions(batch.measures)[0].tolist(),
        strict=True,
    )
    found = [StyleContribution(*item) for item in added if item[2] != 0.0]
    return tuple(sorted(found, key=lambda s: (-abs(s.contribution), s.measure)))


def _shares(
    tokens: list[Token], by_term: dict[tuple[str, Field], TermContribution]
) -> list[tuple[float, float]]:
    """For each token: what the terms ending there add, and its part of all terms that it is in.

    The occurrences of a term share its contribution equally, and so do the tokens of an occurrence.
    """
    ending: dict[int, float] = defaultdict(float)
    spread: dict[int, float] = defaultdict(float)
    for term, field, first, last in ngrams(tokens):
        known = by_term.get((term, field))
        if known:
            one = known.contribution / known.count
            ending[last] += one
            for token in range(first, last + 1):
                spread[token] += one / (last - first + 1)
    return [(ending[i], spread[i]) for i in range(len(tokens))]


def _sentences(tokens: list[Token], contributions: list[float]) -> tuple[SentenceContribution, ...]:
    """Sentences end as step 8 of the tokens' specification says, or behind a quotation mark that follows."""
    groups: list[list[int]] = []
    closed = True
    for i, token in enumerate(tokens):
        last = tokens[i - 1] if i else token
        trails = token.text in ('"', ")") and token.start == last.stop and token.paragraph == last.paragraph
        if not groups or token.paragraph != last.paragraph or (closed and not trails):
            groups.append([])
        groups[-1].append(i)
        closed = token.closes_sentence or (closed and trails)
    return tuple(
        SentenceContribution(
            tokens[group[0]].start, tokens[group[-1]].stop, float(sum(contributions[i] for i in group))
        )
        for group in groups
    )


def _checks(batch: FeatureBatch, prediction: Prediction, limits: Thresholds) -> tuple[Check, ...]:
    share = {name: float(values[0]) for name, values in text_shares(batch.measures).items()}
    between = f"between {limits.abstain_low:.2f} and {limits.abstain_high:.2f} both labels stay possible"
    details = (
        f"{prediction.words} words; at least {limits.min_words} are needed",
        f"{share['function']:.0%} function words, at least {limits.min_function_share:.0%} are usual; "
        f"{share['foreign']:.0%} letters of other scripts, at most {limits.max_foreign_share:.0%} are usual",
        f"{share['known']:.0%} common words; at least {limits.min_known_share:.0%} are usual",
        f"P(state) {prediction.p_state:.2f}; "
        + (between if limits.abstain_low <= limits.abstain_high else "the labels never overlap"),
    )
    return tuple(
        Check(reason, reason in prediction.reasons, detail)
        for reason, detail in zip(REASONS, details, strict=True)
    )
