"""What the routes share: the model, the settings, the counters, and threads for what takes long."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from framelens.features.arrow import cores
from framelens.predictor import Model
from framelens.serve.answers import warm_up
from framelens.serve.logs import LOGGER
from framelens.serve.metrics import Metrics
from framelens.serve.problems import Problem
from framelens.serve.settings import Settings

QUEUE = 64
"""Batches, explanations and long articles that may wait for a thread; more are told to come again."""

_Result = TypeVar("_Result")


class Service:
    """The state of one application."""

    def __init__(self, model: Model, settings: Settings) -> None:
        self.model, self.settings = model, settings
        self.metrics = Metrics(model)
        self.ready = False
        self._threads = ThreadPoolExecutor(cores(), thread_name_prefix="framelens")
        self._waiting = 0

    def start(self) -> None:
        """Load the kernel; from then on the service is ready. A failure is logged, and it never is."""
        try:
            warm_up(self.model)
        except Exception:
            logging.getLogger(LOGGER).exception("the model cannot answer")
        else:
            self.ready = True

    def require_ready(self) -> None:
        """A `Problem` until the model and the kernel are loaded."""
        if not self.ready:
            raise Problem(
                503, "not-ready", "the model is being loaded; try again", headers={"Retry-After": "1"}
            )

    async def in_thread(self, work: Callable[[], _Result]) -> _Result:
        """Do something long beside the event loop, within the time limit."""
        if self._waiting >= QUEUE + cores():
            raise Problem(
                503, "busy", f"{self._waiting} requests are waiting; try again", headers={"Retry-After": "1"}
            )
        self._waiting += 1
        future = asyncio.get_running_loop().run_in_executor(self._threads, work)
        future.add_done_callback(self._done)
        try:
            # shielded: a thread cannot be stopped, and stays counted until it is done
            return await asyncio.wait_for(asyncio.shield(future), self.settings.request_seconds)
        except TimeoutError:
            raise Problem(
                504,
                "answer-timeout",
                f"no answer was found within {self.settings.request_seconds:g} seconds; send less at a time",
                limit=self.settings.request_seconds,
            ) from None

    def _done(self, future: asyncio.Future[Any]) -> None:
        self._waiting -= 1
        if not future.cancelled():
            future.exception()  # or asyncio would print an error that nobody waited for, message and all

    def close(self) -> None:
        """Let the threads go."""
        self._threads.shutdown(wait=False, cancel_futures=True)
