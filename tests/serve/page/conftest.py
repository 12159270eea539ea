"""A server in a process of its own, and a window of a real browser on its page."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any

import pytest

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")
LIMIT = "20000"


@contextmanager
def serving(*options: str, **environment: str) -> Iterator[str]:
    """Address of a server in a process of its own."""
    program = "import sys; from framelens.cli import main; sys.exit(main())"
    command = [sys.executable, "-c", program, "serve", "--port", "0", *options]
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(command, stderr=log, env=dict(os.environ) | environment) as process,
    ):
        try:
            yield _address(process, log)
        finally:
            process.terminate()


def _address(process: subprocess.Popen[bytes], log: IO[str]) -> str:
    """Where a server that has just been started listens, once it is ready."""
    for _ in range(1200):
        log.seek(0)
        said = log.read()
        assert process.poll() is None, said
        if found := re.search(r'"address":"([^"]+)"', said):
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{found[1]}/readyz", timeout=5):
                return found[1]
        time.sleep(0.05)
    raise AssertionError(f"the server does not start: {said}")


@pytest.fixture
def start_server() -> Callable[..., Any]:
    """`serving`: the address of a server with other options or environment, as a context manager."""
    return serving


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Address of a server without a token."""
    with serving("--max-text", LIMIT) as where:
        yield where


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """The system's Chromium: Playwright's own would have to be downloaded."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        path = next(filter(None, map(shutil.which, CHROMIUMS)))
        browser = playwright.chromium.launch(executable_path=path, args=[*ARGUMENTS, "--disable-sync"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any, address: str) -> Iterator[Callable[..., Any]]:
    """Open the page in a window of its own; whatever its console or its policy complain of fails the test."""
    complaints: list[str] = []
    windows = []

    def open_(url: str = address, *, refused: tuple[int, ...] = (), **options: Any) -> Any:
        window = browser.new_context(**{"viewport": {"width": 1280, "height": 900}} | options)
        windows.append(window)
        page = window.new_page()
        page.set_default_timeout(15_000)
        expected = tuple(f"the server responded with a status of {status}" for status in refused)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                message.type in ("error", "warning")
                and not any(part in message.text for part in (*expected, "ERR_INTERNET_DISCONNECTED"))
                and complaints.append(message.text)
            ),
        )
        page.add_init_script(
            "document.addEventListener('securitypolicyviolation', (e) => console.error(e.violatedDirective))"
        )
        page.goto(url)
        page.wait_for_selector("#figures-body :is(.figure, .hint):not(:text('Asking'))")
        return page

    yield open_
    for window in windows:
        window.close()
    assert complaints == []
