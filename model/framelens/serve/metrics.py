"""What Prometheus is told. Every application has a registry of its own; nothing is global.

With several workers, prometheus_client's files add them up: `framelens.serve.server` sets the folder before
the workers import that library, which decides there and then.
"""

from __future__ import annotations

import os
import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.process_collector import ProcessCollector

from framelens.abstain import REASONS
from framelens.predictor import Model, PredictionBatch
from framelens.serve.answers import Answers
from framelens.serve.drift import FEWEST, WINDOW, drifts_of

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
REFRESH_SECONDS = 1.0
# Such texts are no articles, and say nothing of how articles have changed.
_NO_ARTICLE = [REASONS.index("too_short"), REASONS.index("not_english")]


class Metrics:
    """Counters of one application.

    Parameters
    ----------
    model
        Whose answers are counted; its manifest holds the training distributions that drift is told from.
    """

    def __init__(self, model: Model) -> None:
        self.registry = CollectorRegistry()
        self._several = FOLDER in os.environ
        if not self._several:
            ProcessCollector(registry=self.registry)
        registry = self.registry
        self._requests = Counter(
            "framelens_requests", "Requests answered.", ("route", "status"), registry=registry
        )
        self._seconds = Histogram(
            "framelens_request_seconds", "From a request's head to its answer's end.", ("route",),
            buckets=BUCKETS, registry=registry,
        )  # fmt: skip
        self._labels = Counter(
            "framelens_predictions", "Articles answered, by label.", ("label",), registry=registry
        )
        self._reasons = Counter(
            "framelens_abstentions",
            "Reasons to abstain; an article may have several.",
            ("reason",),
            registry=registry,
        )
        for label in ("state", "independent", "abstain"):
            self._labels.labels(label)
        for reason in REASONS:
            self._reasons.labels(reason)
        Gauge(
            "framelens_model_info", "The model that answers.", ("name", "version"),
            multiprocess_mode="max", registry=registry,
        ).labels(*model.version).set(1)  # fmt: skip
        self._drifts = drifts_of(model.artifact.manifest)
        self._next_refresh = 0.0
        missing = "" if self._drifts else " This model's manifest has no training distribution: no drift."
        self._index = Gauge(
            "framelens_drift_psi",
            f"Population stability index of the latest {WINDOW} articles against the training articles, "
            f"from {FEWEST} articles on; of several workers the highest.{missing}",
            ("quantity",),
            multiprocess_mode="max",
            registry=registry,
        )
        self._window = Gauge(
            "framelens_drift_articles",
            f"Articles behind framelens_drift_psi.{missing}",
            ("quantity",),
            multiprocess_mode="max",
            registry=registry,
        )

    def count_request(self, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def count_answers(self, answers: Answers) -> None:
        """Some articles were labelled."""
        predictions = answers.predictions
        for row, label in enumerate(predictions.label.tolist()):
            self._labels.labels(label).inc()
            if not predictions.reasons[row, _NO_ARTICLE].any():
                values = {"score": predictions.score[row], "known_share": answers.known_share[row]}
                for name, drift in self._drifts.items():
                    drift.add(float(values[name]))
        self._count_reasons(predictions)
        if time.monotonic() >= self._next_refresh:
            self._refresh()

    def _count_reasons(self, predictions: PredictionBatch) -> None:
        if predictions.reasons.any():
            for reason, times in zip(REASONS, predictions.reasons.sum(axis=0).tolist(), strict=True):
                self._reasons.labels(reason).inc(times)

    def _refresh(self) -> None:
        self._next_refresh = time.monotonic() + REFRESH_SECONDS
        for name, drift in self._drifts.items():
            self._window.labels(name).set(len(drift))
            if len(drift) >= FEWEST:
                self._index.labels(name).set(drift.index())

    def exposition(self) -> bytes:
        """The text format of Prometheus; all workers together where there are several."""
        self._refresh()
        if not self._several:
            return generate_latest(self.registry)
        whole = CollectorRegistry()
        MultiProcessCollector(whole)  # type: ignore[no-untyped-call]
        return generate_latest(whole)
