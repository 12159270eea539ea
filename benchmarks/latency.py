"""How long a single prediction takes, from the start of a process and after.

    python -m benchmarks.latency [--runs 21] [--json OUT]

Every figure is the median over fresh processes, with the lowest and highest; the times of a process are taken
around it, Python's own start (shown beside) included. Articles are invented, of about 700 words.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from benchmarks.measure import run

WORDS = 700
REPEATS = 300

_ANSWER = "import sys, framelens; framelens.predict(open(sys.argv[1], encoding='utf-8').read())"
_IMPORT = """
import json, time
started = time.perf_counter()
import framelens
print(json.dumps(time.perf_counter() - started))
"""
_AFTER = f"""
import json, statistics, sys, time
import framelens
articles = json.load(open(sys.argv[2], encoding="utf-8"))
started = time.perf_counter()
framelens.predict(articles[0])
first = time.perf_counter() - started
taken = []
for i in range({REPEATS}):
    text = articles[i % len(articles)]
    started = time.perf_counter()
    framelens.predict(text)
    taken.append(time.perf_counter() - started)
print(json.dumps(dict(first=first, after=statistics.median(taken), compiler="numba" in sys.modules)))
"""
_CLI = "import sys; from framelens.cli import main; sys.exit(main(['predict', sys.argv[1]]))"


def articles(number: int = 40) -> list[str]:
    """Texts of `WORDS` words, to within a sentence."""
    from benchmarks.articles import Articles

    texts: list[str] = []
    text = ""
    for article in Articles(seed=7).stream(100 * WORDS * number):
        text = f"{text}\n\n{article['text']}" if text else article["text"]
        words = text.split(" ")
        if len(words) >= WORDS:
            texts.append(" ".join(words[:WORDS]))
            text = ""
        if len(texts) == number:
            break
    return texts


def measure(runs: int) -> list[dict[str, Any]]:
    """Every figure; seconds."""
    with tempfile.TemporaryDirectory(prefix="framelens-benchmark-") as folder:
        one, many = Path(folder) / "one.txt", Path(folder) / "many.json"
        texts = articles()
        one.write_text(texts[0], encoding="utf-8")
        many.write_text(json.dumps(texts), encoding="utf-8")

        def python(code: str) -> Any:
            return run([sys.executable, "-c", code, str(one), str(many)])

        taken: dict[str, list[float]] = {name: [] for name in FIGURES}
        for round_ in range(runs + 1):
            after = python(_AFTER).json
            found = {
                "nothing": python("pass").seconds,
                "answer": python(_ANSWER).seconds,
                "cli": python(_CLI).seconds,
                "import": python(_IMPORT).json,
                "first": after["first"],
                "after": after["after"],
            }
            if round_ == 0:  # fills the page cache, and Python's and numba's caches
                continue
            for name, seconds in found.items():
                taken[name].append(seconds)
    return [summary(name, values) for name, values in taken.items()]


FIGURES: dict[str, tuple[str, float | None]] = {
    "nothing": ("a process that does nothing", None),
    "import": ("import framelens", 0.12),
    "answer": ("from process start to the answer, in Python", 0.3),
    "cli": ("from process start to the answer, `framelens predict`", None),
    "first": ("the first answer after the import", None),
    "after": (f"an article of {WORDS} words after that, one thread", 0.001),
}
"""What is measured, and what is asked for, in seconds."""


def summary(name: str, values: Sequence[float]) -> dict[str, Any]:
    """Median, lowest and highest of a figure, and whether it is what is asked for."""
    title, bar = FIGURES[name]
    median = statistics.median(values)
    return {
        "name": name,
        "title": title,
        "seconds": median,
        "lowest": min(values),
        "highest": max(values),
        "bar": bar,
        "passed": None if bar is None else median < bar,
    }


def sentence(figure: dict[str, Any]) -> str:
    """A figure in words."""
    median, low, high = (f"{1000 * figure[key]:.2f}" for key in ("seconds", "lowest", "highest"))
    bar = ""
    if figure["bar"] is not None:
        bar = f"; asked: under {1000 * figure['bar']:g} ms, {'reached' if figure['passed'] else 'MISSED'}"
    return f"{figure['title']}: {median} ms ({low} to {high}{bar})"


@click.command()
@click.option(
    "--runs", type=click.IntRange(min=1), default=21, show_default=True, help="Fresh processes each."
)
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Figures as JSON.")
def main(runs: int, json_path: Path | None) -> None:
    """Measure and print."""
    figures = measure(runs)
    for figure in figures:
        click.echo(sentence(figure))
    if json_path:
        json_path.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
