"""What a training leaves in MLflow, read back with MLflow's own client."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import framelens
from framelens.errors import UserError
from framelens_train import registry, track
from framelens_train.candidates import fit_recipe, recipes
from framelens_train.corpus.recount import recount
from framelens_train.pipeline import decision_scores

TEXTS = [
    "The ministry stressed sovereignty, and the spokesman stressed it again. " * 9,
    "Police have concerns, and it is unclear whether the price of rain will fall. " * 9,
    "Too short.",
]


@pytest.fixture
def client(finished):
    with track.open_store() as client:
        yield client


def test_a_parent_with_a_child_for_every_candidate(finished, client) -> None:
    parent = client.get_run(finished.result.run_id)
    children = client.search_runs(
        [parent.info.experiment_id], f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    )
    assert parent.info.status == "FINISHED"
    assert {c.info.run_name for c in children} == {"logistic", "complement_nb", "majority"}
    assert {c.info.status for c in children} == {"FINISHED"}
    assert [c.info.run_name for c in children if c.data.tags["winner"] == "true"] == [
        finished.result.winner.candidate
    ]
    for child in children:
        for protocol in ("owner_disjoint", "random"):
            assert 0 <= child.data.metrics[f"{protocol}/macro_f1"] <= 1
            assert [
                m for m in child.data.metrics if m.startswith(f"{protocol}/fold ") and m.endswith("roc_auc")
            ]


def test_parameters_versions_and_the_commit_are_there(finished, client) -> None:
    run = client.get_run(finished.result.run_id)
    assert run.data.params["seed"] == "0"
    assert run.data.params["corpus_sha256"] == finished.corpus.sha256
    assert run.data.params["version.scikit-learn"]
    assert run.data.params["winner"] == finished.result.winner.candidate
    assert json.loads(run.data.tags["recipe"]) == finished.result.winner.to_dict()
    if track.git_commit():
        assert re.fullmatch("[0-9a-f]{40}", run.data.tags["mlflow.source.git.commit"])
    assert 0 <= run.data.metrics["owner_disjoint/macro_f1"] <= 1


def test_the_corpus_is_a_dataset_input_with_its_digest(finished, client) -> None:
    (data,) = client.get_run(finished.result.run_id).inputs.dataset_inputs
    assert data.dataset.digest == finished.corpus.sha256[:32]
    assert json.loads(data.dataset.profile)["articles"] == len(finished.corpus.articles)
    assert {tag.key: tag.value for tag in data.tags}["mlflow.data.context"] == "training"


def test_figures_are_png_drawings(finished, client) -> None:
    names = {Path(f.path).name for f in client.list_artifacts(finished.result.run_id, "figures")}
    assert names == {
        "roc.png",
        "precision_recall.png",
        "reliability.png",
        "confusion.png",
        "owners.png",
        "top_terms.png",
    }
    for name in names:
        path = client.download_artifacts(finished.result.run_id, f"figures/{name}")
        assert Path(path).read_bytes().startswith(b"\x89PNG")


def test_scores_out_of_fold_cover_every_labelled_article(finished, client) -> None:
    path = client.download_artifacts(finished.result.run_id, "out_of_fold/owner_disjoint.parquet")
    table = pd.read_parquet(path)
    labelled = finished.corpus.articles[finished.corpus.y >= 0]
    assert sorted(table["id"]) == sorted(labelled["id"])
    assert table["p_state"].between(0, 1).all()
    for _, part in table.groupby("owner"):
        assert part["fold"].nunique() == 1


@pytest.mark.parametrize(
    "shaped",
    [
        lambda texts: texts,
        pd.Series,
        lambda texts: pd.Series(texts, name="text"),
        np.array,
        lambda texts: pd.DataFrame({"text": texts}),
        lambda texts: pd.DataFrame({"id": range(len(texts)), "text": texts}),
        lambda texts: pd.DataFrame({"article": texts}),
        lambda texts: [{"id": i, "text": text} for i, text in enumerate(texts)],
    ],
    ids=[
        "list",
        "series",
        "named_series",
        "array",
        "frame",
        "frame_with_more",
        "frame_of_one_column",
        "rows",
    ],
)
@pytest.mark.parametrize("rows", [3, 1])
def test_the_registered_champion_answers_once_a_text(finished, client, shaped, rows: int) -> None:
    import mlflow

    model = mlflow.pyfunc.load_model(f"models:/{registry.REGISTERED_NAME}@{registry.ALIAS}")
    answers = model.predict(shaped(TEXTS[:rows]))
    assert list(answers.columns) == ["label", "p_state", "score", "reasons"]
    expected = framelens.load(f"models:/{registry.REGISTERED_NAME}@{registry.ALIAS}").predict_batch(
        TEXTS[:rows]
    )
    assert answers["label"].tolist() == expected.label.tolist()
    np.testing.assert_array_equal(answers["score"], expected.score)
    if rows == 3:
        assert "too_short" in answers["reasons"][2].split(",")


def test_the_signature_names_the_answers_and_the_example_the_text(finished, client) -> None:
    import mlflow

    info = mlflow.models.get_model_info(f"models:/{registry.REGISTERED_NAME}@{registry.ALIAS}")
    assert info.signature.outputs.input_names() == ["label", "p_state", "score", "reasons"]
    model = mlflow.pyfunc.load_model(f"models:/{registry.REGISTERED_NAME}@{registry.ALIAS}")
    assert len(model.predict(model.input_example)) == len(registry.EXAMPLE["text"])


def test_a_frame_without_the_column_is_refused_by_name(finished, client) -> None:
    import mlflow

    model = mlflow.pyfunc.load_model(f"models:/{registry.REGISTERED_NAME}@{registry.ALIAS}")
    with pytest.raises(ValueError, match="'text'; the input has title, body"):
        model.predict(pd.DataFrame({"title": ["a"], "body": ["b"]}))


def test_the_logged_pipeline_and_the_exported_model_agree(finished, client) -> None:
    import mlflow

    logged = client.search_logged_models([client.get_run(finished.result.run_id).info.experiment_id])
    (pipeline,) = [
        m for m in logged if m.name == registry.PIPELINE and m.source_run_id == finished.result.run_id
    ]
    folder = Path(mlflow.artifacts.download_artifacts(pipeline.model_uri))
    assert not [*folder.glob("**/*.pkl"), *folder.glob("**/*.joblib")]
    fitted = mlflow.sklearn.load_model(pipeline.model_uri)
    linear = framelens.load(f"models:/{registry.REGISTERED_NAME}@{registry.ALIAS}").artifact.linear
    np.testing.assert_allclose(
        linear.decision_function(
            recount(finished.corpus.batch, finished.corpus.vocabulary, linear.vocabulary)
        ),
        decision_scores(fitted, finished.corpus.X),
        atol=1e-5,
    )


def test_the_manifest_says_what_the_model_was_trained_on(finished) -> None:
    manifest = framelens.load(f"models:/{registry.REGISTERED_NAME}@{registry.ALIAS}").artifact.manifest
    used = finished.corpus.articles[finished.corpus.y >= 0]
    assert manifest["run_id"] == finished.result.run_id
    assert manifest["corpus_sha256"] == finished.corpus.sha256
    assert manifest["training"]["owners"] == sorted(used["owner"].unique())
    assert "public.example" not in manifest["training"]["outlets"]
    assert manifest["training"]["countries"] == sorted(used["country"].unique())
    assert manifest["training"]["last_date"] == used["date"].max()
    assert manifest["recipe"] == finished.result.winner.to_dict()


def test_nothing_is_left_behind_but_the_store(finished) -> None:
    assert sorted(p.name for p in finished.folder.iterdir()) == ["mlruns"]
    assert sorted(p.name for p in (finished.folder / "mlruns").iterdir()) == [
        "artifacts",
        "mlflow.db",
        "search",
    ]
    assert list((finished.folder / "mlruns" / "search").iterdir()) == []


def test_importing_touches_no_store(tmp_path: Path) -> None:
    modules = ", ".join(f"framelens_train.{name}" for name in ("track", "training", "promote", "cli_train"))
    code = f"import sys, {modules}; print('mlflow' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "False"
    assert list(tmp_path.iterdir()) == []


def test_the_store_of_the_environment_is_the_one_that_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/elsewhere/store.db")
    with track.open_store(create=True) as client:
        experiment = track.experiment_id(client, "mine")
        with track.start_run(client, experiment, "a run") as run:
            run.metrics({"x": 1.5, "not a number": float("nan")})
        assert client.get_run(run.run_id).data.metrics == {"x": 1.5}
        where = client.get_experiment(experiment).artifact_location
    assert where == (tmp_path / "elsewhere" / "artifacts").as_uri()
    assert not (tmp_path / "mlruns").exists()
    assert os.environ["MLFLOW_TRACKING_URI"] == f"sqlite:///{tmp_path}/elsewhere/store.db"


def test_mlflow_is_left_as_it_was_found(finished) -> None:
    import logging

    level = logging.getLogger("mlflow").level
    before = dict(os.environ)
    with track.open_store():
        assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert dict(os.environ) == before
    assert logging.getLogger("mlflow").level == level


@pytest.mark.parametrize(
    ("error", "status"), [(None, "FINISHED"), (KeyboardInterrupt, "KILLED"), (RuntimeError, "FAILED")]
)
def test_runs_end_as_they_ended(finished, client, error, status: str) -> None:
    experiment = track.experiment_id(client, "ends")
    try:
        with track.start_run(client, experiment, "parent") as run, run.child("child") as child:
            if error:
                raise error
    except (KeyboardInterrupt, RuntimeError):
        pass
    assert [client.get_run(r.run_id).info.status for r in (run, child)] == [status, status]


def test_no_store_and_no_model_are_one_line_each(tmp_path: Path, finished, monkeypatch) -> None:
    with pytest.raises(UserError, match=r"models:/nothing@champion .*`framelens runs`"):
        registry.download_model("models:/nothing@champion")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"mlruns/mlflow.db does not exist.*`framelens train`"):
        framelens.load("models:/framelens@champion")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "gopher://nowhere")
    with pytest.raises(UserError, match="MLFLOW_TRACKING_URI"), track.open_store(create=True):
        pass


def test_metric_names_are_made_fit() -> None:
    assert track.metric_name("a/fold state:CN, x/roc_auc") == "a/fold state_CN_ x/roc_auc"


@pytest.mark.parametrize("recipe", recipes(quick=True), ids=lambda recipe: recipe.candidate)
def test_every_candidates_pipeline_can_be_kept_without_pickle(recipe, corpus) -> None:
    import skops.io

    pipeline = fit_recipe(recipe, corpus, np.flatnonzero(corpus.y >= 0))
    kept = skops.io.loads(skops.io.dumps(pipeline), trusted=registry.trusted_types(pipeline))
    np.testing.assert_array_equal(decision_scores(kept, corpus.X), decision_scores(pipeline, corpus.X))


def test_a_foreign_class_in_a_pipeline_is_refused() -> None:
    from fractions import Fraction

    from sklearn.pipeline import Pipeline

    with pytest.raises(TypeError, match=r"fractions\.Fraction"):
        registry.trusted_types(Pipeline([("classifier", Fraction(1, 2))]))


def test_warnings_of_ours_are_errors_here() -> None:
    """The suite's own guard: a warning that MLflow's quiet context does not cover must fail a test."""
    with pytest.raises(UserWarning):
        warnings.warn("loud", UserWarning, stacklevel=1)
