"""What MLflow's pages show of a model, in a real local store."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lstm_lm.generation import options
from lstm_lm.tracking import model_facts, store
from lstm_lm.tracking.run import NAME_TAG, create_run
from lstm_lm.tracking.versions import RUN_TAG
from mlflow_helpers import SETTINGS, log_small_model

if TYPE_CHECKING:
    from mlflow import MlflowClient

CODE = {"mlflow.source.name": "dvc.yaml", "mlflow.source.type": "LOCAL", "mlflow.source.git.commit": "a" * 40}


@pytest.fixture
def client(tracked_project: Path) -> "MlflowClient":
    return store.connect(SETTINGS.tracking)


def make_run(client: "MlflowClient", name: str = "default", params: dict[str, str] | None = None, **metrics: float) -> Any:
    """Make a run with params, and with metrics at step 0; a double underscore in their names is a slash."""
    run_id = create_run(client, SETTINGS, {**CODE, NAME_TAG: name})
    for key, value in (params or {}).items():
        client.log_param(run_id, key, value)
    for key, value in metrics.items():
        client.log_metric(run_id, key.replace("__", "/"), value, timestamp=1000, step=0)
    return client.get_run(run_id)


def add_dataset(client: "MlflowClient", run: Any, name: str, context: str) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag

    dataset = Dataset(name, f"digest of {name}", "local", "{}")
    client.log_inputs(run.info.run_id, [DatasetInput(dataset, [InputTag(model_facts.CONTEXT_TAG, context)])])


@pytest.mark.parametrize(
    ("run_name", "expected"),
    [
        ("cookbook hidden_size=64", "cookbook hidden_size=64"),
        ("default learning_rate=0.003", "default learning_rate=0·003"),
        ("""a/b: "c" 5%""", "a-b c 5 percent"),
        ("'", "model"),
        ("x" * 300, "x" * 250),
    ],
)
def test_a_model_has_the_name_of_its_run_as_far_as_mlflow_allows_it(client: "MlflowClient", run_name: str, expected: str) -> None:
    run = make_run(client, run_name)
    assert model_facts.name(run) == expected
    assert client.create_logged_model(run.info.experiment_id, expected).name == expected


def test_versions_are_told_apart_by_perplexity_name_and_size(client: "MlflowClient") -> None:
    run = make_run(
        client, "best", {"parameter_count": "1856348", "vocab.unit": "word"}, test__perplexity=166.366, test__bits_per_character=1.58708
    )
    expected = [("ppl", "166.4"), ("run", "best"), ("size", "1.86M"), ("bits/char", "1.587")]
    assert list(model_facts.version_tags(run).items()) == expected
    characters = make_run(client, "char", {"vocab.unit": "char"}, test__perplexity=3.2001)
    assert model_facts.version_tags(characters) == {"ppl": "3.2 per character", "run": "char"}
    assert model_facts.version_tags(make_run(client, "a", None, test__perplexity=math.nan)) == {"run": "a"}


@pytest.mark.parametrize(("number", "expected"), [(999, "999"), (7388, "7.39k"), (1_856_348, "1.86M"), (24_000_000, "24M"), (2e9, "2B")])
def test_sizes_have_three_digits(number: int, expected: str) -> None:
    assert model_facts.short_count(int(number)) == expected


def test_params_of_a_model_hold_the_defaults_of_all_generation_options(client: "MlflowClient") -> None:
    run = make_run(client, params={"train.epochs": "3"})
    params = model_facts.params(run)
    assert params.pop("train.epochs") == "3"
    assert params == {f"generation.{option.name}": str(option.default) for option in options.options()}
    model = client.create_logged_model(run.info.experiment_id, "m", params={"train.epochs": "2"})
    for _ in range(2):
        model_facts.log_params(client, model, run)
        model = client.get_logged_model(model.model_id)
        assert model.params == {**params, "train.epochs": "2"}  # what it has, it keeps


def test_a_model_shows_the_code_of_its_run(client: "MlflowClient") -> None:
    assert model_facts.tags(make_run(client)) == CODE


def linked_metrics(client: "MlflowClient", model_id: str) -> dict[str, tuple[float, str | None]]:
    metrics = client.get_logged_model(model_id).metrics
    assert len(metrics) == len({each.key for each in metrics})
    return {each.key: (each.value, each.dataset_name) for each in metrics}


def test_metrics_are_linked_to_a_model_once_with_their_dataset_and_the_run_keeps_its_points(client: "MlflowClient") -> None:
    run = make_run(
        client, test__perplexity=9.0, test__loss=2.2, validation__bits_per_character=1.5, train__loss=2.0, test__oov_rate=math.nan
    )
    add_dataset(client, run, "plays for training", "training")
    add_dataset(client, run, "plays held out", "test")
    run_id = run.info.run_id
    model_id = log_small_model(client, {RUN_TAG: run_id})
    for _ in range(2):
        model_facts.log_metrics(client, model_id, client.get_run(run_id))
    assert linked_metrics(client, model_id) == {
        "test/perplexity": (9.0, "plays held out"),
        "test/loss": (2.2, "plays held out"),
        "validation/bits_per_character": (1.5, None),
    }
    assert len(client.get_metric_history(run_id, "test/perplexity")) == 1


def test_the_latest_point_of_a_metric_is_linked(client: "MlflowClient") -> None:
    run = make_run(client, test__perplexity=9.0)
    client.log_metric(run.info.run_id, "test/perplexity", 8.0, timestamp=2000, step=0)
    model_id = log_small_model(client, {RUN_TAG: run.info.run_id})
    model_facts.log_metrics(client, model_id, client.get_run(run.info.run_id))
    assert linked_metrics(client, model_id) == {"test/perplexity": (8.0, None)}
