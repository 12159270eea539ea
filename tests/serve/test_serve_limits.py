"""What is refused, and that each refusal names what was wrong: every error is problem details."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from framelens.errors import UserError
from framelens.predictor import Model
from framelens.serve import service as service_module
from framelens.serve.settings import Settings, token_from

Client = Any  # of conftest.py
JSON = {"Content-Type": "application/json"}


def problem(response: Any, status: int, kind: str) -> dict[str, Any]:
    """The problem of a response, checked for what every one of them has."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["type"] == f"urn:framelens:problem:{kind}"
    assert found["status"] == status
    assert found["title"]
    assert len(found["detail"]) > 20
    return found


@pytest.mark.parametrize("path", ["/v1/predict", "/v1/explain"])
def test_a_text_at_the_limit_passes_and_one_beyond_does_not(client: Client, path: str) -> None:
    assert client.post(path, {"text": "é" * 1000, "title": "t" * 50}).status_code == 200
    found = problem(client.post(path, {"text": "é" * 1001}), 422, "text-too-long")
    assert (found["limit"], found["value"], found["unit"]) == (1000, 1001, "characters")
    assert found["pointer"] == "#/text"
    found = problem(client.post(path, {"text": "", "title": "t" * 51}), 422, "text-too-long")
    assert (found["limit"], found["value"], found["pointer"]) == (50, 51, "#/title")


def test_a_batch_has_limits_of_its_own(client: Client) -> None:
    found = problem(client.post("/v1/predict/batch", {"texts": [""] * 5}), 422, "batch-too-large")
    assert (found["limit"], found["value"], found["unit"], found["pointer"]) == (4, 5, "texts", "#/texts")
    found = problem(client.post("/v1/predict/batch", {"texts": ["", "a" * 1001]}), 422, "text-too-long")
    assert found["pointer"] == "#/texts/1"


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_is_measured_before_it_is_read_and_while_it_is(client: Client, chunked: bool) -> None:
    sent = 0

    async def chunks() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(1000):
            sent += 1000
            yield b" " * 1000

    content = chunks() if chunked else b" " * 5001
    response = client.request("POST", "/v1/predict", content=content, headers=JSON)
    found = problem(response, 413, "body-too-large")
    assert (found["limit"], found["unit"]) == (5000, "bytes")
    assert 5001 <= found["value"] <= 6000
    assert (response.headers.get("connection") == "close") == chunked
    body = json.dumps({"text": "a"}).encode()
    padded = body + b" " * (5000 - len(body))
    assert client.request("POST", "/v1/predict", content=padded, headers=JSON).status_code == 200


def test_a_declared_length_is_refused_without_reading(client: Client) -> None:
    async def ask() -> list[dict[str, Any]]:
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": "/v1/predict",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json"), (b"content-length", b"9" * 5000)],
        }
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            raise AssertionError("the body was read")

        async def send(message: Any) -> None:
            sent.append(message)

        await client.app(scope, receive, send)
        return sent

    assert asyncio.run(ask())[0]["status"] == 413


def test_a_body_that_does_not_arrive_is_not_waited_for(make_client: Callable[..., Client]) -> None:
    client = make_client(request_seconds=0.05)

    async def slow() -> AsyncIterator[bytes]:
        yield b'{"text":'
        await asyncio.sleep(60)

    found = problem(client.request("POST", "/v1/predict", content=slow(), headers=JSON), 408, "body-timeout")
    assert found["limit"] == 0.05


def test_a_client_that_goes_away_is_let_go(client: Client) -> None:
    async def ask() -> list[Any]:
        scope = {
            "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST",
            "path": "/v1/predict", "query_string": b"", "headers": [(b"content-type", b"application/json")],
        }  # fmt: skip
        sent: list[Any] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await client.app(scope, receive, send)
        return sent

    assert asyncio.run(ask()) == []


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        ("[]", "#", "must be a JSON object"),
        ('"text"', "#", "must be a JSON object"),
        ("null", "#", "not null"),
        ("{}", "#", "'text' is missing"),
        ('{"text": null}', "#/text", "must be a string, not null"),
        ('{"text": 3}', "#/text", "not a number"),
        ('{"text": true}', "#/text", "not a boolean"),
        ('{"text": ["a"]}', "#/text", "not a list"),
        ('{"text": {"a": 1}}', "#/text", "not an object"),
        ('{"text": "a", "title": 1.5}', "#/title", "not a number"),
        ('{"text": "a", "titel": "b"}', "#", "'titel' is unknown; the known ones are 'text', 'title'"),
        (r'{"text": "ab\ud83d"}', "#/text", "U+D83D) at character 2"),
        (r'{"text": "a", "title": "\udc00"}', "#/title", "U+DC00) at character 0"),
        (r'{"te\ud800xt": "a"}', "#", "U+D800"),
    ],
)
def test_wrong_members_are_named(client: Client, body: str, pointer: str, says: str) -> None:
    response = client.request("POST", "/v1/predict", content=body, headers=JSON)
    found = problem(response, 422, "invalid-body")
    assert found["pointer"] == pointer
    assert says in found["detail"]


@pytest.mark.parametrize(
    ("body", "pointer", "says"),
    [
        ('{"texts": "one"}', "#/texts", "must be a list of strings, not a string"),
        ('{"texts": ["a", 3]}', "#/texts/1", "not a number"),
        (r'{"texts": ["a", null, "\ud800"]}', "#/texts/2", "U+D800"),
        ('{"text": "a"}', "#", "'texts' is missing"),
        ('{"texts": [], "title": "a"}', "#", "'title' is unknown"),
    ],
)
def test_wrong_batches_are_named(client: Client, body: str, pointer: str, says: str) -> None:
    response = client.request("POST", "/v1/predict/batch", content=body, headers=JSON)
    found = problem(response, 422, "invalid-body")
    assert found["pointer"] == pointer
    assert says in found["detail"]


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"text=a", b'{"text": NaN}', b'{"text": "\xff"}', b"\xff\xfe{\x00}\x00", b'{"text": "a"} x',
     b"[" * 4000, b'{"text": "\n"}', b'{"a": ' * 700 + b"1" + b"}" * 700],
)  # fmt: skip
def test_what_is_no_json_is_called_so(client: Client, body: bytes) -> None:
    response = client.request("POST", "/v1/predict", content=body, headers=JSON)
    if body.startswith(b'{"a"'):
        assert response.status_code in (400, 422)  # deep, but JSON
    else:
        problem(response, 400, "not-json")


@pytest.mark.parametrize(
    ("media_type", "fine"),
    [
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("text/plain", False),
        ("application/x-www-form-urlencoded", False),
        ("application/jsonp", False),
        (None, False),
    ],
)
def test_only_declared_json_is_read(client: Client, media_type: str | None, fine: bool) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    response = client.request("POST", "/v1/predict", content=b'{"text": "a"}', headers=headers)
    if fine:
        assert response.status_code == 200
    else:
        assert "Content-Type: application/json" in problem(response, 415, "unsupported-media-type")["detail"]


def test_unknown_paths_and_methods(client: Client) -> None:
    for path in ("/v2/predict", "/v1/predict/", "/docs", "/page/index.html", "/%00", "/v1"):
        problem(client.get(path), 404, "not-found")
    for method, path, allowed in (
        ("GET", "/v1/predict", "POST"),
        ("POST", "/healthz", "GET"),
        ("TRACE", "/metrics", "GET"),
        ("OPTIONS", "/v1/explain", "POST"),
    ):
        response = client.request(method, path)
        assert method in problem(response, 405, "method-not-allowed")["detail"]
        assert response.headers["allow"] == allowed


def test_a_failure_is_a_problem_that_keeps_its_message_to_itself(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ValueError("Wexford Bridge")

    monkeypatch.setattr("framelens.serve.app.answer", fail)
    response = make_client().post("/v1/predict", {"text": "Wexford Bridge"})
    found = problem(response, 500, "internal")
    assert "Wexford" not in response.text
    assert found["request_id"] == response.headers["x-request-id"]


def test_work_that_takes_too_long_and_work_that_would_wait_too_long(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    release = threading.Event()

    def hang(*_: Any) -> None:
        release.wait(60)

    monkeypatch.setattr("framelens.serve.app.explain", hang)
    monkeypatch.setattr(service_module, "QUEUE", 1)
    monkeypatch.setattr(service_module, "cores", lambda: 1)
    client = make_client(request_seconds=0.2)
    wanted = [("POST", "/v1/explain", {"json": {"text": "a"}})] * 3
    try:
        *slow, busy = sorted(asyncio.run(client.requests(wanted)), key=lambda r: -r.status_code)
        for response in slow:
            assert problem(response, 504, "answer-timeout")["limit"] == 0.2
        problem(busy, 503, "busy")
        assert busy.headers["retry-after"] == "1"
        assert client.get("/healthz").status_code == 200
    finally:
        release.set()


TOKEN = "s3cret-é"


@pytest.fixture(scope="module")
def guarded(make_client: Callable[..., Client]) -> Client:
    return make_client(token=TOKEN)


@pytest.mark.parametrize(
    "given",
    [
        None,
        "",
        TOKEN,
        "Bearer",
        "Bearer ",
        "Bearer wrong",
        f"Bearer {TOKEN} ",
        f"Bearer  {TOKEN}",
        "Basic eA==",
    ],
)
def test_without_the_token_nothing_is_told(guarded: Client, given: str | None) -> None:
    headers = [] if given is None else [(b"authorization", given.encode())]
    for method, path in (
        ("POST", "/v1/predict"),
        ("POST", "/v1/predict/batch"),
        ("POST", "/v1/predict/outlet"),
        ("POST", "/v1/explain"),
        ("GET", "/v1/model"),
        ("GET", "/metrics"),
        ("GET", "/nothing"),
    ):
        response = guarded.request(method, path, headers=headers)
        problem(response, 401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"
        assert "secret" not in response.text


def test_with_the_token_everything_is(guarded: Client) -> None:
    headers = [(b"authorization", f"bearer {TOKEN}".encode())]
    assert guarded.request("POST", "/v1/predict", json={"text": "a"}, headers=headers).status_code == 200
    for path in ("/v1/model", "/metrics"):
        assert guarded.request("GET", path, headers=headers).status_code == 200
    problem(guarded.request("GET", "/nothing", headers=headers), 404, "not-found")


def test_probes_and_the_page_need_no_token(guarded: Client) -> None:
    for path in ("/healthz", "/readyz", "/", "/page.js", "/page.css", "/openapi.json"):
        assert guarded.get(path).status_code == 200


def test_the_description_asks_for_the_token_where_there_is_one(guarded: Client) -> None:
    paths = guarded.get("/openapi.json").json()["paths"]
    needs = {path for path, operations in paths.items() for o in operations.values() if "security" in o}
    predictions = {"/v1/predict", "/v1/predict/batch", "/v1/predict/outlet", "/v1/explain"}
    assert needs == {*predictions, "/v1/model", "/metrics"}
    assert "401" in paths["/metrics"]["get"]["responses"]
    assert "401" not in paths["/healthz"]["get"]["responses"]


def test_the_token_comes_from_the_environment() -> None:
    assert token_from({}) is None
    assert token_from({"FRAMELENS_TOKEN": " abc\n"}) == "abc"
    with pytest.raises(UserError, match="FRAMELENS_TOKEN is set but empty"):
        token_from({"FRAMELENS_TOKEN": " "})
    assert "abc" not in repr(Settings(token="abc"))


@pytest.mark.parametrize("wrong", [{"max_batch": 0}, {"request_seconds": -1.0}, {"workers": 0}])
def test_settings_are_checked(wrong: dict[str, Any], model: Model) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Settings(**wrong)
