"""From a run to the folder that services load: the champion, with its evaluation and its card."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framelens.errors import UserError
from framelens.places import require_place

if TYPE_CHECKING:
    from framelens_train.candidates import Recipe
    from framelens_train.corpus.dataset import Corpus
    from framelens_train.evaluate.calibrate import CalibratedFit

EVALUATION, TRAINING = "evaluation.json", "training.json"


def write_folder(
    folder: Path,
    corpus: Corpus,
    recipe: Recipe,
    fit: CalibratedFit,
    *,
    run_id: str,
    evaluation: Mapping[str, Any],
) -> Path:
    """Export a fitted recipe as the runtime's folder, with the card that its evaluation makes.

    Parameters
    ----------
    evaluation
        See `framelens_train.evaluate.run.evaluate_recipe`; a part of it makes a shorter card.

    Raises
    ------
    UserError
        When the folder cannot be written.
    """
    import framelens
    from framelens.artifact import save_model
    from framelens_train.evaluate.card import manifest_metrics, render_card
    from framelens_train.pipeline import to_linear_model
    from framelens_train.track import versions

    manifest: dict[str, Any] = {
        "name": "framelens",
        "version": framelens.__version__,
        "metrics": manifest_metrics(evaluation),
        "recipe": recipe.to_dict(),
        "training": training_facts(corpus),
        "corpus_sha256": corpus.sha256,
    }
    fitted = {
        "thresholds": fit.thresholds,
        "outlet_evidence": fit.outlet_evidence.to_dict(),
        "calibration": fit.calibration.to_dict(),
    }
    card = render_card(manifest | fitted)
    return save_model(
        folder,
        to_linear_model(fit.pipeline, corpus.vocabulary).compact(),
        fit.calibration,
        fit.thresholds,
        card=card,
        outlet_evidence=fit.outlet_evidence,
        run_id=run_id,
        libraries=versions(),
        **manifest,
    )


def training_facts(corpus: Corpus) -> dict[str, Any]:
    """What the model was trained on: outlets, owners, countries, the last date, and each outlet's years."""
    used = corpus.articles[corpus.y >= 0]
    years: dict[str, list[str]] = {}
    last = None
    if "date" in used:
        dated = used[used["date"].notna()]
        seen = dated["date"].astype(str).str[:4].groupby(dated["outlet"].astype(str)).unique()
        years = {str(outlet): sorted(found) for outlet, found in seen.items()}
        last = max(dated["date"].astype(str), default=None)
    return {
        "outlets": sorted(used["outlet"].astype(str).unique()),
        "owners": sorted(used["owner"].astype(str).unique()),
        "countries": sorted(used["country"].dropna().astype(str).unique()) if "country" in used else [],
        "last_date": last,
        "years": years,
    }


def default_folder() -> Path:
    """Where the champion of this installation is."""
    from framelens.predictor import CHAMPION

    return CHAMPION


def promote(
    name: str,
    *,
    out: Path | None = None,
    corpus: Path | None = None,
    jobs: int = 2,
    evaluate: bool = True,
    progress: Callable[[str, int, int], None] | None = None,
) -> dict[str, Any]:
    """Write the winner of a training as the champion.

    The model is the one that the run logged, byte for byte but for its manifest's metrics and its card:
    those come from a whole evaluation of its recipe, which is made now if the run has none yet (and kept
    with the run).

    Parameters
    ----------
    name
        Id of the training's run, the beginning of it, or its name; or of a candidate's run below it that
        won.
    out
        Folder to write; None for the champion of this installation.
    corpus
        What the run was trained on; None for the seeds that ship.
    evaluate
        False to keep the figures that were measured in training.

    Returns
    -------
    dict
        ``folder``, ``run_id``, ``candidate``, and the headline's ``macro_f1`` and ``roc_auc``.

    Raises
    ------
    UserError
        When there is no such run, it left no model, the corpus is not the one that it was trained on, or
        the folder cannot be written.
    """
    import shutil
    import tempfile

    from framelens.artifact import load_model
    from framelens_train import registry, track
    from framelens_train.evaluate.card import NESTED, update_model

    target = out or default_folder()
    require_place(target)
    with track.open_store() as client:
        run = track.find_run(client, name)
        if run.data.tags.get("mlflow.parentRunId"):
            run = _parent(client, run)
        run_id = run.info.run_id
        evaluation = track.read_json(client, run_id, EVALUATION)
        if evaluation is None and evaluate:
            evaluation = _evaluate(run, corpus, jobs, progress)
            client.log_dict(run_id, evaluation, EVALUATION)
        nested = (track.read_json(client, run_id, TRAINING) or {}).get(NESTED)
        source = registry.download_model(_model_address(client, run_id))
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        fresh = scratch / target.name
        shutil.copytree(source, fresh)
        if evaluation is not None or nested:
            trained = load_model(fresh)
            figures = evaluation or trained.manifest["metrics"]
            update_model(trained, fresh, figures | ({NESTED: nested} if nested else {}))
        manifest = load_model(fresh).manifest
        _replace(target, fresh, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    headline = (manifest.get("metrics") or {}).get("protocols", {}).get("owner_disjoint", {})
    return {
        "folder": str(target),
        "run_id": run_id,
        "candidate": manifest["recipe"]["candidate"],
        "macro_f1": headline.get("macro_f1"),
        "roc_auc": headline.get("roc_auc"),
    }


def _parent(client: Any, run: Any) -> Any:
    """The training that a candidate's run belongs to, if that candidate won it."""
    if run.data.tags.get("winner") != "true":
        raise UserError(
            f"run {run.info.run_id} ({run.info.run_name}) did not win its training, so no model of it was "
            f"kept; `framelens train --candidates {run.info.run_name}` makes one"
        )
    return client.get_run(run.data.tags["mlflow.parentRunId"])


def _model_address(client: Any, run_id: str) -> str:
    """The runtime's flavour that a training logged."""
    from framelens_train.registry import MODEL

    experiment = client.get_run(run_id).info.experiment_id
    logged = client.search_logged_models([experiment], filter_string=f"source_run_id = '{run_id}'")
    mine = [model for model in logged if model.name == MODEL]
    if not mine:
        raise UserError(
            f"run {run_id} left no model: it was interrupted or failed; `framelens runs` lists others"
        )
    return f"models:/{mine[0].model_id}"


def _evaluate(
    run: Any, path: Path | None, jobs: int, progress: Callable[[str, int, int], None] | None
) -> dict[str, Any]:
    import json

    from framelens_train.candidates import Recipe
    from framelens_train.corpus.dataset import load_corpus
    from framelens_train.evaluate.run import evaluate_recipe

    corpus = load_corpus(path)
    trained_on = run.data.params.get("corpus_sha256")
    if corpus.sha256 != trained_on:
        raise UserError(
            f"run {run.info.run_id} was trained on a corpus with digest {str(trained_on)[:12]}..., "
            f"{path or 'the shipped one'} has {corpus.sha256[:12]}...; name the corpus with --corpus"
        )
    recipe = Recipe.from_dict(json.loads(run.data.tags["recipe"]))
    seed = int(run.data.params["seed"])
    return evaluate_recipe(recipe, corpus, seed=seed, jobs=jobs, progress=progress).figures


def _replace(target: Path, fresh: Path, scratch: Path) -> None:
    """Put `fresh` where `target` is; what was there goes away only then."""
    try:
        if target.exists():
            target.replace(scratch / "old")
        fresh.replace(target)
    except OSError as error:
        raise UserError(
            f"cannot write the model to {target}: {error.strerror or error}; "
            "choose a writable folder with --out"
        ) from None
