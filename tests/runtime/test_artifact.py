"""A model's folder comes back bit for bit, or not at all, with one line that says why."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from framelens.artifact import load_model, save_model
from framelens.errors import UserError
from framelens.features.vocabulary import Vocabulary
from framelens.predictor import Model, load


@pytest.fixture
def folder(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "model"))


def edit(folder: Path, **changes: Any) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps(manifest | changes))


def test_what_was_saved_comes_back(folder: Path, model: Model, tmp_path: Path) -> None:
    again = load_model(folder)
    parts = (again.linear, again.calibration, again.thresholds)
    copy = load_model(save_model(tmp_path / "copy", *parts, card=again.card, version="0.0.1", name="tiny"))
    for name in ("idf", "weights", "style_mean", "style_scale", "style_weights"):
        np.testing.assert_array_equal(getattr(copy.linear, name), getattr(model.artifact.linear, name))
    assert copy.linear.vocabulary == model.artifact.linear.vocabulary
    assert (copy.linear.intercept, copy.linear.style_clip) == (0.1, 3.0)
    assert (copy.calibration, copy.thresholds, copy.card) == (again.calibration, again.thresholds, again.card)
    assert copy.outlet_evidence is None
    assert again.outlet_evidence == model.artifact.outlet_evidence
    assert again.outlet_evidence is not None


@pytest.mark.parametrize(
    ("entry", "complaint"),
    [
        ({"base_rate": 0.3}, "intraclass_correlation"),
        ({"base_rate": 1.0, "intraclass_correlation": 0.2}, "base rate is 1.0"),
        ({"base_rate": 0.3, "intraclass_correlation": -0.1}, "intraclass correlation is -0.1"),
        ({"base_rate": 0.3, "intraclass_correlation": float("nan")}, "intraclass correlation is nan"),
    ],
)
def test_outlet_evidence_that_cannot_be_is_named(folder: Path, entry: Any, complaint: str) -> None:
    edit(folder, outlet_evidence=entry)
    with pytest.raises(UserError, match=complaint):
        load_model(folder)


def test_saving_over_a_model_replaces_it_whole_and_leaves_nothing_beside(folder: Path) -> None:
    (folder / "stray.txt").write_text("left over")
    old = load_model(folder)
    save_model(folder, old.linear, old.calibration, old.thresholds, card="new", version="2")
    assert load_model(folder).card == "new"
    assert not (folder / "stray.txt").exists()
    assert [p.name for p in folder.parent.iterdir()] == [folder.name]


def test_saving_the_same_model_twice_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    a = load_model(folder)
    for name in ("one", "two"):
        save_model(tmp_path / name, a.linear, a.calibration, a.thresholds, card=a.card, version="1")
    assert (tmp_path / "one" / "manifest.json").read_bytes() == (
        tmp_path / "two" / "manifest.json"
    ).read_bytes()


@pytest.mark.parametrize("file", ["weights.safetensors", "terms.txt", "MODEL_CARD.md"])
def test_one_changed_byte_is_found(folder: Path, file: str) -> None:
    content = bytearray((folder / file).read_bytes())
    content[-1] ^= 1
    (folder / file).write_bytes(content)
    with pytest.raises(UserError, match=rf"{file} is not the file that was saved \(SHA-256"):
        load(folder)


def test_a_missing_file_is_named(folder: Path) -> None:
    (folder / "terms.txt").unlink()
    with pytest.raises(UserError, match=r"lacks terms\.txt"):
        load(folder)


def test_what_is_no_model_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        load(tmp_path / "nowhere")
    with pytest.raises(UserError, match="is a file"):
        load(folder / "terms.txt")
    (folder / "manifest.json").write_text("[1]")
    with pytest.raises(UserError, match="is not a model's manifest"):
        load(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(UserError, match=r"it has no manifest\.json"):
        load(folder)


def test_a_newer_format_asks_for_an_upgrade(folder: Path) -> None:
    edit(folder, format_version=2)
    with pytest.raises(UserError, match=r"format 2, this framelens reads 1; `pip install -U framelens`"):
        load(folder)


def test_a_model_of_another_featuriser_is_refused(folder: Path) -> None:
    manifest = json.loads((folder / "manifest.json").read_text())
    edit(folder, featuriser=manifest["featuriser"] | {"words_sha256": "f" * 64})
    with pytest.raises(UserError, match=r"another featuriser \(words_sha256 differ\)"):
        load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"calibration": {"method": "magic"}}, "'magic'"),
        ({"thresholds": {"decision": 0.5}}, "the thresholds are"),
        ({"style_clip": -1.0}, "style_clip is -1.0"),
        ({"files": {}}, r"lacks 'weights\.safetensors'"),
    ],
)
def test_a_wrong_manifest_is_refused_with_its_fault(
    folder: Path, change: dict[str, Any], message: str
) -> None:
    edit(folder, **change)
    with pytest.raises(UserError, match=message):
        load(folder)


def test_colliding_terms_are_refused_at_export(
    model: Model, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = model.artifact
    same = Vocabulary(a.linear.vocabulary.terms)
    monkeypatch.setattr("framelens.features.vocabulary.GOLDEN", 0)
    object.__setattr__(a.linear, "vocabulary", same)
    try:
        with pytest.raises(ValueError, match="share the hash"):
            save_model(tmp_path / "m", a.linear, a.calibration, a.thresholds, card="", version="1")
    finally:
        object.__setattr__(a.linear, "vocabulary", Vocabulary(same.terms))
    assert not (tmp_path / "m").exists()


def test_a_model_in_place_survives_a_failed_replacement(
    folder: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    replace = Path.replace

    def failing(self: Path, target: Path) -> Path:
        if ".new-" in self.name:
            raise OSError(5, "Input/output error", str(self))
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", failing)
    parts = model.artifact
    with pytest.raises(UserError, match="Input/output error"):
        save_model(folder, parts.linear, parts.calibration, parts.thresholds, card="another", version="9")
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_place_that_cannot_be_written_is_named(model: Model, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    a = model.artifact
    with pytest.raises(UserError, match="cannot write the model to"):
        save_model(tmp_path / "file" / "model", a.linear, a.calibration, a.thresholds, card="", version="1")
