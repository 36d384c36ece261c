import contextlib
import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from conftest import PROJECT, change_params, copy_project, environment, run
from lstm_lm.config import keys, loading, presets
from lstm_lm.data import dataset
from lstm_lm.data.dataset import Batches
from lstm_lm.errors import Interrupted, UserError
from lstm_lm.events import Row, Sample
from lstm_lm.io import hashing
from lstm_lm.tracking import naming, store
from lstm_lm.tracking import run as run_module
from lstm_lm.tracking.run import Run
from plain import held_out

SETTINGS = loading.load(PROJECT / "params.yaml")
ROW = Row(step=10, words_seen=1120, epoch=1, loss=6.5, learning_rate=0.003, gradient_norm=0.4, words_per_second=8123.4)
FIGURES = {
    split: {"loss": 5.0, "perplexity": 148.4, "oov_rate": 0.1, "adjusted_perplexity": 300.0, "bits_per_character": 1.7, "words": 9}
    for split in dataset.HELD_OUT
}


@pytest.mark.parametrize("address", ["sqlite:///{}/file/mlflow.db", "nonsense+driver://x/y"])
def test_a_database_that_cannot_be_used_is_one_line(address, tmp_path):
    (tmp_path / "file").write_text("in the way")
    settings = SETTINGS.tracking.model_copy(update={"uri": address.format(tmp_path)})
    with pytest.raises(UserError, match=r"cannot be used: .*tracking\.uri") as error:
        store.connect(settings)
    assert "\n" not in str(error.value)


@pytest.fixture
def project(empty_store, tmp_path, monkeypatch):
    """A project folder with an empty store and the outputs of the data stages; stages run in another folder."""
    root, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for name in ("vocab", "batches"):
        (elsewhere / "data" / name).mkdir(parents=True)
        (elsewhere / "data" / name / "file").write_text(name)
    root.mkdir()
    (root / "mlflow.db").write_bytes(empty_store.read_bytes())
    monkeypatch.setenv("DVC_ROOT", str(root))
    monkeypatch.chdir(elsewhere)
    return root


def metrics(run):
    return {
        metric.key: (metric.step, metric.value)
        for key in run.client.get_run(run.id).data.metrics
        for metric in run.client.get_metric_history(run.id, key)[-1:]
    }


def artifacts(run):
    return {item.path for item in run.client.list_artifacts(run.id)}


def text_of(run, name):
    import mlflow

    return mlflow.artifacts.load_text(f"{run.client.get_run(run.id).info.artifact_uri}/{name}")


def test_a_training_is_one_run_with_params_metrics_samples_and_dataset(project):
    import numpy as np

    run = Run.start(store.connect(SETTINGS.tracking), SETTINGS)
    run.log_params({**keys.flatten(SETTINGS), "resolved_precision": "float32"})
    held, ids = held_out(["x"], [["a", "b"]], [np.array([1, 2], np.int32)])
    train = np.zeros([2, 6], np.int32)
    run.log_dataset(
        Batches(
            "stream", 2, 3, 4, {"path": "data/own"}, "digest", train, {"validation": held, "test": held}, {"validation": ids, "test": ids}
        )
    )
    run.row(ROW)
    assert metrics(run) == {}  # pending: single calls would be slow
    run.row(Row(**{**ROW.__dict__, "step": 20, "validation_loss": 5.5, "validation_perplexity": 244.7}))
    run.samples([Sample(20, "to be", 0.0, "to be king")])
    run.finish()

    stored = run.client.get_run(run.id)
    assert stored.info.status == "FINISHED"
    assert stored.data.params["train.learning_rate"] == str(SETTINGS.train.learning_rate)
    assert stored.data.params["resolved_precision"] == "float32"
    assert not any(key.startswith(("evaluate_sample", "tracking")) for key in stored.data.params)
    assert metrics(run)["train/loss"] == (20, 6.5)
    assert metrics(run)["validation/perplexity"] == (20, 244.7)
    assert set(metrics(run)) == {
        "train/loss",
        "train/learning_rate",
        "train/gradient_norm",
        "train/words_per_second",
        "train/words_seen",
        "validation/loss",
        "validation/perplexity",
    }
    assert [metric.step for metric in run.client.get_metric_history(run.id, "train/loss")] == [10, 20]
    assert json.loads(text_of(run, "training_samples.json"))["data"] == [["step 20: to be (greedy)", "to be king", 20, "to be", 0.0]]
    assert stored.inputs.dataset_inputs[0].dataset.name == "data/batches"
    assert stored.data.tags["data.raw"] == "digest"
    assert stored.data.tags["data.vocab"] == hashing.digest(project.parent / "elsewhere/data/vocab")
    assert (project / "mlartifacts/lstm_lm").is_dir()  # under the project, though the stage ran elsewhere


def test_a_run_that_mlflow_run_made_is_joined(project, monkeypatch):
    client = store.connect(SETTINGS.tracking)
    made = client.create_run(store.experiment_id(client, SETTINGS.tracking)).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", made)
    assert Run.start(store.connect(SETTINGS.tracking), SETTINGS).id == made


def test_a_training_that_was_stopped_goes_on_in_its_run_and_logs_no_step_twice(project):
    client = store.connect(SETTINGS.tracking)
    first = Run.start(client, SETTINGS)
    first.log_params({"train.epochs": 4})
    rows = [Row(**{**ROW.__dict__, "step": step, "validation_loss": 5.0 if step == 20 else None}) for step in (10, 20, 30, 40)]
    for row in rows[:2]:
        first.row(row)
    first.samples([Sample(20, "to be", 0.0, "to be king")])
    first.finish("KILLED")
    second = Run.start(client, SETTINGS, resume=first.id)
    assert second.id == first.id
    assert client.get_run(first.id).info.status == "RUNNING"
    second.log_params({"train.epochs": 4, "resolved_precision": "float32"})
    # The checkpoint is of step 30, which had not reached the store; or older than what had.
    second.resumed(30, rows[:3], [Sample(20, "to be", 0.0, "to be king")])
    second.row(rows[1])
    second.row(rows[3])
    second.samples([Sample(40, "to be", 0.0, "to be queen")])
    second.finish()
    assert [metric.step for metric in client.get_metric_history(first.id, "train/loss")] == [10, 20, 30, 40]
    assert [metric.step for metric in client.get_metric_history(first.id, "validation/loss")] == [20]
    assert [row[1] for row in json.loads(text_of(second, "training_samples.json"))["data"]] == ["to be king", "to be queen"]
    assert client.get_run(first.id).info.status == "FINISHED"


def test_a_run_that_this_store_does_not_know_is_not_gone_on_with(project):
    client = store.connect(SETTINGS.tracking)
    assert Run.start(client, SETTINGS, resume="0" * 32).id != "0" * 32


def test_how_a_block_ends_is_how_its_run_ends(project):
    client = store.connect(SETTINGS.tracking)
    for error, status in (
        (None, "FINISHED"),
        (KeyboardInterrupt(), "KILLED"),
        (Interrupted("stopped", 130), "KILLED"),
        (UserError("x"), "FAILED"),
    ):
        run = Run.start(client, SETTINGS)
        with contextlib.suppress(BaseException), run.recorded():
            if error:
                raise error
        assert client.get_run(run.id).info.status == status


def test_a_run_with_nothing_to_train_shows_what_the_other_one_shows(project):
    client = store.connect(SETTINGS.tracking)
    trained = Run.start(client, SETTINGS)
    trained.log_params({"train.epochs": 4, "resolved_precision": "float32"})
    for step in (10, 20):
        trained.row(Row(**{**ROW.__dict__, "step": step}))
    trained.log_evaluation(FIGURES, 20, [{"prompt": "to be", "temperature": 0, "text": "to be king"}], SETTINGS.evaluate_sample)
    trained.finish()
    other = Run.start(client, SETTINGS)
    for _ in range(2):  # a second time nothing comes twice
        assert other.stand_for(trained.id, SETTINGS, FIGURES)
    stored = client.get_run(other.id).data
    assert stored.tags["lstm_lm.stands_for"] == trained.id
    assert stored.params == client.get_run(trained.id).data.params
    assert stored.metrics == client.get_run(trained.id).data.metrics
    assert [metric.step for metric in client.get_metric_history(other.id, "train/loss")] == [10, 20]
    assert text_of(other, "samples.json") == text_of(trained, "samples.json")
    unknown = Run.start(client, SETTINGS)
    assert not unknown.stand_for("0" * 32, SETTINGS, FIGURES)
    assert client.get_run(unknown.id).data.metrics["test/perplexity"] == 148.4
    assert client.get_run(unknown.id).data.params["train.epochs"] == str(SETTINGS.train.epochs)


def test_the_run_of_mlflow_run_is_the_stand_in_for_one_that_the_store_does_not_know(project, monkeypatch):
    client = store.connect(SETTINGS.tracking)
    experiment = store.experiment_id(client, SETTINGS.tracking)
    made = client.create_run(experiment).info.run_id
    monkeypatch.setenv("MLFLOW_RUN_ID", made)
    run, stand_in = Run.join(client, SETTINGS, "0" * 32)
    assert (run.id, stand_in) == (made, True)
    assert len(client.search_runs([experiment])) == 1
    assert client.get_run(made).info.status == "RUNNING"  # MLflow itself ends it


def test_a_run_is_found_again_that_was_made_just_before_a_kill(project, tmp_path):
    client = store.connect(SETTINGS.tracking)
    first = Run.start(client, SETTINGS, training=tmp_path / "key")
    assert Run.start(client, SETTINGS, training=tmp_path / "key").id == first.id
    assert Run.start(client, SETTINGS, training=tmp_path / "other").id != first.id
    first.finish("FAILED")
    assert Run.start(client, SETTINGS, training=tmp_path / "key").id != first.id


@pytest.mark.parametrize("kind", ["store", "artifacts"])
def test_a_store_that_fails_for_a_while_loses_nothing(project, monkeypatch, capsys, kind):
    import mlflow

    run = Run.start(store.connect(SETTINGS.tracking), SETTINGS)
    method = {"store": "log_batch", "artifacts": "log_dict"}[kind]
    real = getattr(mlflow.MlflowClient, method)

    def fail(*arguments, **more):
        raise mlflow.exceptions.MlflowException("out of order") if kind == "store" else OSError("out of order")

    monkeypatch.setattr(run_module, "BATCH_SECONDS", 0)
    monkeypatch.setattr(mlflow.MlflowClient, method, fail)
    run.row(ROW)
    run.samples([Sample(10, "to be", 0.0, "to be or")])
    run._sending.result()
    assert "warning: the tracking store fails: out of order" in capsys.readouterr().out
    with pytest.raises(UserError, match="the tracking store fails: out of order"):
        run.finish()
    monkeypatch.setattr(mlflow.MlflowClient, method, real)
    run.finish()
    assert metrics(run)["train/loss"] == (10, 6.5)
    assert text_of(run, "training_samples.json")


def test_what_comes_while_the_store_is_slow_is_sent_at_the_end(project, monkeypatch):
    import threading

    import mlflow

    run = Run.start(store.connect(SETTINGS.tracking), SETTINGS)
    answers, real = threading.Event(), mlflow.MlflowClient.log_batch

    def slow(*arguments, **more):
        answers.wait(60)
        return real(*arguments, **more)

    monkeypatch.setattr(run_module, "BATCH_SECONDS", 0)
    monkeypatch.setattr(mlflow.MlflowClient, "log_batch", slow)
    for step in range(1, 40):
        run.row(replace(ROW, step=step))  # none of them waits
    assert not run._sending.done()
    answers.set()
    run.finish()
    assert [metric.step for metric in run.client.get_metric_history(run.id, "train/loss")] == list(range(1, 40))


@pytest.mark.parametrize(("name", "random"), [("selective-deer-714", True), ("big-model-2", False), ("mine", False)])
def test_only_a_name_that_mlflow_made_up_is_replaced(name, random):
    assert run_module._is_random(name) == random


def test_the_experiment_has_its_view_and_a_user_may_change_it(project):
    client = store.connect(SETTINGS.tracking)
    experiment = store.experiment_id(client, SETTINGS.tracking)
    assert f"#/experiments/{experiment}/runs?" in client.get_experiment(experiment).tags["mlflow.note.content"]
    client.set_experiment_tag(experiment, "mlflow.sharedViewState.compare", "mine")
    client.set_experiment_tag(experiment, "mlflow.note.content", "mine too")
    assert store.experiment_id(client, SETTINGS.tracking) == experiment
    tags = client.get_experiment(experiment).tags
    assert (tags["mlflow.sharedViewState.compare"], tags["mlflow.note.content"]) == ("mine", "mine too")
    colors = [client.get_run(Run.start(client, SETTINGS).id).data.tags["mlflow.runColor"] for _ in range(3)]
    assert len(set(colors)) == 3


def test_evaluation_joins_the_run_and_the_latest_values_win(project):
    trained = Run.start(store.connect(SETTINGS.tracking), SETTINGS)
    trained.finish()
    run, stand_in = Run.join(store.connect(SETTINGS.tracking), SETTINGS, trained.id)
    assert (run.id, stand_in) == (trained.id, False)
    samples = [{"prompt": "to be", "temperature": 0, "text": "to be king"}]
    run.log_evaluation(FIGURES, 20, samples, SETTINGS.evaluate_sample)
    changed = SETTINGS.evaluate_sample.model_copy(update={"max_words": 7})
    for _ in range(2):
        run.log_evaluation({"test": {"perplexity": 99.0}}, 20, [{**samples[0], "text": "to be queen"}], changed)
    assert metrics(run)["test/perplexity"] == (20, 99.0)
    assert [metric.value for metric in run.client.get_metric_history(run.id, "test/perplexity")] == [148.4, 99.0]  # no third point
    assert metrics(run)["test/bits_per_character"] == (20, 1.7)
    assert json.loads(text_of(run, "samples.json")) == {
        "columns": ["sample", "text", "prompt", "temperature"],
        "data": [["to be (greedy)", "to be queen", "to be", 0]],
    }
    tags = run.client.get_run(run.id).data.tags
    assert tags["evaluate_sample.max_words"] == "7"
    assert json.loads(tags["mlflow.loggedArtifacts"]) == [{"path": "samples.json", "type": "table"}]


def test_weights_of_an_unknown_run_get_one_stand_in(project):
    unknown = "0" * 32
    run, stand_in = Run.join(store.connect(SETTINGS.tracking), SETTINGS, unknown)
    assert stand_in
    assert Run.join(store.connect(SETTINGS.tracking), SETTINGS, unknown)[0].id == run.id
    stored = run.client.get_run(run.id)
    assert stored.data.tags["lstm_lm.trained_as"] == unknown
    assert stored.data.params["model.hidden_size"] == str(SETTINGS.model.hidden_size)


def test_the_runs_figures_are_those_of_the_kept_weights_also_when_a_later_epoch_was_worse(project):
    run = Run.start(store.connect(SETTINGS.tracking), SETTINGS)
    for step, loss in ((10, 5.0), (20, 5.5)):
        run.row(Row(**{**ROW.__dict__, "step": step, "validation_loss": loss, "validation_perplexity": loss}))
    run.finish()
    run.log_evaluation(FIGURES, 20, [{"prompt": "to be", "temperature": 0, "text": "to be king"}], SETTINGS.evaluate_sample)
    assert run.client.get_run(run.id).data.metrics["validation/loss"] == 5.0
    assert run.client.get_run(run.id).data.metrics["validation/perplexity"] == 148.4
    assert "test/words" not in run.client.get_run(run.id).data.metrics


def test_a_store_that_fails_to_answer_is_not_taken_for_one_that_does_not_know(project, monkeypatch):
    import mlflow

    def fail(self, run_id):
        raise mlflow.exceptions.MlflowException("out of order", error_code=mlflow.protos.databricks_pb2.INTERNAL_ERROR)

    monkeypatch.setattr(mlflow.MlflowClient, "get_run", fail)
    with pytest.raises(UserError, match=r"cannot be asked for run x: .*out of order"):
        Run.join(store.connect(SETTINGS.tracking), SETTINGS, "x")


def test_a_server_that_is_not_there_is_said_within_seconds(free_port, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{free_port}")
    began = time.monotonic()
    with pytest.raises(UserError, match=f"no MLflow server answers at http://127.0.0.1:{free_port}"):
        Run.start(store.connect(SETTINGS.tracking), SETTINGS)
    assert time.monotonic() - began < 10


def test_an_unknown_kind_of_store_is_one_line(monkeypatch):
    settings = SETTINGS.tracking.model_copy(update={"uri": "nonsense://x"})
    with pytest.raises(UserError, match=r"the tracking store nonsense://x cannot be used: .*tracking\.uri"):
        store.connect(settings)


def changed(changes):
    return loading.check(keys.with_changes(loading.read(PROJECT / "params.yaml"), changes))


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "default"),
        ({"train.learning_rate": 0.002}, "default learning_rate=0.002"),
        ({"model.layers": 2, "train.epochs": 1}, "default layers=2 epochs=1"),
        ({"evaluate_sample.max_words": 7, "tracking.experiment": "other"}, "default"),
        (presets.load("cookbook", PROJECT / "presets"), "cookbook"),
        ({**presets.load("cookbook", PROJECT / "presets"), "model.hidden_size": 64}, "cookbook hidden_size=64"),
        (
            {"model.dropout_output": 0.1, "model.layers": 3, "train.epochs": 9, "train.seed": 2},
            "default layers=3 dropout_output=0.1 seed=2 and 1 more",
        ),
        ({"download.source": {"path": "data/own"}}, 'default source={"path": "data/own"}'),
    ],
)
def test_a_run_is_named_after_what_differs(changes, name, tmp_path, monkeypatch):
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    shutil.copytree(PROJECT / "presets", tmp_path / "presets")
    monkeypatch.chdir(tmp_path)
    assert naming.name_of(changed(changes)) == name


def test_what_differs_is_seen_from_the_last_commit(tmp_path, monkeypatch):
    folder = copy_project(tmp_path / "copy")
    monkeypatch.chdir(folder)
    change_params(folder, {"train.epochs": 9})
    assert naming.name_of(loading.load()) == "default epochs=9"
    run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "-qam", "mine"], folder)
    assert naming.name_of(loading.load()) == "default"


def test_importing_it_is_cheap():
    code = "import sys; from lstm_lm import tracking; sys.exit('mlflow' in sys.modules or 'tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT / "src", env=environment(), check=False).returncode == 0
