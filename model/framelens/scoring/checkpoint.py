"""What a run keeps beside its output until it is whole, so that another can go on where it stopped.

``OUT.partial`` is a folder with ``run.json`` (model, options and inputs, written once), numbered parts of the
output and of the rejects, ``journal.json`` (how far they reach, replaced after each) and ``lock``. A part
that the journal does not know of is written anew: a run that is killed at any moment loses and repeats
nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from framelens import __version__
from framelens.errors import UserError
from framelens.scoring.rows import Columns, Position, Reject
from framelens.scoring.sources import Kind, Source


@dataclass(slots=True)
class Counts:
    """What a run has done so far.

    Attributes
    ----------
    bytes
        Of the texts that were scored, as UTF-8.
    passed
        Parts of files that are no articles by their kind: a WARC's images, a folder's other files.
    """

    scored: int = 0
    rejected: int = 0
    bytes: int = 0
    passed: int = 0


@dataclass(slots=True)
class Journal:
    """How far the parts reach: to `position` of the input with number `file`, from 0."""

    file: int = 0
    position: Position = Position()  # noqa: RUF009 -- a tuple
    parts: int = 0
    counts: Counts = field(default_factory=Counts)


def describe_run(
    sources: list[Source], columns: Columns, ending: str, manifest: dict[str, Any]
) -> dict[str, Any]:
    """What must be the same for a run to be continued."""
    model = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    return {
        "framelens": __version__,
        "model": model,
        "options": {"text_column": columns.text, "id_column": columns.id, "keep": list(columns.keep)},
        "ending": ending,
        "inputs": [_identity(source) for source in sources],
    }


def _identity(source: Source) -> dict[str, Any]:
    identity: dict[str, Any] = {"path": source.path, "kind": source.kind, "packing": source.packing}
    if source.kind is Kind.FOLDER:
        from framelens.scoring.readers.folder import fingerprint

        return identity | {"files": fingerprint(source.path)}
    if source.path == "-":
        return identity
    path = Path(source.path)
    with path.open("rb") as file:
        head = hashlib.sha256(file.read(1 << 16)).hexdigest()
    return identity | {"size": source.size, "modified": path.stat().st_mtime_ns, "head": head}


class Checkpoint:
    """The folder of a run.

    Attributes
    ----------
    journal
        How far it is; changed by `commit` alone.
    """

    def __init__(self, output: Path) -> None:
        self.output = output
        self.folder = output.with_name(f"{output.name}.partial")
        self.rejects = output.with_name(f"{output.name}.rejects.jsonl")
        self.journal = Journal()
        self._run, self._progress = self.folder / "run.json", self.folder / "journal.json"

    def has_kept(self) -> bool:
        """Whether the folder holds a part that a run can go on from."""
        return self._run.exists() and self._progress.exists()

    def part(self, number: int) -> Path:
        """Part `number` of the output, from 0."""
        return self.folder / f"{number:06d}{self.output.suffix.lower()}"

    def rejects_part(self, number: int) -> Path:
        """The rejects of a part; there is no file where there are none."""
        return self.folder / f"{number:06d}.rejects.jsonl"

    def begin(self, run: dict[str, Any], *, resume: bool) -> None:
        """Make the folder, or go on with the one that is there.

        Raises
        ------
        UserError
            When there is one and `resume` is false, or it is of another run.
        """
        if not self.has_kept():
            _replace(self._run, json.dumps(run, indent=1).encode())
            return
        if not resume:
            raise UserError(
                f"{self.folder} holds an unfinished run: go on with it by --resume, or delete that folder "
                "to start anew"
            )
        self._check_same(json.loads(self._run.read_text(encoding="utf-8")), run)
        kept = json.loads(self._progress.read_text(encoding="utf-8"))
        position = Position(*kept["position"])
        self.journal = Journal(kept["file"], position, kept["parts"], Counts(**kept["counts"]))

    def _check_same(self, then: dict[str, Any], now: dict[str, Any]) -> None:
        remedy = f"run it as it was begun, or delete {self.folder} to start anew"
        if any(source["path"] == "-" for source in now["inputs"]):
            raise UserError(
                "a run that reads standard input cannot be resumed, what was read of it is gone: give the "
                f"file by its name, or delete {self.folder} to start anew"
            )
        for key, what in (("framelens", "framelens"), ("model", "the model"), ("options", "the options")):
            if then[key] != now[key]:
                differ = f" ({then[key]} then, {now[key]} now)" if key != "model" else ""
                raise UserError(f"cannot resume: {what} is not what the run began with{differ}; {remedy}")
        if len(then["inputs"]) != len(now["inputs"]):
            counts = f"{len(then['inputs'])} inputs then, {len(now['inputs'])} now"
            raise UserError(f"cannot resume: {counts}; {remedy}")
        for old, new in zip(then["inputs"], now["inputs"], strict=True):
            if old != new:
                what = ", ".join(key for key in new if old.get(key) != new[key])
                raise UserError(
                    f"cannot resume: {new['path']} is not as it was when the run began ({what}); {remedy}"
                )

    def commit(
        self, write: Callable[[BinaryIO], None] | None, rejects: Iterable[Reject], journal: Journal
    ) -> None:
        """Keep one more part, and then say so."""
        if write is not None:
            _replace(self.part(self.journal.parts), write)
        if lines := b"".join(map(_reject_line, rejects)):
            _replace(self.rejects_part(self.journal.parts), lines)
        else:  # of a run that was killed before it could say so
            self.rejects_part(self.journal.parts).unlink(missing_ok=True)
        content = {"file": journal.file, "position": journal.position, "parts": journal.parts}
        _replace(self._progress, json.dumps(content | {"counts": asdict(journal.counts)}).encode())
        self.journal = journal

    def finish(self, join: Callable[[list[Path], BinaryIO], None]) -> None:
        """Put the whole output and the whole list of rejects in their places, and delete the folder."""
        numbers = range(self.journal.parts)
        whole, listed = self.folder / "output", self.folder / "rejects"
        with _flushed(whole) as file:
            join([self.part(number) for number in numbers], file)
        if self.journal.counts.rejected:
            with _flushed(listed) as file:
                for path in (self.rejects_part(number) for number in numbers):
                    if path.exists():
                        with path.open("rb") as part:
                            shutil.copyfileobj(part, file)
            listed.replace(self.rejects)
        else:
            self.rejects.unlink(missing_ok=True)
        whole.replace(self.output)
        self.delete()

    def delete(self) -> None:
        """Remove the folder and what is in it; first what makes it one to go on from."""
        self._progress.unlink(missing_ok=True)
        shutil.rmtree(self.folder, ignore_errors=True)


def _reject_line(reject: Reject) -> bytes:
    content = {"file": reject.file, "row": reject.row, "reason": reject.reason}
    return json.dumps(content).encode() + b"\n"


@contextmanager
def _flushed(path: Path) -> Iterator[BinaryIO]:
    with path.open("wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())


def _replace(path: Path, content: bytes | Callable[[BinaryIO], None]) -> None:
    beside = path.with_name(f"{path.name}.new")
    with _flushed(beside) as file:
        if isinstance(content, bytes):
            file.write(content)
        else:
            content(file)
    beside.replace(path)


@contextmanager
def locked(checkpoint: Checkpoint) -> Iterator[None]:
    """Hold the folder for this process; it is made if need be, and deleted at the end if nothing was kept.

    Raises
    ------
    UserError
        When another run holds it, or it cannot be made.
    """
    lock = checkpoint.folder / "lock"
    try:
        checkpoint.folder.mkdir(exist_ok=True)
        with lock.open("ab") as file:
            try:
                if not _take(lock, file):
                    raise UserError(
                        f"another run is writing {checkpoint.output}; wait for it, or choose another output"
                    )
                yield
            finally:
                # an interrupt may come at any step above: what is not held is asked for again
                if not checkpoint.has_kept() and _take(lock, file):
                    checkpoint.delete()
    finally:
        with suppress(OSError):  # not made, or not empty
            checkpoint.folder.rmdir()


def _take(lock: Path, file: BinaryIO) -> bool:
    """The lock goes with the process, so that what a killed run left behind is no obstacle."""
    try:
        import fcntl
    except ModuleNotFoundError:  # not a POSIX system
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    # another run may have ended, and deleted the folder, after this one opened the file
    return lock.exists() and os.path.samestat(os.fstat(file.fileno()), lock.stat())
