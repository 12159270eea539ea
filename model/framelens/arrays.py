"""Arrow arrays and tables straight from buffers.

`pyarrow.array`, `scalar` and `table` ask whether they were handed something of pandas, and import pandas for
that where it is installed: a tenth of a second, before the first article is scored.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pyarrow as pa


def arrow_numbers(numbers: npt.NDArray[Any]) -> pa.Array:
    """The same numbers, shape (n,), not copied if they are contiguous."""
    import pyarrow as pa

    buffer = pa.py_buffer(np.ascontiguousarray(numbers))
    return pa.Array.from_buffers(pa.from_numpy_dtype(numbers.dtype), len(numbers), [None, buffer])


def arrow_strings(strings: Sequence[str]) -> pa.StringArray:
    """A few strings."""
    import pyarrow as pa

    encoded = [string.encode() for string in strings]
    ends = np.cumsum([0, *map(len, encoded)]).astype(np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def empty_table(schema: pa.Schema) -> pa.Table:
    """A table of these columns without rows."""
    import pyarrow as pa

    return pa.Table.from_arrays([pa.nulls(0, field.type) for field in schema], schema=schema)
