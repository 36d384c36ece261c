"""The trial of params.yaml itself, wherever it lies, and what a search says about its trials."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from conftest import PROJECT
from lstm_lm.config import keys, loading
from lstm_lm.errors import UserError
from lstm_lm.events import Row
from lstm_lm.experiments.search import baseline
from lstm_lm.experiments.search import space as spaces
from lstm_lm.experiments.search import study as studies
from lstm_lm.experiments.search.pruning import Pruning
from lstm_lm.experiments.search.space import Space
from lstm_lm.experiments.search.wording import Wording

HEAD = "seed: 1\ntrials: 4\nvalidations_per_trial: 4\nstartup_trials: 1\nfixed: {train.epochs: 2}\nspace:\n"
VALUES = loading.read(PROJECT / "params.yaml")
LOW_HIGH = "train.learning_rate: {low: 0.001, high: 0.02, log: true}"


def space(folder: Path, entries: list[str]) -> Space:
    path = folder / "search.yaml"
    path.write_text(HEAD + "".join(f"  {entry}\n" for entry in entries))
    return spaces.load(path, VALUES)


def row(step: int, loss: float) -> Row:
    return Row(step, step, 1, 1.0, 0.1, 1.0, 1.0, loss, float(np.exp(loss)))


def test_what_of_params_yaml_is_outside_the_space_is_named_with_what_is_inside(tmp_path: Path) -> None:
    entries = [LOW_HIGH, "model.projection_size: {choices: [160]}", "train.clip_norm: {low: 0.5, high: 2, step: 0.25}"]
    inside = space(tmp_path, entries)
    assert inside.current(VALUES) == {"train.learning_rate": 0.008, "model.projection_size": 160, "train.clip_norm": 1.0}
    assert inside.outside(inside.current(VALUES)) == []
    for entry, expected in (
        ("train.clip_norm: {low: 0.5, high: 2, step: 0.3}", "train.clip_norm = 1.0 (search.yaml: 0.5 to 2 in steps of 0.3)"),
        ("train.learning_rate: {low: 0.01, high: 0.02}", "train.learning_rate = 0.008 (search.yaml: 0.01 to 0.02)"),
        ("batching.batch_size: {choices: [16, 64]}", "batching.batch_size = 32 (search.yaml: 16, 64)"),
    ):
        other = space(tmp_path, [entry])
        assert other.outside(other.current(VALUES)) == [expected]
    tied = space(tmp_path, ["model.layers: {choices: [1, 2]}", "train.warmup_steps: {tied_to: model.layers}"])
    assert tied.outside(tied.current(VALUES)) == [f"train.warmup_steps = {VALUES['train']['warmup_steps']} (search.yaml: as model.layers)"]


def run_trial(
    study: Any, search_space: Space, state: str = "complete", loss: float | None = None, reports: Sequence[float] = ()
) -> dict[str, Any]:
    """Run the next trial of a study, and return its values.

    Args:
        reports: losses of its validations.
    """
    trial = studies.ask(study, search_space)
    values = search_space.propose(trial)
    trial.set_user_attr("values", values)
    for step, report in enumerate(reports):
        trial.report(report, step)
    studies.tell(study, trial.number, state, loss)
    return values


def number(trial: Any) -> int | None:
    return None if trial is None else int(trial.number)


@pytest.mark.parametrize("batch_sizes", [[16, 32], [16, 64]])
def test_params_yaml_is_the_first_trial_wherever_it_lies(batch_sizes: list[int], tmp_path: Path) -> None:
    search_space = space(tmp_path, [LOW_HIGH, f"batching.batch_size: {{choices: {batch_sizes}}}"])
    current = search_space.current(VALUES)
    study = studies.open_study(tmp_path / "s", "key", search_space)
    baseline.enqueue(study, search_space, current)
    baseline.enqueue(study, search_space, current)
    assert len(study.trials) == 1
    assert search_space.propose(studies.ask(study, search_space)) == current  # then the process is killed
    study = studies.open_study(tmp_path / "s", "key", search_space)
    assert baseline.is_waiting(study, current)
    assert run_trial(study, search_space, "failed") == current
    assert baseline.measured(study, current) is None
    assert run_trial(study, search_space, "complete", 5.0) != current
    assert baseline.improvement(study, current) is None  # of nothing that was measured
    baseline.enqueue(study, search_space, current)
    assert run_trial(study, search_space, "complete", 5.0) == current
    assert study.trials[-1].params.keys() == search_space.inside(current) >= {"train.learning_rate"}
    assert number(baseline.measured(study, current)) == len(study.trials) - 1
    assert baseline.improvement(study, current) is None  # it is as good
    run_trial(study, search_space, "complete", 4.9)
    assert number(baseline.improvement(study, current)) == len(study.trials) - 1
    baseline.enqueue(study, search_space, current)
    assert not baseline.is_waiting(study, current)
    # Another params.yaml, in the same search.
    changed = {**current, "train.learning_rate": 0.002}
    assert baseline.improvement(study, changed) is None
    baseline.enqueue(study, search_space, changed)
    assert run_trial(study, search_space, "diverged", reports=[5.0, 4.0]) == changed  # after better validations than any other
    assert number(baseline.improvement(study, changed)) == len(study.trials) - 2


def test_a_search_says_how_long_its_trials_are_and_what_params_yaml_reached(tmp_path: Path) -> None:
    search_space = space(tmp_path, [LOW_HIGH])
    current = search_space.current(VALUES)
    words = Wording(search_space, current, 4)
    line = "4 trials, judged by validation perplexity after 2 epochs, all with train.epochs = 2 (search.yaml: fixed); a full training"
    assert words.conditions(4).startswith(line) and words.conditions(4).endswith(" has 4 epochs")
    assert Wording(search_space, current, None, 7.5).conditions(4).endswith("; a full training of params.yaml has 7.5 minutes")
    assert Wording(search_space, current, 4, 30).full == "4 epochs, or 30 minutes"
    assert words.title(0, current) == "trial 0, params.yaml itself: learning_rate 0.008"
    study = studies.open_study(tmp_path / "s", "key", search_space)
    assert words.of_baseline(study) == "params.yaml itself was not measured"
    assert "0 of 4 trials ended (none)" in words.note_of_search(study, 4)
    baseline.enqueue(study, search_space, current)
    run_trial(study, search_space, "complete", np.log(150.2))
    assert words.of_baseline(study) == "params.yaml itself (trial 0): validation perplexity 150.20 after 2 epochs"
    run_trial(study, search_space, "complete", np.log(143.7))
    note = words.note_of_search(study, 4)
    assert "Best: trial 1, validation perplexity 143.70 after 2 epochs. params.yaml itself (trial 0): validation perplexity 150.20" in note
    assert f"| train.learning_rate | 0.001 to 0.02 | 0.008 | {study.trials[1].params['train.learning_rate']:.4g}" in note
    assert words.note_of_trial(0, current, "pruned").startswith("Trial 0 of a search, pruned: params.yaml itself. All trials of this")


def test_validations_right_after_each_other_are_printed_once_and_params_yaml_is_not_pruned(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search_space = space(tmp_path, [LOW_HIGH])
    study = studies.open_study(tmp_path / "s", "key", search_space)
    first = Pruning(studies.ask(study, search_space), 4)
    first.started(100, 2)
    for step in (25, 50, 75, 100):
        first.row(row(step, 3.0))
    studies.tell(study, 0, "complete", 3.0)
    pruning = Pruning(studies.ask(study, search_space), 4, can_prune=False)
    capsys.readouterr()
    pruning.started(100, 2)
    for step in (24, 25, 49, 50, 75, 100):
        pruning.row(row(step, 9.0))  # worse than the median
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["24%", "49%", "75%", "100%"]


def test_a_trial_is_some_epochs_long_whatever_params_yaml_says(tmp_path: Path) -> None:
    path = tmp_path / "search.yaml"
    path.write_text(HEAD.replace("{train.epochs: 2}", "{}") + f"  {LOW_HIGH}\n")
    minutes = keys.with_changes(VALUES, {"train.epochs": None, "train.minutes": 3})
    line = "^params.yaml with .*search.yaml: train.epochs = null: a trial is some epochs long: set it in .*search.yaml under fixed"
    with pytest.raises(UserError, match=line):
        spaces.load(path, minutes)
    path.write_text(HEAD + f"  {LOW_HIGH}\n")
    assert spaces.load(path, minutes).fixed == {"train.epochs": 2}
    for entry in ("train.epochs: {low: 1, high: 4}", "train.epochs: {choices: [1, null]}"):
        path.write_text(HEAD.replace("{train.epochs: 2}", "{}") + f"  {entry}\n")
        for values in (minutes, keys.with_changes(minutes, {"train.epochs": 2}))[: 1 if "low" in entry else 2]:
            with pytest.raises(UserError, match=line):
                spaces.load(path, values)
