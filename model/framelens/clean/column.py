"""Cleaning over an Arrow column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from framelens.clean.engine import clean

if TYPE_CHECKING:
    import pyarrow as pa


def clean_column(texts: pa.Array | pa.ChunkedArray) -> pa.Array:
    """`clean` of each text; a null becomes an empty text."""
    import pyarrow as pa

    return pa.array([clean(text or "") for text in texts.to_pylist()], type=pa.large_string())
