"""The server's process, or processes: listening, logging, stopping."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from functools import partial

import uvicorn
from fastapi import FastAPI
from uvicorn.supervisors import Multiprocess

from framelens.errors import UserError
from framelens.predictor import Model, load
from framelens.serve.app import create_app
from framelens.serve.logs import LOGGER, log_config
from framelens.serve.metrics import FOLDER
from framelens.serve.settings import TOKEN, Settings

KEEP_ALIVE_SECONDS = 75
"""An idle connection is closed after this: longer than the minute that proxies keep theirs."""

BACKLOG = 2048
"""Connections that may wait to be taken up, as far as the system allows."""


def run(settings: Settings, *, log_level: str = "INFO") -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in flight.

    Raises
    ------
    UserError
        When the model cannot be loaded or the address not be listened on.
    """
    model = load(settings.model)  # here, so that a wrong path is one line and not a worker's death
    with _listening(settings) as listener:
        config = uvicorn.Config(
            partial(_worker, settings) if settings.workers > 1 else partial(create_app, model, settings),
            factory=True,
            workers=settings.workers,
            log_config=log_config(log_level),
            access_log=False,  # the guard's says more, and less of what clients sent
            server_header=False,
            lifespan="on",
            backlog=BACKLOG,
            timeout_graceful_shutdown=max(1, round(settings.stop_seconds)),
            timeout_keep_alive=KEEP_ALIVE_SECONDS,
            timeout_worker_healthcheck=30,  # a worker may be compiling the kernel
        )
        if settings.workers > 1:
            with _shared_metrics():
                _announce(settings, listener, model)
                Multiprocess(config, sockets=[listener]).run()
        else:
            server = uvicorn.Server(config)
            with _stopped_by_signals(server):
                _announce(settings, listener, model)
                server.run(sockets=[listener])


def _worker(settings: Settings) -> FastAPI:
    return create_app(load(settings.model), settings)


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    with contextlib.ExitStack() as closing:
        try:
            family, kind, protocol, _, address = socket.getaddrinfo(
                settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
            listener = closing.enter_context(socket.socket(family, kind, protocol))
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
            # here and not in the event loop, where it is too late to say that another server was quicker
            listener.listen(BACKLOG)
        except OSError as error:
            raise UserError(
                f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}; "
                "choose another address with --host and --port"
            ) from None
        yield listener


@contextlib.contextmanager
def _shared_metrics() -> Iterator[None]:
    """A folder through which the counters of workers started from here on are added up."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="framelens-metrics-")
    except OSError as error:
        raise UserError(
            f"several workers need a writable folder for their counters: {error.strerror or error}; "
            "name one with TMPDIR, or use --workers 1"
        ) from None
    with folder as name:
        os.environ[FOLDER] = name
        yield


def _announce(settings: Settings, listener: socket.socket, model: Model) -> None:
    host, port = listener.getsockname()[:2]
    where = f"[{host}]" if ":" in host else host
    fields = {
        "address": f"http://{where}:{port}",
        "model": " ".join(model.version),
        "workers": settings.workers,
        "token": settings.token is not None,
    }
    log = logging.getLogger(LOGGER)
    log.info("listening", extra={"fields": fields})
    if settings.token is None and not host.startswith("127.") and host != "::1":
        log.warning(f"reachable from other machines without a token; set {TOKEN}")


@contextlib.contextmanager
def _stopped_by_signals(server: uvicorn.Server) -> Iterator[None]:
    """Obey also signals from before uvicorn listens to them; it sends the others again when all is done."""

    def stop(*_: object) -> None:
        server.should_exit = True

    before = {name: signal.signal(name, stop) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
