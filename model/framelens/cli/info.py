"""`framelens info`: what the model is and how well it does."""

from __future__ import annotations

import json

import click

from framelens.predictor import load


@click.command("info")
@click.option("--model", "model_path", help="A model's folder or MLflow address; the champion if not given.")
@click.option("--json", "as_json", is_flag=True, help="The manifest as one JSON object on standard output.")
def info_command(model_path: str | None, as_json: bool) -> None:
    """Show the model's card and figures."""
    model = load(model_path)
    terms = len(model.artifact.linear.vocabulary)
    if as_json:
        click.echo(json.dumps(model.artifact.manifest | {"terms": terms}))
        return
    from framelens.cli.render import show_card

    show_card(f"{model.version.name} {model.version.version}, {terms:,} terms", model.artifact.card)
