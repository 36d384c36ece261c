"""Calls that meet another process's, in a real store: the other one writes between MLflow's look at the row and its insertion."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lstm_lm.tracking import store
from lstm_lm.tracking.run import create_run
from mlflow_helpers import SETTINGS, before_the_next_insertion

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME = "lstm_lm"


@pytest.fixture(scope="module")
def client(empty_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator["MlflowClient"]:
    """A client of a store with two versions of a model."""
    root = tmp_path_factory.mktemp("store")
    (root / "mlflow.db").write_bytes(empty_store.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(root))
        connected = store.connect(SETTINGS.tracking)
        connected.create_registered_model(NAME)
        for number in ("1", "2"):
            connected.create_model_version(NAME, f"{root.as_uri()}/{number}", await_creation_for=0)
        yield connected


def dataset_inputs() -> list[Any]:
    from mlflow.entities import Dataset, DatasetInput

    return [DatasetInput(Dataset("data/batches", "a digest", "local", "{}"))]


# What is called: its arguments, but for what is written, and what this process writes. The other one writes "1".
CALLS: dict[str, tuple[tuple[str, ...], str]] = {
    "set_experiment_tag": (("{experiment}", "conflict"), "ours"),
    "set_tag": (("{run}", "conflict"), "ours"),
    "set_registered_model_tag": ((NAME, "conflict"), "ours"),
    "set_model_version_tag": ((NAME, "1", "conflict"), "ours"),
}
READ: dict[str, Callable[[Any, str, str], str]] = {
    "set_experiment_tag": lambda client, _, experiment: client.get_experiment(experiment).tags["conflict"],
    "set_tag": lambda client, run, _: client.get_run(run).data.tags["conflict"],
    "set_registered_model_tag": lambda client, *_: client.get_registered_model(NAME).tags["conflict"],
    "set_model_version_tag": lambda client, *_: client.get_model_version(NAME, "1").tags["conflict"],
}


@pytest.mark.parametrize("name", CALLS)
def test_what_is_set_at_once_has_the_value_of_the_last(name: str, client: "MlflowClient") -> None:
    import mlflow

    run = create_run(client, SETTINGS)
    experiment = client.get_run(run).info.experiment_id
    arguments, ours = CALLS[name]
    target = [argument.format(run=run, experiment=experiment) for argument in arguments]
    other = mlflow.MlflowClient(client.tracking_uri, client.tracking_uri)
    with before_the_next_insertion(lambda: getattr(other, name)(*target, "1")) as called:
        getattr(client, name)(*target, ours)
    assert called
    assert READ[name](client, run, experiment) == ours


def test_runs_that_log_the_same_dataset_at_once_both_have_it(client: "MlflowClient") -> None:
    import mlflow

    ours, theirs = create_run(client, SETTINGS), create_run(client, SETTINGS)
    other = mlflow.MlflowClient(client.tracking_uri, client.tracking_uri)
    with before_the_next_insertion(lambda: other.log_inputs(theirs, dataset_inputs())) as called:
        client.log_inputs(ours, dataset_inputs())
    assert called
    for run in (ours, theirs):
        assert [each.dataset.digest for each in client.get_run(run).inputs.dataset_inputs] == ["a digest"]


def test_pipelines_that_create_the_experiment_at_once_share_it(client: "MlflowClient") -> None:
    settings = SETTINGS.tracking.model_copy(update={"experiment": "new"})
    with before_the_next_insertion(lambda: store.experiment_id(client, settings)) as called:
        created = store.experiment_id(client, settings)
    assert called
    assert created == store.experiment_id(client, settings)
