"""Readers of articles, one for every kind of file: rows in order, never stopping at a broken one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from framelens.scoring.rows import Block, Blocks, Columns, Position, Reject, Rows
from framelens.scoring.sources import Kind, Source

_BEGINNING = Position()
Reader = Callable[[Source, Columns, Position], Blocks]


def read_blocks(
    source: Source, columns: Columns, start: Position = _BEGINNING, *, processes: int = 0
) -> Blocks:
    """One file from a place in it, in blocks of about `framelens.scoring.rows.BLOCK_BYTES`.

    With `processes`, text is extracted from HTML in so many processes of their own. A file that breaks off (a
    truncated archive, say) ends with a `Reject` that says so.

    Raises
    ------
    UserError
        When it has no column of text.
    """
    end, size = start, 0
    try:
        for block in _reader_for(source.kind, processes)(source, columns, start):
            end, size = block.end, block.size
            if end.row > start.row:
                yield _after(block, start.row)
    except (OSError, EOFError, ValueError, NotImplementedError) as error:  # pyarrow's errors are among these
        row = end.row + 1
        reason = f"the file cannot be read from here on: {' '.join(str(error).split())}"
        yield Block(None, (Reject(source.path, row, reason),), Position(row, end.offset), size)


def read_rows(source: Source, columns: Columns) -> Iterator[Rows | Reject]:
    """`read_blocks` of a whole file, rows and rejects as they come."""
    for block in read_blocks(source, columns):
        if block.rows is not None:
            yield block.rows
        yield from block.rejects


def _after(block: Block, row: int) -> Block:
    """What of the block comes after a row."""
    import pyarrow as pa

    if block.rows is None or not row or block.rows.numbers[0] > row:
        rejects = tuple(r for r in block.rejects if r.row > row) if row else block.rejects
        return Block(block.rows, rejects, block.end, block.size, block.passed)
    chosen = np.flatnonzero(block.rows.numbers > row)
    rows = Rows(block.rows.file, block.rows.numbers[chosen], block.rows.table.take(pa.array(chosen)))
    rejects = tuple(reject for reject in block.rejects if reject.row > row)
    return Block(rows if len(chosen) else None, rejects, block.end, block.size, block.passed)


def _reader_for(kind: Kind, processes: int) -> Reader:
    """The reader, imported when it is used."""
    if kind is Kind.JSON_LINES:
        from framelens.scoring.readers.jsonl import read_json_lines

        return read_json_lines
    if kind in (Kind.CSV, Kind.TSV):
        from framelens.scoring.readers.table import read_table

        return read_table
    if kind is Kind.WARC:
        from framelens.scoring.readers.warc import read_warc

        return partial(read_warc, processes=processes)
    if kind in (Kind.FOLDER, Kind.TEXT, Kind.HTML):
        from framelens.scoring.readers.folder import read_folder

        return partial(read_folder, processes=processes)
    from framelens.scoring.readers import arrow

    return arrow.read_parquet if kind is Kind.PARQUET else arrow.read_ipc
