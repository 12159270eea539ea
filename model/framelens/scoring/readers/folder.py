"""A folder of .txt and .html, and single files of the kind: an article each."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from framelens.errors import UserError
from framelens.scoring import rows as limits
from framelens.scoring.readers.html import Batch, Extracted, Page, extracted, require_dumps
from framelens.scoring.rows import Block, Blocks, Columns, Names, Position, Reject, make_rows, refuse
from framelens.scoring.sources import Kind, Source

_ENDINGS = {".txt": Kind.TEXT, ".html": Kind.HTML, ".htm": Kind.HTML}


class _File(NamedTuple):
    row: int
    path: str
    kind: Kind
    content: bytes
    reason: str = ""


class _About(NamedTuple):
    files: list[_File]
    passed: int


def read_folder(source: Source, columns: Columns, start: Position, processes: int = 0) -> Blocks:
    """The articles in and below a folder, in the order of their names, folder by folder.

    Columns: ``id``, the path below the folder, and ``text``. Other files are passed over and counted.
    """
    names = columns.resolve(source.path, ("id", "text"))
    root = Path(source.path)
    for batch, texts in extracted(_batches(source, start.row), processes):
        block = _block(root, batch.about, texts, names)
        if block is not None:
            yield block


def walk(folder: str) -> Iterator[os.DirEntry[str]]:
    """Every file below a folder, sorted; each folder is held in memory, not the whole tree."""
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        if entry.is_dir():
            if not entry.is_symlink():  # which may lead in a circle
                yield from walk(entry.path)
        else:
            yield entry


def fingerprint(folder: str) -> str:
    """Changes with any name, size or time of a file below the folder."""
    digest = hashlib.sha256()
    for entry in walk(folder):
        state = entry.stat()
        digest.update(
            f"{entry.path}\0{state.st_size}\0{state.st_mtime_ns}\n".encode("utf-8", "surrogateescape")
        )
    return digest.hexdigest()


def check_folder(path: str) -> None:
    """Raise a `UserError` for a folder without an article."""
    if not any(Path(entry.name).suffix.lower() in _ENDINGS for entry in walk(path)):
        raise UserError(
            f"{path} is a folder without a .txt or .html; name its files, for instance '{path}/**/*.jsonl'"
        )


def _batches(source: Source, after: int) -> Iterator[Batch[_About]]:
    files: list[_File] = []
    row = passed = size = 0
    for path in (
        [source.path] if source.kind is not Kind.FOLDER else (entry.path for entry in walk(source.path))
    ):
        kind = _ENDINGS.get(Path(path).suffix.lower()) if source.kind is Kind.FOLDER else source.kind
        if kind is None:
            passed += row >= after  # what came before was counted
            continue
        row += 1
        if row <= after:
            continue
        files.append(_read(path, row, kind))
        size += len(files[-1].content)
        if size >= limits.BLOCK_BYTES or len(files) >= limits.BLOCK_ROWS:
            yield _batch(files, passed)
            files, passed, size = [], 0, 0
    if files or passed:
        yield _batch(files, passed)


def _read(path: str, row: int, kind: Kind) -> _File:
    if kind is Kind.HTML:
        require_dumps()
    limit = limits.LONGEST_LINE
    try:
        with Path(path).open("rb") as file:
            content = file.read(limit + 1)
    except OSError as error:
        return _File(row, path, kind, b"", f"cannot read it: {error.strerror}")
    if len(content) > limit:
        return _File(row, path, kind, b"", f"the file is longer than {limit >> 20} MB")
    return _File(row, path, kind, content)


def _batch(files: list[_File], passed: int) -> Batch[_About]:
    return Batch(_About(files, passed), [Page(file.content) for file in files if _is_page(file)])


def _is_page(file: _File) -> bool:
    return file.kind is Kind.HTML and not file.reason


def _text(file: _File) -> Extracted:
    if file.reason:
        return Extracted(None, file.reason)
    try:
        return Extracted(file.content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return Extracted(None, "the text is not valid UTF-8")


def _block(root: Path, about: _About, texts: list[Extracted], names: Names) -> Block | None:
    import pyarrow as pa

    pages = iter(texts)
    results = [(file, next(pages) if _is_page(file) else _text(file)) for file in about.files]
    # in rejects the file itself is named, which is of one row
    rejects = [Reject(file.path, file.row, why) for file, (text, why) in results if text is None]
    good = [(file, text) for file, (text, _) in results if text is not None]
    rows = None
    if good:
        values = {"id": [_name(root, file.path) for file, _ in good], "text": [text for _, text in good]}
        made = make_rows(
            str(root),
            np.array([file.row for file, _ in good], dtype=np.int64),
            pa.array(values[names.id], type=pa.string()) if names.id else None,
            pa.array(values[names.text], type=pa.large_string()),
            {name: pa.array(values[name], type=pa.string()) for name in names.keep},
        )
        rows, long = refuse(made, names.text)
        paths = {file.row: file.path for file, _ in good}
        rejects += [Reject(paths[reject.row], reject.row, reject.reason) for reject in long]
        rejects.sort(key=lambda reject: reject.row)
    end = about.files[-1].row if about.files else 0
    return Block(rows, tuple(rejects), Position(end), sum(len(f.content) for f in about.files), about.passed)


def _name(root: Path, path: str) -> str:
    name = Path(path).relative_to(root).as_posix() if Path(path) != root else path
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
