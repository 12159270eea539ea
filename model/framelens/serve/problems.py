"""Errors as problem details (RFC 9457): one JSON object that names what was wrong, limit and value."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - the name that the standard gives it
    """An error for the client.

    Parameters
    ----------
    status
        HTTP status.
    kind
        What went wrong, for programs: the last part of the problem's ``type``, stable between versions.
    detail
        What was wrong, the value and the remedy, for people. Never the text of an article.
    headers
        Headers of the response.
    members
        Further members of the object, such as ``limit`` and ``value``.
    """

    def __init__(
        self, status: int, kind: str, detail: str, *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.headers, self.members = dict(headers or {}), members

    def to_dict(self) -> dict[str, Any]:
        """The object's members."""
        return {
            "type": f"urn:framelens:problem:{self.kind}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            **self.members,
        }

    def response(self) -> Response:
        """As an HTTP response."""
        return Response(
            orjson.dumps(self.to_dict()), self.status, headers=self.headers, media_type=MEDIA_TYPE
        )


def too_large(what: str, value: int, limit: int, unit: str, *, kind: str, status: int = 413) -> Problem:
    """The problem of something longer than a limit, both of which it names."""
    return Problem(
        status,
        kind,
        f"{what} has {value:,} {unit}; at most {limit:,} are accepted",
        limit=limit,
        value=value,
        unit=unit,
    )


async def answer_problem(request: Request, error: Exception) -> Response:
    """Exception handler of a `Problem`."""
    assert isinstance(error, Problem)
    return error.response()


async def answer_http_exception(request: Request, error: Exception) -> Response:
    """Exception handler of what the framework raises: no such path, no such method."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code == HTTPStatus.NOT_FOUND:
        problem = Problem(404, "not-found", "there is nothing at this path; /openapi.json lists the paths")
    elif error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = headers.get("Allow", "another method")
        problem = Problem(405, "method-not-allowed", f"{request.method} is not possible here; use {allowed}")
    else:
        problem = Problem(error.status_code, "http", str(error.detail))
    problem.headers = headers
    return problem.response()
