"""What readers hand over: batches of rows as Arrow tables, and what could not be read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from framelens.arrays import arrow_numbers, arrow_strings
from framelens.errors import UserError
from framelens.features.arrow import rows_of

if TYPE_CHECKING:
    import pyarrow as pa

TEXT_COLUMNS = ("text", "body", "content", "article", "maintext", "article_text", "full_text")
ID_COLUMNS = ("id", "doc_id", "uuid", "url", "address", "link")
BLOCK_BYTES = 2 << 20
"""About so much of a file goes into one block: what one core scores at a time."""
BLOCK_ROWS = 4096
LONGEST_LINE = 64 << 20
"""Bytes; a longer line of JSON is no article."""
LONGEST_RECORD = 16 << 20
"""Bytes; a longer record of a table is no article."""
LONGEST_TEXT = 2 << 20
"""Bytes; a longer text is no article, and the memory that scoring takes grows with the longest."""


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Consecutive rows of one file that can be scored.

    Attributes
    ----------
    file
        The file's name as it was given.
    numbers
        int64, shape (n,): each row's number, from 1, in its file (lines of JSON lines, records of a table,
        responses of a WARC, files of a folder).
    table
        n rows; columns ``id`` (string), ``text`` (large_string), neither with nulls, then the kept columns
        under their own names.
    """

    file: str
    numbers: npt.NDArray[np.int64]
    table: pa.Table


@dataclass(frozen=True, slots=True)
class Reject:
    """One row, or the rest of a file, that cannot be scored, and why."""

    file: str
    row: int
    reason: str


class Position(NamedTuple):
    """A place in a file: after `row` rows, which for a plain file of lines is `offset` bytes."""

    row: int = 0
    offset: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """What a reader made of a stretch of a file, in the order of its rows.

    Attributes
    ----------
    rows
        What can be scored; None if nothing.
    rejects
        What cannot.
    end
        The place in the file after it, from which a reader can go on.
    size
        Bytes of the file that were read so far, as they lie on the disk.
    passed
        What was passed over because it is no article by its kind: a WARC's images, a folder's other files.
    """

    rows: Rows | None
    rejects: tuple[Reject, ...]
    end: Position
    size: int
    passed: int = 0


Blocks = Iterator[Block]


class Names(NamedTuple):
    """The columns of one file."""

    text: str
    id: str | None
    keep: tuple[str, ...] = ()

    @property
    def all(self) -> list[str]:
        """Each name once, in order."""
        names = [self.text, *([self.id] if self.id else []), *self.keep]
        return list(dict.fromkeys(names))


@dataclass(frozen=True, slots=True)
class Columns:
    """The names that the user gave; None where they are to be found.

    Attributes
    ----------
    keep
        Columns that are passed through to the output.
    """

    text: str | None = None
    id: str | None = None
    keep: tuple[str, ...] = ()

    def resolve(self, file: str, available: Sequence[str]) -> Names:
        """The columns of one file; a `UserError` lists what there is."""
        by_lower = {name.lower(): name for name in reversed(available)}
        text = self.text or next((by_lower[name] for name in TEXT_COLUMNS if name in by_lower), None)
        identifier = self.id or next((by_lower[name] for name in ID_COLUMNS if name in by_lower), None)
        wanted = [("--text-column", text), ("--id-column", identifier if self.id else text)]
        for option, name in (*wanted, *(("--keep", name) for name in self.keep)):
            if name not in available:
                what = f"no column {name!r}" if name else "no column of text"
                have = ", ".join(map(repr, available[:12])) or "none"
                raise UserError(f"{file} has {what}; it has {have}: name the right one with {option}")
        assert text is not None
        return Names(text, identifier, self.keep)


def make_rows(
    file: str,
    numbers: npt.NDArray[np.int64],
    ids: pa.Array | None,
    texts: pa.Array,
    kept: dict[str, pa.Array],
) -> Rows:
    """Rows with an id each: ``FILE:ROW`` where there is none."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if ids is None or ids.null_count:
        name, colon = arrow_strings([file, ":"])
        row = pc.cast(arrow_numbers(numbers), pa.string())
        places = pc.binary_join_element_wise(name, row, colon)
        ids = places if ids is None else pc.coalesce(ids, places)
    table = pa.Table.from_arrays([ids, texts], names=["id", "text"])
    for name, column in kept.items():  # may be called id or text, too
        table = table.append_column(name, column)
    return Rows(file, numbers, table)


def too_long(length: int) -> str:
    """What is said of a text of so many bytes."""
    return f"has {length:,} bytes, more than an article's {LONGEST_TEXT >> 20} MB"


def _lengths(texts: pa.Array) -> npt.NDArray[np.int64]:
    """Bytes of each text; -1 for a null."""
    found = rows_of(texts)
    lengths = found.stops - found.starts
    if texts.null_count:
        lengths[~texts.is_valid().to_numpy(zero_copy_only=False)] = -1
    return lengths


def refuse(rows: Rows, column: str) -> tuple[Rows | None, list[Reject]]:
    """Rows without those whose text is null or too long to be an article, and these as rejects.

    Parameters
    ----------
    column
        What the text column is called in the file.
    """
    chunks = rows.table.column(1).chunks
    lengths = np.concatenate([np.zeros(0, dtype=np.int64), *map(_lengths, chunks)])
    wrong = np.flatnonzero((lengths < 0) | (lengths > LONGEST_TEXT))
    if not len(wrong):
        return rows, []
    rejects = []
    for i in wrong.tolist():
        what = too_long(int(lengths[i])) if lengths[i] >= 0 else "is null, not text"
        rejects.append(Reject(rows.file, int(rows.numbers[i]), f"{column!r} {what}"))
    good = np.setdiff1d(np.arange(len(lengths)), wrong)
    if not len(good):
        return None, rejects
    return Rows(rows.file, rows.numbers[good], rows.table.take(arrow_numbers(good))), rejects
