"""Running a program and seeing what it took: seconds, and the memory of the whole tree of processes."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

_EVERY = 0.02
_UNITS = {"": 1, "B": 1, "KB": 1e3, "MB": 1e6, "GB": 1e9}


@dataclass(frozen=True)
class Took:
    """Of one run: wall-clock seconds, seconds of computing on all cores, the highest sum of resident memory
    in bytes, and what it printed.
    """

    seconds: float
    cpu: float
    peak: int
    output: str

    @property
    def json(self) -> dict[str, Any]:
        """The printed object."""
        result: dict[str, Any] = json.loads(self.output)
        return result


def run(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Took:
    """Run a program to its end.

    Raises
    ------
    click.ClickException
        With the end of what it wrote on stderr, when it fails.
    """
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as errors:
        started, computed = time.perf_counter(), _computed()
        process = subprocess.Popen(command, stdout=out, stderr=errors, cwd=cwd, env=env)
        peak = 0
        while process.poll() is None:
            peak = max(peak, tree_memory(process.pid))
            try:
                process.wait(_EVERY)
            except subprocess.TimeoutExpired:
                continue
        seconds = time.perf_counter() - started
        out.seek(0)
        errors.seek(0)
        if process.returncode:
            why = errors.read().decode(errors="replace").strip()[-2000:]
            raise click.ClickException(
                f"{' '.join(map(str, command))} ended with {process.returncode}: {why}"
            )
        return Took(seconds, _computed() - computed, peak, out.read().decode())


def _computed() -> float:
    """Seconds that ended descendants have computed; less touched than the clock's by what else is running."""
    try:
        import resource
    except ModuleNotFoundError:  # not a POSIX system
        return 0.0
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def tree_memory(pid: int) -> int:
    """Resident bytes of a process and its descendants now; 0 where the system does not tell (not Linux).

    Pages that processes share are counted in each of them.
    """
    total, waiting = 0, [pid]
    while waiting:
        place = Path("/proc") / str(waiting.pop())
        try:
            total += int((place / "statm").read_text().split()[1])
            for task in (place / "task").iterdir():
                waiting += [int(child) for child in (task / "children").read_text().split()]
        except (OSError, ValueError, IndexError):  # it has just ended
            continue
    return total * os.sysconf("SC_PAGE_SIZE")


class Size(click.ParamType):
    """A number of bytes such as ``100MB`` or ``10GB``."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse it."""
        if isinstance(value, int):
            return value
        digits = str(value).strip().upper()
        unit = digits.lstrip("0123456789.")
        try:
            size = int(float(digits[: len(digits) - len(unit)]) * _UNITS[unit.strip()])
        except (KeyError, ValueError):
            self.fail(f"{value!r} is no size; write it like 100MB or 10GB", param, ctx)
        if size <= 0:
            self.fail(f"{value!r} is not positive", param, ctx)
        return size


def show(size: float) -> str:
    """Bytes for people."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size:.0f} B"
