"""MLflow's store: where it is, and the runs that are written and read. `registry` has the models.

Nothing here touches MLflow before it is asked to. The store is ``sqlite:///mlruns/mlflow.db`` in the
working directory with artifacts in ``mlruns/artifacts``; ``MLFLOW_TRACKING_URI`` names another one, a
server included.
"""

from __future__ import annotations

import logging
import math
import os
import platform
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from framelens.errors import UserError
from framelens.places import require_place

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from mlflow import MlflowClient
    from mlflow.entities import Run

    from framelens_train.corpus.dataset import Corpus

STORE = Path("mlruns")
DEFAULT_URI = f"sqlite:///{STORE.as_posix()}/mlflow.db"
EXPERIMENT = "framelens"

_LOGGERS = ("mlflow", "alembic", "sqlalchemy")
_ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_PRINT_MODEL_URLS_ON_CREATION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


def tracking_uri() -> str:
    """The user's ``MLFLOW_TRACKING_URI``, or the store under ``mlruns/``."""
    return os.environ.get("MLFLOW_TRACKING_URI") or DEFAULT_URI


@contextmanager
def open_store(*, create: bool = False) -> Iterator[MlflowClient]:
    """A client of the store; while it lasts, MLflow's fluent functions use it too and its chatter is off.

    Parameters
    ----------
    create
        Make a local store that is not there yet.

    Raises
    ------
    UserError
        When there is no store and none is to be made, or it does not answer.
    """
    uri = tracking_uri()
    local = _database(uri)
    if local is not None:
        if not create and not local.exists():
            raise UserError(
                f"{local} does not exist: nothing has been trained here; run `framelens train` first"
            )
        require_place(local)
        local.parent.mkdir(parents=True, exist_ok=True)
    before = {name: os.environ.get(name) for name in _ENVIRONMENT}
    os.environ.update({name: value for name, value in _ENVIRONMENT.items() if before[name] is None})
    levels = {name: logging.getLogger(name).level for name in _LOGGERS}
    with warnings.catch_warnings(record=True):  # recorded, not shown: some of MLflow's override a filter
        warnings.simplefilter("ignore")
        import mlflow

        given = os.environ.get("MLFLOW_TRACKING_URI")  # set_tracking_uri overwrites it
        try:
            for name in _LOGGERS:
                logging.getLogger(name).setLevel(logging.ERROR)
            # absolute: MLflow keeps connections by URI, whatever the working directory is by then
            mlflow.set_tracking_uri(f"sqlite:///{local.resolve().as_posix()}" if local else uri)
            yield mlflow.MlflowClient()
        except mlflow.exceptions.MlflowException as error:
            first = str(error).splitlines()[0][:300]
            raise UserError(f"MLflow at {uri} refused: {first}; check MLFLOW_TRACKING_URI") from error
        finally:
            mlflow.set_tracking_uri(None)  # type: ignore[arg-type]
            if given is not None:
                os.environ["MLFLOW_TRACKING_URI"] = given
            for name, level in levels.items():
                logging.getLogger(name).setLevel(level)
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)


def _database(uri: str) -> Path | None:
    """File of a SQLite store; None for any other."""
    return Path(uri.removeprefix("sqlite:///")) if uri.startswith("sqlite:///") else None


def experiment_id(client: MlflowClient, name: str) -> str:
    """The experiment, made when it is new; a local one keeps its artifacts beside the database."""
    found = client.get_experiment_by_name(name)
    if found is not None:
        if found.lifecycle_stage == "deleted":
            raise UserError(f"the experiment {name!r} was deleted; restore it in MLflow or name another one")
        return str(found.experiment_id)
    local = _database(tracking_uri())
    artifacts = (local.parent.resolve() / "artifacts").as_uri() if local else None
    return str(client.create_experiment(name, artifact_location=artifacts))


@dataclass(frozen=True)
class TrackedRun:
    """A run that is being written: parameters, metrics, files."""

    client: MlflowClient
    run_id: str
    experiment: str

    def params(self, values: Mapping[str, Any]) -> None:
        """Log parameters; values longer than MLflow takes are cut."""
        from mlflow.entities import Param

        entries = [Param(key, str(value)[:6000]) for key, value in values.items()]
        self.client.log_batch(self.run_id, params=entries)

    def metrics(self, values: Mapping[str, Any], step: int = 0) -> None:
        """Log the finite numbers among the values."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        numbers = {k: float(v) for k, v in values.items() if isinstance(v, (int, float)) and math.isfinite(v)}
        entries = [Metric(metric_name(key), value, now, step) for key, value in numbers.items()]
        for start in range(0, len(entries), 900):
            self.client.log_batch(self.run_id, metrics=entries[start : start + 900])

    def tags(self, values: Mapping[str, Any]) -> None:
        """Set tags."""
        from mlflow.entities import RunTag

        self.client.log_batch(self.run_id, tags=[RunTag(key, str(value)) for key, value in values.items()])

    def json(self, value: Any, name: str) -> None:
        """Log plain data as a JSON file."""
        self.client.log_dict(self.run_id, value, name)

    def figure(self, figure: Figure, name: str) -> None:
        """Log a drawing as PNG."""
        self.client.log_figure(self.run_id, figure, name, save_kwargs={"dpi": 110, "bbox_inches": "tight"})

    def dataset(self, corpus: Corpus) -> None:
        """Log the corpus as the training data."""
        import json

        from mlflow.entities import Dataset, DatasetInput, InputTag

        labels = corpus.articles["label"].value_counts()
        profile = {"articles": len(corpus.articles), **{str(k): int(v) for k, v in labels.items()}}
        data = Dataset(
            name=corpus.name,
            digest=corpus.sha256[:32],
            source_type="local",
            source=json.dumps({"uri": corpus.name, "sha256": corpus.sha256}),
            profile=json.dumps(profile),
        )
        self.client.log_inputs(
            self.run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])]
        )

    @contextmanager
    def child(self, name: str) -> Iterator[TrackedRun]:
        """A run below this one."""
        with start_run(self.client, self.experiment, name, {"mlflow.parentRunId": self.run_id}) as run:
            yield run


def metric_name(name: str) -> str:
    """The name with characters that MLflow does not take in metrics replaced."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in name)


@contextmanager
def start_run(
    client: MlflowClient, experiment: str, name: str, tags: Mapping[str, str] | None = None
) -> Iterator[TrackedRun]:
    """A new run, ended as FINISHED, as KILLED by an interrupt or as FAILED by an error."""
    run = client.create_run(experiment, run_name=name, tags={**source_tags(), **(tags or {})})
    try:
        yield TrackedRun(client, run.info.run_id, experiment)
    except KeyboardInterrupt:
        client.set_terminated(run.info.run_id, "KILLED")
        raise
    except BaseException:
        client.set_terminated(run.info.run_id, "FAILED")
        raise
    client.set_terminated(run.info.run_id, "FINISHED")


def source_tags() -> dict[str, str]:
    """What was run: the program, and its commit where it is a git checkout."""
    tags = {"mlflow.source.name": "framelens train", "mlflow.source.type": "LOCAL"}
    commit = git_commit()
    return tags | ({"mlflow.source.git.commit": commit} if commit else {})


def git_commit() -> str | None:
    """Commit of the checkout that this code is run from; None where it is installed."""
    here = Path(__file__).resolve().parent
    try:
        done = subprocess.run(
            ["git", "-C", str(here), "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip() or None


def versions() -> dict[str, str]:
    """Versions of what the numbers depend on."""
    from importlib import metadata

    names = ("framelens", "mlflow", "numpy", "pandas", "scikit-learn", "scipy")
    return {"python": platform.python_version(), **{name: metadata.version(name) for name in names}}


def find_run(client: MlflowClient, name: str) -> Run:
    """A run by its id or the beginning of it (six characters or more), or by its name.

    Raises
    ------
    UserError
        When none or several fit.
    """
    ids = [e.experiment_id for e in client.search_experiments()]
    runs = list(client.search_runs(ids, max_results=5000)) if ids else []
    found = [r for r in runs if r.info.run_id == name] or [
        r for r in runs if (len(name) >= 6 and r.info.run_id.startswith(name)) or r.info.run_name == name
    ]
    if len(found) != 1:
        what = f"{len(found)} runs fit" if found else "there is no run"
        raise UserError(f"{what} {name!r} at {tracking_uri()}; `framelens runs` lists their ids")
    return found[0]


def read_json(client: MlflowClient, run_id: str, name: str) -> Any:
    """A JSON file that `TrackedRun.json` logged; None when the run has none of that name."""
    import json

    import mlflow

    with tempfile.TemporaryDirectory() as scratch:
        try:
            path = client.download_artifacts(run_id, name, scratch)
        except (mlflow.exceptions.MlflowException, OSError):
            return None
        return json.loads(Path(path).read_text(encoding="utf-8"))


def search_children(client: MlflowClient, experiments: Sequence[str], parent: str | None = None) -> list[Run]:
    """Candidates' runs, newest training first; of one training, or of all."""
    wanted = f"tags.`mlflow.parentRunId` = '{parent}'" if parent else ""
    runs = list(client.search_runs(list(experiments), wanted, max_results=5000))
    return [r for r in runs if "mlflow.parentRunId" in r.data.tags and "candidate" in r.data.params]
