"""A model in a folder: data only, nothing that runs code, every byte checked against the manifest.

``manifest.json``
    Format version, featuriser, name and version, training run, corpus and libraries, calibration,
    thresholds, outlet evidence, metrics, and the SHA-256 of each of the other files.
``weights.safetensors``
    The arrays of `framelens.linear.LinearModel`.
``terms.txt``
    One term a line, in the order of the columns.
``MODEL_CARD.md``
    For people.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from framelens.abstain import Thresholds
from framelens.calibration import Calibration
from framelens.errors import UserError
from framelens.features import FEATURISER_VERSION
from framelens.features.reference import MEASURES
from framelens.features.vocabulary import Vocabulary
from framelens.linear import LinearModel
from framelens.outlets import OutletEvidence

FORMAT_VERSION = 1
MANIFEST, WEIGHTS, TERMS, CARD = "manifest.json", "weights.safetensors", "terms.txt", "MODEL_CARD.md"
_ARRAYS = ("idf", "weights", "style_mean", "style_scale", "style_weights")


@dataclass(frozen=True)
class Artifact:
    """What a model's folder holds; an older model's says nothing of outlets."""

    linear: LinearModel
    calibration: Calibration
    thresholds: Thresholds
    manifest: dict[str, Any]
    card: str
    outlet_evidence: OutletEvidence | None = None


def save_model(
    folder: Path | str,
    linear: LinearModel,
    calibration: Calibration,
    thresholds: Thresholds | Mapping[str, Any],
    *,
    card: str,
    version: str,
    outlet_evidence: OutletEvidence | None = None,
    name: str = "framelens",
    run_id: str | None = None,
    corpus_sha256: str | None = None,
    libraries: Mapping[str, str] | None = None,
    metrics: Mapping[str, Any] | None = None,
    recipe: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> Path:
    """Write a model's folder beside its place and move it there; an older model in that place is replaced.

    Parameters
    ----------
    folder
        Where the model goes; its parent is made.
    linear, calibration, thresholds
        The model.
    card
        The model card, Markdown.
    version
        Of the model; `name` and `version` stand in every prediction.
    outlet_evidence
        How the articles of an outlet add up; without it the model answers for single articles only.
    run_id, corpus_sha256, libraries, metrics, recipe, training
        Where the model comes from; JSON data. `training` has ``outlets``, ``owners`` and ``last_date``.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    ValueError
        When two terms share a hash: the kernel could not tell them apart.
    UserError
        When the folder cannot be written.
    """
    import safetensors.numpy

    _ = linear.vocabulary.hashes  # a vocabulary with a collision must not leave the house
    limits = thresholds if isinstance(thresholds, Thresholds) else Thresholds.from_dict(thresholds)
    arrays = {key: np.ascontiguousarray(getattr(linear, key), dtype=np.float32) for key in _ARRAYS}
    files = {
        WEIGHTS: safetensors.numpy.save(arrays),
        TERMS: "".join(f"{term}\n" for term in linear.vocabulary.terms).encode("ascii"),
        CARD: card.encode(),
    }
    manifest = {
        "format_version": FORMAT_VERSION,
        "name": name,
        "version": version,
        "featuriser": featuriser_identity(),
        "intercept": float(linear.intercept),
        "style_clip": float(linear.style_clip),
        "calibration": calibration.to_dict(),
        "thresholds": limits.to_dict(),
        **({"outlet_evidence": outlet_evidence.to_dict()} if outlet_evidence else {}),
        "run_id": run_id,
        "corpus_sha256": corpus_sha256,
        "libraries": dict(libraries or library_versions()),
        "metrics": dict(metrics or {}),
        "recipe": dict(recipe or {}),
        "training": dict(training or {}),
        "files": {file: hashlib.sha256(content).hexdigest() for file, content in files.items()},
    }
    files[MANIFEST] = (json.dumps(manifest, indent=2, allow_nan=False) + "\n").encode()
    target = Path(folder)
    try:
        _replace_folder(target, files)
    except OSError as error:
        why = error.strerror or error
        raise UserError(f"cannot write the model to {target}: {why}; choose a writable folder") from None
    return target


def load_model(folder: Path | str) -> Artifact:
    """Read a model's folder and check all of it.

    Raises
    ------
    UserError
        When the folder is no model, a file is missing or not the one that was saved, the format is newer
        than this program, or the model was trained with another featuriser.
    """
    import safetensors.numpy

    place = Path(folder)
    manifest = _read_manifest(place)
    try:
        files = {file: _read_checked(place, file, manifest["files"][file]) for file in (WEIGHTS, TERMS, CARD)}
        arrays = safetensors.numpy.load(files[WEIGHTS])
        linear = LinearModel(
            Vocabulary(files[TERMS].decode("ascii").splitlines()),
            **{key: arrays[key] for key in _ARRAYS},
            style_clip=float(manifest["style_clip"]),
            intercept=float(manifest["intercept"]),
        )
        calibration = Calibration.from_dict(manifest["calibration"])
        thresholds = Thresholds.from_dict(manifest["thresholds"])
        told = manifest.get("outlet_evidence")
        outlet_evidence = None if told is None else OutletEvidence.from_dict(told)
        str(manifest["name"]), str(manifest["version"])
    except (KeyError, TypeError, ValueError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else f"is damaged: {error}"
        raise UserError(f"the model in {place} {what}; export it again with `framelens promote`") from None
    return Artifact(linear, calibration, thresholds, manifest, files[CARD].decode(), outlet_evidence)


@cache
def featuriser_identity() -> dict[str, Any]:
    """What decides how a text is counted: the featuriser's version, words and measures."""
    words = (resources.files("framelens.features") / "data" / "words.tsv").read_bytes()
    return {
        "version": FEATURISER_VERSION,
        "words_sha256": hashlib.sha256(words).hexdigest(),
        "measures_sha256": hashlib.sha256("\n".join(MEASURES).encode()).hexdigest(),
    }


def library_versions() -> dict[str, str]:
    """Installed versions of what a model's numbers depend on."""
    from importlib import metadata

    versions = {}
    for name in ("framelens", "numpy", "scikit-learn", "scipy"):
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return versions


def _read_manifest(place: Path) -> dict[str, Any]:
    if not place.is_dir():
        what = "is a file" if place.exists() else "does not exist"
        raise UserError(f"{place} {what}; a model is a folder with a {MANIFEST}")
    try:
        manifest = json.loads((place / MANIFEST).read_bytes())
        found = manifest["format_version"]
    except FileNotFoundError:
        raise UserError(f"{place} holds no model: it has no {MANIFEST}") from None
    except (ValueError, KeyError, TypeError):
        raise UserError(f"{place / MANIFEST} is not a model's manifest; export the model again") from None
    if found != FORMAT_VERSION:
        raise UserError(
            f"{place} has model format {found}, this framelens reads {FORMAT_VERSION}; "
            "`pip install -U framelens`"
        )
    trained, here = manifest.get("featuriser"), featuriser_identity()
    if trained != here:
        different = [key for key in here if not isinstance(trained, dict) or trained.get(key) != here[key]]
        raise UserError(
            f"{place} was trained with another featuriser ({', '.join(different)} differ); "
            "train it again with `framelens train`, or install the framelens version it was made with"
        )
    return dict(manifest)


def _read_checked(place: Path, file: str, expected: str) -> bytes:
    try:
        content = (place / file).read_bytes()
    except FileNotFoundError:
        raise UserError(f"the model in {place} lacks {file}; export or copy it again, whole") from None
    found = hashlib.sha256(content).hexdigest()
    if found != expected:
        raise UserError(
            f"{place / file} is not the file that was saved (SHA-256 {found[:12]}..., the manifest says "
            f"{expected[:12]}...); export or copy the model again"
        )
    return content


def _replace_folder(target: Path, files: Mapping[str, bytes]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh, old = (target.with_name(f".{target.name}.{suffix}-{os.getpid()}") for suffix in ("new", "old"))
    try:
        fresh.mkdir()
        for file, content in files.items():
            (fresh / file).write_bytes(content)
        if target.exists():
            target.replace(old)
        try:
            fresh.replace(target)
        except OSError:
            if old.exists():
                old.replace(target)  # or the old model would go with the leftovers
            raise
    finally:
        for leftover in (fresh, old):
            shutil.rmtree(leftover, ignore_errors=True)
