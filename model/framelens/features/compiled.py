"""How everything compiled is compiled: cached where a cache can be written, without the GIL."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import numba
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
