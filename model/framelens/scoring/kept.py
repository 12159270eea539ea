"""Columns that are passed through: of which type they are in the output."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from framelens.errors import UserError
from framelens.scoring.columns import as_strings, is_text
from framelens.scoring.rows import Columns
from framelens.scoring.score import kept_name
from framelens.scoring.sources import Kind, Source

if TYPE_CHECKING:
    import pyarrow as pa

KeptTypes: TypeAlias = "dict[str, pa.DataType]"
"""The kept columns in the order of the output."""


def kept_types(sources: list[Source], columns: Columns) -> KeptTypes:
    """The type that every file gives a column, where all are Parquet or Arrow IPC and agree; else strings.

    Raises
    ------
    UserError
        When a Parquet or Arrow file lacks a column that the user named, or one is kept twice.
    """
    import pyarrow as pa

    from framelens.scoring.readers.arrow import schema_of

    names = [kept_name(name) for name in columns.keep]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"--keep names {name!r} more than once")
    found: dict[str, set[pa.DataType]] = {name: set() for name in columns.keep}
    for source in sources if columns.keep else ():
        if source.kind not in _TYPED:
            for kinds in found.values():
                kinds.add(pa.string())
        elif (schema := schema_of(source)) is not None:
            columns.resolve(source.path, schema.names)
            for name, kinds in found.items():
                kinds.add(_plain(schema.field(name).type))
    return {name: kinds.pop() if len(kinds) == 1 else pa.string() for name, kinds in found.items()}


_TYPED = {Kind.PARQUET, Kind.ARROW_FILE, Kind.ARROW_STREAM}


def _plain(kind: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return _plain(kind.value_type)
    return pa.string() if is_text(kind) else kind


def convert(table: pa.Table, types: KeptTypes) -> pa.Table:
    """A reader's table with its kept columns of the given types."""
    for at, (name, kind) in enumerate(types.items(), start=2):
        if table.column(at).type != kind:
            column = table.column(at).combine_chunks()
            column = as_strings(column) if kind == "string" else column.dictionary_decode()
            table = table.set_column(at, name, column)
    return table
