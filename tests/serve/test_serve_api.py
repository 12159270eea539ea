"""What a service that asks over HTTP gets: the library's answers, and a description that tells the truth."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from framelens.html import CSS
from framelens.predictor import Model
from framelens.serve.app import create_app

Client = Any  # of conftest.py


def same(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Equal, the numbers up to the order in which the kernel adds them."""
    numbers = {"p_state", "score"} & set(expected)
    rest = {key: value for key, value in found.items() if key not in numbers}
    return rest == {key: value for key, value in expected.items() if key not in numbers} and all(
        found[key] == pytest.approx(expected[key], abs=1e-9) for key in numbers
    )


@pytest.mark.parametrize("title", [None, "Sides to deepen cooperation"])
def test_a_prediction_is_the_librarys(article: str, client: Client, model: Model, title: str | None) -> None:
    response = client.post("/v1/predict", {"text": article, "title": title})
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    expected = model.predict(article, title=title)
    assert expected.label != "abstain"
    assert same(response.json(), expected.to_dict())
    assert list(response.json()) == list(expected.to_dict())


@pytest.mark.parametrize(
    "text", ["", " \n", "\x00", "no\x00nul", "\ufeff", "😀" * 200, "ein Wort", "a" * 1000]
)
def test_every_text_has_an_answer(client: Client, model: Model, text: str) -> None:
    response = client.post("/v1/predict", {"text": text})
    assert same(response.json(), model.predict(text).to_dict())


def test_a_batch_has_a_row_a_text_in_order(article: str, client: Client, model: Model) -> None:
    texts = [article, None, "Too short.", article[:90]]
    response = client.post("/v1/predict/batch", {"texts": texts})
    assert list(response.json()) == ["predictions"]
    expected = [prediction.to_dict() for prediction in model.predict_batch(texts)]
    assert all(map(same, response.json()["predictions"], expected))
    assert len(response.json()["predictions"]) == 4
    assert client.post("/v1/predict/batch", {"texts": []}).json() == {"predictions": []}


def test_an_outlet_is_answered_by_all_of_its_articles(article: str, client: Client, model: Model) -> None:
    texts = [article, None, article[:90], article.upper()]
    response = client.post("/v1/predict/outlet", {"texts": texts})
    assert same(response.json(), model.predict_outlet(texts).to_dict())
    assert response.json()["articles"] + sum(response.json()["left_out"].values()) == 4
    assert client.post("/v1/predict/outlet", {"texts": []}).json()["reasons"] == ["no_evidence"]


def test_a_model_that_does_not_know_how_articles_add_up_has_no_such_path(model: Model) -> None:
    older = Model(dataclasses.replace(model.artifact, outlet_evidence=None))
    paths = {getattr(route, "path", "") for route in create_app(older).routes}
    assert "/v1/predict/batch" in paths
    assert "/v1/predict/outlet" not in paths


def test_a_long_article_is_answered_beside_the_loop(
    article: str, make_client: Callable[..., Client], model: Model
) -> None:
    text = article * 150
    response = make_client().post("/v1/predict", {"text": text})
    assert same(response.json(), model.predict(text).to_dict())


def test_an_explanation_is_the_librarys_and_adds_up(article: str, client: Client, model: Model) -> None:
    found = client.post("/v1/explain", {"text": article, "title": "A title"}).json()
    explanation = model.explain(article, title="A title")
    assert found.pop("html") == explanation.to_html(css=False)
    assert found == json.loads(json.dumps(explanation.to_dict()))
    parts = [found["bias"], *(row["contribution"] for part in ("terms", "style") for row in found[part])]
    assert sum(parts) == pytest.approx(found["prediction"]["score"])


def test_markup_in_an_article_stays_text(client: Client) -> None:
    page = client.post("/v1/explain", {"text": "<script>alert(1)</script> said the minister."}).json()["html"]
    assert "<script" not in page
    assert "&lt;" in page


def test_the_model_is_described_with_card_and_figures(client: Client, model: Model) -> None:
    found = client.get("/v1/model").json()
    assert found == model.artifact.manifest | {"terms": 12, "card": model.artifact.card}


def test_it_lives_before_it_is_ready(article: str, make_client: Callable[..., Client]) -> None:
    starting = make_client(started=False)
    assert starting.get("/healthz").json() == {"status": "ok"}
    for response in (starting.get("/readyz"), starting.post("/v1/predict", {"text": article})):
        assert (response.status_code, response.headers["retry-after"]) == (503, "1")
        assert response.json()["type"].endswith(":not-ready")
    starting.app.state.service.start()
    assert starting.get("/readyz").json() == {"status": "ready"}


def test_its_lifespan_makes_it_ready(make_client: Callable[..., Client]) -> None:
    client = make_client(started=False)

    async def start() -> bool:
        async with client.app.router.lifespan_context(client.app):
            while not client.app.state.service.ready:
                await asyncio.sleep(0.01)
        return bool(client.app.state.service.ready)

    assert asyncio.run(asyncio.wait_for(start(), 60))


def test_a_model_that_fails_is_never_ready(
    make_client: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(model: Model) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("framelens.serve.service.warm_up", fail)
    assert make_client().get("/readyz").status_code == 503


def test_the_page_may_load_nothing_from_elsewhere(client: Client) -> None:
    for path, media_type in {
        "/": "text/html; charset=utf-8",
        "/page.css": "text/css; charset=utf-8",
        "/page.js": "text/javascript; charset=utf-8",
        "/explanation.css": "text/css; charset=utf-8",
        "/icon.svg": "image/svg+xml",
    }.items():
        response = client.get(path)
        assert (response.status_code, response.headers["content-type"]) == (200, media_type)
        assert response.headers["content-security-policy"] == (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
            "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
        assert response.headers["x-content-type-options"] == "nosniff"
        assert response.headers["referrer-policy"] == "no-referrer"
    assert client.get("/explanation.css").text == CSS
    assert client.get("/page/../app.py").status_code == 404


def test_errors_and_answers_carry_the_clients_request_id(client: Client) -> None:
    for given, kept in (("abc-1.2_3", True), ("two words", False), ("x" * 65, False)):
        response = client.get("/nothing", headers={"X-Request-ID": given})
        assert (response.headers["x-request-id"] == given) == kept
    assert client.get("/healthz").headers["x-request-id"] != client.get("/healthz").headers["x-request-id"]


def test_the_description_says_what_the_limits_are(client: Client) -> None:
    whole = client.get("/openapi.json").json()
    assert set(whole["paths"]) == {
        *("/v1/predict", "/v1/predict/batch", "/v1/predict/outlet", "/v1/explain", "/v1/model"),
        *("/healthz", "/readyz", "/metrics"),
    }
    one = whole["paths"]["/v1/predict"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    many = whole["paths"]["/v1/predict/batch"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert one["properties"]["text"]["maxLength"] == 1000
    assert one["properties"]["title"]["maxLength"] == 50
    assert many["properties"]["texts"]["maxItems"] == 4
    assert "security" not in whole["paths"]["/v1/predict"]["post"]
    for operations in whole["paths"].values():
        for operation in operations.values():
            assert "500" in operation["responses"]
            for status, response in operation["responses"].items():
                if status != "200":
                    assert list(response["content"]) == ["application/problem+json"]


def test_the_examples_of_the_description_work(article: str, client: Client) -> None:
    whole = client.get("/openapi.json").json()
    for path, operations in whole["paths"].items():
        if "post" in operations:
            body = operations["post"]["requestBody"]["content"]["application/json"]
            assert body["schema"]["examples"] == [body["example"]]
            assert client.post(path, body["example"]).status_code == 200
    example = whole["components"]["schemas"]["Prediction"]["examples"][0]
    answer = client.post("/v1/predict", {"text": article}).json()
    assert {key: type(value) for key, value in example.items()} == {k: type(v) for k, v in answer.items()}


def test_sixteen_clients_get_what_one_gets(
    article: str, make_client: Callable[..., Client], model: Model
) -> None:
    client = make_client()
    texts = [f"{article} {article[:i]}" for i in range(64)]
    ways = {
        "/v1/predict": lambda text: {"text": text},
        "/v1/predict/batch": lambda text: {"texts": [text, text]},
        "/v1/explain": lambda text: {"text": text},
    }
    wanted = [("POST", path, {"json": body(t)}) for t in texts for path, body in ways.items()]
    alone = [client.post(path, options["json"]).json() for _, path, options in wanted[:24]]

    async def crowd() -> list[Any]:
        groups = await asyncio.gather(*(client.requests(wanted[i : i + 12]) for i in range(0, 192, 12)))
        return [response.json() for group in groups for response in group]

    together = asyncio.run(crowd())
    assert together[:24] == alone
    assert all(same(found, model.predict(t).to_dict()) for found, t in zip(together[::3], texts, strict=True))
