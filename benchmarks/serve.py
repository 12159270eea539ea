"""How many predictions a second `framelens serve` answers, and how soon, driven by wrk from another process.

    python -m benchmarks.serve [--workers 1] [--connections 1,16,64] [--seconds 10] [--json OUT]
    python -m benchmarks.serve --requests 200000

One article a request, of 700 words, sixteen of them in turn, put together from sentences written for this;
server and wrk share the machine. Before anything is measured the server answers for two seconds.
`--requests` is a soak: so many requests over 16 connections, with the server's memory after each tenth of
them. Latency is wrk's: from sending a request to its answer's end, waiting for earlier ones included. wrk is
a package of most distributions (apt-get install wrk).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from benchmarks.measure import show, tree_memory

ARTICLES, WORDS = 16, 700
SENTENCES = (
    "The council of Lower Marsh voted on Tuesday to close the swimming baths for the winter.",
    "Nobody at the harbour office could say when the second crane would be repaired.",
    '"We were promised a bridge in 2019, and all we have is a sign," said Petra Oakes, who runs the ferry.',
    "The minister stressed that both sides would deepen their cooperation in fisheries and transport.",
    "According to three people with knowledge of the talks, an agreement is still some weeks away.",
    "Rain had fallen on the valley for nine days when the first of the dams began to leak.",
    "The spokesman rejected the report as baseless and called on its authors to apologise.",
    "Prices of bread rose by 4.5 percent in March, the statistics office said, the fastest in two years.",
    "In a message to the congress, the president hailed the achievements of the railway workers.",
    "Her lawyer said that she had not been allowed to see a doctor since her arrest.",
    "Teachers, nurses and drivers joined the march, which passed the old town hall without incident.",
    "The two countries signed nine documents, among them one on the mutual recognition of diplomas.",
    "It was unclear whether the inspectors would publish their findings before the election.",
    '"This is a new milestone in our friendly relations," the ambassador added.',
    "Critics of the plan say that it would leave 14,000 homes without water in a dry summer.",
    "The court in Eastbrook adjourned the case until October after a witness failed to appear.",
    "Officials of the energy company did not respond to requests for comment.",
    "With the support of the people, the region will certainly reach its goals ahead of schedule, he said.",
    "The orchestra will play in the open air if the weather allows, and in the market hall if not.",
    "Shares in the shipyard fell by a tenth before trading was halted.",
)
WARM_UP_SECONDS = 2
SOAK_CONNECTIONS = 16
SOAK_SECONDS = 5
_SERVE = [sys.executable, "-c", "import sys; from framelens.cli import main; sys.exit(main())", "serve"]
# wrk counts as `status` what is not 2xx or 3xx.
_SCRIPT = """
local bodies = {}
for line in io.lines(os.getenv("BODIES")) do
  bodies[#bodies + 1] = wrk.format("POST", "/v1/predict", {["Content-Type"] = "application/json"}, line)
end
local i = 0
request = function()
  i = i % #bodies + 1
  return bodies[i]
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format(
    'RESULT {"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "slowest": %f, "errors": %d}\\n',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    latency.max / 1e3, e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def articles() -> list[str]:
    """`ARTICLES` texts of `WORDS` words, the same every time."""
    chance = random.Random(5)
    texts = []
    for _ in range(ARTICLES):
        drawn = [chance.choice(SENTENCES) + ("\n\n" if i % 3 == 2 else " ") for i in range(WORDS // 8)]
        words = "".join(drawn).split(" ")
        texts.append(" ".join(words[:WORDS]))
    return texts


@dataclass(frozen=True)
class Load:
    """What wrk saw: times in milliseconds, memory of the server's processes in bytes."""

    connections: int
    requests: int
    seconds: float
    p50: float
    p99: float
    slowest: float
    errors: int
    memory: int

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds


@contextmanager
def server(workers: int, log: Path) -> Iterator[tuple[str, int]]:
    """Address and process id of a server that is ready; its log goes to a file, as it would in service."""
    command = [*_SERVE, "--port", "0", "--workers", str(workers)]
    with log.open("w", encoding="utf-8") as stream:
        process = subprocess.Popen(command, stderr=stream)
        try:
            yield _ready(process, log, workers), process.pid
        finally:
            process.terminate()
            process.wait()


def _ready(process: subprocess.Popen[bytes], log: Path, workers: int) -> str:
    import httpx

    address = ""
    for _ in range(1200):
        if process.poll() is not None:
            raise click.ClickException(f"the server ended: {log.read_text(encoding='utf-8')[-1000:]}")
        lines = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
        address = next((line["address"] for line in lines if line["event"] == "listening"), "")
        try:
            # a worker that is not ready may be hidden behind one that is: ask often enough to meet each
            answers = [httpx.get(f"{address}/readyz") for _ in range(4 * workers)] if address else []
        except httpx.TransportError:
            answers = []
        if answers and all(answer.status_code == 200 for answer in answers):
            return str(address)
        time.sleep(0.1)
    raise click.ClickException("the server was not ready within two minutes")


def drive(address: str, pid: int, connections: int, seconds: float, folder: Path) -> Load:
    """Let wrk send requests for some seconds."""
    script, bodies = folder / "predict.lua", folder / "bodies.jsonl"
    if not script.exists():
        script.write_text(_SCRIPT, encoding="utf-8")
        lines = [json.dumps({"text": text}) for text in articles()]
        bodies.write_text("\n".join(lines) + "\n", encoding="utf-8")
    command = [
        "wrk",
        "--threads",
        "1",
        "--connections",
        str(connections),
        "--duration",
        f"{max(1, round(seconds))}s",
    ]
    done = subprocess.run(
        [*command, "--script", str(script), "--timeout", "10s", address],
        env={**os.environ, "BODIES": str(bodies)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    found = [line for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    if done.returncode or not found:
        raise click.ClickException(f"wrk failed: {(done.stderr or done.stdout)[-1000:]}")
    return Load(
        connections=connections, memory=tree_memory(pid), **json.loads(found[0].removeprefix("RESULT "))
    )


def soak(address: str, pid: int, requests: int, folder: Path) -> list[Load]:
    """At least so many requests, in ten parts."""
    parts: list[Load] = []
    for part in range(1, 11):
        loads: list[Load] = []
        while sum(load.requests for load in (*parts, *loads)) < requests * part / 10:
            loads.append(drive(address, pid, SOAK_CONNECTIONS, SOAK_SECONDS, folder))
        if loads:
            parts.append(_together(loads))
    return parts


def _together(loads: list[Load]) -> Load:
    return Load(
        loads[0].connections,
        sum(load.requests for load in loads),
        sum(load.seconds for load in loads),
        max(load.p50 for load in loads),
        max(load.p99 for load in loads),
        max(load.slowest for load in loads),
        sum(load.errors for load in loads),
        loads[-1].memory,
    )


def table(loads: list[Load]) -> str:
    """Markdown."""
    lines = [
        "| connections | requests | requests/s | p50 ms | p99 ms | slowest ms | errors | memory after |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for load in loads:
        cells = (
            load.connections, f"{load.requests:,}", f"{load.rate:,.0f}", f"{load.p50:.2f}", f"{load.p99:.2f}",
            f"{load.slowest:.1f}", load.errors, show(load.memory),
        )  # fmt: skip
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines)


def measure(workers: int, connections: list[int], seconds: float, requests: int | None) -> dict[str, Any]:
    """Start a server, drive it, stop it."""
    with tempfile.TemporaryDirectory(prefix="framelens-benchmark-") as name:
        folder = Path(name)
        with server(workers, folder / "server.log") as (address, pid):
            drive(address, pid, SOAK_CONNECTIONS, WARM_UP_SECONDS, folder)
            before = tree_memory(pid)
            if requests is None:
                loads = [drive(address, pid, n, seconds, folder) for n in connections]
            else:
                loads = soak(address, pid, requests, folder)
    return {"workers": workers, "memory_before": before, "loads": loads}


def _numbers(context: click.Context, parameter: click.Parameter, value: str) -> list[int]:
    try:
        numbers = [int(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter(f"{value!r} is no list of numbers such as 1,16,64") from None
    if min(numbers) < 1:
        raise click.BadParameter(f"{min(numbers)} connections are too few")
    return numbers


@click.command()
@click.option(
    "--workers", type=click.IntRange(1), default=1, show_default=True, help="The server's processes."
)
@click.option("--connections", default="1,16,64", show_default=True, callback=_numbers)
@click.option("--seconds", type=click.FloatRange(1), default=10, show_default=True, help="For each of them.")
@click.option("--requests", type=click.IntRange(1), help="Soak with at least so many instead.")
@click.option("--json", "json_path", type=click.Path(dir_okay=False, path_type=Path), help="Figures as JSON.")
def main(
    workers: int, connections: list[int], seconds: float, requests: int | None, json_path: Path | None
) -> None:
    """Measure and print."""
    if shutil.which("wrk") is None:
        raise click.ClickException("wrk is not installed; it is a package of most distributions")
    found = measure(workers, connections, seconds, requests)
    loads: list[Load] = found["loads"]
    click.echo(f"{workers} worker(s), memory before {show(found['memory_before'])}\n\n{table(loads)}")
    if requests is not None:
        growth = loads[-1].memory - loads[0].memory
        total, errors = (sum(getattr(load, name) for load in loads) for name in ("requests", "errors"))
        click.echo(
            f"\n{total:,} requests, {errors} errors; "
            f"memory grew by {growth / 1e6:.1f} MB after the first tenth"
        )
    if json_path is not None:
        rows = [asdict(load) | {"rate": load.rate} for load in loads]
        json_path.write_text(json.dumps(found | {"loads": rows}, indent=2) + "\n", encoding="utf-8")
    if any(load.errors for load in loads):
        raise click.exceptions.Exit(1)


if __name__ == "__main__":
    main()
