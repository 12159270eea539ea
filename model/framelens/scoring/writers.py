"""The output's formats: parts of it, and how they become one file."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from framelens.arrays import empty_table
from framelens.errors import UserError
from framelens.scoring.columns import plain, to_json

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_OF_A_GROUP = 1 << 15
"""Rows of the output's row groups, wherever its parts end: so a resumed run writes the same bytes."""

Write = Callable[["pa.Table", BinaryIO], None]
Join = Callable[[list[Path], BinaryIO, "pa.Schema"], None]


def check_output(path: Path) -> str:
    """The ending of an output, lower-case; a `UserError` for one that cannot be written."""
    ending = path.suffix.lower()
    if ending not in WRITERS:
        raise UserError(f"{path} ends in none of {', '.join(WRITERS)}, which say how to write it")
    if path.is_dir():
        raise UserError(f"{path} is a folder; give the name of a file")
    return ending


def write_parquet(table: pa.Table, file: BinaryIO) -> None:
    """One part."""
    import pyarrow.parquet as pq

    pq.write_table(table, file, compression="zstd")


def join_parquet(parts: list[Path], file: BinaryIO, schema: pa.Schema) -> None:
    """Row groups of `ROWS_OF_A_GROUP`, one after the other."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        waiting = empty_table(schema)
        for path in parts:
            with pq.ParquetFile(path) as part:
                for batch in part.iter_batches(batch_size=ROWS_OF_A_GROUP, use_threads=False):
                    waiting = pa.concat_tables([waiting, pa.Table.from_batches([batch]).cast(schema)])
                    while waiting.num_rows >= ROWS_OF_A_GROUP:
                        writer.write_table(waiting.slice(0, ROWS_OF_A_GROUP).combine_chunks())
                        waiting = waiting.slice(ROWS_OF_A_GROUP)
        if waiting.num_rows:
            writer.write_table(waiting.combine_chunks())


def write_json_lines(table: pa.Table, file: BinaryIO) -> None:
    """One part; dates, decimals and bytes of kept columns as strings."""
    import orjson

    names = table.column_names
    for row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        values = dict(zip(names, row, strict=True))
        file.write(orjson.dumps(values, default=plain, option=orjson.OPT_APPEND_NEWLINE))


def join_json_lines(parts: list[Path], file: BinaryIO, schema: pa.Schema) -> None:
    """One after the other."""
    for path in parts:
        with path.open("rb") as part:
            shutil.copyfileobj(part, file, 1 << 20)


def write_csv(table: pa.Table, file: BinaryIO) -> None:
    """One part, without a header; reasons are joined by semicolons."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    columns = [column.to_pylist() for column in table.columns]
    columns[table.column_names.index("reasons")] = [";".join(why) for why in table["reasons"].to_pylist()]
    csv.writer(text, lineterminator="\n").writerows(
        [to_json(v) if isinstance(v, list | dict | bytes) else v for v in row]
        for row in zip(*columns, strict=True)
    )
    text.detach()


def join_csv(parts: list[Path], file: BinaryIO, schema: pa.Schema) -> None:
    """The header, then one after the other."""
    header = io.StringIO()
    csv.writer(header, lineterminator="\n").writerow(schema.names)
    file.write(header.getvalue().encode())
    join_json_lines(parts, file, schema)


WRITERS: dict[str, tuple[Write, Join]] = {
    ".parquet": (write_parquet, join_parquet),
    ".jsonl": (write_json_lines, join_json_lines),
    ".ndjson": (write_json_lines, join_json_lines),
    ".csv": (write_csv, join_csv),
}
