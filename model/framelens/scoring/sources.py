"""Which files are meant, and of what kind each is: by its first bytes, then by its name."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from framelens.errors import UserError
from framelens.scoring.rows import TEXT_COLUMNS


class Kind(StrEnum):
    """What a reader is chosen by."""

    JSON_LINES = "JSON lines"
    CSV = "CSV"
    TSV = "TSV"
    PARQUET = "Parquet"
    ARROW_FILE = "Arrow IPC file"
    ARROW_STREAM = "Arrow IPC stream"
    WARC = "WARC"
    TEXT = "text"
    HTML = "HTML"
    FOLDER = "folder"


PACKINGS = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_MAGIC = {
    b"PAR1": Kind.PARQUET,
    b"ARROW1": Kind.ARROW_FILE,
    b"\xff\xff\xff\xff": Kind.ARROW_STREAM,
    b"WARC/": Kind.WARC,
}
_ENDINGS = {
    ".jsonl": Kind.JSON_LINES,
    ".ndjson": Kind.JSON_LINES,
    ".csv": Kind.CSV,
    ".tsv": Kind.TSV,
    ".parquet": Kind.PARQUET,
    ".arrow": Kind.ARROW_FILE,
    ".feather": Kind.ARROW_FILE,
    ".arrows": Kind.ARROW_STREAM,
    ".warc": Kind.WARC,
    ".txt": Kind.TEXT,
    ".html": Kind.HTML,
    ".htm": Kind.HTML,
}
_STREAMED = {Kind.JSON_LINES, Kind.CSV, Kind.TSV, Kind.ARROW_STREAM, Kind.WARC}
"""What can be read out of a compressed stream."""
_OTHERS = {
    b"PK\x03\x04": "a zip archive: unpack it first",
    b"BZh": "compressed by bzip2: unpack it first",
    b"\xfd7zXZ": "compressed by xz: unpack it first",
    b"FEA1": "Feather of version 1: write it anew as Arrow IPC",
    b"ORC": "ORC: write it anew as Parquet",
    b"Obj\x01": "Avro: write it anew as Parquet",
}
KNOWN = "JSON lines, CSV, TSV (each also .gz, .zst), Parquet, Arrow IPC, WARC or a folder of .txt or .html"
_HEAD = 4096


@dataclass(frozen=True, slots=True)
class Source:
    """One input: a file, a folder, or standard input (``-``).

    Attributes
    ----------
    packing
        ``gzip``, ``zstd``, or None.
    size
        Bytes on the disk; 0 where that is not known.
    """

    path: str
    kind: Kind
    packing: str | None
    size: int


def expand(inputs: list[str]) -> list[str]:
    """The inputs with every pattern (``*``, ``?``, ``[...]``, ``**``) that names no file replaced by what
    matches it, sorted; a `UserError` where nothing does.
    """
    paths = []
    for name in inputs:
        if name == "-" or not glob.has_magic(name) or Path(name).exists():
            paths.append(name)
            continue
        found = sorted(glob.glob(name, recursive=True))  # noqa: PTH207 -- patterns may be absolute
        if not found:
            raise UserError(f"no file matches {name}")
        paths += [path for path in found if not Path(path).is_dir()] or found
    return paths


def find_sources(inputs: list[str]) -> list[Source]:
    """Every input, sniffed; a `UserError` names what is missing, unreadable or of no known kind."""
    sources = [sniff(path) for path in expand(inputs)]
    for source in sources:
        if source.kind is Kind.FOLDER:
            from framelens.scoring.readers.folder import check_folder

            check_folder(source.path)
        elif source.kind in (Kind.WARC, Kind.HTML):
            from framelens.scoring.readers.html import require_dumps

            require_dumps()
    if sum(source.path == "-" for source in sources) > 1:
        raise UserError("standard input (-) is given more than once; it can be read only once")
    return sources


def sniff(path: str) -> Source:
    """The kind of one input."""
    if path == "-":
        return Source(path, Kind.JSON_LINES, None, 0)  # how it is packed shows when it is read
    if Path(path).is_dir():
        return Source(path, Kind.FOLDER, None, 0)
    try:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
            size = Path(path).stat().st_size
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None
    packing = next((name for magic, name in PACKINGS.items() if head.startswith(magic)), None)
    kind = _kind(path, _unpacked(path, head, packing) if packing else head)
    if packing and kind not in _STREAMED:
        raise UserError(f"{path} is {kind} compressed by {packing}: unpack it first")
    return Source(path, kind, packing, size)


def _unpacked(path: str, head: bytes, packing: str) -> bytes:
    """The beginning of what is packed; what cannot be unpacked at all is left to the reader to tell."""
    import pyarrow as pa

    try:
        with pa.CompressedInputStream(pa.OSFile(path), packing) as stream:
            return bytes(stream.read(_HEAD))
    except (OSError, ValueError):
        try:  # a file shorter than the head that breaks off
            with pa.CompressedInputStream(pa.BufferReader(head), packing) as stream:
                return bytes(stream.read(64))
        except (OSError, ValueError):
            return b""


def _kind(path: str, head: bytes) -> Kind:
    for magic, kind in _MAGIC.items():
        if head.startswith(magic):
            return kind
    for magic, what in _OTHERS.items():
        if head.startswith(magic):
            raise UserError(f"{path} is {what}")
    name = path.lower()
    for ending in (".gz", ".zst"):
        name = name.removesuffix(ending)
    named = _ENDINGS.get(Path(name).suffix)
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b'{"'):
        return Kind.JSON_LINES
    if named not in (None, Kind.JSON_LINES, Kind.CSV, Kind.TSV):
        return named
    if (likely := _looks_like(text) or named) is not None:
        return likely
    if text.startswith(b"["):
        raise UserError(f"{path} is one JSON array; make it JSON lines with `jq -c '.[]'`")
    raise UserError(f"{path} is none of {KNOWN}")


def _looks_like(text: bytes) -> Kind | None:
    """What a text is beyond doubt: a page, or a table whose header has a column of text."""
    if text[:14].lower().startswith((b"<!doctype html", b"<html")):
        return Kind.HTML
    if text.startswith(b"{"):
        return Kind.JSON_LINES
    header = text.partition(b"\n")[0].decode("utf-8", "replace").lower()
    for kind, delimiter in ((Kind.TSV, "\t"), (Kind.CSV, ",")):
        names = {name.strip().strip('"') for name in header.split(delimiter)}
        if delimiter in header and names & set(TEXT_COLUMNS):
            return kind
    return None
