"""`framelens predict`: one article, from the command line, a file or standard input."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from framelens.errors import UserError
from framelens.predictor import Prediction, load


@click.command("predict")
@click.argument("source", metavar="TEXT|FILE|-")
@click.option("--title", help="The headline; it is read as a first paragraph.")
@click.option("--model", "model_path", help="A model's folder or MLflow address; the champion if not given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--explain", is_flag=True, help="What moved the score.")
def predict_command(
    source: str, title: str | None, model_path: str | None, as_json: bool, explain: bool
) -> None:
    """Label one article: a text, the name of a UTF-8 file that holds it, or - for standard input."""
    text = read_article(source)
    model = load(model_path)
    if not explain:
        prediction = model.predict(text, title=title)
        click.echo(json.dumps(prediction.to_dict()) if as_json else one_line(prediction))
        return
    explanation = model.explain(text, title=title)
    if as_json:
        parts = explanation.to_dict()
        click.echo(json.dumps(parts.pop("prediction") | {"explanation": parts}))
        return
    from framelens.cli.render import show_explanation

    show_explanation(explanation)


def one_line(prediction: Prediction) -> str:
    """The answer for people."""
    figures = f"P(state) {prediction.p_state:.2f}, {prediction.words} words"
    if prediction.reasons:
        why = ", ".join(reason.replace("_", " ") for reason in prediction.reasons)
        return f"abstain ({why}); {figures}; it would lean {prediction.forced_label}"
    return f"{prediction.label}; {figures}"


def read_article(source: str) -> str:
    """The article that an argument means; a `UserError` where there is none."""
    if source == "-":
        if sys.stdin.isatty():
            click.echo("reading the article from the keyboard; end it with Ctrl-D", err=True)
        return _decoded(sys.stdin.buffer.read(), "standard input")
    if not source.strip():
        raise UserError(
            "the text is empty; give an article's text, the name of its file, or - for standard input"
        )
    try:
        path = Path(source)
        if path.is_dir():
            raise UserError(f"{source} is a folder; give a file, or use `framelens score` for many articles")
        if path.is_file():
            return _decoded(path.read_bytes(), source)
    except OSError as error:
        if len(source.split()) < 2:
            raise UserError(f"cannot read {source:.200}: {error.strerror}") from None
    if len(source.split()) < 2:
        raise UserError(f"{source!r:.200} is neither a file nor a text of more than one word")
    return source


def _decoded(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{name} is not UTF-8 text (byte {error.start} is {content[error.start]:#04x}); "
            "convert it, for instance with `iconv -t UTF-8`"
        ) from None
    if not text.strip():
        raise UserError(f"{name} is empty; give an article's text")
    return text
