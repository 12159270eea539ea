"""The models of MLflow's store: what is logged of a training, registered under a name, and fetched again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from framelens.errors import UserError
from framelens_train.track import TrackedRun, open_store, tracking_uri, versions

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from sklearn.pipeline import Pipeline

REGISTERED_NAME = "framelens"
ALIAS = "champion"
MODEL, PIPELINE = "model", "pipeline"
"""Names of the two logged models: the runtime's flavour, and the fitted scikit-learn pipeline."""

TRUSTED = ("framelens_train.", "sklearn.")
"""Packages whose classes a logged pipeline may hold; MLflow keeps the classes' names with the model."""

EXAMPLE = {"text": ["The text of one article.", "The text of another one."]}
"""What a client may send: kept with the model as the example of its input."""


def log_models(run: TrackedRun, folder: Path, pipeline: Pipeline) -> str:
    """Log the runtime's flavour and the scikit-learn pipeline; returns the URI of the first.

    Parameters
    ----------
    folder
        The exported model, as `framelens.artifact.save_model` wrote it.
    pipeline
        Works on `Corpus.X`, not on texts.
    """
    import mlflow
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    framelens = f"framelens=={versions()['framelens']}"
    answers = Schema(
        [
            ColSpec(DataType.string, "label"),
            ColSpec(DataType.double, "p_state"),
            ColSpec(DataType.double, "score"),
            ColSpec(DataType.string, "reasons"),
        ]
    )
    # No schema of the inputs: for a named column MLflow refuses a list, an array and an unnamed Series before
    # the model sees them, for an unnamed one it takes a frame's first column, whatever it is. The model takes
    # every form, and says itself what it does not take.
    signature = ModelSignature(outputs=answers)
    with mlflow.start_run(run_id=run.run_id):
        flavour = mlflow.pyfunc.log_model(
            name=MODEL,
            python_model=str(Path(__file__).with_name("pyfunc_model.py")),
            artifacts={"model": str(folder)},
            signature=signature,
            input_example=EXAMPLE,
            pip_requirements=[
                framelens,
                f"mlflow=={versions()['mlflow']}",
                f"pandas=={versions()['pandas']}",
            ],
        )
        mlflow.sklearn.log_model(
            pipeline,
            name=PIPELINE,
            serialization_format="skops",
            skops_trusted_types=trusted_types(pipeline),
            pip_requirements=[framelens, f"scikit-learn=={versions()['scikit-learn']}", "skops"],
        )
    return str(flavour.model_uri)


def trusted_types(pipeline: Pipeline) -> list[str]:
    """Classes in a fitted pipeline that skops has to be told to trust.

    Raises
    ------
    TypeError
        When one is neither ours nor scikit-learn's.
    """
    import skops.io

    found = sorted(skops.io.get_untrusted_types(data=skops.io.dumps(pipeline)))
    foreign = [name for name in found if not name.startswith(TRUSTED)]
    if foreign:
        raise TypeError(
            f"a pipeline may hold classes of {' and '.join(TRUSTED)}; this one holds {foreign[0]}"
        )
    return found


def register(client: MlflowClient, model_uri: str, run_id: str, tags: Mapping[str, str]) -> str:
    """Register a logged model as `framelens` and point the alias `champion` at it; returns the version."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(REGISTERED_NAME)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    model_id = model_uri.removeprefix("models:/")
    version = client.create_model_version(
        REGISTERED_NAME, model_uri, run_id, tags=dict(tags), model_id=model_id
    )
    client.set_registered_model_alias(REGISTERED_NAME, ALIAS, version.version)
    return str(version.version)


def download_model(address: str) -> Path:
    """Fetch a model from the registry or a run; returns the folder that `framelens.load` takes.

    Parameters
    ----------
    address
        ``models:/framelens@champion``, ``models:/framelens/3`` or ``runs:/RUN_ID/model``.

    Raises
    ------
    UserError
        When there is no such model, or it is not one of ours.
    """
    with open_store():
        import mlflow

        try:
            folder = Path(mlflow.artifacts.download_artifacts(artifact_uri=address))
        except (mlflow.exceptions.MlflowException, OSError) as error:
            first = str(error).splitlines()[0][:200]
            raise UserError(
                f"{address} at {tracking_uri()}: {first}; `framelens runs` lists what is there"
            ) from None
    manifests = sorted(folder.glob("**/manifest.json"))
    if not manifests:
        raise UserError(f"{address} is no framelens model: it holds no manifest.json")
    return manifests[0].parent
