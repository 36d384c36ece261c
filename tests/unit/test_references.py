"""References in a real local store. The files of the models are short texts, which are quick to log."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lstm_lm.io.addresses import mask
from lstm_lm.tracking import promotion, references, registry, store
from lstm_lm.tracking.logged_model import DIGEST_TAG
from lstm_lm.tracking.mirroring import PROXY_TAG
from lstm_lm.tracking.model_facts import NAME_TAG
from lstm_lm.tracking.references import Evaluated
from lstm_lm.tracking.run import create_run
from lstm_lm.tracking.trained_models import INIT_TAG
from mlflow_helpers import SETTINGS, log_small_model

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME = SETTINGS.tracking.registered_model
TEXT = "the test text"


@pytest.fixture
def client(tracked_project: Path) -> "MlflowClient":
    return store.connect(SETTINGS.tracking)


def metrics_of(perplexity: float) -> dict[str, float]:
    """Return metrics of a test text, as in reports/metrics.json."""
    return {
        "loss": 5.0,
        "perplexity": perplexity,
        "perplexity_low": perplexity - 1,
        "perplexity_high": perplexity + 1,
        "adjusted_perplexity": 2 * perplexity,
        "bits_per_character": 1.5,
    }


def train(client: "MlflowClient", perplexity: float, name: str, text: str = TEXT, **tags: str) -> str:
    """Log a run with its model and a version of it, as the pipeline does, and return the run's id."""
    run_id = create_run(client, SETTINGS, {"mlflow.runName": name, **tags})
    for metric, value in metrics_of(perplexity).items():
        if not metric.endswith(("_low", "_high")):
            client.log_metric(run_id, f"test/{metric}", value)
    client.log_dict(run_id, {"test": metrics_of(perplexity)}, "metrics.json")
    version_tags = registry.ModelToLog("", "", NAME, True, 2 * perplexity, text).tags(run_id)
    version_tags[DIGEST_TAG] = f"digest of {name}"
    number, _ = registry.register(client, NAME, log_small_model(client, version_tags), version_tags)
    promotion.settle(client, NAME, checked=number)
    return run_id


def find(client: "MlflowClient | None", run_id: str, init_from: str | None = None, text: str = TEXT, digest: str = "") -> dict[str, Any]:
    return references.find(client, SETTINGS.tracking, Evaluated(run_id, None, digest, init_from, text))


def reference(name: str, run_id: str, perplexity: float, same_text: bool = True) -> dict[str, Any]:
    metrics = metrics_of(perplexity)
    del metrics["loss"]
    return {"name": name, "run_id": run_id, "same_text": same_text, **metrics}


def test_the_champion_is_the_one_before_the_evaluated_model_however_often_that_is_evaluated(client: "MlflowClient") -> None:
    new = create_run(client, SETTINGS)
    assert find(client, new) == {"champion": None, "parent": None}
    first = train(client, 9.0, "default")
    assert find(client, new)["champion"] == reference("version 1, default", first, 9.0)
    assert find(client, new, text="another text")["champion"]["same_text"] is False
    better = train(client, 8.0, "best")
    assert find(client, new)["champion"] == reference("version 2, best", better, 8.0)
    assert find(client, better)["champion"] == reference("version 1, default", first, 9.0)
    assert find(client, first)["champion"]["name"] == "version 2, best"
    # Trained again with the same result, it has another run.
    assert find(client, new, digest="digest of best")["champion"]["name"] == "version 1, default"
    # In this store, a proxy has the version of a run that another store knows.
    train(client, 7.0, "proxy", **{PROXY_TAG: "0" * 32})
    assert find(client, "0" * 32)["champion"]["name"] == "version 2, best"


def test_without_the_file_of_metrics_the_champion_has_what_its_run_has_logged(client: "MlflowClient") -> None:
    first = train(client, 9.0, "default")
    for content in ("not JSON", json.dumps({"validation": {}})):
        client.log_text(first, content, "metrics.json")
        found = find(client, create_run(client, SETTINGS))["champion"]
        assert found == reference("version 1, default", first, 9.0) | {"perplexity_low": None, "perplexity_high": None}


def test_the_parent_is_the_model_that_an_alias_was_when_the_training_started(client: "MlflowClient") -> None:
    first = train(client, 9.0, "default")
    started = create_run(client, SETTINGS, {INIT_TAG: f"models:/{NAME}/1 of run {first}: 5 of 6 words known there"})
    second = train(client, 8.0, "best", text="another text")
    promotion.promote(client, NAME, 2)
    assert find(client, started, f"models:/{NAME}@champion")["parent"] == reference("version 1, default", first, 9.0)
    untagged = create_run(client, SETTINGS)
    found = find(client, untagged, f"models:/{NAME}@champion")["parent"]
    assert found == reference("version 2, best", second, 8.0, same_text=False)
    assert find(client, untagged, f"runs:/{first}")["parent"] == reference("default", first, 9.0)
    folder = find(client, untagged, "../other/models/weights")["parent"]
    assert (folder["name"], folder["same_text"], folder["perplexity"]) == ("../other/models/weights", None, None)
    assert find(client, untagged)["parent"] is None


def remove(client: "MlflowClient", run_id: str) -> None:
    """Remove a run for good, as `mlflow gc` does."""
    client.delete_run(run_id)
    client._tracking_client.store._hard_delete_run(run_id)


def test_models_whose_runs_are_gone_are_compared_without_metrics(client: "MlflowClient", capsys: pytest.CaptureFixture[str]) -> None:
    address = f"models:/{NAME}@champion"
    first = train(client, 9.0, "default")
    client.set_model_version_tag(NAME, "1", NAME_TAG, "default")
    of_version = create_run(client, SETTINGS, {INIT_TAG: f"models:/{NAME}/1 of run {first}: 5 of 6 words known there"})
    of_run = create_run(client, SETTINGS, {INIT_TAG: f"models:/m-0 of run {first}: 5 of 6 words known there"})
    remove(client, first)
    gone = {**dict.fromkeys(references.METRICS), "name": "version 1, default", "run_id": None, "same_text": True}
    assert find(client, of_version, address) == {"champion": gone, "parent": gone}
    assert find(client, of_version, text="another text")["champion"]["same_text"] is False
    client.delete_model_version_tag(NAME, "1", NAME_TAG)
    assert find(client, of_version)["champion"]["name"] == "version 1"
    unknown = gone | {"name": f"runs:/{first}", "same_text": None}
    assert find(client, of_run, f"runs:/{first}")["parent"] == unknown
    client.delete_model_version(NAME, "1")
    assert find(client, of_version, address) == {"champion": None, "parent": unknown | {"name": address}}
    assert capsys.readouterr().err == ""


def test_the_parent_is_found_by_its_run_if_its_version_was_deleted(client: "MlflowClient") -> None:
    first = train(client, 9.0, "default")
    started = create_run(client, SETTINGS, {INIT_TAG: f"models:/{NAME}/1 of run {first}: 5 of 6 words known there"})
    client.delete_model_version(NAME, "1")
    assert find(client, started, f"models:/{NAME}/1")["parent"] == reference("default", first, 9.0)


def test_a_store_that_fails_or_lacks_the_parent_is_reported_and_does_not_stop_the_evaluation(
    client: "MlflowClient", monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    new = create_run(client, SETTINGS)
    assert find(None, new, "runs:/1") == {"champion": None, "parent": None}
    assert capsys.readouterr().err == ""
    assert find(client, new, f"models:/{NAME}/9") == {"champion": None, "parent": None}
    [line] = capsys.readouterr().err.splitlines()
    assert f"models:/{NAME}/9" in line
    assert line.endswith(": evaluating without a comparison with the model that the training started from")
    monkeypatch.setattr(client, "get_registered_model", lambda name: (_ for _ in ()).throw(ConnectionError("connection refused")))
    assert find(client, new)["champion"] is None
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("warning: the tracking store ")
    assert ": connection refused (see params.yaml: tracking.uri" in line
    assert line.endswith(": evaluating without a comparison with the champion")
    assert mask(client.tracking_uri) in line
