"""search.yaml, pruning, the study, and a real search of a small project."""

import re
import signal
import sys

import numpy as np
import optuna
import pytest

from conftest import PROJECT, change_params, client, copy_project, run, start, write_corpus
from kill_trials import SMALL
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


def test_the_projects_search_file_is_valid():
    search_space = spaces.load(PROJECT / "search.yaml", VALUES)
    assert search_space.parameters and search_space.trials >= 10
    assert not search_space.outside(search_space.current(VALUES))  # params.yaml itself is inside


@pytest.mark.parametrize(
    "entry, line",
    [
        ("train.learningrate: {low: 1, high: 2}", "train.learningrate: unknown parameter; did you mean train.learning_rate?"),
        (
            "vocab.min_count: {low: 1, high: 9}",
            "vocab.min_count: cannot be searched: perplexities of different texts or vocabularies do",
        ),
        ("tracking.uri: {choices: [a]}", "tracking.uri: cannot be searched: it does not change the training"),
        ("model.ngrams: {choices: [null]}", "space.model.ngrams: cannot be searched: it does not change the training"),
        ("train.seed: {low: 1, high: 9}", "train.seed: cannot be searched: a lucky seed is not a better recipe"),
        ("train.minutes: {low: 1, high: 9}", "train.minutes: cannot be searched: trials of some minutes do not compare"),
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
def test_a_mistake_in_the_space_is_reported_in_one_line(tmp_path, entry, line):
    with pytest.raises(UserError) as error:
        space(tmp_path, [LOW_HIGH, entry] if "learning_rate:" not in entry else [entry])
    assert line in str(error.value) and "\n" not in str(error.value)


def test_a_mistake_in_the_settings_is_reported_in_one_line(tmp_path):
    for head, line in (
        (HEAD.replace("seed", "sede"), "sede: unknown key; did you mean seed?"),
        (HEAD.replace("4", "0", 1), "trials = 0: must be greater than or equal to 1"),
        (HEAD.replace("startup_trials: 1", "startup_trials: -1"), "startup_trials = -1: must be greater than or equal to 0"),
        (HEAD.replace("{train.epochs: 2}", "3"), "fixed = 3: must be a mapping"),
    ):
        with pytest.raises(UserError, match=line):
            space(tmp_path, [LOW_HIGH], head)


@pytest.mark.slow
def test_proposals_are_within_the_space_and_do_not_depend_on_the_process(tmp_path):
    entries = [LOW_HIGH, "model.layers: {low: 1, high: 3}", "model.embedding_size: {choices: [16, 32]}"]
    search_space = space(tmp_path, [*entries, "model.projection_size: {tied_to: model.embedding_size}"])

    def proposals(folder, sessions):
        proposed = []
        for count in sessions:
            study = studies.open_study(folder, "key", search_space)  # as a new process does
            for _ in range(count):
                trial = studies.ask(study, search_space)
                values = search_space.propose(trial)
                proposed.append(values)
                study.tell(trial, values["train.learning_rate"])
        return proposed

    proposed = proposals(tmp_path / "a", [6])
    assert proposed == proposals(tmp_path / "b", [2, 3, 1])
    assert len({values["train.learning_rate"] for values in proposed}) > 3
    for values in proposed:
        assert 0.001 <= values["train.learning_rate"] <= 0.02
        assert values["model.layers"] in (1, 2, 3)
        assert values["model.projection_size"] == values["model.embedding_size"]


def row(step, loss):
    return Row(step, step, 1, 1.0, 0.1, 1.0, 1.0, loss, None if loss is None else float(np.exp(loss)))


def train_through(study, search_space, losses, total=100):
    """Run one trial that reports these losses at equal fractions of training. Return its final state."""
    trial = studies.ask(study, search_space)
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
    search_space = space(tmp_path, [LOW_HIGH])
    study = studies.open_study(tmp_path / "s", "key", search_space)
    assert train_through(study, search_space, [9, 9, 9, 9]) == "complete"  # there is no other trial to compare the first with
    assert train_through(study, search_space, [5, 4, 3, 2], total=8) == "complete"
    assert train_through(study, search_space, [6, 3, 2, 1]) == "complete"  # the medians so far are 7, 6.5, ...
    assert train_through(study, search_space, [6.5, 3, 2, 1]) == "pruned"  # above 6, the median of 9, 5 and 6
    assert [trial.number for trial in studies.complete(study)] == [2, 1, 0]


def test_an_interrupted_trial_does_not_count_and_is_repeated_first(tmp_path):
    search_space = space(tmp_path, [LOW_HIGH])
    study = studies.open_study(tmp_path / "s", "key", search_space)
    values = search_space.propose(studies.ask(study, search_space))  # then the process is killed
    study = studies.open_study(tmp_path / "s", "key", search_space)
    assert studies.ended(study) == []
    assert search_space.propose(studies.ask(study, search_space)) == values


def test_the_key_of_a_study_depends_on_space_text_and_fixed_parameters(tmp_path):
    search_space = space(tmp_path, [LOW_HIGH])
    key = studies.key_of(search_space, VALUES, {"a": "1"})
    assert key == studies.key_of(
        search_space, keys.with_changes(VALUES, {"train.learning_rate": 0.1, "evaluate_sample.seed": 9}), {"a": "1"}
    )
    other_keys = [
        studies.key_of(search_space, VALUES, {"a": "2"}),
        studies.key_of(search_space, keys.with_changes(VALUES, {"model.layers": 2}), {"a": "1"}),
        studies.key_of(space(tmp_path, ["train.learning_rate: {low: 0.001, high: 0.03, log: true}"]), VALUES, {"a": "1"}),
    ]
    assert len({key, *other_keys}) == 4


def test_the_preset_has_only_what_differs_and_is_valid(tmp_path):
    changes = {
        "train.learning_rate": 0.003,
        "train.epochs": VALUES["train"]["epochs"],
        "model.projection_size": None,
        "model.tie_weights": False,
    }
    preset = report.write_preset(tmp_path / "searched.yaml", changes, VALUES, ["found", "so"])
    assert presets.load("searched", tmp_path) == preset == {key: changes[key] for key in changes if key != "train.epochs"}
    assert (tmp_path / "searched.yaml").read_text().startswith("# found\n# so\n")
    loading.check(keys.with_changes(VALUES, preset))
    assert report.write_preset(tmp_path / "none.yaml", {"train.learning_rate": 0.008}, VALUES, []) == {}
    assert not (tmp_path / "none.yaml").exists()


@pytest.mark.parametrize(("limits", "line"), [({"trials": 0}, "TRIALS=0: must be above 0"), ({"minutes": -1.5}, "MINUTES=-1.5: must be")])
def test_a_limit_that_allows_no_trial_is_rejected(limits, line):
    with pytest.raises(UserError, match=line):
        loop.run(**limits)


def test_the_table_of_trials_starts_with_the_best(tmp_path):
    search_space = space(tmp_path, [LOW_HIGH])
    study = studies.open_study(tmp_path / "s", "key", search_space)
    for state, loss in (("failed", None), ("complete", 2.0), ("diverged", None), ("complete", 1.0)):
        trial = studies.ask(study, search_space)
        trial.set_user_attr("values", search_space.propose(trial))
        studies.tell(study, trial.number, state, loss)
    columns, rows = report.trial_table(study, search_space)
    assert columns == ["trial", "state", "perplexity", "seconds", "train.learning_rate", "validations"]
    assert [row[:2] for row in rows] == [[3, "complete"], [1, "complete"], [0, "failed"], [2, "diverged"]]
    assert [row[2] for row in rows] == [pytest.approx(np.exp(1)), pytest.approx(np.exp(2)), None, None]
    assert report.count_states(study) == "2 complete, 1 diverged, 1 failed"


def test_validations_are_spread_over_training():
    train = loading.load(PROJECT / "params.yaml").train.model_copy(update={"epochs": 2, "short_windows": 0.0})
    batches = Batches("stream", 2, 5, 9, {}, "", np.zeros([2, 101], np.int32), {}, {})
    assert validation_interval(train, batches, 8) == 5  # 8 validations in 2 x 20 steps
    assert validation_interval(train, batches, 2) is None
    assert validation_interval(train, batches, 6) == 7  # of 40 steps: 35 and 40, not 36 and 40


@pytest.fixture
def project(tmp_path):
    folder = copy_project(tmp_path / "project")
    write_corpus(folder / "data/own")
    change_params(folder, {**SMALL, "model.hidden_size": 32, "train.epochs": 1})
    (folder / "search.yaml").write_text(
        "seed: 1\ntrials: 3\nvalidations_per_trial: 2\nstartup_trials: 1\nfixed: {train.epochs: 1, train.schedule: constant}\nspace:\n"
        "  train.learning_rate: {choices: [0.008, 1.0e-7, 900.0]}\n  batching.batch_size: {choices: [8, 16]}\n"
    )
    return folder


COMMAND = ["python", "src/cli.py", "search"]


@pytest.mark.slow
def test_an_interrupted_search_resumes_and_saves_a_preset(project):
    begun = []
    with start([sys.executable, *COMMAND[1:]], project) as process:
        for line in process.stdout:
            begun.append(line)
            if line.startswith("trial 1"):
                process.send_signal(signal.SIGINT)
        assert process.wait() == 130
    assert "params.yaml itself is one of the trials, although outside of the space: batching.batch_size = 4 (search.yaml: 8, 16)\n" in begun
    printed = run(COMMAND, project).stdout
    assert "resuming this search: 1 of 3 trials done" in printed
    assert re.search(r"^3 trials: ", printed, re.MULTILINE)
    assert "3 trials, judged by validation perplexity after 1 epoch, all with train.epochs = 1, train.schedule = " in printed

    store = client(project)
    tracked = store.search_runs([store.get_experiment_by_name("lstm_lm-search").experiment_id])
    [parent] = [each for each in tracked if "mlflow.parentRunId" not in each.data.tags]
    children = sorted((each for each in tracked if each is not parent), key=lambda each: int(each.info.run_name.split()[1]))
    assert all(each.data.tags["mlflow.parentRunId"] == parent.info.run_id for each in children)
    states = [each.data.tags["lstm_lm.trial"] for each in children]
    assert states[:2] == ["complete", "stopped"] and len(states) == 4
    assert set(states[2:]) <= {"complete", "pruned", "diverged"}
    assert children[0].data.params.items() >= {"train.learning_rate": "0.008", "batching.batch_size": "4"}.items()  # of params.yaml
    assert children[0].info.run_name == "trial 0 params.yaml"
    assert "Trial 0 of a search, validation perplexity " in children[0].data.tags["mlflow.note.content"]
    assert "3 of 3 trials ended" in parent.data.tags["mlflow.note.content"]
    assert children[1].data.params["train.learning_rate"] == children[2].data.params["train.learning_rate"]
    curve = store.get_metric_history(children[0].info.run_id, "validation/perplexity")
    assert parent.info.status == "FINISHED"
    assert not list((project / ".tracking").glob("*/"))  # nothing was measured after the end of a trial, and left to the next process
    best_perplexities = [
        each.data.metrics["validation/best_perplexity"] for each in children if each.data.tags["lstm_lm.trial"] == "complete"
    ]
    assert parent.data.metrics["validation/best_perplexity"] == min(best_perplexities)
    assert best_perplexities[0] == pytest.approx(min(point.value for point in curve))
    assert "trials.json" in {item.path for item in store.list_artifacts(parent.info.run_id)}
    if min(best_perplexities) < best_perplexities[0]:
        changes = presets.load("searched", project / "presets")
        assert changes["batching.batch_size"] == int(parent.data.tags["best.batching.batch_size"]) != 4
        loading.check(keys.with_changes(loading.read(project / "params.yaml"), changes))
    else:
        assert "no trial was better than params.yaml itself: no preset is written" in printed
        assert not (project / "presets/searched.yaml").exists()


@pytest.mark.slow
def test_rebatching_equals_the_batching_stage(project, tmp_path):
    run(["python", "-m", "dvc", "repro", "batching"], project)
    batches = dataset.load(project / "data/batches")
    settings = loading.load(project / "params.yaml").batching
    assert rebatch(batches, settings, tmp_path).train is batches.train
    for changes in ({"batch_size": 8}, {"recipe": "cookbook", "sequence_length": 5}):
        new_settings = settings.model_copy(update=changes)
        rebatched = rebatch(batches, new_settings, tmp_path, project / "data/vocab")
        change_params(project, {f"batching.{key}": value for key, value in new_settings.model_dump().items()})
        run(["python", "src/batching.py"], project)
        expected = dataset.load(project / "data/batches")
        np.testing.assert_array_equal(rebatched.train, expected.train)
        assert (rebatched.recipe, rebatched.batch_size, rebatched.sequence_length) == (
            expected.recipe,
            expected.batch_size,
            expected.sequence_length,
        )
        assert windows.steps_per_epoch(rebatched.train, rebatched.recipe, rebatched.sequence_length) > 0
        assert isinstance(rebatched.train, np.memmap)
