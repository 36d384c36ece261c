"""search.yaml, pruning, the study, and a real search of a small project."""

import re
import signal
import sys

import numpy as np
import optuna
import pytest

from conftest import PROJECT, change_params, client, copy_project, run, start, write_corpus
from kill_and_resume import SMALL
from lstm_lm.config import keys, loading, presets
from lstm_lm.data import dataset, windows
from lstm_lm.data.dataset import Batches
from lstm_lm.errors import UserError
from lstm_lm.events import Row
from lstm_lm.experiments.search import loop, report
from lstm_lm.experiments.search import space as spaces
from lstm_lm.experiments.search import study as studies
from lstm_lm.experiments.search.pruning import Pruned, Pruning, validation_interval
from lstm_lm.experiments.search.rebatching import rebatch

HEAD = "seed: 1\ntrials: 4\nvalidations_per_trial: 4\nstartup_trials: 1\nfixed: {train.epochs: 2}\nspace:\n"
VALUES = loading.read(PROJECT / "params.yaml")


def space(tmp_path, entries, head=HEAD):
    path = tmp_path / "search.yaml"
    path.write_text(head + "".join(f"  {entry}\n" for entry in entries))
    return spaces.load(path, VALUES)


LOW_HIGH = "train.learning_rate: {low: 0.001, high: 0.02, log: true}"


def test_the_search_file_of_the_project_is_valid():
    found = spaces.load(PROJECT / "search.yaml", VALUES)
    assert found.parameters and found.trials >= 10
    assert found.current(VALUES)  # params.yaml itself is the first trial


@pytest.mark.parametrize(
    "entry, line",
    [
        ("train.learningrate: {low: 1, high: 2}", "train.learningrate: unknown parameter; did you mean train.learning_rate?"),
        (
            "vocab.min_count: {low: 1, high: 9}",
            "vocab.min_count: cannot be searched: perplexities of different texts or vocabularies do",
        ),
        ("tracking.uri: {choices: [a]}", "tracking.uri: cannot be searched: it does not change the training"),
        ("train.seed: {low: 1, high: 9}", "train.seed: cannot be searched: a lucky seed is not a better recipe"),
        ("train.epochs: {low: 1, high: 9}", "train.epochs: is in both fixed and space"),
        ("train.learning_rate: 0.1", "train.learning_rate = 0.1: must be {choices"),
        ("train.learning_rate: {low: 0.1}", "space.train.learning_rate.high: missing"),
        ("train.learning_rate: {low: 0.1, hihg: 0.2}", "learning_rate.hihg: unknown key; did you mean high? (known: low, high, log, step)"),
        ("train.learning_rate: {low: 0.1, high: 0.2, log: 1}", "space.train.learning_rate.log = 1: must be a valid boolean"),
        ("train.learning_rate: {low: 0.1, high: 0.01}", "low = 0.1: must be below high = 0.01"),
        ("train.learning_rate: {low: null, high: 0.01}", "space.train.learning_rate.low = null: must be a number"),
        ("train.learning_rate: {low: 0, high: 0.01, log: true}", "log: true needs a low above 0"),
        ("train.learning_rate: {low: 0.1, high: 0.2, step: 1}", "step = 1: must be above 0 and at most"),
        ("model.hidden_size: {low: 1.5, high: 9}", "low, high and step must be whole numbers"),
        ("train.optimizer: {low: 1, high: 9}", "train.optimizer: is not a number: give it choices"),
        ("model.hidden_size: {choices: []}", "space.model.hidden_size.choices = []: must have at least 1 item"),
        ("model.hidden_size: {choices: [[1]]}", "space.model.hidden_size.choices.0 = [1]: must be a number, a word, true, false or null"),
        ("model.hidden_size: {choices: [16, -1]}", "hidden_size = -1: must be greater than or equal to 1"),
        (
            "model.projection_size: {tied_to: model.layers}",
            "projection_size.tied_to = model.layers: must be another parameter",
        ),
        ("model.embedding_size: {choices: [16]}", "tie_weights needs an output as wide as the embedding"),
    ],
)
def test_a_mistake_is_one_line(tmp_path, entry, line):
    with pytest.raises(UserError) as error:
        space(tmp_path, [LOW_HIGH, entry] if "learning_rate:" not in entry else [entry])
    assert line in str(error.value) and "\n" not in str(error.value)


def test_a_mistake_in_the_head_is_one_line(tmp_path):
    for head, line in (
        (HEAD.replace("seed", "sede"), "sede: unknown key; did you mean seed?"),
        (HEAD.replace("4", "0", 1), "trials = 0: must be greater than or equal to 1"),
        (HEAD.replace("startup_trials: 1", "startup_trials: -1"), "startup_trials = -1: must be greater than or equal to 0"),
        (HEAD.replace("{train.epochs: 2}", "3"), "fixed = 3: must be a mapping"),
    ):
        with pytest.raises(UserError, match=line):
            space(tmp_path, [LOW_HIGH], head)


def test_proposals_lie_in_the_space_and_do_not_depend_on_the_process(tmp_path):
    entries = [LOW_HIGH, "model.layers: {low: 1, high: 3}", "model.embedding_size: {choices: [16, 32]}"]
    found = space(tmp_path, [*entries, "model.projection_size: {tied_to: model.embedding_size}"])

    def proposals(folder, sessions):
        seen = []
        for count in sessions:
            study = studies.open_study(folder, "key", found)  # as another process does
            for _ in range(count):
                trial = studies.ask(study, found)
                values = found.propose(trial)
                seen.append(values)
                study.tell(trial, values["train.learning_rate"])
        return seen

    seen = proposals(tmp_path / "a", [6])
    assert seen == proposals(tmp_path / "b", [2, 3, 1])
    assert len({values["train.learning_rate"] for values in seen}) > 3
    for values in seen:
        assert 0.001 <= values["train.learning_rate"] <= 0.02
        assert values["model.layers"] in (1, 2, 3)
        assert values["model.projection_size"] == values["model.embedding_size"]


def row(step, loss):
    return Row(step, step, 1, 1.0, 0.1, 1.0, 1.0, loss, None if loss is None else float(np.exp(loss)))


def train_through(study, found, losses, total=100):
    """One trial that reports these losses at equal fractions of a training; return how it ended."""
    trial = studies.ask(study, found)
    pruning = Pruning(trial, 4)
    pruning.started(total, 2)
    try:
        for i, loss in enumerate(losses):
            pruning.row(row(total * i // 4 + 1, None))
            pruning.row(row(total * (i + 1) // 4, loss))
    except Pruned:
        study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        return "pruned"
    study.tell(trial, losses[-1])
    return "complete"


def test_a_trial_worse_than_the_median_at_the_same_fraction_is_pruned(tmp_path):
    found = space(tmp_path, [LOW_HIGH])
    study = studies.open_study(tmp_path / "s", "key", found)
    assert train_through(study, found, [9, 9, 9, 9]) == "complete"  # the first: nothing to hold it against
    assert train_through(study, found, [5, 4, 3, 2], total=8) == "complete"
    assert train_through(study, found, [6, 3, 2, 1]) == "complete"  # medians are 7, 6.5, ... until here
    assert train_through(study, found, [6.5, 3, 2, 1]) == "pruned"  # 6 is the median of 9, 5, 6
    assert [trial.number for trial in studies.complete(study)] == [2, 1, 0]


def test_an_interrupted_trial_does_not_count_and_is_tried_again_first(tmp_path):
    found = space(tmp_path, [LOW_HIGH])
    study = studies.open_study(tmp_path / "s", "key", found)
    values = found.propose(studies.ask(study, found))  # and the process is killed
    study = studies.open_study(tmp_path / "s", "key", found)
    assert studies.ended(study) == []
    assert found.propose(studies.ask(study, found)) == values


def test_the_study_is_another_one_if_anything_else_is(tmp_path):
    found = space(tmp_path, [LOW_HIGH])
    key = studies.key_of(found, VALUES, {"a": "1"})
    assert key == studies.key_of(found, keys.with_changes(VALUES, {"train.learning_rate": 0.1, "evaluate_sample.seed": 9}), {"a": "1"})
    others = [
        studies.key_of(found, VALUES, {"a": "2"}),
        studies.key_of(found, keys.with_changes(VALUES, {"model.layers": 2}), {"a": "1"}),
        studies.key_of(space(tmp_path, ["train.learning_rate: {low: 0.001, high: 0.03, log: true}"]), VALUES, {"a": "1"}),
    ]
    assert len({key, *others}) == 4


def test_current_parameters_are_the_first_trial_if_they_are_inside_the_space(tmp_path):
    inside = space(tmp_path, [LOW_HIGH, "model.projection_size: {choices: [160]}", "train.clip_norm: {low: 0.5, high: 2, step: 0.25}"])
    assert inside.current(VALUES) == {"train.learning_rate": 0.008, "model.projection_size": 160, "train.clip_norm": 1.0}
    assert space(tmp_path, ["train.clip_norm: {low: 0.5, high: 2, step: 0.3}"]).current(VALUES) is None
    assert space(tmp_path, ["train.learning_rate: {low: 0.01, high: 0.02}"]).current(VALUES) is None


def test_a_preset_has_what_differs_and_can_be_run(tmp_path):
    changes = {
        "train.learning_rate": 0.003,
        "train.epochs": VALUES["train"]["epochs"],
        "model.projection_size": None,
        "model.tie_weights": False,
    }
    written = report.write_preset(tmp_path / "searched.yaml", changes, VALUES, ["found", "so"])
    assert presets.load("searched", tmp_path) == written == {key: changes[key] for key in changes if key != "train.epochs"}
    assert (tmp_path / "searched.yaml").read_text().startswith("# found\n# so\n")
    loading.check(keys.with_changes(VALUES, written))
    assert report.write_preset(tmp_path / "none.yaml", {"train.learning_rate": 0.008}, VALUES, []) == {}
    assert not (tmp_path / "none.yaml").exists()


@pytest.mark.parametrize(("limits", "line"), [({"trials": 0}, "TRIALS=0: must be above 0"), ({"minutes": -1.5}, "MINUTES=-1.5: must be")])
def test_a_limit_that_allows_no_trial_is_refused(limits, line):
    with pytest.raises(UserError, match=line):
        loop.run(**limits)


def test_the_table_of_trials_starts_with_the_best(tmp_path):
    found = space(tmp_path, [LOW_HIGH])
    study = studies.open_study(tmp_path / "s", "key", found)
    for state, loss in (("failed", None), ("complete", 2.0), ("diverged", None), ("complete", 1.0)):
        trial = studies.ask(study, found)
        trial.set_user_attr("values", found.propose(trial))
        studies.tell(study, trial.number, state, loss)
    columns, rows = report.trial_table(study, found)
    assert columns == ["trial", "state", "perplexity", "seconds", "train.learning_rate", "validations"]
    assert [row[:2] for row in rows] == [[3, "complete"], [1, "complete"], [0, "failed"], [2, "diverged"]]
    assert [row[2] for row in rows] == [pytest.approx(np.exp(1)), pytest.approx(np.exp(2)), None, None]
    assert report.count_states(study) == "2 complete, 1 diverged, 1 failed"


def test_validations_are_spread_over_a_training():
    train = loading.load(PROJECT / "params.yaml").train.model_copy(update={"epochs": 2, "short_windows": 0.0})
    batches = Batches("stream", 2, 5, 9, {}, "", np.zeros([2, 101], np.int32), {}, {})
    assert validation_interval(train, batches, 8) == 5  # of 2 x 20 steps
    assert validation_interval(train, batches, 2) is None


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("search"))
    write_corpus(folder / "data/own")
    change_params(folder, {**SMALL, "model.hidden_size": 32, "train.epochs": 1})
    (folder / "search.yaml").write_text(
        "seed: 1\ntrials: 3\nvalidations_per_trial: 2\nstartup_trials: 1\nfixed: {train.epochs: 1, train.schedule: constant}\nspace:\n"
        "  train.learning_rate: {choices: [0.008, 1.0e-7, 900.0]}\n  batching.batch_size: {choices: [4, 8]}\n"
    )
    return folder


COMMAND = ["python", "src/cli.py", "search"]


@pytest.mark.slow
def test_an_interrupted_search_resumes_and_writes_a_preset(project):
    with start([sys.executable, *COMMAND[1:]], project) as process:
        for line in process.stdout:
            if line.startswith("trial 1"):
                process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    printed = run(COMMAND, project).stdout
    assert "resuming this search: 1 of 3 trials are done" in printed
    assert re.search(r"^3 trials: ", printed, re.MULTILINE)

    store = client(project)
    found = store.search_runs([store.get_experiment_by_name("lstm_lm-search").experiment_id])
    [above] = [each for each in found if "mlflow.parentRunId" not in each.data.tags]
    below = sorted((each for each in found if each is not above), key=lambda each: int(each.info.run_name.split()[1]))
    assert all(each.data.tags["mlflow.parentRunId"] == above.info.run_id for each in below)
    states = [each.data.tags["lstm_lm.trial"] for each in below]
    assert states[:2] == ["complete", "stopped"] and len(states) == 4
    assert set(states[2:]) <= {"complete", "pruned", "diverged"}
    assert below[0].data.params["train.learning_rate"] == "0.008"  # params.yaml as it stands
    assert below[1].data.params["train.learning_rate"] == below[2].data.params["train.learning_rate"]
    curve = store.get_metric_history(below[0].info.run_id, "validation/perplexity")
    assert len(curve) >= 2
    assert above.info.status == "FINISHED"
    bests = [each.data.metrics["validation/best_perplexity"] for each in below if each.data.tags["lstm_lm.trial"] == "complete"]
    assert above.data.metrics["validation/best_perplexity"] == min(bests)
    assert bests[0] == pytest.approx(min(point.value for point in curve))
    assert "trials.json" in {item.path for item in store.list_artifacts(above.info.run_id)}
    assert float(above.data.tags["best.train.learning_rate"]) == 0.008
    if above.data.tags["best.batching.batch_size"] == "8":  # else params.yaml as it stands is the best: nothing is written
        changes = presets.load("searched", project / "presets")
        assert changes == {"batching.batch_size": 8}
        loading.check(keys.with_changes(loading.read(project / "params.yaml"), changes))


@pytest.mark.slow
def test_rebatching_makes_what_the_stage_makes(project, tmp_path):
    run(["python", "-m", "dvc", "repro", "batching"], project)
    batches = dataset.load(project / "data/batches")
    settings = loading.load(project / "params.yaml").batching
    assert rebatch(batches, settings, tmp_path).train is batches.train
    for changes in ({"batch_size": 8}, {"recipe": "cookbook", "sequence_length": 5}):
        wanted = settings.model_copy(update=changes)
        found = rebatch(batches, wanted, tmp_path, project / "data/vocab")
        change_params(project, {f"batching.{key}": value for key, value in wanted.model_dump().items()})
        run(["python", "src/batching.py"], project)
        made = dataset.load(project / "data/batches")
        np.testing.assert_array_equal(found.train, made.train)
        assert (found.recipe, found.batch_size, found.sequence_length) == (made.recipe, made.batch_size, made.sequence_length)
        assert windows.steps_per_epoch(found.train, found.recipe, found.sequence_length) > 0
        assert isinstance(found.train, np.memmap)
