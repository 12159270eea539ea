"""What is dear to make and kept in files: machine code, and tables made of sources.

A file's name has a digest of all that its content depends on, so nothing that is out of date is ever read. It
is written beside and moved into place, and begins with the SHA-256 of the rest.
"""

from __future__ import annotations

import hashlib
import logging
import os
import pickle
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import TypeVar

import numpy as np

_Result = TypeVar("_Result")

_VARIANTS = 16
"""So many of one name are kept: for other arguments, processors and interpreters, or of other sources."""
_DIGEST = hashlib.sha256().digest_size


def kept(module: str, make: Callable[[], _Result]) -> _Result:
    """What a function makes of the sources and tables beside and below a module; made again when one changes.

    Parameters
    ----------
    module
        The module's ``__file__``.
    make
        What it returns is pickled: it is kept where compiled code is, and as much to be trusted.
    """
    source = Path(module)

    def depends() -> object:
        files = sorted(file for file in source.parent.rglob("*.*") if file.suffix in (".py", ".toml"))
        return np.__version__, [(file.name, file.read_bytes()) for file in files]

    name = f"{make.__module__}.{make.__name__}"
    made: _Result = pickle.loads(kept_bytes(name, source, depends, lambda: pickle.dumps(make())))
    return made


def kept_bytes(name: str, source: Path, depends: Callable[[], object], make: Callable[[], bytes]) -> bytes:
    """What is kept under this name, for what it depends on; made and kept if it is not there.

    Parameters
    ----------
    source
        Beside this file it is kept, if that can be.
    depends
        Its `repr` tells one content from another; an OSError means that nothing can be kept.
    """
    try:
        about = repr((sys.version_info[:3], Path(__file__).read_bytes(), depends()))
    except OSError:  # installed without its sources
        _say_uncached("there are no sources to tell by whether it is still right")
        return make()
    file = f"{name}-{hashlib.sha256(about.encode()).hexdigest()[:32]}.kept"
    content = _read(folders := _folders(source), file)
    if content is None:
        with _alone(folders, file):
            content = _read(folders, file)  # another process may have made it meanwhile
            if content is None:
                content = make()
                _keep(folders, file, content)
    return content


def _folders(source: Path) -> list[Path]:
    """Where something may be kept, the best place first; the same as numba's."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        return [Path(chosen)]
    folders = [source.parent / "__pycache__"]
    with suppress(RuntimeError):  # a user without a home
        home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
        folders.append(Path(home) / "framelens")
    return folders


@contextmanager
def _alone(folders: list[Path], file: str) -> Iterator[None]:
    """Let one process at a time make what a file keeps: many that start at once would all do the same work.

    Where nothing can be locked, they do.
    """
    with ExitStack() as stack:
        for folder in folders:
            with suppress(ImportError, OSError):  # Windows has no such locks, nor have some file systems
                import fcntl

                folder.mkdir(parents=True, exist_ok=True)
                lock = folder / f".{file}.lock"
                held = stack.enter_context(lock.open("wb"))
                stack.callback(lock.unlink, missing_ok=True)
                fcntl.flock(held, fcntl.LOCK_EX)
                break
        yield


def _read(folders: list[Path], file: str) -> bytes | None:
    """What is kept under this name; None where there is nothing, or not the whole of what was written."""
    for folder in folders:
        try:
            content = (folder / file).read_bytes()
        except OSError:
            continue
        if hashlib.sha256(content[_DIGEST:]).digest() == content[:_DIGEST]:
            return content[_DIGEST:]
    return None


def _keep(folders: list[Path], file: str, content: bytes) -> None:
    """Write beside and move into place: another process sees all of it or nothing."""
    why = ""
    for folder in folders:
        fresh = folder / f".{file}.{os.getpid()}-{threading.get_ident()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            try:
                fresh.write_bytes(hashlib.sha256(content).digest() + content)
                fresh.replace(folder / file)
            finally:
                fresh.unlink(missing_ok=True)
        except OSError as error:
            why = f"{folder}: {error.strerror}"
        else:
            _forget(folder, file.rpartition("-")[0])
            return
    _say_uncached(why)


def _forget(folder: Path, name: str) -> None:
    """Delete all of this name but the latest: what older sources gave is of no use."""
    with suppress(OSError):  # another process may be quicker
        files = sorted(folder.glob(f"{name}-*.kept"), key=lambda file: file.stat().st_mtime, reverse=True)
        for file in files[_VARIANTS:]:
            file.unlink(missing_ok=True)


@cache
def _say_uncached(why: str) -> None:
    logging.getLogger("framelens").warning(
        "the compiled kernel cannot be cached and will be compiled in every process (%s); "
        "set NUMBA_CACHE_DIR to a writable folder",
        why,
    )
