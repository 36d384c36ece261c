from dataclasses import replace
from pathlib import Path

import pytest

from lstm_lm.config import keys
from lstm_lm.errors import UserError
from lstm_lm.tracking import mirroring, store
from lstm_lm.tracking.evaluation import flatten_metrics, log_evaluation
from lstm_lm.tracking.mirroring import Proxy
from lstm_lm.tracking.run import Run, create_run
from lstm_lm.tracking.training_run import TrainingRun
from mlflow_helpers import HELD_OUT_METRICS, ROW, SAMPLES, SETTINGS, UNKNOWN_RUN, artifact_text, logged_steps, stored

PARAMS = keys.flatten(SETTINGS)


def test_a_mirroring_run_shows_the_data_of_the_training_run(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    trained = TrainingRun.start(client, SETTINGS)
    trained.log_params({"train.epochs": 4, "resolved_precision": "float32"})
    for step in (10, 20):
        trained.row(replace(ROW, step=step))
    log_evaluation(trained, HELD_OUT_METRICS, 20, SAMPLES, SETTINGS.evaluate_sample)
    trained.finish()
    mirror = Run(client, create_run(client, SETTINGS))
    for _ in range(2):  # mirroring twice logs nothing twice
        assert mirroring.mirror(mirror, trained.id, PARAMS, flatten_metrics(HELD_OUT_METRICS))
    data = client.get_run(mirror.id).data
    assert data.tags["lstm_lm.mirrors"] == trained.id
    assert data.params == client.get_run(trained.id).data.params
    assert data.metrics == client.get_run(trained.id).data.metrics
    assert logged_steps(mirror, "train/loss") == [10, 20]
    assert artifact_text(mirror, "samples.json") == artifact_text(stored(trained), "samples.json")


def test_a_run_that_mirrors_an_unknown_run_shows_the_reported_metrics(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    run = Run(client, create_run(client, SETTINGS))
    assert not mirroring.mirror(run, UNKNOWN_RUN, PARAMS, flatten_metrics(HELD_OUT_METRICS))
    stored = client.get_run(run.id).data
    assert stored.metrics["test/perplexity"] == 148.4
    assert stored.params["train.epochs"] == str(SETTINGS.train.epochs)


def test_joining_returns_the_run_that_trained_the_weights(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    trained = create_run(client, SETTINGS)
    assert mirroring.join(client, trained, Proxy.of(SETTINGS, None)).id == trained


def test_an_unknown_run_gets_only_one_proxy_run(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    run = mirroring.join(client, UNKNOWN_RUN, Proxy.of(SETTINGS, None))
    assert run.id != UNKNOWN_RUN
    assert mirroring.join(client, UNKNOWN_RUN, Proxy.of(SETTINGS, None)).id == run.id
    stored = client.get_run(run.id)
    assert stored.info.status == "FINISHED"
    assert stored.data.tags["lstm_lm.proxy_for"] == UNKNOWN_RUN
    assert stored.data.params["model.hidden_size"] == str(SETTINGS.model.hidden_size)


def test_the_run_that_mlflow_run_created_is_the_proxy_of_an_unknown_one(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    experiment = store.experiment_id(client, SETTINGS.tracking)
    created = client.create_run(experiment).info.run_id
    assert mirroring.join(client, UNKNOWN_RUN, Proxy.of(SETTINGS, created)).id == created
    assert len(client.search_runs([experiment])) == 1
    assert client.get_run(created).info.status == "RUNNING"  # `mlflow run` ends it


def test_a_failing_store_is_not_mistaken_for_one_without_the_run(tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    def fail(self: object, run_id: str) -> None:
        raise mlflow.exceptions.MlflowException("out of order", error_code=mlflow.protos.databricks_pb2.TEMPORARILY_UNAVAILABLE)

    monkeypatch.setattr(mlflow.MlflowClient, "get_run", fail)
    with pytest.raises(UserError, match=r"tracking store sqlite:.* does not answer: .*out of order"):
        mirroring.join(store.connect(SETTINGS.tracking), "x", Proxy.of(SETTINGS, None))
