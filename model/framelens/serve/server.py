"""The server's process, or processes: listening, logging, stopping."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from framelens.errors import UserError
from framelens.predictor import Model, load
from framelens.serve.logs import log_config
from framelens.serve.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI


def run(settings: Settings, *, log_level: str = "INFO") -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests in flight.

    Raises
    ------
    UserError
        When the model cannot be loaded or the address not be listened on.
    """
    import uvicorn
    from uvicorn.supervisors import Multiprocess

    model = load(settings.model)  # here, so that a wrong path is one line and not a worker's death
    with _listening(settings) as listener:
        several = settings.workers > 1
        if several:
            _share_metrics()
        config = uvicorn.Config(
            partial(_worker, settings) if several else partial(_application, model, settings),
            factory=True,
            workers=settings.workers,
            log_config=log_config(log_level),
            access_log=False,  # the guard's says more, and less of what clients sent
            server_header=False,
            lifespan="on",
            timeout_graceful_shutdown=int(settings.stop_seconds),
            timeout_keep_alive=75,
        )
        _announce(settings, listener, model)
        if several:
            del model
            Multiprocess(config, sockets=[listener]).run()
            return
        with _quiet_stop():
            uvicorn.Server(config).run(sockets=[listener])


def _application(model: Model, settings: Settings) -> FastAPI:
    from framelens.serve.app import create_app

    return create_app(model, settings)


def _worker(settings: Settings) -> FastAPI:
    return _application(load(settings.model), settings)


@contextlib.contextmanager
def _listening(settings: Settings) -> Iterator[socket.socket]:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        raise UserError(
            f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}; "
            "choose another address with --host and --port"
        ) from None
    listener.set_inheritable(True)
    with listener:
        yield listener


def _share_metrics() -> None:
    """A folder through which the workers' counters are added up; for processes started from here on."""
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="framelens-metrics-")


def _announce(settings: Settings, listener: socket.socket, model: Model) -> None:
    import logging

    from framelens.serve.logs import LOGGER

    host, port = listener.getsockname()[:2]
    where = f"[{host}]" if ":" in host else host
    fields: dict[str, Any] = {
        "address": f"http://{where}:{port}",
        "model": " ".join(model.version),
        "workers": settings.workers,
        "token": settings.token is not None,
    }
    log = logging.getLogger(LOGGER)
    log.info("listening", extra={"fields": fields})
    if settings.token is None and not host.startswith("127.") and host != "::1":
        log.warning("reachable from other machines without a token; set FRAMELENS_TOKEN")


@contextlib.contextmanager
def _quiet_stop() -> Iterator[None]:
    """For uvicorn sends itself the signal again when all is done; by then it has been obeyed."""
    before = {name: signal.signal(name, lambda *_: None) for name in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for name, handler in before.items():
            signal.signal(name, handler)
