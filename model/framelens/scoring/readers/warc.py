"""WARC files, as crawlers and CC-NEWS write them: the HTML pages among their responses.

Columns: ``id`` (WARC-Record-ID), ``url``, ``date``, ``text``. A page in another language is not left out: the
model abstains on it with the reason ``not_english``, as it does for every other kind of file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np

from framelens.scoring import rows as limits
from framelens.scoring.readers.html import LONGEST_PAGE, Batch, Page, extracted, require_dumps
from framelens.scoring.rows import Block, Blocks, Columns, Names, Position, Reject, make_rows, refuse
from framelens.scoring.sources import Source

if TYPE_CHECKING:
    from framelens.scoring.readers.html import Extracted

_COLUMNS = ("id", "url", "date", "text")
_HTML = ("text/html", "application/xhtml+xml")
_BEGINNINGS = {None: b"WARC/1.", "gzip": b"\x1f\x8b\x08", "zstd": b"\x28\xb5\x2f\xfd"}
_NEXT = b"\r\n\r\nWARC/1."


class _Found(NamedTuple):
    """A response: a page and its columns, or the reason why it is none; no reason if it is no HTML."""

    row: int
    page: Page | None
    fields: dict[str, str]
    reason: str = ""


class _About(NamedTuple):
    found: list[_Found]
    size: int


def read_warc(source: Source, columns: Columns, start: Position, processes: int = 0) -> Blocks:
    """Every response; its number counts responses, whatever they hold."""
    require_dumps()
    names = columns.resolve(source.path, _COLUMNS)
    with Path(source.path).open("rb") as file:
        for batch, texts in extracted(_batches(source, file, start.row), processes):
            yield _block(source.path, names, batch.about, texts)


def _batches(source: Source, file: BinaryIO, after: int) -> Iterator[Batch[_About]]:
    found: list[_Found] = []
    size = 0
    for one in _responses(source, file):
        if one.row <= after:
            continue
        found.append(one)
        size += len(one.page.content) if one.page else 0
        if size >= limits.BLOCK_BYTES or len(found) >= limits.BLOCK_ROWS:
            yield _batch(found, file)
            found, size = [], 0
    if found:
        yield _batch(found, file)


def _batch(found: list[_Found], file: BinaryIO) -> Batch[_About]:
    return Batch(_About(found, file.tell()), [one.page for one in found if one.page is not None])


def _block(file: str, names: Names, about: _About, texts: list[Extracted]) -> Block:
    import pyarrow as pa

    rejects: list[Reject] = []
    good: list[tuple[_Found, str]] = []
    passed = 0
    results = iter(texts)
    for one in about.found:
        text, reason = next(results) if one.page is not None else (None, one.reason)
        if text is not None:
            good.append((one, text))
        elif reason:
            rejects.append(Reject(file, one.row, reason))
        else:
            passed += 1
    rows = None
    if good:
        values = {name: [one.fields.get(name) for one, _ in good] for name in ("id", "url", "date")}
        values["text"] = [text for _, text in good]

        def strings(name: str) -> pa.Array:
            return pa.array(values[name], type=pa.string())

        made = make_rows(
            file,
            np.array([one.row for one, _ in good], dtype=np.int64),
            strings(names.id) if names.id else None,
            pa.array(values[names.text], type=pa.large_string()),
            {name: strings(name) for name in names.keep},
        )
        rows, long = refuse(made, names.text)
        rejects = sorted([*rejects, *long], key=lambda reject: reject.row)
    return Block(rows, tuple(rejects), Position(about.found[-1].row), about.size, passed)


def _responses(source: Source, file: BinaryIO) -> Iterator[_Found]:
    """Every response; after a broken record it goes on with the next that can be read."""
    from fastwarc.warc import ArchiveIterator, WarcRecordType

    row, begin = 0, 0
    while True:
        file.seek(begin)
        held, content, place, inside = None, b"", begin, False
        try:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=False):
                if held is not None:
                    yield held
                held, row, place, inside = None, row + 1, int(record.stream_pos), True
                content = _content(record)
                held, inside = _found(record, content, row), False
        except (OSError, ValueError) as error:
            reason = f"the record cannot be read: {' '.join(str(error).split())}"
            if inside:
                yield _Found(row, None, {}, reason)
            elif held is not None and _NEXT in content:
                yield _Found(row, None, {}, "the record cannot be read: its length is wrong")
            elif held is not None:
                yield held
            if not inside and (begin == 0 or held is not None) and _NEXT not in content:
                row += 1
                yield _Found(row, None, {}, reason)
        else:
            if held is not None:
                yield held
            return
        following = _next_record(source, file, place + 1)
        if following is None:
            return
        begin = following


def _content(record: Any) -> bytes:
    """The whole record, or only the headers of one that is too long; an OSError where the file breaks off."""
    length = int(record.content_length)
    if length > LONGEST_PAGE:
        return b""
    content = bytes(record.reader.read())
    if not content:  # or its length is no number
        raise OSError("it is empty")
    if len(content) < length:
        raise OSError(f"it breaks off after {len(content):,} of {length:,} bytes")
    return content


def _found(record: Any, content: bytes, row: int) -> _Found:
    fields = {
        "id": str(record.record_id or "").strip("<>"),
        "url": record.headers.get("WARC-Target-URI") or "",
    }
    fields |= {"date": record.headers.get("WARC-Date") or ""}
    length = int(record.content_length)
    try:
        if content:
            record.set_bytes_content(content)
        record.parse_http(auto_decode="all" if content else "none")
        kind, status = record.http_content_type, getattr(record.http_headers, "status_code", None)
        if kind not in _HTML or status not in (None, 200):
            return _Found(row, None, fields)
        if length > LONGEST_PAGE:
            return _Found(row, None, fields, f"the page is longer than {LONGEST_PAGE >> 20} MB")
        return _Found(row, Page(bytes(record.reader.read(LONGEST_PAGE + 1)), record.http_charset), fields)
    except (OSError, ValueError) as error:
        return _Found(row, None, fields, f"not a response of HTTP: {' '.join(str(error).split())}")


def _next_record(source: Source, file: BinaryIO, begin: int) -> int | None:
    """Where, from `begin` on, a record begins; None if nowhere."""
    sign = _BEGINNINGS[source.packing]
    file.seek(begin)
    tail = b""
    while chunk := file.read(1 << 20):
        data = tail + chunk
        at = data.find(sign)
        while at >= 0:
            place = file.tell() - len(data) + at
            if source.packing is None or _unpacks(source, place):
                return place
            at = data.find(sign, at + 1)
        tail = data[-len(sign) + 1 :]
    return None


def _unpacks(source: Source, place: int) -> bool:
    """Whether what is compressed from here on begins like a record."""
    import pyarrow as pa

    with Path(source.path).open("rb") as file:
        file.seek(place)
        head = file.read(1 << 12)
    try:
        with pa.CompressedInputStream(pa.BufferReader(head), source.packing) as stream:
            return bool(stream.read(7) == b"WARC/1.")
    except (OSError, ValueError):
        return False
