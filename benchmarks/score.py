"""How fast articles are scored, side by side with what a user would pick instead.

    python -m benchmarks.score [--opponents PYTHON] [--size 1GB] [--rounds 3] [--json OUT] [--plot OUT]
    python -m benchmarks.score --sizes 10MB,100MB,1GB,10GB [--kind jsonl|parquet|warc]

Ours and an opponent run in turn (A B A B ...), each in a fresh process, and a ratio is taken of each pair;
the median is shown with the lowest and highest. The input is the same for all, invented and reproducible;
slow opponents get its beginning. Opponents' clocks leave out imports and loading the model; that of
``framelens score`` runs from the start of its process to its end. CPU ms are those computed on all cores (of
joblib's workers none are seen); a busy machine changes them less than the clock. ``--opponents`` is a Python
in which they are installed (pip install fasttext vowpalwabbit spacy scikit-learn joblib pyarrow orjson); what
is not is left out and said so.
"""

from __future__ import annotations

import json
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

from benchmarks.dumps import write_json_lines
from benchmarks.growth import SCORE, folder_for, growth, machine
from benchmarks.measure import Size, Took, run, show

HERE = Path(__file__).parent
TRAINING_SIZE, FIRST_OF_TRAINING = 6_000_000, 10**8
"""Opponents are trained on articles that come after those of any input."""


@dataclass(frozen=True)
class Contest:
    """An opponent, what of ours it is compared with, and how.

    Attributes
    ----------
    ours
        ``kernel``, or ``files`` for `framelens score`.
    part
        The share of the input that the opponent gets, so that a slow one ends in time.
    bar
        The ratio that is asked for, if any.
    """

    name: str
    title: str
    ours: str
    mode: str
    part: float
    bar: float | None = None


CONTESTS = (
    Contest("sklearn-2", "scikit-learn, 1-2-grams", "kernel", "memory", 1 / 16, 40.0),
    Contest("sklearn-3", "scikit-learn, 1-3-grams", "kernel", "memory", 1 / 16),
    Contest("fasttext", "fastText, 2-grams", "kernel", "memory", 1 / 4),
    Contest("vw-2", "Vowpal Wabbit, 1-2-grams", "kernel", "memory", 1.0, 1.5),
    Contest("vw-3", "Vowpal Wabbit, 1-3-grams", "kernel", "memory", 1.0),
    Contest("spacy", "spaCy, bag of words", "kernel", "memory", 1 / 16),
    Contest("sklearn-2", "scikit-learn, 1-2-grams", "files", "files", 1 / 16, 20.0),
    Contest("sklearn-2-jobs", "scikit-learn, 1-2-grams, all cores", "files", "files", 1 / 16),
    Contest("vw-2", "Vowpal Wabbit, 1-2-grams", "files", "files", 1.0, 1.0),
)
OURS = {
    "kernel": "framelens, kernel",
    "column": "framelens, cleaning and kernel",
    "files": "framelens score, JSONL to Parquet",
}
SMOKE = ("sklearn-2",)
"""Opponents that --quick keeps."""


@dataclass
class Line:
    """A row of the table: every run of one program."""

    title: str
    group: str
    bytes: int
    articles: int
    version: str = ""
    seconds: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    peak: int = 0

    def add(self, seconds: float, cpu: float, took: Took) -> None:
        """Note a run."""
        self.seconds.append(seconds)
        self.cpu.append(cpu)
        self.peak = max(self.peak, took.peak)

    def to_dict(self) -> dict[str, Any]:
        """JSON data; rates are medians over the runs."""
        seconds = statistics.median(self.seconds)
        return {
            "title": self.title,
            "group": self.group,
            "version": self.version,
            "bytes": self.bytes,
            "articles": self.articles,
            "seconds": self.seconds,
            "cpu_ms_per_mb": 1e9 * statistics.median(self.cpu) / self.bytes,
            "mb_per_s": self.bytes / 1e6 / seconds,
            "articles_per_s": self.articles / seconds,
            "peak_bytes": self.peak,
        }


@dataclass(frozen=True)
class Input:
    """A file of articles."""

    path: Path
    bytes: int
    articles: int


class Inputs:
    """The whole input and its beginnings, each written once."""

    def __init__(self, folder: Path, size: int, seed: int, corpus: Path | None) -> None:
        self.folder, self._parts = folder, dict[float, Input]()
        write_json_lines(
            folder / "train.jsonl", TRAINING_SIZE if size > TRAINING_SIZE else size, seed=seed + 1
        )
        whole = folder / "all.jsonl"
        if corpus:
            repeat_corpus(corpus, whole, size)
        else:
            write_json_lines(whole, size, seed=seed)
        self._parts[1.0] = Input(whole, *count(whole))

    def part(self, share: float) -> Input:
        """The beginning that holds this share of the text."""
        if share not in self._parts:
            import orjson

            path, made, articles = self.folder / f"part-{share:.4f}.jsonl", 0, 0
            limit = self._parts[1.0].bytes * share
            with self._parts[1.0].path.open("rb") as source, path.open("wb") as out:
                for line in source:
                    if made >= limit:
                        break
                    out.write(line)
                    made, articles = made + len(orjson.loads(line)["text"].encode()), articles + 1
            self._parts[share] = Input(path, made, articles)
        return self._parts[share]


def count(path: Path) -> tuple[int, int]:
    """Bytes of text and articles of a file."""
    import orjson

    size = articles = 0
    with path.open("rb") as file:
        for line in file:
            size, articles = size + len(orjson.loads(line)["text"].encode()), articles + 1
    return size, articles


def repeat_corpus(corpus: Path, path: Path, size: int) -> None:
    """Real articles instead (JSON lines with a text), again and again up to `size` bytes."""
    import orjson

    from framelens.scoring.readers import Article, Columns, read_rows

    texts = [row.text for row in read_rows(str(corpus), Columns()) if isinstance(row, Article)]
    made = number = 0
    with path.open("wb") as out:
        while made < size:
            text = texts[number % len(texts)]
            out.write(orjson.dumps({"id": str(number), "text": text}) + b"\n")
            made, number = made + len(text.encode()), number + 1


class Bench:
    """One input, and all that run on it."""

    def __init__(self, inputs: Inputs, python: str, opponents: dict[str, dict[str, Any]]) -> None:
        self.inputs, self.python, self.opponents = inputs, python, opponents
        self.lines: dict[tuple[str, str], Line] = {}
        self._prepared = set[str]()

    def ours(self, mode: str) -> float:
        """MB/s of one run of ours."""
        source = self.inputs.part(1.0)
        output = source.path.with_suffix(".out.parquet")
        if mode == "files":
            command = [*SCORE, str(source.path), "-o", str(output)]
        else:
            command = [sys.executable, "-m", "benchmarks.ours", mode, str(source.path)]
        took = run(command, cwd=HERE.parent)
        seconds, cpu = took.seconds, took.cpu
        if mode != "files":
            seconds, cpu = took.json["seconds"], took.json["cpu"]
        output.unlink(missing_ok=True)
        return self._note(("ours", mode), OURS[mode], mode, source, (seconds, cpu), took)

    def opponent(self, contest: Contest) -> float:
        """MB/s of one run of an opponent."""
        source = self.inputs.part(contest.part)
        program = str(HERE / "opponents.py")
        place = [str(self.inputs.folder), str(source.path)]
        took = run([self.python, program, "run", contest.name, contest.mode, *place])
        key = contest.name, contest.mode
        rate = self._note(
            key, contest.title, contest.ours, source, (took.json["seconds"], took.json["cpu"]), took
        )
        self.lines[key].version = self.opponents[contest.name]["version"]
        return rate

    def _note(
        self,
        key: tuple[str, str],
        title: str,
        group: str,
        source: Input,
        spent: tuple[float, float],
        took: Took,
    ) -> float:
        line = self.lines.setdefault(key, Line(title, group, source.bytes, source.articles))
        line.add(*spent, took)
        return source.bytes / 1e6 / spent[0]

    def contest(self, contest: Contest, rounds: int) -> dict[str, Any]:
        """Ours and the opponent in turn; a ratio a round."""
        self._prepare(contest.name)
        ratios = []
        for _ in range(rounds):
            ours = self.ours(contest.ours)
            ratios.append(ours / self.opponent(contest))
        ratio = statistics.median(ratios)
        return {
            "ours": OURS[contest.ours],
            "opponent": contest.title,
            "mode": contest.mode,
            "ratios": ratios,
            "ratio": ratio,
            "bar": contest.bar,
            "passed": None if contest.bar is None else ratio >= contest.bar,
        }

    def _prepare(self, name: str) -> None:
        if name not in self._prepared:
            run([self.python, str(HERE / "opponents.py"), "prepare", name, str(self.inputs.folder)])
            self._prepared.add(name)


def check_opponents(python: str) -> dict[str, dict[str, Any]]:
    """What of the opponents that Python has."""
    try:
        return run([python, str(HERE / "opponents.py"), "check"]).json
    except OSError as error:
        raise click.UsageError(f"--opponents {python} cannot be run: {error.strerror}") from None


def compare(
    *, size: int, seed: int, corpus: Path | None, rounds: int, python: str, contests: Sequence[Contest]
) -> dict[str, Any]:
    """Every contest whose opponent is there; returns what ``--json`` writes."""
    opponents = check_opponents(python)
    for contest in {contest.name: contest for contest in contests}.values():
        if missing := opponents[contest.name]["missing"]:
            click.echo(f"left out: {contest.title}; {python} has no module {missing}", err=True)
    ready = [contest for contest in contests if not opponents[contest.name]["missing"]]
    with folder_for(4 * size) as folder:
        from framelens import load

        terms = len(load().artifact.linear.vocabulary)
        (folder / "settings.json").write_text(json.dumps({"terms": terms}))
        click.echo(f"writing {show(size)} of text", err=True)
        bench = Bench(Inputs(folder, size, seed, corpus), python, opponents)
        whole = bench.inputs.part(1.0)
        ratios = []
        for contest in ready:
            ratios.append(bench.contest(contest, rounds))
            click.echo(sentence(ratios[-1]), err=True)
        for mode in OURS:
            if ("ours", mode) not in bench.lines:
                bench.ours(mode)
        order = sorted(bench.lines.values(), key=lambda line: (list(OURS).index(line.group), line.title))
        return {
            "machine": machine(),
            "input": {
                "bytes": whole.bytes,
                "articles": whole.articles,
                "seed": None if corpus else seed,
                "real": corpus is not None,
            },
            "rounds": rounds,
            "lines": [line.to_dict() for line in order],
            "ratios": ratios,
        }


def sentence(ratio: dict[str, Any]) -> str:
    """A ratio in words."""
    low, high = min(ratio["ratios"]), max(ratio["ratios"])
    bar = ""
    if ratio["bar"] is not None:
        bar = f"; asked: {ratio['bar']:g}, {'reached' if ratio['passed'] else 'MISSED'}"
    text = f"{ratio['ours']} is {ratio['ratio']:.2f} times as fast as {ratio['opponent']}"
    return f"{text} ({low:.2f} to {high:.2f}{bar})"


def table(result: dict[str, Any]) -> str:
    """What is printed."""
    rows = [("", "MB/s", "articles/s", "CPU ms/MB", "peak memory", "runs")]
    for line in result["lines"]:
        mine = line["group"]
        name = line["title"] if line["title"].startswith("framelens") else f"  {line['title']} [{mine}]"
        speed, articles = f"{line['mb_per_s']:.1f}", f"{line['articles_per_s']:,.0f}"
        computed = f"{line['cpu_ms_per_mb']:.1f}"
        rows.append((name, speed, articles, computed, show(line["peak_bytes"]), str(len(line["seconds"]))))
    width = max(len(row[0]) for row in rows)
    return "\n".join(f"{name:<{width}}" + "".join(f"{cell:>13}" for cell in cells) for name, *cells in rows)


@click.command()
@click.option("--size", type=Size(), default="1GB", show_default=True, help="Text in the input.")
@click.option("--sizes", help="Ours only, one size after the other, for instance 10MB,100MB,1GB,10GB.")
@click.option(
    "--kind", type=click.Choice(["jsonl", "parquet", "warc"]), default="jsonl", help="With --sizes."
)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True, help="Pairs a contest.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the articles.")
@click.option("--corpus", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Real articles.")
@click.option("--opponents", "python", default=sys.executable, help="A Python that has them.")
@click.option("--quick", is_flag=True, help="Only scikit-learn.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Figures as JSON.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Bars, .svg or .png.")
def main(
    size: int,
    sizes: str | None,
    kind: str,
    rounds: int,
    seed: int,
    corpus: Path | None,
    python: str,
    quick: bool,
    json_path: Path | None,
    plot: Path | None,
) -> None:
    """Measure, print, and write what is asked for."""
    if sizes:
        wanted = [Size().convert(part, None, None) for part in sizes.split(",")]
        result = growth(wanted, kind, seed)
    else:
        contests = [contest for contest in CONTESTS if not quick or contest.name in SMOKE]
        result = compare(size=size, seed=seed, corpus=corpus, rounds=rounds, python=python, contests=contests)
        click.echo(f"\n{table(result)}\n")
        for ratio in result["ratios"]:
            click.echo(sentence(ratio))
    if json_path:
        json_path.write_text(json.dumps(result, indent=2) + "\n")
    if plot and not sizes:
        from benchmarks.plot import draw

        draw(result, plot)


if __name__ == "__main__":
    main()
