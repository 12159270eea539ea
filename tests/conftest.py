"""A small model over invented terms: enough to predict, explain and save."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from framelens.abstain import Thresholds
from framelens.artifact import save_model
from framelens.calibration import Calibration
from framelens.features.reference import MEASURES
from framelens.features.vocabulary import Vocabulary
from framelens.linear import LinearModel
from framelens.outlets import OutletEvidence
from framelens.predictor import Model, load


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option for what takes a minute and a package index."""
    parser.addoption("--image", action="store_true", help="build what stands for the container's image, too")


def pytest_configure() -> None:
    """One thread for linear algebra: every processor has a worker, and more threads only wait."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


settings.register_profile("framelens", deadline=None)  # a busy machine is no fault of the code
settings.load_profile("framelens")

STATE_TERMS = ("stressed", "the two sides", "cooperation", "friendly", "stressed that", "sovereignty")
INDEPENDENT_TERMS = ("concerns", "said", "arrested", "had", "critics", '" <name>')
THRESHOLDS = Thresholds(
    min_words=20,
    min_function_share=0.1,
    max_foreign_share=0.2,
    min_known_share=0.3,
    abstain_low=0.45,
    abstain_high=0.55,
)


def tiny_linear_model() -> LinearModel:
    """Fixed weights: six terms speak for state framing, six against; the quoted ones weigh half."""
    terms = STATE_TERMS + INDEPENDENT_TERMS
    sign = np.array([1.0] * len(STATE_TERMS) + [-1.0] * len(INDEPENDENT_TERMS))
    rng = np.random.default_rng(11)
    strength = sign * rng.uniform(1, 3, len(terms))
    style = np.zeros(len(MEASURES), dtype=np.float32)
    style[MEASURES.index("quotations")] = -0.4
    style[MEASURES.index("praise_reporter")] = 0.3
    return LinearModel(
        Vocabulary(terms),
        idf=rng.uniform(1, 4, (len(terms), 2)).astype(np.float32),
        weights=np.stack([strength, strength / 2], axis=1).astype(np.float32),
        style_mean=np.full(len(MEASURES), 0.5, dtype=np.float32),
        style_scale=np.full(len(MEASURES), 0.7, dtype=np.float32),
        style_weights=style,
        style_clip=3.0,
        intercept=0.1,
    )


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small model, saved."""
    return save_model(
        tmp_path_factory.mktemp("models") / "tiny",
        tiny_linear_model(),
        Calibration("platt", slope=1.5, offset=-0.1),
        THRESHOLDS,
        card="# Tiny\n\nInvented, for tests.\n",
        version="0.0.1",
        outlet_evidence=OutletEvidence(base_rate=0.4, intraclass_correlation=0.25),
        name="tiny",
        run_id="run-7",
        corpus_sha256="0" * 64,
        metrics={"owner_disjoint": {"macro_f1": 0.5, "roc_auc": 0.6, "ci95": [0.4, 0.6]}},
        recipe={"classifier": "logistic"},
        training={"outlets": ["a.example"], "owners": ["state:XX"], "last_date": "2024-01-01"},
    )


@pytest.fixture(scope="session")
def model(model_folder: Path) -> Model:
    """The small model, loaded."""
    return load(model_folder)
