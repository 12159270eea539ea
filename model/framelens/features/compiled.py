"""How everything compiled is compiled: cached where a cache can be written, without the GIL."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import numba
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_Function = TypeVar("_Function", bound=Callable[..., object])
_uncached: list[str] = []


def jit(function: _Function) -> _Function:
    """Compile at the first call, for good where numba finds a folder to write to; says once where not."""
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy"}
    njit: Any = numba.njit
    try:
        compiled: _Function = njit(cache=True, **options)(function)
    except RuntimeError as error:  # numba found no folder that it may write to
        if not _uncached:
            logging.getLogger("framelens").warning(
                "the compiled kernel cannot be cached and will be compiled in every process (%s); "
                "set NUMBA_CACHE_DIR to a writable folder",
                error,
            )
        _uncached.append(function.__name__)
        compiled = njit(**options)(function)
    return compiled


def _address(_typing_context: object, array: Any) -> object:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.make_array(signature.args[0])(context, builder, arguments[0]).data

    pointer: Any = types.CPointer
    return pointer(array.dtype)(array), generate


address: Any = intrinsic(_address)
"""For compiled code: the address of an array's first item. It is indexed like the array, but quicker:
negative indices are not looked for. The caller keeps the array alive.
"""


def _load(_typing_context: object, pointer: Any, index: Any) -> object:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.gep(arguments[0], [arguments[1]])
        words = builder.bitcast(place, ir.IntType(64).as_pointer())
        return builder.load(words, align=1)

    return types.uint64(pointer, types.int64), generate


load_8_bytes: Any = intrinsic(_load)
"""For compiled code: eight bytes from an address and an index on, the first one lowest; all readable."""


def _count_zeros(_typing_context: object, number: Any) -> object:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


trailing_zeros: Any = intrinsic(_count_zeros)
"""For compiled code: how many of the lowest bits are zero; 64 for zero."""
