"""`framelens evaluate`: every protocol, one table."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from framelens_train.evaluate.run import Evaluation, Progress


@click.command("evaluate")
@click.option(
    "--model", metavar="PATH", help="Folder of a model or an MLflow address; the champion otherwise."
)
@click.option(
    "--corpus",
    type=click.Path(path_type=Path),
    help="A seeds folder, on which the model's recipe is trained and tested again; or a file of labelled "
    "articles, which the model scores as it is. The shipped seeds otherwise.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write a page with plots.")
@click.option(
    "--raw",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The raw articles that a seeds folder was built from, for the probes that need text.",
)
@click.option(
    "--card", is_flag=True, help="Keep the figures in the model's folder and write its MODEL_CARD.md again."
)
@click.option(
    "--jobs", type=click.IntRange(min=1), help="Processes; as many as there are processors otherwise."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of splits, fits and bootstraps.")
def evaluate(
    model: str | None,
    corpus: Path | None,
    as_json: bool,
    report: Path | None,
    raw: Path | None,
    card: bool,
    jobs: int | None,
    seed: int,
) -> None:
    """Measure a model honestly: on outlets, owners and years it has not seen.

    Without --corpus, or with a seeds folder, the model's recipe is trained and tested anew by every
    protocol. With a file of labelled articles the model itself is tested, and each article goes to the
    protocol that fits what the model knew of it.
    """
    from framelens.places import require_place
    from framelens.predictor import load

    if report is not None:
        require_place(report)
    loaded = load(model)
    with _progress() as tell:
        if corpus is not None and corpus.is_file():
            from framelens_train.evaluate.frozen import evaluate_frozen

            evaluation = evaluate_frozen(loaded, corpus, seed=seed)
        else:
            evaluation = _evaluate_recipe(
                loaded.artifact.manifest, corpus, raw, jobs or os.cpu_count() or 1, seed, tell
            )
    if card:
        from framelens_train.evaluate.card import update_model

        update_model(loaded.artifact, _model_folder(model), evaluation.figures)
    if report is not None:
        from framelens_train.evaluate.report import write_report

        write_report(evaluation.figures, report)
    _show(evaluation, as_json)


def _evaluate_recipe(
    manifest: dict[str, object], corpus: Path | None, raw: Path | None, jobs: int, seed: int, tell: Progress
) -> Evaluation:
    from framelens.errors import UserError
    from framelens_train.candidates import Recipe
    from framelens_train.corpus.dataset import load_corpus
    from framelens_train.evaluate.run import evaluate_recipe

    recipe = manifest.get("recipe")
    try:
        known = Recipe.from_dict(recipe)  # type: ignore[arg-type]
    except (KeyError, TypeError, ValueError, AttributeError):
        raise UserError(
            "the model's manifest has no recipe; export the model again with `framelens promote`"
        ) from None
    evaluation = evaluate_recipe(known, load_corpus(corpus), seed=seed, jobs=jobs, raw=raw, progress=tell)
    evaluation.figures["model"] = {"name": manifest["name"], "version": manifest["version"]}
    return evaluation


def _model_folder(model: str | None) -> Path:
    from framelens.errors import UserError
    from framelens.predictor import CHAMPION

    folder = CHAMPION if model is None else Path(model)
    if not folder.is_dir():
        raise UserError(f"--card needs a model in a folder, not {model}; download it first")
    return folder


@contextmanager
def _progress() -> Iterator[Progress]:
    """A progress bar a stage on standard error; silent where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Bars(*columns, console=console, disable=not console.is_terminal, transient=True) as bars:
        stages: dict[str, object] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in stages:
                stages[stage] = bars.add_task(stage, total=total)
            bars.update(stages[stage], completed=done, total=total)  # type: ignore[arg-type]

        yield tell


def _show(evaluation: Evaluation, as_json: bool) -> None:
    if as_json:
        import orjson

        options = orjson.OPT_INDENT_2 | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_APPEND_NEWLINE
        sys.stdout.buffer.write(orjson.dumps(evaluation.figures, option=options))
        return
    from rich.console import Console

    from framelens_train.evaluate.table import render_tables

    console = Console(width=None if sys.stdout.isatty() else 150)
    for table in render_tables(evaluation.figures):
        console.print(table)
