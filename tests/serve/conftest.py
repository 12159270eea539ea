"""An application around a small invented model, and a client that talks to it without a network."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from framelens.predictor import Model
from framelens.serve.app import create_app
from framelens.serve.settings import Settings

# Invented.
ARTICLE = (
    "The minister stressed that the two sides will deepen friendly cooperation. Critics said they had "
    'concerns. "We were not asked," said Maria Lind of Lowmoor.\nThe mayor stressed sovereignty.'
)
DISTRIBUTION = {
    "score": {"edges": [0.0], "shares": [0.5, 0.5]},
    "known_share": {"edges": [0.8, 0.9], "shares": [0.1, 0.2, 0.7]},
}


@pytest.fixture(scope="session")
def article() -> str:
    """Long enough for an answer."""
    return ARTICLE


class Client:
    """Requests to an application, each answered before the call returns."""

    def __init__(self, app: FastAPI) -> None:
        self.app = app

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """One request."""
        return asyncio.run(self.requests([(method, path, options)]))[0]

    async def requests(self, wanted: list[tuple[str, str, dict[str, Any]]]) -> list[httpx.Response]:
        """Several at the same time."""
        transport = httpx.ASGITransport(app=self.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as client:
            return await asyncio.gather(*(client.request(m, path, **o) for m, path, o in wanted))

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET."""
        return self.request("GET", path, **options)

    def post(self, path: str, body: Any, **options: Any) -> httpx.Response:
        """POST of JSON."""
        return self.request("POST", path, json=body, **options)


@pytest.fixture(scope="session")
def drifting(model: Model) -> Model:
    """The small model, whose manifest knows its training articles."""
    metrics = model.artifact.manifest["metrics"] | {"training_distribution": DISTRIBUTION}
    manifest = model.artifact.manifest | {"metrics": metrics}
    return Model(dataclasses.replace(model.artifact, manifest=manifest))


@pytest.fixture(scope="session")
def make_client(model: Model) -> Callable[..., Client]:
    """A client of a new application with the given settings."""

    def make(used: Model | None = None, *, started: bool = True, **settings: Any) -> Client:
        app = create_app(used or model, Settings(**settings))
        if started:
            app.state.service.start()
        return Client(app)

    return make


@pytest.fixture(scope="session")
def client(make_client: Callable[..., Client]) -> Client:
    """A client of an application with small limits."""
    return make_client(max_body_bytes=5000, max_batch=4, max_text_chars=1000, max_title_chars=50)
