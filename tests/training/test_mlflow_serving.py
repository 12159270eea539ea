"""What `mlflow models serve` answers: MLflow's own scoring server around the registered champion."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pandas as pd
import pytest

import framelens
from framelens_train import registry, track

CHAMPION = f"models:/{registry.REGISTERED_NAME}@{registry.ALIAS}"
# Invented.
TEXTS = [
    "The ministry stressed sovereignty, and the spokesman stressed it again. " * 9,
    "Police have concerns, and it is unclear whether the price of rain will fall. " * 9,
    'Too short, she said, "and" with a comma.',
]
FRAME = pd.DataFrame({"id": range(3), "text": TEXTS})


Post = Callable[..., httpx.Response]


@pytest.fixture
def post(finished) -> Iterator[Post]:
    """Post something to the server, which runs in this process."""
    import mlflow
    from mlflow.pyfunc import scoring_server

    with track.open_store():
        app = scoring_server.init(mlflow.pyfunc.load_model(CHAMPION))

        async def send(**content: Any) -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://server") as client:
                return await client.post("/invocations", **content)

        yield lambda **content: asyncio.run(send(**content))


def answers(post: Post, body: dict) -> list[dict]:
    response = post(json=body)
    assert response.status_code == 200, response.text
    return response.json()["predictions"]


@pytest.mark.parametrize(
    "body",
    [
        {"inputs": TEXTS},
        {"inputs": {"text": TEXTS}},
        {"inputs": FRAME.to_dict(orient="records")},
        {"instances": TEXTS},
        {"instances": FRAME.to_dict(orient="records")},
        {"dataframe_split": FRAME.to_dict(orient="split")},
        {"dataframe_split": {"columns": ["text"], "data": [[text] for text in TEXTS]}},
        {"dataframe_records": FRAME.to_dict(orient="records")},
        {"dataframe_records": [{"text": text} for text in TEXTS]},
    ],
    ids=lambda body: " of ".join([next(iter(body)), type(next(iter(body.values()))).__name__]),
)
def test_every_form_of_mlflows_protocol_is_answered_row_for_row(post: Post, body: dict) -> None:
    expected = framelens.load(CHAMPION).predict_batch(TEXTS)
    found = answers(post, body)
    assert [row["label"] for row in found] == expected.label.tolist()
    assert [row["p_state"] for row in found] == expected.p_state.tolist()
    assert [row["score"] for row in found] == expected.score.tolist()
    assert [row["reasons"] for row in found] == [",".join(p.reasons) for p in expected]


def test_one_text_is_one_row(post: Post) -> None:
    assert len(answers(post, {"inputs": TEXTS[0]})) == 1
    assert len(answers(post, {"inputs": TEXTS[:1]})) == 1
    assert len(answers(post, {"dataframe_records": [{"text": TEXTS[0]}]})) == 1


def test_csv_is_read_too(post: Post) -> None:
    response = post(content=FRAME.to_csv(index=False), headers={"Content-Type": "text/csv"})
    assert len(response.json()["predictions"]) == len(TEXTS)


def test_a_frame_without_text_is_refused_and_says_why(post: Post) -> None:
    response = post(json={"dataframe_records": [{"title": "a", "body": "b"}]})
    assert response.status_code == 400
    assert "the model reads the column 'text'; the input has title, body" in response.json()["stack_trace"]


def test_the_example_that_mlflow_keeps_is_a_request_that_works(finished, post: Post) -> None:
    import mlflow

    folder = Path(mlflow.artifacts.download_artifacts(CHAMPION))
    request = json.loads((folder / "serving_input_example.json").read_text(encoding="utf-8"))
    assert len(answers(post, request)) == len(registry.EXAMPLE["text"])
