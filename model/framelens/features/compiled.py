"""How everything compiled is compiled and called.

numba compiles a kernel, once; what it made is machine code, which is kept in a file and needs numba no more.
llvmlite alone loads it, and ctypes calls it, without the GIL. numba takes half a second to start, llvmlite a
twentieth of one. For that a kernel must be plain: numbers and pointers in, a number out. It allocates
nothing, so whatever it writes to is handed in, and the only error it knows is `RoomError`.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import threading
from collections.abc import Callable, Iterator
from functools import cache, cached_property, update_wrapper
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeAlias, TypeVar, cast

import llvmlite
import llvmlite.binding as llvm
import numpy as np
import numpy.typing as npt

from framelens.features.cache import kept_bytes

U8s: TypeAlias = npt.NDArray[np.uint8]
U16s: TypeAlias = npt.NDArray[np.uint16]
I32s: TypeAlias = npt.NDArray[np.int32]
I64s: TypeAlias = npt.NDArray[np.int64]
U64s: TypeAlias = npt.NDArray[np.uint64]
F32s: TypeAlias = npt.NDArray[np.float32]
F64s: TypeAlias = npt.NDArray[np.float64]
int64: Any = np.int64

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")

_Number: TypeAlias = ctypes.c_void_p | ctypes.c_int64 | ctypes.c_double
_SYMBOL = "kernel"
_OUTSIDE = frozenset(("log", "memcpy", "memmove", "memset", "sqrt"))
"""What machine code may call: the C library. Anything else would be numba's or Python's, and is not there."""
_PASSED_AS = {"double": ctypes.c_double, "i64": ctypes.c_int64}


class RoomError(Exception):
    """A kernel was handed too little room; what it wrote is of no use. It can be called again with more."""


class Kernel(Generic[_Parameters, _Result]):
    """A function that is compiled when it is first called, or read from where an earlier process kept it.

    Arguments are ints, floats, arrays and named tuples of these. An array becomes a pointer to its first
    item, and nobody sees its length or whether it may be written to. What is returned is an int or a bool.
    A kernel may call others by their names in its module; they are compiled into it, once: numbers that fit
    an int64 are passed as one.

    Raises
    ------
    RoomError
        When the function does.
    """

    def __init__(self, function: Callable[_Parameters, _Result], *, inline: bool = False) -> None:
        self._function, self._inline = function, inline
        self._loaded: dict[str, _Loaded] = {}
        self._lock = threading.Lock()
        update_wrapper(self, function)

    def __call__(self, *args: _Parameters.args, **named: _Parameters.kwargs) -> _Result:
        if named:
            raise TypeError(f"{self._function.__name__} takes its arguments by position")
        passed: list[_Number] = []
        signature = "".join(_flatten(args, passed))
        loaded = self._loaded.get(signature)
        if loaded is None:
            with self._lock:
                loaded = self._loaded.get(signature) or self._load(signature, args, passed)
                self._loaded[signature] = loaded
        result = ctypes.c_int64(0)
        if loaded.call(ctypes.byref(result), ctypes.byref(ctypes.c_void_p()), *passed):
            raise RoomError(f"{self._function.__name__} was handed too little room")
        return cast(_Result, result.value)

    def _load(self, signature: str, args: tuple[Any, ...], passed: list[_Number]) -> _Loaded:
        source = Path(self._function.__code__.co_filename)

        def depends() -> object:
            """All that decides on the code: what it is handed, its modules, this one, compiler, processor."""
            modules = [
                (Path(file).read_bytes(), _constants(names)) for file, names in self._modules().items()
            ]
            here = Path(__file__).read_bytes()
            return signature, list(_fields(args)), modules, here, _versions(), _processor()

        name = f"{self._function.__module__}.{self._function.__name__}"
        return _Loaded(kept_bytes(name, source, depends, lambda: _compile(self._dispatcher, args, passed)))

    def _modules(self) -> dict[str, dict[str, Any]]:
        """Files and names of its module and of those that its kernels come from, and theirs."""
        found: dict[str, dict[str, Any]] = {}
        waiting: list[Kernel[..., Any]] = [self]
        while waiting:
            function = waiting.pop()._function
            if function.__code__.co_filename not in found:
                names = found[function.__code__.co_filename] = function.__globals__
                waiting += [value for value in names.values() if isinstance(value, Kernel)]
        return dict(sorted(found.items()))

    @cached_property
    def _dispatcher(self) -> Any:
        import numba

        njit: Any = numba.njit
        alone = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
        dispatcher = njit(error_model="numpy", forceinline=self._inline, **alone)(self._function)
        typed = dispatcher.get_call_template

        def widened(args: tuple[Any, ...], kws: Any) -> Any:
            return typed(tuple(map(_widened, args)), kws)

        # numba would compile it for a constant, for an int32 and for an int64, each anew
        dispatcher.get_call_template = widened
        return dispatcher

    @property
    def _numba_type_(self) -> Any:
        """What numba takes this for, where another kernel calls it."""
        return self._dispatcher._numba_type_


jit = Kernel


def inlined(function: Callable[_Parameters, _Result]) -> Kernel[_Parameters, _Result]:
    """As `jit`, for what is called too often to be called: it becomes a part of its callers."""
    return Kernel(function, inline=True)


class _Loaded:
    """Machine code, ready to be called."""

    def __init__(self, code: bytes) -> None:
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _machine())
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()
        # numba's convention: a status comes back; results and errors go to the first two pointers
        self.call = ctypes.CFUNCTYPE(ctypes.c_int32)(self._engine.get_function_address(_SYMBOL))


def _constants(names: dict[str, Any]) -> list[tuple[str, str]]:
    """The numbers that a module knows by these names, which are compiled into its kernels."""
    return sorted(
        (name, repr(value))
        for name, value in names.items()
        if isinstance(value, int | float | np.generic | tuple)
    )


def _fields(values: tuple[Any, ...]) -> Iterator[tuple[str, ...]]:
    """The names of the fields of each named tuple, from the outermost to the innermost."""
    yield getattr(values, "_fields", ())
    for value in values:
        if isinstance(value, tuple):
            yield from _fields(value)


def _flatten(values: tuple[Any, ...], passed: list[_Number]) -> Iterator[str]:
    """Append what is passed to the machine code; a word on the type of each value."""
    for value in values:
        if isinstance(value, np.ndarray):
            if not value.flags.c_contiguous:
                raise ValueError(f"an array of shape {value.shape} is not contiguous; np.ascontiguousarray")
            passed.append(ctypes.c_void_p(value.ctypes.data))
            yield value.dtype.str
        elif isinstance(value, tuple):
            yield f"{type(value).__name__}("
            yield from _flatten(value, passed)
            yield ")"
        elif isinstance(value, float):
            passed.append(ctypes.c_double(value))
            yield "f"
        else:
            passed.append(ctypes.c_int64(value))
            yield "i"


def _compile(dispatcher: Any, args: tuple[Any, ...], passed: list[_Number]) -> bytes:
    """Object code of which `_SYMBOL` is the function for arguments of these types."""
    from numba.core import types

    wanted = tuple(map(_numba_type, args))
    dispatcher.compile(wanted)
    compiled = dispatcher.overloads[wanted]
    module = llvm.parse_bitcode(compiled.library.serialize_using_bitcode()[-1])
    function = module.get_function(compiled.fndesc.llvm_func_name)
    what, returned = compiled.fndesc.qualname, compiled.signature.return_type
    if not isinstance(returned, types.Integer | types.Boolean | types.NoneType):
        raise TypeError(f"{what} returns {returned}; a kernel returns an int, a bool or nothing")
    found = [str(argument.type) for argument in function.arguments]
    if [_PASSED_AS.get(one, ctypes.c_void_p) for one in found[2:]] != [type(one) for one in passed]:
        raise TypeError(
            f"{what} is compiled to take {found}; this version of numba passes arguments otherwise"
        )
    outside = {one.name for one in module.functions if one.is_declaration}
    if strange := [name for name in outside - _OUTSIDE if not name.startswith("llvm.")]:
        raise TypeError(f"{what} calls {sorted(strange)}; a kernel calls nothing but the C library")
    function.name = _SYMBOL
    code: bytes = _machine().emit_object(module)
    return code


def _widened(kind: Any) -> Any:
    """What an argument is passed as from kernel to kernel: numbers that fit an int64 as such."""
    import numba.core.types

    types: Any = numba.core.types
    plain = types.unliteral(kind)
    fits = isinstance(plain, types.Integer) and (plain.signed or plain.bitwidth < types.int64.bitwidth)
    return types.int64 if fits else plain


def _numba_type(value: Any) -> Any:
    import numba.core.types

    types: Any = numba.core.types
    if isinstance(value, np.ndarray):
        return types.CPointer(numba.from_dtype(value.dtype))
    if isinstance(value, tuple):
        return types.NamedTuple(list(map(_numba_type, value)), type(value))
    return types.float64 if isinstance(value, float) else types.int64


# -- the machine --------------------------------------------------------------------------------------------


@cache
def _processor() -> tuple[str, str, str]:
    """System, processor and its features; as for numba, its variables stand for others."""
    name, features = os.environ.get("NUMBA_CPU_NAME"), os.environ.get("NUMBA_CPU_FEATURES")
    if features is None and name != "generic":
        try:
            features = llvm.get_host_cpu_features().flatten()
        except RuntimeError:  # unknown to LLVM: what all of this name have
            features = None
    return llvm.get_process_triple(), llvm.get_host_cpu_name() if name is None else name, features or ""


def _machine() -> Any:
    """For code as numba makes it. A new one: an engine keeps it, and takes it along when it goes."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    triple, name, features = _processor()
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=name,
        features=features,
        opt=3,
        reloc="static" if triple.startswith("x86") else "default",
        codemodel="jitdefault",
        jit=True,
    )


@cache
def _versions() -> tuple[str, ...]:
    """Of llvmlite, numpy and numba; of this by the name of its files, which are not read yet."""
    numba = importlib.util.find_spec("numba")
    places = numba.submodule_search_locations if numba else None
    found = [file.name for place in places or () for file in Path(place).parent.glob("numba-*")]
    return llvmlite.__version__, np.__version__, *sorted(found)


# -- for compiled code --------------------------------------------------------------------------------------


class _Intrinsic:
    """A function of which the code is given, as by `numba.extending.intrinsic`; numba is not needed yet."""

    def __init__(self, define: Callable[..., object]) -> None:
        self._define = define

    def __call__(self, *_: Any) -> Any:
        raise TypeError(f"{self._define.__name__} is for compiled code only")

    @cached_property
    def _numba_type_(self) -> Any:
        from numba.core.registry import cpu_target
        from numba.extending import intrinsic

        made = intrinsic(self._define)
        cpu_target.typing_context.refresh()
        return cpu_target.typing_context.resolve_value_type(made)


def _item(_typing_context: object, pointer: Any, index: Any) -> object:
    from numba.core import types

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.gep(arguments[0], [arguments[1]])

    return pointer(pointer, types.int64), generate


item: Any = _Intrinsic(_item)
"""For compiled code: the pointer to the item of this index."""


def _load(_typing_context: object, pointer: Any, index: Any) -> object:
    from numba.core import types

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        place = builder.gep(arguments[0], [arguments[1]])
        words = builder.bitcast(place, context.get_value_type(types.uint64).as_pointer())
        return builder.load(words, align=1)

    return types.uint64(pointer, types.int64), generate


load_8_bytes: Any = _Intrinsic(_load)
"""For compiled code: eight bytes from a pointer and an index on, the first one lowest; all readable."""


def _count_zeros(_typing_context: object, number: Any) -> object:
    from numba.core import types

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], context.get_constant(types.boolean, False))

    return types.uint64(types.uint64), generate


trailing_zeros: Any = _Intrinsic(_count_zeros)
"""For compiled code: how many of the lowest bits are zero; 64 for zero."""
