"""Presets, DVC experiments and `mlflow run`: the real commands on a small project that has been run and committed."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from conftest import PROJECT, TINY, client, digests, first_output, move_copy, run, run_id, runs
from lstm_lm.config import keys, loading
from lstm_lm.errors import UserError
from lstm_lm.experiments import runner

FEW_PARAMETERS = """\
download:
  source: {pypi: a-package==1.0, pattern: "*.txt"}  # where from
train:
  seed: 1
  epochs: 2
"""


def apply(changes: dict[str, Any], folder: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Change params.yaml as `dvc exp run --set-param` does: its values after and before.

    The file has few of the parameters, because DVC takes long to read and write all of them.
    """
    from dvc.utils.hydra import apply_overrides

    (folder / "params.yaml").write_text(FEW_PARAMETERS)
    before = loading.read(folder / "params.yaml")
    apply_overrides(folder / "params.yaml", list(runner._overrides(changes, before)))
    return loading.read(folder / "params.yaml"), before


STRINGS = ["plain", 'it\'s "so"', "back\\slash", "\\\\", "\\'", "end\\", "a=b", "{x}", "[y", "${train.seed}", "null", "1.5", ""]


@pytest.mark.parametrize("value", [*STRINGS, STRINGS, 3, 0.002, 1e-9, True, False, None, [0, 0.7]])
def test_dvc_gets_exactly_the_values_of_the_changes(value: object, tmp_path: Path) -> None:
    after, before = apply({"train.seed": value}, tmp_path)
    assert after == keys.with_changes(before, {"train.seed": value})


def test_another_kind_of_source_replaces_the_earlier_one(tmp_path: Path) -> None:
    source = {"url": "https://x/y?z=1", "sha256": "1"}
    after, before = apply({"download.source": source}, tmp_path)
    assert after["download"]["source"] == source
    assert after == keys.with_changes(before, {"download.source": source})


def test_outside_a_git_repository_the_error_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UserError, match="experiments need a Git repository with a commit, but git rev-parse says: ") as error:
        runner.run({"train.epochs": 2}, "more")
    assert "\n" not in str(error.value)


@pytest.fixture
def experiment_project(finished_experiment: Path, tmp_path: Path) -> Path:
    """The test's own copy of `finished_experiment`."""
    return move_copy(finished_experiment, tmp_path / "project")


def checkout(folder: Path) -> tuple[dict[str, str], bytes, str]:
    """What an experiment must not change: digests of models/, params.yaml, and the id of the MLflow run."""
    return digests(folder / "models"), (folder / "params.yaml").read_bytes(), run_id(folder)


@pytest.mark.slow
def test_a_preset_runs_in_an_isolated_copy(finished_project: Path, finished_experiment: Path) -> None:
    project, slow = finished_experiment, first_output(finished_experiment).read_text()
    assert checkout(project) == checkout(finished_project)
    assert run(["git", "status", "--porcelain"], project).stdout == ""
    for row in ("slow, validation", "slow, test", "this checkout, validation", "this checkout, test"):
        assert re.search(rf"^{row} +212 +\d\.\d{{3}} ", slow, re.MULTILINE), row
    mlflow_id = re.search(r"^  http://127.0.0.1:5000/#/runs/(\w+)$", slow, re.MULTILINE)[1]
    stored = client(project).get_run(mlflow_id)
    assert re.fullmatch(r"slow \(params-[0-9a-f]{4}, own text\)", stored.info.run_name)
    assert stored.info.status == "FINISHED"
    assert json.loads(stored.data.tags["evaluate_sample"])["prime_texts"] == ["thou, it's", 'a "quoted" one']
    assert stored.data.tags["mlflow.source.name"] == "experiment slow"
    assert stored.data.tags["dvc.experiment"] == "slow"
    assert client(project).get_run(run_id(project)).info.run_name.endswith(" (own text)")


@pytest.mark.slow
def test_several_seeds_become_one_model_in_an_isolated_copy(project: Path, finished_project: Path) -> None:
    (project / "presets/short.yaml").write_text("train:\n  epochs: null\n  minutes: 0.08\n")
    printed = run(["python", "src/cli.py", "ensemble", "--seeds", "4 5", "--preset", "short"], project).stdout
    assert printed.startswith("2 models as one, with the seeds 4 to 5: train.minutes = 0.08 is the time for all of them together\n")
    assert re.search(r"^train.minutes: 0\.08: time for \S+ steps? of \S+ ms for all 2 models, ", printed, re.MULTILINE)
    assert re.search(r"^short-ensemble-2-seed4, test +212 +\d\.\d{3} ", printed, re.MULTILINE)
    assert "make promote RUN=short-ensemble-2-seed4" in printed
    assert checkout(project) == checkout(finished_project)
    trained = runs(project)[0]
    assert (trained.data.params["model.ensemble_size"], trained.data.params["train.seed"]) == ("2", "4")
    run(["python", "src/lstm_lm/experiments/dvc_program.py", "exp", "apply", "short-ensemble-2-seed4"], project)  # needs no name in Git
    assert json.loads((project / "models/weights/config.json").read_text())["shape"]["members"] == 2
    shown = run(["python", "src/cli.py", "next", "--k", "1", "the king"], project).stdout  # by its one SavedModel
    assert re.search(r"\d%", shown)


@pytest.mark.slow
def test_an_experiment_that_exists_is_reported_and_not_run_again(experiment_project: Path) -> None:
    project = experiment_project
    printed = run(["python", "src/cli.py", "experiment", "slow"], project).stdout
    assert "the experiment slow with these parameters, this code and this text already exists" in printed
    assert "Running stage" not in printed


@pytest.mark.slow
def test_dvc_compares_experiments_with_the_checkout(experiment_project: Path) -> None:
    project = experiment_project
    diff = json.loads(run(["python", "-m", "dvc", "metrics", "diff", "--json", "HEAD", "slow"], project).stdout)
    assert set(diff) == {"reports/summary.json"}
    assert diff["reports/summary.json"]["test.perplexity"]["diff"] != 0
    assert not [name for name in diff["reports/summary.json"] if name.endswith(("_low", "_high")) or "kneser_ney_" in name]
    table = run(["make", "--silent", "compare", "setup=", "-o", "setup"], project).stdout
    assert re.search(r"^this checkout +\d\.\d{3} +[\d.]+ +[\d.]+ +[\d.]+ *$", table, re.MULTILINE)
    assert re.search(r"^slow +\d\.\d{3} +[\d.]+ +[\d.]+ +[\d.]+ +\w+ \d\d \d\d:\d\d$", table, re.MULTILINE)
    assert re.search(r"^  slow  .*learning_rate=0.002", table, re.MULTILINE)


@pytest.mark.slow
def test_a_queued_experiment_is_tracked_in_the_projects_own_store(project: Path) -> None:
    run(["python", "-m", "dvc", "exp", "run", "--queue", "--name", "queued", "--set-param", "train.learning_rate=0.004", "train"], project)
    run(["python", "-m", "dvc", "exp", "run", "--run-all"], project)
    names = [each.info.run_name for each in runs(project)]
    assert re.fullmatch(r"lr=0\.004 \(params-[0-9a-f]{4}, own text\)", names[0])
    assert run(["git", "status", "--porcelain"], project).stdout == ""


@pytest.mark.slow
def test_a_mistake_in_a_preset_is_one_line(project: Path) -> None:
    (project / "presets/typo.yaml").write_text("train:\n  epoch: 2\n")
    there = ", ".join(sorted({path.stem for path in (PROJECT / "presets").glob("*.yaml")} | {"slow", "typo"}))
    assert "cookbook, " in there
    for name, line in (
        ("nonsense", f"PRESET=nonsense: there is no presets/nonsense.yaml; the presets are {there}\n"),
        ("typo", "params.yaml with presets/typo.yaml: train.epoch: unknown key; did you mean epochs?"),
    ):
        done = run(["python", "src/cli.py", "experiment", name], project, check=False)
        assert done.returncode == 1
        assert done.stdout.startswith(f"error: {line}")
        assert done.stdout.count("\n") == 1


def mlflow_run(project: Path, *arguments: str, check: bool = True) -> tuple[str, Any]:
    """Call `mlflow run .` in this environment: its output, and the one run that it made."""
    before = {made.info.run_id for made in runs(project)}
    done = run(
        ["python", "-m", "mlflow", "run", ".", "--env-manager", "local", "--experiment-name", "lstm_lm", *arguments], project, check=check
    )
    [made] = [made for made in runs(project) if made.info.run_id not in before]
    return done.stdout, made


@pytest.mark.slow
def test_mlflow_run_with_other_parameters_is_one_run_with_everything_in_it(project: Path, finished_project: Path) -> None:
    _, made = mlflow_run(project, "-P", "train.learning_rate=0.003", "-P", "evaluate_sample.prime_texts=[to be, or not]")
    assert made.info.status == "FINISHED"
    assert re.fullmatch(r"lr=0\.003 \(params-[0-9a-f]{4}, own text\)", made.info.run_name)
    assert json.loads(made.data.tags["evaluate_sample"])["prime_texts"] == ["to be", "or not"]
    assert made.data.params["train.learning_rate"] == "0.003"
    assert made.data.params["model.hidden_size"] == str(TINY["model.hidden_size"])
    assert made.data.metrics["test/perplexity"] > 1
    assert made.data.metrics["train/loss"] > 0
    store = client(project)
    assert {item.path for item in store.list_artifacts(made.info.run_id)} >= {"samples.json", "samples.md", "metrics.json", "history.csv"}
    assert len(made.outputs.model_outputs) == 1
    assert not store.search_model_versions(f"run_id = '{made.info.run_id}'")  # an experiment registers nothing
    assert checkout(project) == checkout(finished_project)


@pytest.mark.slow
def test_mlflow_run_with_nothing_left_to_train_mirrors_the_run_that_did(project: Path) -> None:
    printed, made = mlflow_run(project)
    assert f"this run mirrors run {run_id(project)}, in which the model was trained, and shows its metrics" in printed
    assert made.info.status == "FINISHED"
    assert made.data.tags["lstm_lm.mirrors"] == run_id(project)
    store, trained = client(project), client(project).get_run(run_id(project))
    assert made.data.metrics == trained.data.metrics
    assert made.data.params.items() >= trained.data.params.items()
    for metric in ("train/loss", "test/perplexity"):
        curves = [[(p.step, p.value) for p in store.get_metric_history(each, metric)] for each in (made.info.run_id, run_id(project))]
        assert curves[0] == curves[1]
    assert "samples.json" in {item.path for item in store.list_artifacts(made.info.run_id)}


@pytest.mark.slow
def test_mlflow_run_stops_at_a_stage_and_reports_mistakes_in_one_line(project: Path) -> None:
    printed, made = mlflow_run(project, "-P", "stage=vocab")
    assert "ran up to vocab: nothing was trained" in printed
    assert made.info.status == "FINISHED"
    printed, made = mlflow_run(project, "-P", "train.epoch=2", check=False)
    assert made.info.status == "FAILED"
    assert "error: params.yaml with -P: train.epoch: unknown key; did you mean epochs?" in printed
    assert "Traceback" not in printed
    done = run(["python", "src/cli.py", "mlflow-run", "--stage", "nonsense"], project, check=False)  # as for -P stage=nonsense
    line = "error: -P stage=nonsense: unknown stage; the stages are download, vocab, batching, train, evaluate-sample\n"
    assert (done.returncode, done.stdout) == (1, line)
