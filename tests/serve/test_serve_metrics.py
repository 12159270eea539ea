"""What is counted and what is logged: everything that happened, nothing that was said."""

from __future__ import annotations

import io
import json
import logging
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from framelens.abstain import text_shares
from framelens.features.batch import featurize
from framelens.predictor import Model, prepare
from framelens.serve.drift import FEWEST, WINDOW, Drift
from framelens.serve.logs import LOGGER, JsonFormatter

Client = Any  # of conftest.py


def metrics(client: Client) -> dict[tuple[str, ...], float]:
    """Samples by name and label values."""
    response = client.get("/metrics")
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(response.text)
        for sample in family.samples
    }


def test_requests_are_counted_by_route_and_status(make_client: Callable[..., Client], article: str) -> None:
    client = make_client()
    client.post("/v1/predict", {"text": article})
    client.post("/v1/predict", {"txt": article})
    client.get(f"/{article[:12]}")
    client.get("/another")
    found = metrics(client)
    assert found["framelens_requests_total", "/v1/predict", "200"] == 1
    assert found["framelens_requests_total", "/v1/predict", "422"] == 1
    assert found["framelens_requests_total", "unmatched", "404"] == 2
    assert found["framelens_request_seconds_count", "/v1/predict"] == 2
    assert 0 < found["framelens_request_seconds_sum", "/v1/predict"] < 60
    assert found["framelens_model_info", "tiny", "0.0.1"] == 1
    assert found["process_resident_memory_bytes",] > 1e6
    assert metrics(client)["framelens_requests_total", "/metrics", "200"] == 1


def test_answers_and_abstentions_are_counted(make_client: Callable[..., Client], article: str) -> None:
    client, other = make_client(), make_client()
    client.post("/v1/predict", {"text": article})
    client.post("/v1/predict/batch", {"texts": [article, "Too short.", None]})
    label = client.post("/v1/explain", {"text": article}).json()["prediction"]["label"]
    found = metrics(client)
    assert found["framelens_predictions_total", label] == 2
    assert found["framelens_predictions_total", "abstain"] == 2
    assert found["framelens_abstentions_total", "too_short"] == 2
    assert found["framelens_abstentions_total", "near_boundary"] <= 2
    assert metrics(other)["framelens_predictions_total", label] == 0


def test_drift_is_measured_against_the_models_own_articles(
    make_client: Callable[..., Client], drifting: Model, article: str
) -> None:
    client = make_client(drifting)
    batch = {"texts": [article] * (FEWEST // 2)}
    client.post("/v1/predict/batch", batch)
    found = metrics(client)
    assert found["framelens_drift_articles", "score"] == FEWEST // 2
    assert ("framelens_drift_psi", "score") not in found
    client.post("/v1/predict/batch", batch)
    client.post("/v1/predict/batch", {"texts": ["Too short.", ""]})
    found = metrics(client)
    assert found["framelens_drift_articles", "known_share"] == FEWEST
    measures = featurize([prepare(article)], drifting.artifact.linear.vocabulary, engine="reference").measures
    bins = {"score": 2, "known_share": 3}
    known = text_shares(measures)["known"][0]
    at = {
        "score": int(drifting.predict(article).score >= 0),
        "known_share": sum(known >= e for e in (0.8, 0.9)),
    }
    shares = {"score": [0.5, 0.5], "known_share": [0.1, 0.2, 0.7]}
    for name, n in bins.items():
        total = FEWEST + n / 2
        actual = [(FEWEST + 0.5 if i == at[name] else 0.5) / total for i in range(n)]
        expected = sum((a - e) * math.log(a / e) for a, e in zip(actual, shares[name], strict=True))
        assert found["framelens_drift_psi", name] == pytest.approx(expected)


def test_without_a_training_distribution_there_is_no_drift_and_the_help_says_so(
    make_client: Callable[..., Client], drifting: Model, article: str
) -> None:
    client = make_client()
    client.post("/v1/predict/batch", {"texts": [article] * FEWEST})
    assert not [name for name, *_ in metrics(client) if name.startswith("framelens_drift")]
    assert "This model's manifest has no training distribution" in client.get("/metrics").text
    assert "no training distribution" not in make_client(drifting).get("/metrics").text


def test_the_same_distribution_has_no_drift_and_another_has() -> None:
    edges, shares = [1.0, 2.0, 3.0], [0.25] * 4
    same, moved = Drift(edges, shares), Drift(edges, shares)
    for i in range(WINDOW):
        same.add(i % 4)
        moved.add(i % 2 + 2)
    assert same.index() == pytest.approx(0, abs=1e-12)
    assert moved.index() > 0.25
    for i in range(WINDOW):
        moved.add(i % 4)  # what was before is forgotten
    assert (len(moved), moved.index()) == (WINDOW, same.index())


@given(st.lists(st.integers(-2, 12), min_size=FEWEST, max_size=3 * FEWEST))
def test_the_window_holds_the_latest(values: list[int]) -> None:
    drift = Drift([0.0, 5.0, 10.0], [0.1, 0.2, 0.3, 0.4], window=FEWEST)
    for value in values:
        drift.add(value)
    latest = values[-FEWEST:]
    counts = [
        sum(low <= value < high for value in latest)
        for low, high in ((-math.inf, 0), (0, 5), (5, 10), (10, math.inf))
    ]
    parts = [(c + 0.5) / (FEWEST + 2) for c in counts]
    expected = sum((a - e) * math.log(a / e) for a, e in zip(parts, [0.1, 0.2, 0.3, 0.4], strict=True))
    assert drift.index() == pytest.approx(expected)
    assert drift.index() >= 0


def test_few_articles_have_no_index() -> None:
    drift = Drift([0.0], [0.5, 0.5])
    for _ in range(FEWEST - 1):
        drift.add(1.0)
    assert math.isnan(drift.index())


@pytest.mark.parametrize(
    ("edges", "shares"), [([1.0], [1.0]), ([2.0, 1.0], [0.3, 0.3, 0.4]), ([1.0], [0.0, 1.0])]
)
def test_a_distribution_that_is_none_is_refused(edges: list[float], shares: list[float]) -> None:
    with pytest.raises(ValueError, match="make no distribution"):
        Drift(edges, shares)


@pytest.fixture
def log_lines() -> Iterator[Callable[[], list[dict[str, Any]]]]:
    stream = io.StringIO()
    handler, logger = logging.StreamHandler(stream), logging.getLogger(LOGGER)
    handler.setFormatter(JsonFormatter())
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.removeHandler(handler)
    logger.setLevel(level)


def test_a_request_is_one_line_of_json(
    make_client: Callable[..., Client], article: str, log_lines: Callable[[], list[dict[str, Any]]]
) -> None:
    body = json.dumps({"text": article}).encode()
    headers = {"Content-Type": "application/json", "X-Request-ID": "mine"}
    response = make_client().request("POST", "/v1/predict", content=body, headers=headers)
    (line,) = log_lines()
    assert line.pop("time").endswith("+00:00")
    assert 0 < line.pop("ms") < 60_000
    assert line == {
        "level": "info",
        "event": "request",
        "method": "POST",
        "route": "/v1/predict",
        "status": 200,
        "received": len(body),
        "sent": len(response.content),
        "request_id": "mine",
    }


def test_no_line_holds_what_a_client_sent(
    make_client: Callable[..., Client],
    log_lines: Callable[[], list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    client = make_client(max_text_chars=200, token="Wexford")
    headers = {"Authorization": "Bearer Wexford"}
    for body in (
        {"text": "Wexford"},
        {"text": "Wexford " * 30},
        {"Wexford": 1},
        {"text": 1, "title": "Wexford"},
    ):
        for path in ("/v1/predict", "/v1/predict/batch", "/v1/explain", "/Wexford", "/v1/model?q=Wexford"):
            client.post(path, body, headers=headers)
    monkeypatch.setattr("framelens.serve.app.answer", lambda model, articles: {}[articles[0].text])
    assert client.post("/v1/predict", {"text": "Wexford"}, headers=headers).status_code == 500
    lines = log_lines()
    assert len(lines) == 21
    assert "Wexford" not in json.dumps(lines)
    assert lines[-1]["level"] == "error"
    assert lines[-1]["error"] == "builtins.KeyError"
    assert any("app.py" in frame for frame in lines[-1]["stack"])


def test_other_records_are_lines_too(log_lines: Callable[[], list[dict[str, Any]]]) -> None:
    try:
        raise OSError("Wexford")
    except OSError:
        logging.getLogger(LOGGER).exception("it failed\nin two lines")
    (line,) = log_lines()
    assert (line["event"], line["error"]) == ("it failed\nin two lines", "builtins.OSError")
    assert "Wexford" not in json.dumps(line)
