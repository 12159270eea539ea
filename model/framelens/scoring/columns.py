"""Arrow columns as strings, and what of them is not UTF-8."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa


def is_text(kind: pa.DataType) -> bool:
    """Whether a column of this type may hold articles."""
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    types = pa.types
    return any(
        check(kind) for check in (types.is_string, types.is_large_string, types.is_string_view, types.is_null)
    )


def as_strings(column: pa.Array, kind: pa.DataType | None = None) -> pa.Array:
    """A column of any type as strings: numbers and dates as Arrow writes them, lists and records as JSON.

    Parameters
    ----------
    kind
        ``pa.string()`` if not given, or ``pa.large_string()``.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    kind = kind or pa.string()
    if column.type == kind:
        return column
    if pa.types.is_dictionary(column.type):
        return as_strings(column.dictionary_decode(), kind)
    if pa.types.is_large_string(column.type) and kind == pa.string():
        return column.cast(kind, safe=False)  # the bytes are looked at elsewhere
    if is_text(column.type):
        return column.cast(kind, safe=False)
    try:
        return pc.cast(column, kind)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.array([None if v is None else to_json(v) for v in column.to_pylist()], type=kind)


def to_json(value: Any) -> str:
    """A value of Python as JSON; bytes as hexadecimal digits."""
    import orjson

    return value if isinstance(value, str) else orjson.dumps(value, default=plain).decode()


def plain(value: Any) -> str:
    """What JSON has no type for as a string; bytes as hexadecimal digits."""
    return value.hex() if isinstance(value, bytes) else str(value)


def not_utf8(column: pa.Array) -> npt.NDArray[np.int64]:
    """The rows of a column of strings that are not UTF-8, as a damaged or careless writer leaves them."""
    import pyarrow as pa

    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        binary = pa.large_binary() if pa.types.is_large_string(column.type) else pa.binary()
        return np.array(
            [i for i, v in enumerate(column.cast(binary)) if not _decodes(v.as_py())], dtype=np.int64
        )
    return np.zeros(0, dtype=np.int64)


def _decodes(value: bytes | None) -> bool:
    try:
        (value or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
