"""Parquet and Arrow IPC: only the columns that are needed, a stretch of rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from framelens.errors import UserError
from framelens.scoring import rows as limits
from framelens.scoring.columns import as_strings, is_text, not_utf8
from framelens.scoring.readers.streams import Stream
from framelens.scoring.rows import Block, Blocks, Columns, Names, Position, Reject, make_rows, refuse
from framelens.scoring.sources import Kind, Source

if TYPE_CHECKING:
    import pyarrow as pa


def read_parquet(source: Source, columns: Columns, start: Position) -> Blocks:
    """Row groups one after the other; those before `start` are not read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    # pre-buffered, all that was read of the file would stay in memory to the end
    opened = partial(pq.ParquetFile, buffer_size=1 << 20, pre_buffer=False)
    with pa.OSFile(source.path, "rb") as file, opened(file) as parquet:
        names = _resolve(source.path, parquet.schema_arrow, columns)
        metadata = parquet.metadata
        row, groups, total = 0, list(range(metadata.num_row_groups)), max(1, metadata.num_rows)
        while groups and row + metadata.row_group(groups[0]).num_rows <= start.row:
            row += metadata.row_group(groups.pop(0)).num_rows
        batches = parquet.iter_batches(
            batch_size=_rows_of_a_block(metadata), row_groups=groups, columns=names.all, use_threads=False
        )
        for batch in batches:
            for block in cut(source.path, batch, names, row):
                yield Block(block.rows, block.rejects, block.end, source.size * block.end.row // total)
            row += batch.num_rows


def _rows_of_a_block(metadata: pa.FileMetaData) -> int:
    """Rows that decode to about a block, by the average of the file."""
    size = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    rows = limits.BLOCK_BYTES * int(metadata.num_rows) // max(1, int(size))
    return max(16, min(limits.BLOCK_ROWS, rows))


def read_ipc(source: Source, columns: Columns, start: Position) -> Blocks:
    """Record batches one after the other, cut into blocks."""
    import pyarrow as pa

    with _opened(source) as file:
        schema = _ipc_reader(source, file).schema
    names = _resolve(source.path, schema, columns)
    options = pa.ipc.IpcReadOptions(
        included_fields=sorted(schema.get_field_index(name) for name in names.all), use_threads=False
    )
    with _opened(source) as file:
        row = 0
        for batch in _batches(_ipc_reader(source, file, options)):
            for block in cut(source.path, batch, names, row):
                yield Block(block.rows, block.rejects, block.end, _consumed(file))
            row += batch.num_rows


def schema_of(source: Source) -> pa.Schema | None:
    """The columns of a Parquet or Arrow file; None if it cannot be read, which its reader will tell."""
    import pyarrow.parquet as pq

    try:
        if source.kind is Kind.PARQUET:
            return pq.read_schema(source.path)
        with _opened(source) as file:
            return _ipc_reader(source, file).schema
    except (OSError, ValueError, NotImplementedError):
        return None


def _opened(source: Source) -> Any:
    import pyarrow as pa

    return pa.OSFile(source.path, "rb") if source.kind is Kind.ARROW_FILE else Stream(source)


def _consumed(file: Any) -> int:
    consumed: int = file.consumed if isinstance(file, Stream) else file.tell()
    return consumed


def _ipc_reader(source: Source, file: Any, options: Any = None) -> Any:
    import pyarrow as pa

    open_it = pa.ipc.open_file if source.kind is Kind.ARROW_FILE else pa.ipc.open_stream
    return open_it(file, options=options)


def _batches(reader: Any) -> Iterator[pa.RecordBatch]:
    if hasattr(reader, "num_record_batches"):
        for i in range(reader.num_record_batches):
            yield reader.get_batch(i)
    else:
        yield from reader


def _resolve(file: str, schema: pa.Schema, columns: Columns) -> Names:
    names = columns.resolve(file, schema.names)
    kind = schema.field(names.text).type
    if not is_text(kind):
        raise UserError(
            f"{file}: {names.text!r} is {kind}, not text: name the right column with --text-column"
        )
    return names


def _kept(column: pa.Array) -> pa.Array:
    return as_strings(column) if is_text(column.type) else column


def cut(file: str, batch: pa.RecordBatch, names: Names, before: int) -> Iterator[Block]:
    """A batch, whose first row is number ``before + 1``, in blocks."""
    import pyarrow as pa

    rows = max(1, batch.num_rows)
    size = max(1, batch.column(names.text).nbytes)
    step = max(1, min(limits.BLOCK_ROWS, rows * limits.BLOCK_BYTES // size))
    for first in range(0, batch.num_rows, step):
        part = batch.slice(first, step)
        numbers = np.arange(before + first + 1, before + first + 1 + part.num_rows, dtype=np.int64)
        end = Position(int(numbers[-1]))
        text = as_strings(part.column(names.text), pa.large_string())
        ids = as_strings(part.column(names.id)) if names.id else None
        kept = {name: _kept(part.column(name)) for name in names.keep}
        broken = {
            int(i): name
            for name, column in (*kept.items(), (names.id, ids), (names.text, text))
            if column is not None and is_text(column.type)
            for i in not_utf8(column)
        }
        rejects = [
            Reject(file, int(numbers[i]), f"{name!r} is not valid UTF-8")
            for i, name in sorted(broken.items())
        ]
        if broken:
            good = pa.array(np.setdiff1d(np.arange(len(numbers)), list(broken)))
            numbers, text = numbers[good.to_numpy()], text.take(good)
            ids = ids.take(good) if ids is not None else None
            kept = {name: column.take(good) for name, column in kept.items()}
        rows, others = refuse(make_rows(file, numbers, ids, text, kept), names.text)
        yield Block(rows, tuple(sorted([*rejects, *others], key=lambda reject: reject.row)), end, 0)
