"""Which versions the page of a logged model shows, in a real local store."""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lstm_lm.tracking import promotion, registry, store, version_links, versions
from lstm_lm.tracking.logged_model import DIGEST_TAG
from lstm_lm.tracking.run import create_run
from mlflow_helpers import SETTINGS, log_small_model

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME = "lstm_lm"


@pytest.fixture
def client(tracked_project: Path) -> "MlflowClient":
    return store.connect(SETTINGS.tracking)


def log(client: "MlflowClient", metric: float) -> tuple[str, dict[str, str]]:
    """Log a model. Returns (its id, its tags)."""
    tags = registry.ModelToLog("", "", NAME, True, metric, "t").tags(create_run(client, SETTINGS)) | {DIGEST_TAG: str(metric)}
    return log_small_model(client, tags), tags


def linked(client: "MlflowClient", model_id: str) -> list[tuple[str, int]]:
    entries = json.loads(client.get_logged_model(model_id).tags.get(version_links.TAG, "[]"))
    return [(each["name"], each["version"]) for each in entries]


def test_a_registered_model_shows_its_versions_of_every_name(client: "MlflowClient") -> None:
    model_id, tags = log(client, 9.0)
    other_id, other_tags = log(client, 8.0)
    for name in (NAME, "another"):
        registry.register(client, name, model_id, tags)
        promotion.settle(client, name)
    registry.register(client, NAME, other_id, other_tags)
    promotion.settle(client, NAME)
    assert linked(client, model_id) == [("another", 1), (NAME, 1)]
    assert linked(client, other_id) == [(NAME, 2)]


def test_versions_from_before_there_were_links_and_deleted_versions_are_corrected(client: "MlflowClient") -> None:
    (first, tags), (second, other_tags) = log(client, 9.0), log(client, 8.0)
    registry.register(client, NAME, first, tags)
    registry.register(client, NAME, second, other_tags)
    assert linked(client, first) == linked(client, second) == []
    promotion.settle(client, NAME)
    assert linked(client, first) == [(NAME, 1)]
    client.delete_model_version(NAME, "1")
    client.set_logged_model_tags(second, {version_links.TAG: f"[{json.dumps({'name': NAME, 'version': 7})}, 3]"})
    promotion.settle(client, NAME)
    assert version_links.TAG not in client.get_logged_model(first).tags
    assert linked(client, second) == [(NAME, 2)]


def test_a_tag_that_cannot_be_read_and_a_deleted_model_are_no_obstacle(client: "MlflowClient") -> None:
    (first, tags), (second, other_tags) = log(client, 9.0), log(client, 8.0)
    registry.register(client, NAME, first, tags)
    registry.register(client, NAME, second, other_tags)
    client.set_logged_model_tags(first, {version_links.TAG: "no JSON"})
    client.delete_logged_model(second)
    version_links.update(client, NAME, versions.read(client, NAME))
    assert linked(client, first) == [(NAME, 1)]
