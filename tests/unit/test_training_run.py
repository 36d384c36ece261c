import errno
import json
import re
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lstm_lm.config import keys
from lstm_lm.data.dataset import Batches
from lstm_lm.errors import UserError
from lstm_lm.events import Sample
from lstm_lm.text.preparation import prepare
from lstm_lm.tracking import sender, store
from lstm_lm.tracking.outbox import Outbox
from lstm_lm.tracking.training_run import TrainingRun
from mlflow_helpers import ROW, SETTINGS, UNKNOWN_RUN, artifact_text, latest_metrics, logged_steps, stored
from plain import held_out


def start(**options: Any) -> TrainingRun:
    return TrainingRun.start(store.connect(SETTINGS.tracking), SETTINGS, **options)


def test_training_is_one_run_with_params_metrics_samples_and_dataset(tracked_project: Path) -> None:
    queued = start()
    queued.log_params({**keys.flatten(SETTINGS), "resolved_precision": "float32"})
    Path("play.txt").write_text("the king and queen " * 15)
    config = SETTINGS.vocab.model_copy(update={"min_count": 2, "validation": 0.1, "test": 0.1, "split_by": "spans"})
    prepare([("play.txt", Path("play.txt"))], config, Path("data/vocab"), cleaned=True)
    description, ids = held_out(["x"], [["a", "b"]], [np.array([1, 2], np.int32)])
    Path("data/batches/batches.json").write_text('{"raw": "digest", "source": {"path": "data/own"}}')
    train = np.zeros([2, 6], np.int32)
    queued.log_dataset(
        Batches(
            "stream",
            2,
            3,
            4,
            {"path": "data/own"},
            "digest",
            train,
            {"validation": description, "test": description},
            {"validation": ids, "test": ids},
        )
    )
    queued.row(ROW)
    queued.row(replace(ROW, step=20, validation_loss=5.5, validation_perplexity=244.7))
    queued.samples([Sample(20, "to be", 0.0, "to be king")])
    queued.finish()

    run = stored(queued)
    found = run.client.get_run(run.id)
    assert found.info.status == "FINISHED"
    assert found.data.tags["mlflow.note.content"].startswith("Trained: step 20, validation perplexity 244.7. Not evaluated yet")
    assert found.data.params["train.learning_rate"] == str(SETTINGS.train.learning_rate)
    assert found.data.params["resolved_precision"] == "float32"
    assert not any(key.startswith(("evaluate_sample", "reporting", "tracking")) for key in found.data.params)
    metrics = latest_metrics(run)
    assert metrics["train/loss"] == (20, 6.5)
    assert metrics["validation/perplexity"] == (20, 244.7)
    assert set(metrics) == {
        "train/loss",
        "train/learning_rate",
        "train/gradient_norm",
        "train/words_per_second",
        "train/words_seen",
        "validation/loss",
        "validation/perplexity",
    }
    assert logged_steps(run, "train/loss") == [10, 20]
    assert json.loads(artifact_text(run, "training_samples.json"))["data"] == [["step 20, T=0: to be", "to be king", 20, "to be", 0.0]]
    assert {each.tags[0].value: each.dataset.name for each in found.inputs.dataset_inputs} == {
        "training": "play: training (48 words)",
        "validation": "play: validation (6 words)",
        "test": "play: test (6 words)",
    }
    assert found.data.params["text_digest"] == "digest"
    assert found.data.params["text"] == "play dige"
    assert artifact_text(run, "splits.json") == Path("data/vocab/splits.json").read_text()
    # What identifies an unfinished run is gone.
    assert {key for key in found.data.tags if not key.startswith("mlflow.")} <= {"git.dirty"}
    assert (tracked_project / "mlartifacts/lstm_lm").is_dir()  # artifacts are in the project, although the stage ran in another folder


def test_a_run_that_mlflow_run_created_is_joined(tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    client = store.connect(SETTINGS.tracking)
    created = client.create_run(store.experiment_id(client, SETTINGS.tracking)).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", created)
    assert start().id == created


def test_stopped_training_resumes_its_run_and_logs_each_step_once(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    first = start()
    first.log_params({"train.epochs": 4})
    rows = [replace(ROW, step=step, validation_loss=5.0 if step == 20 else None) for step in (10, 20, 30, 40)]
    for row in rows[:2]:
        first.row(row)
    first.samples([Sample(20, "to be", 0.0, "to be king")])
    first.finish("KILLED")
    assert client.get_run(first.id).info.status == "KILLED"
    assert client.get_run(first.id).data.tags["mlflow.note.content"].startswith("Stopped at step 20")
    second = start(resume=first.id)
    assert second.id == first.id
    second.log_params({"train.epochs": 4, "resolved_precision": "float32"})
    # The checkpoint may be newer than the store, which lacks step 30, or older, so that step 20 is trained again.
    second.resumed(30, rows[:3], [Sample(20, "to be", 0.0, "to be king")])
    second.row(rows[1])
    second.row(rows[3])
    second.samples([Sample(40, "to be", 0.0, "to be queen")])
    second.finish()
    run = stored(second)
    assert logged_steps(run, "train/loss") == [10, 20, 30, 40]
    assert logged_steps(run, "validation/loss") == [20]
    assert [row[1] for row in json.loads(artifact_text(run, "training_samples.json"))["data"]] == ["to be king", "to be queen"]
    assert client.get_run(first.id).info.status == "FINISHED"


def test_a_run_unknown_to_the_store_is_not_resumed(tracked_project: Path) -> None:
    assert start(resume=UNKNOWN_RUN).id != UNKNOWN_RUN


def test_a_run_is_found_again_if_its_process_was_killed_before_saving_its_id(tracked_project: Path, tmp_path: Path) -> None:
    first = start(scratch_folder=tmp_path / "key")
    assert start(scratch_folder=tmp_path / "key").id == first.id
    assert start(scratch_folder=tmp_path / "other").id != first.id
    first.finish("FAILED")
    assert start(scratch_folder=tmp_path / "key").id != first.id


def test_a_search_and_its_trials_are_nested_runs(tracked_project: Path) -> None:
    client = store.connect(SETTINGS.tracking)
    search = TrainingRun.start_search(client, SETTINGS, "search: a")
    trial = TrainingRun.start_search(client, SETTINGS, "trial 0", parent=search.id)
    assert client.get_run(trial.id).data.tags["mlflow.parentRunId"] == search.id
    search.finish("KILLED")
    assert "mlflow.note.content" not in client.get_run(search.id).data.tags
    resumed = TrainingRun.start_search(client, SETTINGS, "search: a, b", resume=search.id)
    assert resumed.id == search.id
    assert (client.get_run(search.id).info.status, client.get_run(search.id).info.run_name) == ("RUNNING", "search: a, b")


@pytest.mark.slow
@pytest.mark.parametrize("failing", ["log_batch", "log_artifact", "set_terminated"])
def test_a_training_ends_as_it_did_while_the_store_fails_and_the_next_one_sends_what_is_missing(
    failing: str, tracked_project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import mlflow

    run = start()

    def fail(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "/store")

    with monkeypatch.context() as patch:
        patch.setattr(mlflow.MlflowClient, failing, fail)
        run.row(ROW)
        run.samples([Sample(10, "to be", 0.0, "to be or")])
        with pytest.raises(UserError, match="diverged"), run.recorded():
            raise UserError("diverged")
    output = capsys.readouterr().err
    waiting = len(Outbox(tracked_project, run.id).pending())
    assert re.search(rf"warning: {waiting} records? of MLflow run {run.id} not in the tracking store yet .*No space left", output)
    assert "make resend" in output
    [left] = sender.resend(SETTINGS.tracking, tracked_project)
    assert (left.run_id, left.delivery.sent, left.delivery.pending) == (run.id, waiting, 0)
    assert latest_metrics(stored(run))["train/loss"] == (10, 6.5)
    assert artifact_text(stored(run), "training_samples.json")
    assert stored(run).client.get_run(run.id).info.status == "FAILED"
    assert list(sender.resend(SETTINGS.tracking, tracked_project)) == []


def test_rows_never_wait_for_a_slow_store(tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import mlflow

    run = start()
    may_respond, log_batch = threading.Event(), mlflow.MlflowClient.log_batch

    def slow_log_batch(*arguments: object, **options: object) -> object:
        may_respond.wait(60)
        return log_batch(*arguments, **options)

    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", slow_log_batch)
    for step in range(1, 40):
        run.row(replace(ROW, step=step))  # returns immediately
        run.send_soon()
    assert logged_steps(stored(run), "train/loss") == []
    may_respond.set()
    run.finish()
    assert logged_steps(stored(run), "train/loss") == list(range(1, 40))


def test_a_store_that_never_answers_holds_up_the_end_of_a_training_for_a_limited_time(
    tracked_project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    run, answer = start(), threading.Event()
    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", lambda *arguments, **options: answer.wait(60))
    run.row(ROW)
    began = time.monotonic()
    assert run.send(seconds=0.3).pending
    assert time.monotonic() - began < 5
    answer.set()


def test_no_training_starts_whose_artifacts_cannot_be_kept(tracked_project: Path) -> None:
    (tracked_project / "mlartifacts").write_text("not a folder")
    with pytest.raises(UserError, match=r"the artifact store file://.*/lstm_lm/.* cannot be used: .*tracking\.artifacts") as error:
        start()
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("run_id", "problem"), [(UNKNOWN_RUN, "has no such run"), ("of another shell", "has no such run")])
def test_a_left_over_run_id_is_a_one_line_error(run_id: str, problem: str, tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    with pytest.raises(UserError, match=f"MLFLOW_RUN_ID={run_id}: .*{problem}.*unset MLFLOW_RUN_ID"):
        start()


def test_the_id_of_a_run_that_has_ended_is_a_one_line_error(tracked_project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = start()
    run.finish()
    monkeypatch.setenv("MLFLOW_RUN_ID", run.id)
    with pytest.raises(UserError, match=r"this run has already ended \(FINISHED\): unset MLFLOW_RUN_ID"):
        start()
