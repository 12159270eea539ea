"""`framelens outlets`: what the scored articles of each outlet say together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from framelens.errors import UserError
from framelens.outlets import OutletPrediction, OutletSums
from framelens.predictor import Model, load


@click.command("outlets")
@click.argument("scored", metavar="SCORED...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--column", default="outlet", show_default=True, help="The kept column that names the outlet.")
@click.option(
    "--least",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Show no outlet with fewer articles that give evidence.",
)
@click.option("--model", "model_path", help="The model that scored them; the champion if not given.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def outlets_command(
    scored: tuple[Path, ...], column: str, least: int, model_path: str | None, as_json: bool
) -> int:
    """Label each outlet by all of its articles, from files that `framelens score --keep outlet` wrote.

    An article says little of who controls its outlet, twenty say a lot. Rows that name no outlet are counted,
    and the exit code is 1 if there are any.
    """
    model = load(model_path)
    sums, nameless = _add_up(model, scored, column)
    found = {name: sums[name] for name in sums}
    if not found:
        files = ", ".join(map(str, scored))
        raise UserError(f"no row of {files} names an outlet in {column!r}; name its column with --column")
    enough = {name: answer for name, answer in found.items() if answer.articles >= least}
    shown = dict(sorted(enough.items(), key=lambda item: (-item[1].p_state, item[0])))
    if as_json:
        click.echo(json.dumps(_to_json(shown, len(found) - len(shown), nameless, model.version._asdict())))
    else:
        _show(shown)
    if few := len(found) - len(shown):
        click.echo(f"not shown, with fewer than {least} articles that give evidence: {few:,}", err=True)
    if nameless:
        click.echo(f"rows that name no outlet in {column!r}: {nameless:,}", err=True)
    return 1 if nameless else 0


def _add_up(model: Model, scored: tuple[Path, ...], column: str) -> tuple[OutletSums, int]:
    """The evidence of each outlet, and how many rows name none."""
    from framelens.scoring.scored import iterate_scored

    sums, nameless = OutletSums(model), 0
    here = f"{model.version.name} {model.version.version}"
    for path in scored:
        for rows in iterate_scored(path, column):
            if others := sorted(rows.models - {here}):
                raise UserError(
                    f"{path} was scored by {others[0]}, and the model here is {here}; name it with --model"
                )
            named = rows.which >= 0
            sums.add(rows.names, rows.which[named], rows.p_state[named], rows.reasons[named])
            nameless += int((~named).sum())
    return sums, nameless


def _to_json(
    shown: Mapping[str, OutletPrediction], not_shown: int, nameless: int, model: dict[str, str]
) -> dict[str, Any]:
    rows = [{"outlet": name} | answer.to_dict() for name, answer in shown.items()]
    for row in rows:
        del row["model"]
    return {"outlets": rows, "not_shown": not_shown, "rows_without_outlet": nameless, "model": model}


def _show(shown: Mapping[str, OutletPrediction]) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("outlet", overflow="fold")
    for column in ("articles", "no evidence", "P(state)"):
        table.add_column(column, justify="right")
    table.add_column("label")
    for name, answer in shown.items():
        why = ", ".join(reason.replace("_", " ") for reason in answer.reasons)
        label = f"abstain ({why}); it would lean {answer.forced_label}" if answer.reasons else answer.label
        silent = sum(answer.left_out.values())
        table.add_row(
            Text(name),
            f"{answer.articles:,}",
            f"{silent:,}" if silent else "",
            f"{answer.p_state:.2f}",
            label,
        )
    Console(highlight=False).print(table)
