"""The notebook runs; see `run_notebook`."""

from __future__ import annotations

from collections.abc import Callable

import pytest


# tornado and zmq, under the kernel's client, warn of their own sockets and loops
@pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::DeprecationWarning")
def test_it_runs(run_notebook: Callable[[str], None]) -> None:
    run_notebook("02_what_it_learned")
