"""An explanation as an HTML fragment: no script, nothing from elsewhere, every string of the text escaped.

Colour is never the only sign: what speaks for state framing is orange with a solid underline, what speaks for
independent reporting is blue with a dotted one (a pair that people with any kind of colour blindness tell
apart), and the underline grows with the contribution.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from framelens.explanation import Explanation, SentenceContribution, Word

LEVELS = 4
"""Steps of strength; the strongest word of the article is at the last."""

_NUMERIC = ' class="fl-n"'
_NOT_IN_HTML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
_LINE = re.compile("[^\n\v\f\r\x85\u2028\u2029]+")  # what the tokens' specification calls a paragraph

CSS = """
.fl-explanation{font:1rem/1.6 system-ui,sans-serif;color:#1a1a1a;background:#fff;padding:1rem;max-width:48rem}
.fl-explanation table{border-collapse:collapse;margin:.5rem 0 1rem}
.fl-explanation caption{text-align:left;font-weight:600}
.fl-explanation th,.fl-explanation td{text-align:left;padding:.15rem .6rem .15rem 0;vertical-align:top}
.fl-explanation th.fl-n,.fl-explanation td.fl-n{text-align:right;
font-variant-numeric:tabular-nums;white-space:nowrap}
.fl-explanation mark{color:inherit;background:none}
.fl-explanation .fl-s{text-decoration:underline solid #b34700}
.fl-explanation .fl-i{text-decoration:underline dotted #0057b8}
.fl-explanation .fl-1{text-decoration-thickness:1px}
.fl-explanation .fl-2{text-decoration-thickness:2px}
.fl-explanation .fl-3{text-decoration-thickness:3px}
.fl-explanation .fl-4{text-decoration-thickness:4px}
.fl-explanation .fl-s.fl-2{background:#fff0e0}.fl-explanation .fl-i.fl-2{background:#e8f1ff}
.fl-explanation .fl-s.fl-3{background:#ffdcb8}.fl-explanation .fl-i.fl-3{background:#cfe2ff}
.fl-explanation .fl-s.fl-4{background:#ffc387}.fl-explanation .fl-i.fl-4{background:#aed0ff}
.fl-explanation .fl-m{color:#666}
.fl-explanation q{quotes:none;font-style:italic}
@media (prefers-color-scheme:dark){
.fl-explanation{color:#eee;background:#161616}
.fl-explanation .fl-s{text-decoration-color:#ff9f4a}.fl-explanation .fl-i{text-decoration-color:#7db8ff}
.fl-explanation .fl-s.fl-2{background:#3d2408}.fl-explanation .fl-i.fl-2{background:#0b2747}
.fl-explanation .fl-s.fl-3{background:#5c350a}.fl-explanation .fl-i.fl-3{background:#0f3a6b}
.fl-explanation .fl-s.fl-4{background:#7d470b}.fl-explanation .fl-i.fl-4{background:#145093}
.fl-explanation .fl-m{color:#a0a0a0}}
"""

_LEGEND = (
    '<p class="fl-legend"><mark class="fl-s fl-3">solid underline, orange</mark>: speaks for state framing. '
    '<mark class="fl-i fl-3">dotted underline, blue</mark>: speaks for independent reporting. '
    "The thicker, the more. <q>Italics</q>: read as quoted speech. "
    '<span class="fl-m">Grey</span>: a name or number, hidden from the model.</p>'
)


def escape(text: object) -> str:
    """Text that is safe in HTML, between tags and in attributes."""
    return html.escape(_NOT_IN_HTML.sub("\ufffd", str(text)))


def explanation_fragment(explanation: Explanation, *, css: bool = True) -> str:
    """The fragment behind `Explanation.to_html`."""
    p = explanation.prediction
    why = f" ({escape(', '.join(p.reasons))})" if p.reasons else ""
    text = explanation.text
    parts = [
        f"<style>{CSS}</style>" if css else "",
        '<section class="fl-explanation" aria-label="Explanation of the prediction">',
        f"<p><strong>{escape(p.label)}</strong>{why}: P(state) = {p.p_state:.2f}, score {p.score:+.3f}, "
        f"{p.words} words, model {escape(p.model.name)} {escape(p.model.version)}</p>",
        _LEGEND,
        '<div class="fl-article">',
        *_paragraphs(explanation),
        "</div>",
        _table(
            "Terms that weigh most",
            ("term", "voice", "times", "adds"),
            ((t.term, t.field, t.count, t.contribution) for t in explanation.terms[:15]),
        ),
        _table(
            "Sentences that weigh most",
            ("sentence", "adds"),
            ((text[s.start : s.stop], s.contribution) for s in strongest_sentences(explanation)),
        ),
        _table(
            "Style that weighs most",
            ("measure", "count", "adds"),
            ((s.measure, s.count, s.contribution) for s in explanation.style[:10]),
        ),
        _table("How the score adds up", ("part", "adds"), _sums(explanation)),
        _table(
            "Reasons to abstain",
            ("reason", "holds", "why"),
            ((c.reason, "yes" if c.holds else "no", c.detail) for c in explanation.checks),
        ),
        _table("Cleaned away", ("rule", "text"), ((r.rule, r.text) for r in explanation.removed)),
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def strongest_sentences(explanation: Explanation) -> list[SentenceContribution]:
    """The five sentences that weigh most, strongest first; none without weight."""
    weighing = [s for s in explanation.sentences if s.contribution]
    return sorted(weighing, key=lambda s: (-abs(s.contribution), s.start))[:5]


def _sums(explanation: Explanation) -> list[tuple[str, float]]:
    terms = sum(t.contribution for t in explanation.terms)
    style = sum(s.contribution for s in explanation.style)
    score = explanation.prediction.score
    return [("bias", explanation.bias), ("terms", terms), ("style", style), ("score", score)]


def _table(caption: str, head: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> str:
    """A table; numbers are set right, contributions with their sign. Empty when it has no rows."""
    body = "".join(f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows)
    if not body:
        return ""
    titles = "".join(
        f'<th scope="col"{_NUMERIC if title in ("times", "count", "adds") else ""}>{escape(title)}</th>'
        for title in head
    )
    return f"<table><caption>{escape(caption)}</caption><tr>{titles}</tr>{body}</table>"


def _cell(value: object) -> str:
    if isinstance(value, float):
        return f"<td{_NUMERIC}>{value:+.4f}</td>"
    return f"<td{_NUMERIC if isinstance(value, int) else ''}>{escape(value)}</td>"


def _paragraphs(explanation: Explanation) -> Iterator[str]:
    """The article, its words marked; a line of the text is a paragraph."""
    text, words = explanation.text, explanation.words
    strongest = max((abs(w.contribution) for w in words), default=0.0)
    i = 0
    for line in _LINE.finditer(text):
        inside = []
        while i < len(words) and words[i].start < line.end():
            inside.append(words[i])
            i += 1
        if line.group().strip():
            yield f"<p>{_marked(text, line.start(), line.end(), inside, strongest)}</p>"


def _marked(text: str, start: int, stop: int, words: list[Word], strongest: float) -> str:
    parts, at, quoted = [], start, False
    for word in words:
        gap = escape(text[at : word.start])
        if word.quoted != quoted:
            # the opening mark or space stands before the quotation, the closing one behind it
            gap = f"{gap}<q>" if word.quoted else f"</q>{gap}"
            quoted = word.quoted
        parts += [gap, _word(text[word.start : word.stop], word, strongest)]
        at = word.stop
    parts += ["</q>" if quoted else "", escape(text[at:stop].rstrip())]
    return "".join(parts)


def level_of(word: Word, strongest: float) -> int:
    """How strongly to mark a word: 0 to `LEVELS`, by its part of the strongest contribution."""
    return round(LEVELS * abs(word.contribution) / strongest) if strongest else 0


def _word(surface: str, word: Word, strongest: float) -> str:
    level = level_of(word, strongest)
    shown = escape(surface)
    if word.kind in ("name", "number"):
        shown = f'<span class="fl-m">{shown}</span>'
    if level == 0:
        return shown
    side = "s" if word.contribution > 0 else "i"
    return f'<mark class="fl-{side} fl-{level}" title="{word.contribution:+.4f}">{shown}</mark>'
