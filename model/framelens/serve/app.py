"""The application: its routes, and the guard that every request passes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from importlib import resources
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.openapi.utils import get_openapi
from starlette.exceptions import HTTPException
from starlette.responses import Response

from framelens import __version__
from framelens.html import CSS
from framelens.predictor import Model
from framelens.serve import schemas
from framelens.serve.answers import answer, explain
from framelens.serve.bodies import Article, read_article, read_batch
from framelens.serve.guard import Guard
from framelens.serve.problems import Problem, answer_http_exception, answer_problem
from framelens.serve.schemas import OF_BODIES, problems
from framelens.serve.service import Service
from framelens.serve.settings import Settings

LONG_TEXT = 10_000
"""Characters from which on a single article leaves the event loop's thread: longer than nearly all news, and
so short that even a text made to be slow holds up the others for no more than some tens of milliseconds."""

TOKEN_PATHS = frozenset(
    ("/v1/predict", "/v1/predict/batch", "/v1/predict/outlet", "/v1/explain", "/v1/model", "/metrics")
)
"""Paths that need the token, where the server has one."""

EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"

_MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

_DESCRIPTION = """Whether an English news article is framed the way state-controlled media frame the news.

The label is about who controls the outlets that an article reads like, never about whether it is true.
`GET /v1/model` says how often that is wrong."""


def create_app(model: Model, settings: Settings | None = None) -> FastAPI:
    """The service as an ASGI application.

    Parameters
    ----------
    model
        As `framelens.load` gives it.
    settings
        Limits and token; `host`, `port` and `workers` are the server's business.

    Returns
    -------
    FastAPI
        Ready when a thread that its lifespan starts has loaded the kernel; its ``state.service`` is the
        `Service`.
    """
    service = Service(model, settings or Settings())
    app = FastAPI(
        title="FrameLens",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,  # these two pages would load scripts from elsewhere
        redoc_url=None,
        redirect_slashes=False,
        lifespan=partial(_lifespan, service),
    )
    app.state.service = service
    app.add_exception_handler(Problem, answer_problem)
    app.add_exception_handler(HTTPException, answer_http_exception)
    _add_predictions(app, service)
    _add_operations(app, service)
    _add_page(app)
    paths = frozenset(str(getattr(route, "path", "")) for route in app.routes)
    app.add_middleware(
        Guard,
        settings=service.settings,
        metrics=service.metrics,
        paths=paths,
        # what holds no data, for probes and browsers that cannot send a token
        open_paths=paths - TOKEN_PATHS,
    )
    app.openapi = partial(_openapi, app, service.settings)  # type: ignore[method-assign]
    return app


@contextlib.asynccontextmanager
async def _lifespan(service: Service, app: FastAPI) -> AsyncIterator[None]:
    # a daemon, because stopping must not wait for a compiler
    threading.Thread(target=service.start, name="framelens-start", daemon=True).start()
    try:
        yield
    finally:
        service.close()


def _json(content: Any) -> Response:
    return Response(orjson.dumps(content), media_type="application/json")


def _route(
    app: FastAPI,
    path: str,
    endpoint: Callable[..., Awaitable[Response]],
    summary: str,
    answer: dict[str, Any],
    *,
    tag: str,
    errors: tuple[int, ...] = (),
    body: dict[str, Any] | None = None,
) -> None:
    """A route whose endpoint reads and answers by itself, and the whole of its description."""
    responses: dict[int | str, dict[str, Any]] = {200: {"description": "Answered."} | answer}
    app.add_api_route(
        path,
        endpoint,
        methods=["GET" if body is None else "POST"],
        summary=summary,
        tags=[tag],
        response_model=None,
        responses=responses | problems(*errors),
        openapi_extra=None if body is None else {"requestBody": body},
    )


def _add_predictions(app: FastAPI, service: Service) -> None:
    model, settings, metrics = service.model, service.settings, service.metrics

    async def predict(request: Request) -> Response:
        article = await read_article(request, settings)
        service.require_ready()
        if len(article.text) < LONG_TEXT:  # over before another thread would have begun
            answers = answer(model, [article])
        else:
            answers = await service.in_thread(lambda: answer(model, [article]))
        metrics.count_answers(answers)
        return _json(answers.predictions[0].to_dict())

    async def predict_batch(request: Request) -> Response:
        articles = [Article(text, None) for text in await read_batch(request, settings)]
        service.require_ready()
        answers = await service.in_thread(lambda: answer(model, articles))
        metrics.count_answers(answers)
        return _json({"predictions": [prediction.to_dict() for prediction in answers.predictions]})

    async def predict_outlet(request: Request) -> Response:
        articles = [Article(text, None) for text in await read_batch(request, settings)]
        service.require_ready()
        answers = await service.in_thread(lambda: answer(model, articles))
        metrics.count_answers(answers)
        return _json(model.answer_outlet(answers.predictions).to_dict())

    async def explain_article(request: Request) -> Response:
        article = await read_article(request, settings)
        service.require_ready()
        return _json(await service.in_thread(lambda: explain(model, article)))

    one, many = schemas.article_body(settings), schemas.batch_body(settings)
    table: list[tuple[str, Callable[..., Awaitable[Response]], str, Any, dict[str, Any]]] = [
        ("/v1/predict", predict, "Label one article", schemas.Prediction, one),
        ("/v1/predict/batch", predict_batch, "Label many articles", schemas.PredictionList, many),
        ("/v1/explain", explain_article, "Say what moved the score", schemas.Explanation, one),
    ]
    if model.artifact.outlet_evidence is not None:  # models exported earlier do not answer for outlets
        together = "Label an outlet by several articles"
        table.append(("/v1/predict/outlet", predict_outlet, together, schemas.OutletPrediction, many))
    for path, endpoint, summary, kind, body in table:
        _route(app, path, endpoint, summary, {"model": kind}, tag="predictions", errors=OF_BODIES, body=body)


def _add_operations(app: FastAPI, service: Service) -> None:
    artifact = service.model.artifact
    description = artifact.manifest | {"terms": len(artifact.linear.vocabulary), "card": artifact.card}
    described = orjson.dumps(description)

    async def model() -> Response:
        return Response(described, media_type="application/json")

    async def healthz() -> Response:
        return _json({"status": "ok"})

    async def readyz() -> Response:
        service.require_ready()
        return _json({"status": "ready"})

    async def metrics() -> Response:
        return Response(service.metrics.exposition(), media_type=EXPOSITION)

    text = {"content": {"text/plain": {"schema": {"type": "string"}}}}
    status, tag = {"model": schemas.Status}, "operations"
    card = {"model": schemas.ModelDescription}
    _route(app, "/v1/model", model, "The model's card and figures", card, tag="model")
    _route(app, "/healthz", healthz, "Whether the process lives", status, tag=tag)
    _route(app, "/readyz", readyz, "Whether the model is loaded", status, tag=tag, errors=(503,))
    _route(app, "/metrics", metrics, "Counters for Prometheus", text, tag=tag)


def _add_page(app: FastAPI) -> None:
    """The page: files that hold no data and need no token."""
    folder = resources.files("framelens.serve") / "page"
    files = {f"/{file.name}": file.read_bytes() for file in folder.iterdir()}
    files["/explanation.css"] = CSS.encode()
    for name, content in files.items():
        media_type = _MEDIA_TYPES["." + name.rpartition(".")[2]]
        path = "/" if name == "/index.html" else name
        app.add_route(path, _file(content, media_type), include_in_schema=False)


def _file(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    async def serve(request: Request) -> Response:
        return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})

    return serve


def _openapi(app: FastAPI, settings: Settings) -> dict[str, Any]:
    """The description: FastAPI's, with the type of the problems and, where a token is set, its use."""
    if app.openapi_schema is None:
        whole = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        components = whole.setdefault("components", {})
        components.setdefault("schemas", {})["ProblemDetails"] = schemas.ProblemDetails.model_json_schema()
        if settings.token is not None:
            components["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
            for path, operations in whole["paths"].items():
                if path in TOKEN_PATHS:
                    for operation in operations.values():
                        operation["security"] = [{"token": []}]
                        operation["responses"] |= {
                            str(status): response for status, response in problems(401).items()
                        }
        app.openapi_schema = whole
    return app.openapi_schema
