import contextlib
import json
from pathlib import Path

import pytest

from lstm_lm.errors import Interrupted, UserError
from lstm_lm.tracking import run as run_module
from lstm_lm.tracking import store
from lstm_lm.tracking.queued_run import QueuedRun
from lstm_lm.tracking.run import Run, create_run, is_known
from mlflow_helpers import SETTINGS, UNKNOWN_RUN, artifact_text


@pytest.mark.parametrize(
    ("error", "status"),
    [(None, "FINISHED"), (KeyboardInterrupt(), "KILLED"), (Interrupted("stopped", 130), "KILLED"), (UserError("x"), "FAILED")],
)
def test_the_status_of_a_run_depends_on_the_error_that_ended_its_block(
    error: BaseException | None, status: str, tracked_project: Path
) -> None:
    client = store.connect(SETTINGS.tracking)
    run = QueuedRun(SETTINGS.tracking, create_run(client, SETTINGS), client)
    with contextlib.suppress(BaseException), run.recorded():
        if error:
            raise error
    assert client.get_run(run.id).info.status == status


def test_new_runs_differ_in_color(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    colors = [client.get_run(create_run(client, SETTINGS)).data.tags["mlflow.runColor"] for _ in range(3)]
    assert len(set(colors)) == 3


def test_a_table_replaces_the_previous_one_and_the_latest_is_listed_first(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    run = Run(client, create_run(client, SETTINGS))
    for rows, path in (([[1]], "a.json"), ([[2]], "b.json"), ([[3]], "a.json")):
        run.log_table(["x"], rows, path)
    assert json.loads(artifact_text(run, "a.json")) == {"columns": ["x"], "data": [[3]]}
    tables = json.loads(client.get_run(run.id).data.tags["mlflow.loggedArtifacts"])
    assert [table["path"] for table in tables] == ["a.json", "b.json"]


def test_logged_parameters_keep_their_values(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    run = Run(client, create_run(client, SETTINGS))
    run.log_params({"train.epochs": 4})
    run.log_params({"train.epochs": 5, "train.seed": 1, "tracking.uri": None})
    assert client.get_run(run.id).data.params == {"train.epochs": "4", "train.seed": "1"}


def test_a_deleted_or_missing_run_is_not_known(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    run_id = create_run(client, SETTINGS)
    assert is_known(client, run_id, SETTINGS.tracking)
    client.delete_run(run_id)
    assert not is_known(client, run_id, SETTINGS.tracking)
    assert not is_known(client, UNKNOWN_RUN, SETTINGS.tracking)


@pytest.mark.parametrize(("name", "is_generated"), [("selective-deer-714", True), ("big-model-2", False), ("mine", False)])
def test_generated_run_names_are_recognized(name: str, is_generated: bool) -> None:
    assert run_module._is_generated_name(name) == is_generated


@pytest.mark.parametrize("arrives", [True, False])
def test_a_run_whose_creation_got_no_answer_is_created_once(arrives: bool, tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    client = store.connect(SETTINGS.tracking)
    create, answers = mlflow.MlflowClient.create_run, iter([False, True])

    def without_answer(*arguments: object, **options: object) -> object:
        is_answered = next(answers)
        run = create(*arguments, **options) if is_answered or arrives else None
        if not is_answered:
            raise ConnectionError("the answer is lost")
        return run

    monkeypatch.setattr(mlflow.MlflowClient, "create_run", without_answer)
    monkeypatch.setattr(run_module, "CREATE_PAUSE_SECONDS", 0.01)
    created = create_run(client, SETTINGS)
    runs = client.search_runs([store.experiment_id(client, SETTINGS.tracking)])
    assert [run.info.run_id for run in runs] == [created]


def test_secrets_in_parameters_are_masked(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    run = Run(client, create_run(client, SETTINGS))
    run.log_params({"download.source": '{"url": "https://me:secret@host/text?token=secret"}'})
    assert client.get_run(run.id).data.params == {"download.source": '{"url": "https://***@host/text?token=***"}'}
