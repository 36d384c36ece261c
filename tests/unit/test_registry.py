"""Versions and the alias in a real local store. The files of the models are short texts, which are quick to log."""

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lstm_lm.errors import UserError
from lstm_lm.tracking import champion, promotion, registry, store, versions
from lstm_lm.tracking.logged_model import DIGEST_TAG, current_store
from lstm_lm.tracking.run import create_run
from mlflow_helpers import SETTINGS, before_the_next_insertion, log_small_model

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME = "lstm_lm"


@pytest.fixture
def client(tracked_project: Path) -> "MlflowClient":
    return store.connect(SETTINGS.tracking)


def register(client: "MlflowClient", metric: float, digest: str | None = None, test: str = "the test text", settles: bool = True) -> int:
    """Register a model as evaluate-sample does, and return its version; if not `settles`, up to the decision on the champion."""
    tags = registry.ModelToLog("", "", NAME, True, metric, test).tags(create_run(client, SETTINGS))
    tags[DIGEST_TAG] = digest or f"digest of {metric}"
    number, is_new = registry.register(client, NAME, log_small_model(client, tags), tags)
    assert is_new
    if settles:
        promotion.settle(client, NAME, checked=number)
    return number


def alias(client: "MlflowClient") -> int:
    return int(client.get_model_version_by_alias(NAME, champion.ALIAS).version)


def previous(client: "MlflowClient") -> int | None:
    found = client.get_registered_model(NAME).aliases.get(champion.PREVIOUS_ALIAS)
    return found and int(found)


def tags(client: "MlflowClient", number: int) -> dict[str, str]:
    found: dict[str, str] = client.get_model_version(NAME, str(number)).tags
    return found


def test_the_first_version_is_the_champion_until_a_better_one_comes(client: "MlflowClient") -> None:
    assert register(client, 9.0) == alias(client) == 1
    assert register(client, 9.5) == 2
    assert alias(client) == 1
    assert previous(client) is None
    assert tags(client, 2)[champion.NOT_CHAMPION_TAG] == "adjusted perplexity 9.5 is not below 9.0 of version 1"
    assert register(client, 8.0) == alias(client) == 3
    assert tags(client, 3)[champion.REASON_TAG] == "better than version 1 on the same test text"
    assert tags(client, 3)[champion.PREVIOUS_TAG] == "1"
    assert previous(client) == 1
    assert register(client, 1.0, test="an easier text") == 4
    assert alias(client) == 3
    assert "measured on another test text than version 3" in tags(client, 4)[champion.NOT_CHAMPION_TAG]


@pytest.mark.slow
def test_a_version_is_promoted_on_purpose_and_rolled_back(client: "MlflowClient") -> None:
    for metric in (9.0, 8.0, 9.5):
        register(client, metric)
    promotion.promote(client, NAME, 3)
    assert alias(client) == 3
    assert champion.NOT_CHAMPION_TAG not in tags(client, 3)
    assert register(client, 9.2) == alias(client) == 4  # better than what was promoted
    for expected, before in ((3, 2), (2, 1), (1, None)):
        assert previous(client) == expected
        assert promotion.roll_back(client, NAME).champion == alias(client) == expected
        assert previous(client) == before
    with pytest.raises(UserError, match=r"lstm_lm cannot be rolled back: no champion before version 1 is left"):
        promotion.roll_back(client, NAME)
    assert alias(client) == 1
    with pytest.raises(UserError, match=r"lstm_lm has no version 9: list the versions with: make models"):
        promotion.promote(client, NAME, 9)


def test_what_was_decided_is_not_shown_and_an_earlier_record_of_it_is_read(client: "MlflowClient") -> None:
    for metric in (9.0, 8.0):
        register(client, metric)
    client.set_registered_model_tag(NAME, champion.OLD_STATE_TAG, champion.State((2, 1), 2).to_json())
    assert versions.read(client, NAME).champions == [2, 1]
    promotion.settle(client, NAME)
    promotion.promote(client, NAME, 2)
    assert versions.read(client, NAME).champions == [2, 1, 2]
    # MLflow's pages show all tags but its own. A tag of ours there is for a person to read.
    shown = {key: value for key, value in client.get_registered_model(NAME).tags.items() if not key.startswith("mlflow.")}
    assert [value for value in shown.values() if value.startswith(("{", "["))] == []
    assert champion.OLD_STATE_TAG not in shown


def test_nothing_is_rolled_back_without_a_champion(client: "MlflowClient") -> None:
    with pytest.raises(UserError, match="lstm_lm cannot be rolled back: it has no champion yet"):
        promotion.roll_back(client, NAME)


@pytest.mark.slow
def test_an_alias_that_was_moved_by_hand_stays_until_a_better_version_comes(
    client: "MlflowClient", monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(promotion, "SETTLE_SECONDS", 0.1)
    for metric in (7.0, 9.0):
        register(client, metric)
    client.set_registered_model_alias(NAME, champion.ALIAS, "2")
    register(client, 9.5)
    assert alias(client) == 2
    register(client, 8.0)
    assert alias(client) == 4
    assert promotion.roll_back(client, NAME).champion == 2
    assert promotion.roll_back(client, NAME).champion == 1


@pytest.mark.slow
def test_a_deleted_champion_is_replaced(client: "MlflowClient") -> None:
    for metric in (9.0, 8.0, 7.0):
        register(client, metric)
    client.delete_model_version(NAME, "3")
    register(client, 8.5)
    assert alias(client) == 2
    client.delete_registered_model_alias(NAME, champion.ALIAS)
    assert promotion.settle(client, NAME).champion == alias(client) == 2


def test_a_champion_whose_files_are_gone_is_noticed(client: "MlflowClient", tracked_project: Path) -> None:
    for metric in (9.0, 7.0):
        register(client, metric)
    remove_files(client, 2)
    register(client, 8.0)
    assert alias(client) == 3
    assert champion.FILES_MISSING_TAG in tags(client, 2)
    with pytest.raises(UserError, match=r"the files of version 2 of lstm_lm are gone from the artifact store: log it again"):
        promotion.promote(client, NAME, 2)


@pytest.mark.slow
def test_a_model_whose_files_are_gone_takes_its_place_again(client: "MlflowClient") -> None:
    for metric in (9.0, 10.0):
        register(client, metric)
    promotion.promote(client, NAME, 2)
    remove_files(client, 2)
    assert register(client, 10.0) == alias(client) == 3
    assert versions.read(client, NAME).champions == [1, 3]


def remove_files(client: "MlflowClient", number: int) -> None:
    import shutil

    model_id = versions.model_id_of(client.get_model_version(NAME, str(number)))
    assert model_id
    shutil.rmtree(client.get_logged_model(model_id).artifact_location.removeprefix("file://"))


def test_versions_of_an_older_project_do_not_compete(client: "MlflowClient", tmp_path: Path) -> None:
    client.create_registered_model(NAME)
    client.create_model_version(NAME, tmp_path.as_uri(), tags={DIGEST_TAG: "old"})
    assert promotion.settle(client, NAME).champion is None
    assert register(client, 9.0) == alias(client) == 2
    assert champion.NOT_CHAMPION_TAG not in tags(client, 1)
    promotion.promote(client, NAME, 1)  # on purpose, it can be promoted
    assert alias(client) == 1


def test_a_version_that_was_registered_twice_after_a_lost_answer_is_kept_once(client: "MlflowClient") -> None:
    metric_tags = registry.ModelToLog("", "", NAME, True, 9.0, "t").tags(create_run(client, SETTINGS)) | {DIGEST_TAG: "d"}
    model_id = log_small_model(client, metric_tags)
    client.create_registered_model(NAME)
    create = client.create_model_version

    def create_twice(*arguments: object, **options: object) -> object:
        create(*arguments, **options)
        return create(*arguments, **options)

    client.create_model_version = create_twice
    assert registry.register(client, NAME, model_id, metric_tags) == (1, True)
    assert registry.register(client, NAME, model_id, metric_tags) == (1, False)
    assert len(versions.read(client, NAME).versions) == 1


def test_the_current_store_is_restored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    with current_store(f"sqlite:///{tmp_path / 'mlflow.db'}"):
        assert mlflow.get_tracking_uri().startswith("sqlite:")
    assert mlflow.get_tracking_uri() == "http://127.0.0.1:1"


@pytest.mark.slow
def test_a_process_that_moves_the_alias_too_late_puts_it_back(client: "MlflowClient", monkeypatch: pytest.MonkeyPatch) -> None:
    """While one process is about to move the alias, another one registers a better version and finishes."""
    register(client, 9.0)
    set_alias = client.set_registered_model_alias

    def interrupted(*arguments: object) -> None:
        monkeypatch.setattr(client, "set_registered_model_alias", set_alias)
        assert register(client, 7.0) == alias(client) == 3
        set_alias(*arguments)
        assert alias(client) == 2  # the worse one, for a moment

    monkeypatch.setattr(client, "set_registered_model_alias", interrupted)
    assert register(client, 8.0) == 2
    assert alias(client) == 3
    assert versions.read(client, NAME).champions == [1, 2, 3]


def test_a_process_that_creates_the_alias_too_late_decides_again(client: "MlflowClient") -> None:
    """While one process is about to create the alias, another one registers a better version, and creates the alias on that one."""
    assert register(client, 9.0, settles=False) == 1
    other = store.connect(SETTINGS.tracking)
    with before_the_next_insertion(lambda: register(other, 8.0)) as called:
        promotion.settle(client, NAME, checked=1)
    assert called
    assert alias(client) == 2
    assert champion.SINCE_TAG not in tags(client, 1)  # not even for a moment
