"""A kernel is compiled once: kept where that can be, compiled again where what is kept will not do."""

from __future__ import annotations

import errno
import importlib
import importlib.util
import logging
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import pytest

from framelens.clean import column
from framelens.clean.rules import load_rules
from framelens.features import cache, compiled
from framelens.features.compiled import RoomError

SOURCE = """
from framelens.features.compiled import RoomError, item, jit
from framelens.features.vocabulary import OFFSET
import numpy as np

FACTOR = OFFSET // OFFSET + 1

@jit
def multiply(numbers, n, factor):
    if n < 0:
        raise RoomError
    for i in range(n):
        numbers[i] *= factor
    return n

@jit
def double(numbers, n):
    return multiply(numbers, n, FACTOR)

@jit
def allocate(n):
    return len(np.zeros(n))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where kernels are kept; empty."""
    kept = tmp_path / "kept"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(kept))
    return kept


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of what is compiled."""
    names: list[str] = []

    def compile_(dispatcher: Any, *args: Any) -> bytes:
        names.append(dispatcher.py_func.__name__)
        return real(dispatcher, *args)

    real = compiled._compile
    monkeypatch.setattr(compiled, "_compile", compile_)
    return names


def load(folder: Path, source: str = SOURCE) -> ModuleType:
    """The module of this source, as a process that has called nothing yet has it."""
    path = folder / "doubling.py"
    path.write_text(source, encoding="utf-8")
    spec = importlib.util.spec_from_file_location("doubling", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def doubled(module: ModuleType, dtype: str = "int64") -> list[int]:
    """1, 2 and 3, doubled by the kernel."""
    numbers = np.array([1, 2, 3], dtype=dtype)
    assert module.double(numbers, 3) == 3
    return [int(number) for number in numbers]


def test_a_kernel_is_compiled_once_for_all_processes(tmp_path: Path, folder: Path, made: list[str]) -> None:
    for _ in range(3):
        module = load(tmp_path)
        assert (doubled(module), doubled(module)) == ([2, 4, 6], [2, 4, 6])
    assert made == ["double"]
    assert [file.suffix for file in folder.iterdir()] == [".kept"]


def test_each_type_of_array_has_machine_code_of_its_own(
    tmp_path: Path, folder: Path, made: list[str]
) -> None:
    module = load(tmp_path)
    assert [doubled(module, dtype) for dtype in ("int64", "int32", "uint8")] == [[2, 4, 6]] * 3
    assert len(made) == len(list(folder.iterdir())) == 3


CALLS = """
from framelens.features.compiled import jit
import numpy as np

@jit
def add(number, more):
    return number + more

@jit
def highest(number):
    return number >> np.uint64(63)

@jit
def call(small, signed, large, results):
    results[0] = add(small[0], 1)
    results[1] = add(signed[0], small[0])
    results[2] = add(-1, signed[0])
    results[3] = highest(large[0])
    return 4
"""


@pytest.mark.usefixtures("folder")
def test_a_kernel_that_others_call_is_compiled_once_for_all_kinds_of_small_numbers(tmp_path: Path) -> None:
    module = load(tmp_path, CALLS)
    small, signed = np.array([255], dtype=np.uint8), np.array([-(2**31)], dtype=np.int32)
    large, results = np.array([2**63], dtype=np.uint64), np.zeros(4, dtype=np.int64)
    assert module.call(small, signed, large, results) == 4
    assert results.tolist() == [256, 255 - 2**31, -1 - 2**31, 1]
    assert len(module.add._dispatcher.overloads) == 1


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda kept: kept[:-100], id="truncated"),
        pytest.param(lambda kept: kept[:-100] + bytes(100), id="overwritten"),
        pytest.param(lambda kept: b"", id="empty"),
        pytest.param(lambda kept: kept[32:], id="without its checksum"),
        pytest.param(lambda kept: b"\x93NUMPY" * 100, id="of another kind"),
    ],
)
def test_a_damaged_file_is_replaced(tmp_path: Path, folder: Path, made: list[str], damage: Any) -> None:
    assert doubled(load(tmp_path)) == [2, 4, 6]
    (kept,) = folder.iterdir()
    kept.write_bytes(damage(kept.read_bytes()))
    for _ in range(2):
        assert doubled(load(tmp_path)) == [2, 4, 6]
    assert made == ["double"] * 2


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("n, FACTOR)", "n, FACTOR + 1)", [3, 6, 9], id="the kernel"),
        pytest.param("*= factor", "*= factor + 2", [4, 8, 12], id="what it calls"),
    ],
)
def test_changed_source_is_compiled_anew(tmp_path: Path, old: str, new: str, expected: list[int]) -> None:
    assert doubled(load(tmp_path)) == [2, 4, 6]
    assert doubled(load(tmp_path, SOURCE.replace(old, new))) == expected
    assert doubled(load(tmp_path)) == [2, 4, 6]


@pytest.mark.usefixtures("folder")
def test_a_changed_constant_of_another_module_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = SOURCE.replace("OFFSET // OFFSET", "OFFSET % 4")
    assert doubled(load(tmp_path, source)) == [2, 4, 6]
    monkeypatch.setattr("framelens.features.vocabulary.OFFSET", 2)
    assert doubled(load(tmp_path, source)) == [3, 6, 9]


PARTS = """
from framelens.features.compiled import jit

TWO = 2

@jit
def two():
    return TWO
"""
WHOLE = """
from framelens.features.compiled import jit
from doubling_parts import two

@jit
def twice(numbers, pair):
    return numbers[0] * two() * pair.two
"""


class Pair(NamedTuple):
    one: int
    two: int


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param("return TWO", "return TWO + 1", 9, id="a kernel of another module"),
        pytest.param("TWO = 2", "TWO = 4", 12, id="a constant that it uses"),
    ],
)
def test_a_changed_module_that_a_kernel_is_made_of_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, expected: int
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def called(parts: str) -> int:
        (tmp_path / "doubling_parts.py").write_text(parts, encoding="utf-8")
        importlib.invalidate_caches()
        monkeypatch.delitem(sys.modules, "doubling_parts", raising=False)
        module = load(tmp_path, WHOLE)
        answer: int = module.twice(np.array([1]), Pair(1, 3))
        return answer

    assert called(PARTS) == 6
    assert called(PARTS.replace(old, new)) == expected
    assert called(PARTS) == 6


@pytest.mark.usefixtures("folder")
def test_changed_fields_of_a_tuple_are_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "doubling_parts.py").write_text(PARTS, encoding="utf-8")

    class Swapped(NamedTuple):
        two: int
        one: int

    Swapped.__name__ = "Pair"
    for pair, expected in ((Pair(1, 3), 6), (Swapped(1, 3), 2)):
        assert load(tmp_path, WHOLE).twice(np.array([1]), pair) == expected


@pytest.mark.usefixtures("folder")
def test_another_processor_gets_machine_code_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[str]
) -> None:
    compiled._processor.cache_clear()
    for name in ("generic", "", "generic"):
        monkeypatch.setenv("NUMBA_CPU_NAME", name)
        assert doubled(load(tmp_path)) == [2, 4, 6]
        compiled._processor.cache_clear()
    assert made == ["double"] * 2


@pytest.mark.parametrize("missing", [False, True])
def test_without_a_writable_folder_it_is_compiled_each_time_and_that_is_said_once(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    made: list[str],
    caplog: pytest.LogCaptureFixture,
    missing: bool,
) -> None:
    """Root may write everywhere, so the folder is a file, or refuses."""

    def refuse(path: Path, content: bytes) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    module = load(tmp_path)
    if missing:
        folder.touch()
    else:
        monkeypatch.setattr(Path, "write_bytes", refuse)
    cache._say_uncached.cache_clear()
    with caplog.at_level(logging.WARNING):
        for dtype in ("int64", "int32"):
            assert doubled(module, dtype) == [2, 4, 6]
    assert made == ["double"] * 2
    assert len(caplog.records) == 1
    assert "set NUMBA_CACHE_DIR to a writable folder" in caplog.text


def test_the_next_folder_is_taken_where_nothing_can_be_written_beside_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: list[str]
) -> None:
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "__pycache__").touch()
    for _ in range(2):
        assert doubled(load(tmp_path)) == [2, 4, 6]
    assert made == ["double"]
    assert len(list((tmp_path / "home" / "framelens").iterdir())) == 1


@pytest.mark.usefixtures("folder")
def test_a_module_without_its_source_is_compiled_each_time(tmp_path: Path, made: list[str]) -> None:
    for _ in range(2):
        module = load(tmp_path)
        (tmp_path / "doubling.py").unlink()
        assert doubled(module) == [2, 4, 6]
    assert made == ["double"] * 2


def test_what_is_kept_can_be_read_where_nothing_can_be_written(
    tmp_path: Path, folder: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a container whose file system is read-only; root may write everywhere, so refuse here."""
    assert doubled(load(tmp_path)) == [2, 4, 6]
    monkeypatch.setattr(cache, "_keep", None)
    assert doubled(load(tmp_path)) == [2, 4, 6]
    assert made == ["double"]


def test_what_one_user_has_compiled_another_may_read(tmp_path: Path, folder: Path) -> None:
    """As where root builds an image and somebody else runs it."""
    before = os.umask(0o022)
    try:
        assert doubled(load(tmp_path)) == [2, 4, 6]
    finally:
        os.umask(before)
    (kept,) = folder.iterdir()
    assert kept.stat().st_mode & 0o777 == 0o644


def test_of_processes_that_start_at_once_one_compiles(tmp_path: Path, folder: Path) -> None:
    load(tmp_path)
    code = (
        "import numpy, doubling; from framelens.features import compiled\n"
        "compile_ = compiled._compile\n"
        "compiled._compile = lambda *args: (print('compiled'), compile_(*args))[1]\n"
        "a = numpy.arange(4); doubling.double(a, 4); print(a.tolist())"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    started = [
        subprocess.Popen([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    told = [one.communicate(timeout=120)[0] for one in started]
    assert sorted(told) == ["[0, 2, 4, 6]\n"] * 2 + ["compiled\n[0, 2, 4, 6]\n"]
    assert [file.suffix for file in folder.iterdir()] == [".kept"]


def test_where_nothing_can_be_locked_it_is_compiled_all_the_same(
    tmp_path: Path, folder: Path, made: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fcntl = pytest.importorskip("fcntl", reason="this system has no such locks")

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    for _ in range(2):
        assert doubled(load(tmp_path)) == [2, 4, 6]
    assert made == ["double"]
    assert [file.suffix for file in folder.iterdir()] == [".kept"]


@pytest.mark.usefixtures("folder")
def test_what_a_kernel_cannot_do_is_refused(tmp_path: Path) -> None:
    module = load(tmp_path)
    with pytest.raises(RoomError, match="double"):
        module.double(np.zeros(1, dtype=np.int64), -1)
    with pytest.raises(ValueError, match="contiguous"):
        module.double(np.arange(10)[::2], 5)
    with pytest.raises(TypeError, match="by position"):
        module.double(np.arange(10), n=5)
    with pytest.raises(TypeError, match="calls nothing but the C library"):
        module.allocate(3)


def test_what_is_made_of_files_is_made_again_when_one_changes(tmp_path: Path, folder: Path) -> None:
    made = []

    def make() -> list[str]:
        made.append("again")
        return [file.read_text(encoding="utf-8") for file in sorted(tmp_path.glob("*.toml"))]

    (tmp_path / "a.toml").write_text("one", encoding="utf-8")
    module = str(tmp_path / "module.py")
    assert [cache.kept(module, make) for _ in range(2)] == [["one"]] * 2
    (tmp_path / "a.toml").write_text("two", encoding="utf-8")
    assert [cache.kept(module, make) for _ in range(2)] == [["two"]] * 2
    assert made == ["again"] * 2
    assert len(list(folder.iterdir())) == 2


def test_what_older_sources_gave_is_deleted_in_time(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def make() -> int:
        return version

    for version in range(cache._VARIANTS + 5):
        (tmp_path / "version.toml").write_text(f"version = {version}", encoding="utf-8")
        assert cache.kept(str(tmp_path / "module.py"), make) == version
        for age, file in enumerate(sorted(folder.iterdir(), key=lambda file: file.stat().st_mtime)):
            os.utime(file, (age, age))  # where the clock of the file system is coarse
    assert len(list(folder.iterdir())) == cache._VARIANTS
    monkeypatch.setattr(cache, "_keep", None)
    assert cache.kept(str(tmp_path / "module.py"), make) == version


def test_the_rules_are_the_same_from_the_files_and_as_they_were_kept(folder: Path) -> None:
    for _ in range(2):
        again = cache.kept(column.__file__, column._compile_shipped)
        np.testing.assert_equal(again, column.compile_rules(load_rules()))
    assert len(list(folder.iterdir())) == 1


def test_a_second_process_scores_without_numba_and_without_pandas(tmp_path: Path) -> None:
    """Each would take longer to import than all the rest takes."""
    rows, scored = tmp_path / "rows.jsonl", tmp_path / "scored.parquet"
    rows.write_text('{"text": "The dam is full, the ministry said on Tuesday."}\n' * 30, encoding="utf-8")
    code = (
        "import sys; from framelens.cli import main; code = main()\n"
        "print(code, *sorted({'numba', 'pandas', 'scipy'} & set(sys.modules)))"
    )
    said = [
        subprocess.run(
            [sys.executable, "-c", code, "score", str(rows), "-o", str(scored)],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True, text=True, check=True,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert said[1] == "0\n"
