"""What a big dump would take, from measured growth: the table of docs/scale.md.

    python -m benchmarks.score --sizes 100MB,1GB --kind parquet --json parquet.json
    python -m benchmarks.score --sizes 10MB,40MB --kind warc --json warc.json
    python -m benchmarks.plan --parquet parquet.json --warc warc.json [--cores 64] [--price 0.05]

The time of a core for a MB of text, or for a page, is the slope between the smallest and the largest size,
so that the start of the process is not scaled up. What the core-hours cost is their number times a price that
is yours to fill in.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click


@dataclass(frozen=True)
class Dump:
    """A collection, and how much of the measured unit it holds."""

    name: str
    kind: str
    unit: str
    amount: float


DUMPS = (
    # tokens and documents by the data set's card; bytes of text for a token: see docs/scale.md
    Dump("FineWeb's state media: 79,591,422 documents, 229 GB of text", "parquet", "bytes", 229.4e9),
    Dump("a month of CC-NEWS: 600 files of 1.07 GB, 11.7 million pages", "warc", "articles", 11.7e6),
)


def slope(rows: list[dict[str, Any]], unit: str, cores: int) -> tuple[float, float]:
    """Seconds of a core for one unit: by the clock, all cores counted, and by what was computed."""
    first, last = min(rows, key=lambda row: row[unit]), max(rows, key=lambda row: row[unit])
    if first is last:
        raise click.UsageError("growth must have been measured for two sizes")
    more = last[unit] - first[unit]
    by_clock = (last["seconds"] - first["seconds"]) * cores / more
    return by_clock, (last["cpu_seconds"] - first["cpu_seconds"]) / more


def plan(measured: dict[str, dict[str, Any]], cores: int, price: float) -> list[dict[str, Any]]:
    """A row for each dump whose kind was measured."""
    rows = []
    for dump in DUMPS:
        if dump.kind not in measured:
            continue
        growth = measured[dump.kind]
        clock, computed = slope(growth["growth"], dump.unit, growth["machine"]["cores"])
        hours = clock * dump.amount / 3600
        speed = 1e-6 / clock if dump.unit == "bytes" else 1 / clock
        rows.append(
            {
                "dump": dump.name,
                "speed": f"{speed:,.0f} {'MB/s' if dump.unit == 'bytes' else 'pages/s'}",
                "core_hours": hours,
                "core_hours_computed": computed * dump.amount / 3600,
                "hours": hours / cores,
                "cost": hours * price,
            }
        )
    return rows


@click.command()
@click.option("--parquet", type=click.Path(exists=True, path_type=Path), help="Growth over Parquet, as JSON.")
@click.option("--warc", type=click.Path(exists=True, path_type=Path), help="Growth over WARC, as JSON.")
@click.option("--cores", type=click.IntRange(min=1), default=64, show_default=True, help="To run it on.")
@click.option("--price", type=float, default=0.05, show_default=True, help="Of a core for an hour.")
def main(parquet: Path | None, warc: Path | None, cores: int, price: float) -> None:
    """Print the table as Markdown."""
    files = {"parquet": parquet, "warc": warc}
    measured = {kind: json.loads(path.read_text()) for kind, path in files.items() if path}
    click.echo(f"| dump | a core does | core-hours (computed) | on {cores} cores | at {price} an hour |")
    click.echo("|---|---|---|---|---|")
    for row in plan(measured, cores, price):
        hours = f"{row['hours'] * 60:.0f} min" if row["hours"] < 2 else f"{row['hours']:.1f} h"
        core_hours = f"{row['core_hours']:.1f} ({row['core_hours_computed']:.1f})"
        click.echo(f"| {row['dump']} | {row['speed']} | {core_hours} | {hours} | {row['cost']:.2f} |")


if __name__ == "__main__":
    main()
