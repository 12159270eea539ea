"""The commands `framelens train`, `framelens runs` and `framelens promote`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from framelens.errors import UserError

if TYPE_CHECKING:
    from rich.table import Table

INTERRUPTED = 130
Progress = Callable[[str, int, int], None]

CORPUS = click.option(
    "--corpus",
    type=click.Path(path_type=Path),
    help="Seeds folder, or .jsonl, .csv or .parquet with text, label and outlet. Default: the shipped seeds.",
)
JOBS = click.option(
    "--jobs", type=click.IntRange(min=1), default=2, show_default=True, help="Processes side by side."
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command("train")
@CORPUS
@click.option("--experiment", default="framelens", show_default=True, help="MLflow experiment.")
@click.option("--candidates", help="Names from the table, with commas between them. Default: all.")
@click.option(
    "--quick",
    is_flag=True,
    help="Under a minute: one setting a candidate, two protocols, 10,000 articles to choose on.",
)
@JOBS
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of everything random."
)
@JSON
def train_command(
    corpus: Path | None,
    experiment: str,
    candidates: str | None,
    quick: bool,
    jobs: int,
    seed: int,
    as_json: bool,
) -> None:
    """Train every candidate, choose by owners never seen, and register the winner in MLflow."""
    with _interruptible("the same command goes on where this one stopped"):
        from framelens_train import candidates as table
        from framelens_train.corpus.dataset import load_corpus
        from framelens_train.training import Settings, train

        names = tuple(dict.fromkeys(n.strip() for n in candidates.split(","))) if candidates else None
        table.recipes(names, quick=quick)  # an unknown name need not wait for the corpus
        settings = Settings(experiment, names, quick, jobs, seed)
        loaded = load_corpus(corpus)
        with _progress() as progress:
            trained = train(loaded, settings, progress)
    if as_json:
        _print_json(trained.to_dict())
        return
    _print_table(_leaderboard([_trained_row(row) for row in trained.leaderboard]))
    for name, why in trained.unavailable.items():
        click.echo(f"{name} was not measured: {why}", err=True)
    click.echo(f"run {trained.run_id}, registered as models:/framelens@champion (version {trained.version})")
    click.echo(f"framelens promote {trained.run_id[:8]}   makes it the model that `framelens predict` asks")


@click.command("runs")
@click.option("--experiment", help="Only this MLflow experiment.")
@click.option("--all", "every", is_flag=True, help="Every training's candidates, not the last one's alone.")
@JSON
def runs_command(experiment: str | None, every: bool, as_json: bool) -> None:
    """Show the leaderboard that MLflow holds, random and owner-disjoint side by side."""
    rows = read_runs(experiment, every=every)
    if as_json:
        _print_json({"runs": rows})
    else:
        _print_table(_leaderboard(rows))


@click.command("promote")
@click.argument("run")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder to write. Default: this installation's champion."
)
@CORPUS
@click.option(
    "--evaluate/--no-evaluate",
    default=True,
    help="Evaluate the recipe in full for the card, if the run has no evaluation yet.",
)
@JOBS
@JSON
def promote_command(
    run: str, out: Path | None, corpus: Path | None, evaluate: bool, jobs: int, as_json: bool
) -> None:
    """Write the model of RUN, with its card, where `framelens predict` finds it."""
    with _interruptible("the model in place was left as it was"):
        from framelens_train.promote import promote

        with _progress() as progress:
            done = promote(run, out=out, corpus=corpus, jobs=jobs, evaluate=evaluate, progress=progress)
    if as_json:
        _print_json(done)
    else:
        f1, auc = (_number(done[name]) for name in ("macro_f1", "roc_auc"))
        click.echo(
            f"{done['folder']}: {done['candidate']} of run {done['run_id'][:8]}, on owners never seen "
            f"macro-F1 {f1} and ROC AUC {auc}"
        )


def read_runs(experiment: str | None = None, *, every: bool = False) -> list[dict[str, Any]]:
    """Candidates' runs as plain rows, the newest training first and in it the best objective first.

    Raises
    ------
    UserError
        When there is no store, no such experiment, or nothing was trained.
    """
    from framelens_train import track

    with track.open_store() as client:
        experiments = [e for e in client.search_experiments() if experiment in (None, e.name)]
        if experiment and not experiments:
            raise UserError(f"no experiment is called {experiment!r} at {track.tracking_uri()}")
        ids = [e.experiment_id for e in experiments]
        children = track.search_children(client, ids) if ids else []
        parents = {p: client.get_run(p).info for p in {c.data.tags["mlflow.parentRunId"] for c in children}}
    rows = [_run_row(child, parents[child.data.tags["mlflow.parentRunId"]]) for child in children]
    if not rows:
        raise UserError(f"nothing has been trained at {track.tracking_uri()} yet; run `framelens train`")
    rows.sort(key=lambda row: (-row["started"], row["training"], -row["objective"]))
    return rows if every else [row for row in rows if row["training"] == rows[0]["training"]]


def _run_row(child: Any, parent: Any) -> dict[str, Any]:
    from framelens_train.evaluate.protocols import PROTOCOLS

    metrics = child.data.metrics
    figures = ("macro_f1", "roc_auc", "roc_auc_pooled", "ece", "brier")
    protocols = (*PROTOCOLS, "owner_disjoint_nested")
    return {
        "training": parent.run_id,
        "training_name": parent.run_name,
        "status": parent.status,
        "started": int(parent.start_time),
        "run_id": child.info.run_id,
        "candidate": child.data.params.get("candidate", child.info.run_name),
        "title": child.data.params.get("title", ""),
        "winner": child.data.tags.get("winner") == "true",
        "objective": float(metrics.get("objective", 0.0)),
        "seconds": metrics.get("fit_seconds"),
        "protocols": {
            name: found
            for name in protocols
            if (found := {key: metrics[f"{name}/{key}"] for key in figures if f"{name}/{key}" in metrics})
        },
    }


def _trained_row(row: dict[str, Any]) -> dict[str, Any]:
    return {**row, "training": "", "training_name": ""}


def _leaderboard(rows: list[dict[str, Any]]) -> Table:
    from rich.table import Table

    table = Table(title="macro-F1 and ROC AUC: a random split beside owners never seen", title_justify="left")
    table.add_column("candidate")
    nested = any("owner_disjoint_nested" in row["protocols"] for row in rows)
    shown = {"random": "random", "owner_disjoint": "unseen owners"}
    shown |= {"owner_disjoint_nested": "nested"} if nested else {}
    for heading in shown.values():
        table.add_column(f"{heading} F1", justify="right")
        table.add_column("AUC", justify="right")
    table.add_column("fit s", justify="right")
    several = any(row["training"] for row in rows)
    if several:
        table.add_column("training")
    for row in rows:
        found = [row["protocols"].get(name, {}) for name in shown]
        cells = [_number(figures.get(key)) for figures in found for key in ("macro_f1", "roc_auc")]
        cells.append(f"{row['seconds']:.0f}" if row.get("seconds") is not None else "")
        name = f"{'* ' if row['winner'] else ''}{row['title'] or row['candidate']}"
        training = [row["training"][:8]] if several else []
        table.add_row(name, *cells, *training, style="bold" if row["winner"] else "")
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _print_table(table: Table) -> None:
    from rich.console import Console

    console = Console()
    Console(width=console.width if console.is_terminal else max(console.width, 120)).print(table)
    click.echo("* the winner: highest mean AUC within owner-disjoint folds", err=True)


def _print_json(value: Any) -> None:
    import json

    click.echo(json.dumps(value, allow_nan=False))


@contextmanager
def _interruptible(consequence: str) -> Iterator[None]:
    """Ctrl-C becomes one line and exit 130."""
    try:
        yield
    except KeyboardInterrupt:
        click.echo(f"framelens: interrupted; {consequence}", err=True)
        raise click.exceptions.Exit(INTERRUPTED) from None


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar a stage with the time left, on stderr; a line a stage where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeLeft(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        tasks: dict[str, Any] = {}

        def tell(stage: str, done: int, total: int) -> None:
            if stage not in tasks:
                tasks[stage] = bar.add_task(stage, total=total)
                if not console.is_terminal:
                    click.echo(
                        stage if total == 1 else f"{stage}: {done} of {total} fits are there", err=True
                    )
            bar.update(tasks[stage], completed=done, total=total)

        yield tell
