"""From a request to what it asks: reading, parsing and checking bodies, every limit on the way.

By hand rather than by pydantic, because every prediction passes here: the OpenAPI description says the same
(`framelens.serve.schemas`), and a test holds the two together.
"""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any, NamedTuple

import orjson
from starlette.requests import Request

from framelens.serve.problems import Problem, too_large
from framelens.serve.settings import Settings

_SURROGATE = re.compile("[\ud800-\udfff]")


class Article(NamedTuple):
    """One article to label."""

    text: str
    title: str | None


async def read_article(request: Request, settings: Settings) -> Article:
    """``{"text": ..., "title": ...}``, the title optional."""
    body = await _read_object(request, settings, required="text", optional=("title",))
    title = body.get("title")
    if title is not None:
        _check_text(title, "title", settings.max_title_chars)
    _check_text(body["text"], "text", settings.max_text_chars)
    return Article(body["text"], title)


async def read_batch(request: Request, settings: Settings) -> list[str]:
    """``{"texts": [...]}``; a null among them is an empty text, as for `framelens.predict_batch`."""
    body = await _read_object(request, settings, required="texts")
    texts = body["texts"]
    if not isinstance(texts, list):
        raise _invalid("texts", f"must be a list of strings, not {_kind(texts)}")
    if len(texts) > settings.max_batch:
        problem = too_large(
            "the batch", len(texts), settings.max_batch, "texts", kind="batch-too-large", status=422
        )
        problem.members["pointer"] = "#/texts"
        raise problem
    for row, text in enumerate(texts):
        if text is not None:
            _check_text(text, f"texts/{row}", settings.max_text_chars)
    return [text or "" for text in texts]


async def _read_object(
    request: Request, settings: Settings, *, required: str, optional: tuple[str, ...] = ()
) -> dict[str, Any]:
    _check_media_type(request)
    body = _parse(await _read(request, settings))
    if not isinstance(body, dict):
        raise _invalid("", f"the body must be a JSON object with the member {required!r}, not {_kind(body)}")
    if required not in body:
        raise _invalid("", f"the member {required!r} is missing")
    unknown = body.keys() - {required, *optional}
    if unknown:
        known = ", ".join(repr(name) for name in (required, *optional))
        raise _invalid("", f"the member {min(unknown)[:60]!r} is unknown; the known ones are {known}")
    return body


def _check_media_type(request: Request) -> None:
    """JSON only: what a page of another origin may send without asking is refused with the rest."""
    given = request.headers.get("content-type", "")
    if given.partition(";")[0].strip().lower() != "application/json":
        raise Problem(
            415,
            "unsupported-media-type",
            f"the body must be application/json, and is {given[:80] or 'not declared'}; "
            "send the header Content-Type: application/json",
        )


async def _read(request: Request, settings: Settings) -> bytes:
    limit = settings.max_body_bytes
    declared = request.headers.get("content-length", "")
    if declared.isascii() and declared.isdigit() and int(declared[:18]) > limit:
        raise too_large("the body", int(declared[:18]), limit, "bytes", kind="body-too-large")
    chunks, size = [], 0
    try:
        async with asyncio.timeout(settings.request_seconds):
            async for chunk in request.stream():
                size += len(chunk)
                if size > limit:
                    # sent in chunks of no declared end: there may be no end, so the connection is given up
                    problem = too_large("the body", size, limit, "bytes", kind="body-too-large")
                    problem.headers["Connection"] = "close"
                    raise problem
                chunks.append(chunk)
    except TimeoutError:
        raise Problem(
            408,
            "body-timeout",
            f"the body did not arrive within {settings.request_seconds:g} seconds",
            headers={"Connection": "close"},
            limit=settings.request_seconds,
        ) from None
    return b"".join(chunks)


def _parse(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        _refuse_surrogates(body)
        place = f"line {error.lineno} column {error.colno}"
        raise Problem(400, "not-json", f"the body is not JSON in UTF-8: {error.msg} at {place}") from None


def _refuse_surrogates(body: bytes) -> None:
    """JSON whose only fault is half a surrogate pair is told from what is no JSON."""
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return
    for pointer, text in _strings(value):
        if found := _SURROGATE.search(text):
            raise _invalid(
                pointer,
                f"holds half a surrogate pair (U+{ord(found[0]):04X}) at character {found.start()}, "
                "which is no text; drop it or encode the whole pair",
            )


def _strings(value: Any) -> list[tuple[str, str]]:
    """The strings that a body of ours can hold, with the JSON pointers to them."""
    members = value.items() if isinstance(value, dict) else ()
    found = [("", key) for key, _ in members]
    for key, member in members:
        rows = enumerate(member) if isinstance(member, list) else ()
        found += [(key, member)] if isinstance(member, str) else []
        found += [(f"{key}/{row}", item) for row, item in rows if isinstance(item, str)]
    return found


def _check_text(value: Any, pointer: str, limit: int) -> None:
    if not isinstance(value, str):
        raise _invalid(pointer, f"must be a string, not {_kind(value)}")
    if len(value) > limit:
        problem = too_large(pointer, len(value), limit, "characters", kind="text-too-long", status=422)
        problem.members["pointer"] = f"#/{pointer}"
        raise problem


def _invalid(pointer: str, detail: str) -> Problem:
    name = f"{pointer} " if pointer else ""
    return Problem(422, "invalid-body", f"{name}{detail}", pointer=f"#/{pointer}" if pointer else "#")


def _kind(value: Any) -> str:
    """A value's type as JSON calls it."""
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number"}
    names |= {str: "a string", list: "a list", dict: "an object"}
    return names[type(value)]
