"""Where numba may write nowhere, the kernel is compiled without its cache, and that is said once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from framelens.features import compiled


def test_an_unwritable_cache_is_said_once_and_does_no_harm(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def njit(*, cache: bool = False, **_: Any) -> Callable[[Any], Any]:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return lambda function: function

    monkeypatch.setattr(compiled.numba, "njit", njit)
    monkeypatch.setattr(compiled, "_uncached", [])

    def double(x: int) -> int:
        return 2 * x

    def triple(x: int) -> int:
        return 3 * x

    assert (compiled.jit(double)(2), compiled.jit(triple)(2)) == (4, 6)
    assert len(caplog.records) == 1
    assert "set NUMBA_CACHE_DIR to a writable folder" in caplog.text
