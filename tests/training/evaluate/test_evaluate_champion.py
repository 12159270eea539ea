"""The model that ships: its card says what its evaluation found, on the corpus that ships."""

from __future__ import annotations

import pytest

from framelens.artifact import Artifact, load_model
from framelens.predictor import CHAMPION
from framelens_train.corpus import storage
from framelens_train.corpus.dataset import default_seeds
from framelens_train.evaluate.card import card_matches
from framelens_train.evaluate.protocols import PROTOCOLS


@pytest.fixture(scope="module")
def champion() -> Artifact:
    if not CHAMPION.is_dir():
        pytest.skip("no champion is in this checkout")
    return load_model(CHAMPION)


def test_the_card_agrees_with_the_evaluation(champion: Artifact) -> None:
    assert card_matches(champion.manifest, champion.card), (
        "MODEL_CARD.md is not what its manifest generates; run `framelens evaluate --card`"
    )


def test_every_protocol_was_measured_with_its_interval(champion: Artifact) -> None:
    protocols = champion.manifest["metrics"]["protocols"]
    assert set(protocols) == set(PROTOCOLS)
    for name, row in protocols.items():
        low, high = row["ci95"]
        assert 0 <= low <= row["macro_f1"] <= high <= 1, name
    assert {"baselines", "hard_slices", "leak_probes"} <= set(champion.manifest["metrics"])


def test_it_was_measured_on_the_corpus_that_ships(champion: Artifact) -> None:
    seeds = default_seeds()
    if not (seeds / storage.MANIFEST).is_file():
        pytest.skip("no seeds are in this checkout")
    digest = storage.file_sha256(seeds / storage.MANIFEST)
    assert champion.manifest["corpus_sha256"] == digest
    assert champion.manifest["metrics"]["corpus"]["sha256"] == digest
