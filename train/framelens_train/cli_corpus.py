"""`framelens corpus`: build, describe, check and import labelled corpora."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from framelens.errors import UserError

_PATH = click.Path(path_type=Path)
_SHOWN_REASONS = 12


@click.group("corpus")
def corpus() -> None:
    """Build, describe, check and import labelled corpora."""


@corpus.command("build")
@click.argument("raw", type=_PATH)
@click.option(
    "--seed-article", type=_PATH, help="Text file of the seed article; its first line is the title."
)
@click.option("--out", type=_PATH, default=Path("seeds"), show_default=True, help="Folder to write.")
@click.option(
    "--report", type=_PATH, help="CSV of what each cleaning rule took from each outlet; counts, no text."
)
@click.option(
    "--min-documents",
    type=click.IntRange(1),
    default=20,
    show_default=True,
    help="Articles a term must stand in.",
)
@click.option(
    "--min-groups", type=click.IntRange(1), default=5, show_default=True, help="Outlets a term must stand in."
)
@click.option("--max-terms", type=click.IntRange(1), default=100_000, show_default=True, help="Most terms.")
@click.option("--titles", is_flag=True, help="Make an article's title its first paragraph.")
@click.option(
    "--seed",
    type=int,
    default=20220307,
    show_default=True,
    help="Decides which articles of big outlets ship.",
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes that clean.")
def build_command(
    raw: Path,
    seed_article: Path | None,
    out: Path,
    report: Path | None,
    min_documents: int,
    min_groups: int,
    max_terms: int,
    titles: bool,
    seed: int,
    jobs: int,
) -> None:
    """Build a corpus of counts from RAW, a .jsonl, .csv or .parquet file of labelled articles.

    Rows that are left out are listed with the reason in OUT.rejects.jsonl beside the folder.
    """
    from collections import Counter

    from framelens_train.corpus.build import BuildOptions, build_corpus

    options = BuildOptions(min_documents, min_groups, max_terms, titles, seed)
    result = build_corpus(
        raw,
        out,
        seed_article=seed_article,
        options=options,
        report=report,
        jobs=jobs,
        progress=lambda message: click.echo(message, err=True),
    )
    reasons = Counter(reject.reason.lstrip("0123456789 ").partition(":")[0] for reject in result.rejects)
    for reason, count in reasons.most_common(_SHOWN_REASONS):
        click.echo(f"left out: {count:,} {reason}", err=True)
    manifest = result.manifest
    size = sum((out / name).stat().st_size for name in manifest["sha256"]) / 1e6
    click.echo(f"{_totals(out, manifest)}, {manifest['entries']:,} counts, {size:.1f} MB")


@corpus.command("stats")
@click.argument("path", type=_PATH, required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def stats_command(path: Path | None, as_json: bool) -> None:
    """Show what is in a corpus by label, owner, outlet and year; PATH is a folder or a file."""
    from rich.console import Console

    from framelens_train.corpus.dataset import load_corpus
    from framelens_train.corpus.summary import show, summarise

    summary = summarise(load_corpus(path))
    if as_json:
        click.echo(json.dumps(summary, ensure_ascii=False))
    else:
        show(summary, Console())


@corpus.command("verify")
@click.argument("folder", type=_PATH, required=False)
def verify_command(folder: Path | None) -> None:
    """Check every hash, every count and the table of outlets of a corpus folder (by default the seeds)."""
    from framelens_train.corpus.dataset import default_seeds
    from framelens_train.corpus.verify import verify

    folder = default_seeds() if folder is None else folder
    found = verify(folder)
    if found:
        more = f" (and {len(found) - 1} more findings)" if len(found) > 1 else ""
        raise UserError(f"{folder}: {found[0]}{more}; fetch or build the corpus again")
    click.echo(f"{folder}: sound")


@corpus.command("mark")
@click.argument("marks", type=_PATH)
@click.option("--corpus", "folder", type=_PATH, help="Corpus folder; by default the seeds.")
def mark_command(marks: Path, folder: Path | None) -> None:
    """Give a corpus the reading marks of MARKS, a CSV file with the columns id and mark (0 to 100).

    A mark says how state-like the framing of an article reads to somebody who does not know its outlet.
    """
    from framelens_train.corpus.dataset import default_seeds
    from framelens_train.corpus.marks import add_marks

    folder = default_seeds() if folder is None else folder
    result = add_marks(folder, marks)
    click.echo(f"{folder}: {result['marked']:,} of {result['articles']:,} articles are marked")


@corpus.command("import")
@click.argument("file", type=_PATH)
@click.option("--out", type=_PATH, required=True, help="Folder to write.")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="OURS=THEIRS",
    help="What the file calls a column: text=body.",
)
@click.option(
    "--label", "labels", multiple=True, metavar="THEIRS=OURS", help="What a label means: propaganda=state."
)
def import_command(file: Path, out: Path, columns: tuple[str, ...], labels: tuple[str, ...]) -> None:
    """Turn FILE, your own labelled articles, into a folder like the seeds, which train and evaluate read."""
    from framelens_train.corpus.adapt import import_corpus

    manifest = import_corpus(
        file, out, columns=_mapping(columns, "--column"), labels=_mapping(labels, "--label")
    )
    click.echo(_totals(out, manifest))


def _totals(folder: Path, manifest: dict[str, Any]) -> str:
    articles, outlets, terms = (manifest[name] for name in ("articles", "outlets", "terms"))
    return f"{folder}: {articles:,} articles of {outlets} outlets, {terms:,} terms"


def _mapping(pairs: tuple[str, ...], option: str) -> dict[str, str]:
    mapping = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not (key and equals and value):
            raise UserError(f"{option} {pair!r}: write it as NAME=NAME")
        mapping[key] = value
    return mapping
