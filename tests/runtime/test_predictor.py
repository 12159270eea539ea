"""predict and predict_batch: one row a text, always; reasons where the model should not answer."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import framelens
from framelens.abstain import REASONS, Thresholds, reasons_to_abstain
from framelens.errors import UserError
from framelens.features.reference import MEASURES
from framelens.predictor import KERNEL_FROM, Model, Prediction, PredictionBatch, as_strings, load

# Invented articles.
STATE = (
    "The minister stressed that the two sides will deepen friendly cooperation on the basis of sovereignty. "
    "The two sides agreed that cooperation is good for all. "
    "The president stressed that the people are united."
)
INDEPENDENT = (
    'Critics said they had concerns about the arrests. "We were arrested for asking," a resident said. '
    "The council had said in May that it had no concerns about the plan and that critics had it wrong."
)
GERMAN = "Der Minister betonte gestern in Brondal, dass beide Seiten weiter arbeiten wollen und müssen. " * 3
RUSSIAN = "Министр заявил вчера, что обе стороны намерены расширять сотрудничество. " * 5


def assert_same(batch: PredictionBatch, expected: list[Prediction]) -> None:
    """Equal but for the last digits of the score: the kernel adds terms in another order."""
    assert batch.score.tolist() == pytest.approx([p.score for p in expected], abs=1e-9)
    assert batch.p_state.tolist() == pytest.approx([p.p_state for p in expected], abs=1e-9)
    for a, b in zip(batch, expected, strict=True):
        assert replace(a, score=b.score, p_state=b.p_state) == b


def test_labels_follow_the_terms(model: Model) -> None:
    state, independent = model.predict(STATE), model.predict(INDEPENDENT)
    assert (state.label, independent.label) == ("state", "independent")
    assert 0 < independent.p_state < 0.45
    assert 0.55 < state.p_state < 1
    assert (state.reasons, state.model) == ((), ("tiny", "0.0.1"))
    assert state.words == 34


@pytest.mark.parametrize(
    ("text", "reasons"),
    [
        ("", {"too_short", "not_english", "unfamiliar"}),
        ("The minister stressed cooperation.", {"too_short"}),
        (GERMAN, {"not_english"}),
        (RUSSIAN, {"too_short", "not_english"}),
        ("Brondal Vesk 12 Olum Karsta. " * 40, {"not_english", "unfamiliar"}),
    ],
)
def test_it_abstains_and_says_why(model: Model, text: str, reasons: set[str]) -> None:
    prediction = model.predict(text)
    assert prediction.label == "abstain"
    assert reasons <= set(prediction.reasons)
    assert prediction.forced_label in ("state", "independent")


def test_near_the_boundary_it_abstains() -> None:
    measures = np.zeros((3, len(MEASURES)), dtype=np.int32)
    limits = Thresholds(min_words=0, abstain_low=0.4, abstain_high=0.6)
    holds = reasons_to_abstain(measures, np.array([0.39, 0.4, 0.61]), limits)
    assert holds[:, REASONS.index("near_boundary")].tolist() == [False, True, False]


def test_the_title_is_a_first_paragraph(model: Model) -> None:
    with_title = model.predict(STATE, title="Two sides vow cooperation")
    assert with_title.score == model.predict("Two sides vow cooperation\n" + STATE).score
    assert with_title.score != model.predict(STATE).score


@pytest.mark.parametrize("copies", [1, KERNEL_FROM])
def test_every_kind_of_column_gives_the_same_rows(model: Model, copies: int) -> None:
    texts = [STATE, None, INDEPENDENT, "", GERMAN] * copies
    expected = [model.predict(text or "") for text in texts]
    columns = [
        texts,
        tuple(texts),
        np.array(texts, dtype=object),
        pd.Series(texts),
        pd.Series(texts, dtype="string"),
        pd.Series(texts, dtype=object),
        pa.array(texts),
        pa.chunked_array([pa.array(texts[:2]), pa.array(texts[2:])]),
        pa.array(texts, type=pa.large_string()),
        (text for text in texts),
    ]
    for column in columns:
        batch = model.predict_batch(column)
        assert len(batch) == len(texts)
        assert_same(batch, expected)
    assert_same(model.predict_batch(np.array([t or "" for t in texts])), expected)


def test_a_batch_converts_to_arrow_and_pandas(model: Model) -> None:
    batch = model.predict_batch([STATE, "", INDEPENDENT])
    table, frame = batch.to_arrow(), batch.to_pandas()
    assert table.column_names == ["label", "p_state", "score", "reasons", "forced_label", "words"]
    assert table["label"].to_pylist() == ["state", "abstain", "independent"] == frame["label"].tolist()
    assert table["reasons"].to_pylist() == [list(p.reasons) for p in batch]
    assert table["p_state"].to_pylist() == [p.p_state for p in batch] == frame["p_state"].tolist()
    assert model.predict_batch([]).to_arrow().num_rows == 0


def test_what_is_no_text_is_refused_by_row() -> None:
    with pytest.raises(TypeError, match="text 1 must be a string or null, not int: 3"):
        as_strings(["fine", 3])
    with pytest.raises(TypeError, match="predict takes one text"):
        as_strings("one text")
    with pytest.raises(TypeError, match="not bytes"):
        as_strings(b"bytes")


def test_a_prediction_is_json_with_the_names_of_its_attributes(model: Model) -> None:
    prediction = model.predict(INDEPENDENT)
    assert set(prediction.to_dict()) == set(Prediction.__slots__)
    assert prediction.to_dict()["model"] == {"name": "tiny", "version": "0.0.1"}
    assert prediction.to_dict()["reasons"] == []


def test_sixteen_threads_give_what_one_gives(model: Model) -> None:
    texts = [STATE, INDEPENDENT, GERMAN, ""] * 20
    expected = [model.predict(text) for text in texts]
    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(model.predict, texts)) == expected
        batches = list(pool.map(lambda _: list(model.predict_batch(texts)), range(16)))
    assert_same(model.predict_batch(texts), expected)
    assert all(batch == batches[0] for batch in batches)


def test_public_names_are_pinned() -> None:
    assert framelens.__all__ == [
        "Model",
        "Prediction",
        "explain",
        "load",
        "predict",
        "predict_batch",
        "predict_outlet",
    ]
    for name in framelens.__all__:
        assert callable(getattr(framelens, name))
    with pytest.raises(AttributeError, match="no attribute 'train'"):
        _ = framelens.train  # type: ignore[attr-defined]


def test_without_a_champion_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from framelens import predictor

    monkeypatch.setattr(predictor, "CHAMPION", tmp_path / "none")
    predictor._champion.cache_clear()
    with pytest.raises(UserError, match=r"framelens train"):
        load()


def test_a_registry_address_without_the_extra_names_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "framelens_train.registry", None)
    with pytest.raises(UserError, match=r"needs MLflow.*pip install 'framelens\[train\]'"):
        load("models:/framelens@champion")


def test_one_prediction_imports_neither_compiler_nor_training_stack(model_folder: Path) -> None:
    code = (
        "import sys, framelens\n"
        "assert 'numpy' not in sys.modules\n"
        f"model = framelens.load({str(model_folder)!r})\n"
        "print(model.predict('The minister stressed cooperation.').label)\n"
        "heavy = {'numba', 'pyarrow', 'pandas', 'sklearn', 'mlflow', 'scipy', 'framelens_train'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:2] == ["abstain", "[]"]
