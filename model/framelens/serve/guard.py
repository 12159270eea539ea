"""What every request passes, whatever its route: token, response headers, log, counters, failures."""

from __future__ import annotations

import hmac
import logging
import re
import secrets
import time
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from framelens.serve.logs import LOGGER, describe
from framelens.serve.metrics import Metrics
from framelens.serve.problems import Problem
from framelens.serve.settings import Settings

_HEADERS = [
    (
        b"content-security-policy",
        b"default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        b"base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
]
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_GONE = 499
"""For the log, as nginx has it: the client went away before it was answered."""


class Guard:
    """ASGI middleware around the whole application.

    Parameters
    ----------
    paths
        The application's paths. A request for another one is counted and logged as ``unmatched``: paths are
        the client's text.
    open_paths
        Those of them that need no token.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        settings: Settings,
        metrics: Metrics,
        paths: frozenset[str],
        open_paths: frozenset[str],
    ) -> None:
        self._app, self._metrics, self._paths, self._open = app, metrics, paths, open_paths
        self._token = settings.token.encode() if settings.token is not None else None
        self._log = logging.getLogger(LOGGER)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        seen: dict[str, Any] = {"status": 0, "received": 0, "sent": 0}
        given = headers.get(b"x-request-id", b"")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8).encode()

        async def receive_noted() -> Message:
            message = await receive()
            seen["received"] += len(message.get("body", b""))
            return message

        async def send_noted(message: Message) -> None:
            if message["type"] == "http.response.start":
                seen["status"] = message["status"]
                message["headers"] = [*message.get("headers", ()), *_HEADERS, (b"x-request-id", request_id)]
            else:
                seen["sent"] += len(message.get("body", b""))
            await send(message)

        failure: dict[str, Any] = {}
        try:
            if not self._may_pass(scope["path"], headers):
                await _UNAUTHORIZED.response()(scope, receive_noted, send_noted)
            else:
                await self._app(scope, receive_noted, send_noted)
        except ClientDisconnect:
            seen["status"] = _GONE
        except Exception as error:
            failure = describe(error)
            if not seen["status"]:
                await _failed(request_id).response()(scope, receive_noted, send_noted)
        finally:
            self._note(scope, request_id, seen, failure, time.perf_counter() - started)

    def _may_pass(self, path: str, headers: dict[bytes, bytes]) -> bool:
        if self._token is None or path in self._open:
            return True
        scheme, _, token = headers.get(b"authorization", b"").partition(b" ")
        return scheme.lower() == b"bearer" and hmac.compare_digest(token, self._token)

    def _note(
        self,
        scope: Scope,
        request_id: bytes,
        seen: dict[str, Any],
        failure: dict[str, Any],
        seconds: float,
    ) -> None:
        route = scope["path"] if scope["path"] in self._paths else "unmatched"
        self._metrics.count_request(route, seen["status"], seconds)
        level = logging.ERROR if failure else logging.INFO
        if self._log.isEnabledFor(level):
            fields = {
                "method": scope["method"],
                "route": route,
                **seen,
                "ms": round(seconds * 1e3, 3),
                "request_id": request_id.decode(),
                **failure,
            }
            self._log.log(level, "request", extra={"fields": fields})


_UNAUTHORIZED = Problem(
    401,
    "unauthorized",
    "this needs the server's token; send the header Authorization: Bearer TOKEN",
    headers={"WWW-Authenticate": "Bearer"},
)


def _failed(request_id: bytes) -> Problem:
    return Problem(
        500,
        "internal",
        f"the server failed; its log says where, under request {request_id.decode()}",
        request_id=request_id.decode(),
    )
