"""Explanations and cards in the terminal, readable with and without colour."""

from __future__ import annotations

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from framelens.cli.predict import one_line
from framelens.explanation import Explanation
from framelens.html import level_of, strongest_sentences

_STYLE = {True: "bold dark_orange underline", False: "bold dodger_blue1"}
_SIGN = {True: "⁺", False: "⁻"}


def show_explanation(explanation: Explanation) -> None:
    """Write the article with its words marked, then what weighs most, to standard output."""
    console = Console(highlight=False)
    console.print(Text(one_line(explanation.prediction), style="bold"), soft_wrap=True)
    console.print(
        Text.assemble(
            ("word⁺", _STYLE[True]), " speaks for state framing, ", ("word⁻", _STYLE[False]),
            " for independent reporting; ", ("italics", "italic"), " are quoted speech",
        ),
        soft_wrap=True,
    )  # fmt: skip
    console.print()
    console.print(_article(explanation), soft_wrap=not console.is_terminal)
    console.print()
    terms = _table("term", "voice", "times")
    for t in explanation.terms[:12]:
        terms.add_row(Text(t.term), t.field, str(t.count), f"{t.contribution:+.4f}")
    sentences = _table("sentence")
    for sentence in strongest_sentences(explanation):
        shown = explanation.text[sentence.start : sentence.stop]
        sentences.add_row(Text(shown), f"{sentence.contribution:+.4f}")
    style = _table("measure", "count")
    for s in explanation.style[:8]:
        style.add_row(s.measure, str(s.count), f"{s.contribution:+.4f}")
    sums = _table("part")
    sums.add_row("bias", f"{explanation.bias:+.4f}")
    sums.add_row("terms", f"{sum(t.contribution for t in explanation.terms):+.4f}")
    sums.add_row("style", f"{sum(s.contribution for s in explanation.style):+.4f}")
    sums.add_row("score", f"{explanation.prediction.score:+.4f}")
    titled = (
        ("Terms that weigh most", terms),
        ("Sentences that weigh most", sentences),
        ("Style that weighs most", style),
        ("How the score adds up", sums),
    )
    for title, table in titled:  # a title of the table's own would be broken to the table's width
        if table.row_count:
            console.print(Text(title, style="bold"))
            console.print(table)
    for check in explanation.checks:
        console.print(
            Text(f"{'abstains' if check.holds else 'fine'}: {check.reason}: {check.detail}"), soft_wrap=True
        )
    if explanation.masked:
        hidden = ", ".join(dict.fromkeys(explanation.masked))
        console.print(Text(f"hidden from the model (names and numbers): {hidden}"), soft_wrap=True)
    for removed in explanation.removed:
        console.print(Text(f"cleaned away ({removed.rule}): {removed.text}"), soft_wrap=True)


def show_card(headline: str, card: str) -> None:
    """Write a model card to standard output."""
    console = Console(highlight=False)
    console.print(Text(headline, style="bold"))
    console.print(Markdown(card))


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, justify="right" if column in ("times", "count") else "left")
    table.add_column("adds", justify="right")
    return table


def _article(explanation: Explanation) -> Text:
    text, at = Text(), 0
    strongest = max((abs(w.contribution) for w in explanation.words), default=0.0)
    for word in explanation.words:
        text.append(explanation.text[at : word.start])
        level = level_of(word, strongest)
        state = word.contribution > 0
        styles = [_STYLE[state] if level > 1 else "", "italic" if word.quoted else ""]
        sign = _SIGN[state] * (level // 2)
        text.append(explanation.text[word.start : word.stop] + sign, " ".join(filter(None, styles)))
        at = word.stop
    text.append(explanation.text[at:])
    return text
