"""The study: an Optuna database that remembers the trials and proposes the next one."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_lm.config import keys
from lstm_lm.experiments.search.space import SECTIONS, VALUES, Space
from lstm_lm.io import hashing

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

FOLDER = ".search"
STATES = ("complete", "pruned", "diverged", "failed")


def key_of(space: Space, values: Mapping[str, Any], digests: Mapping[str, str]) -> str:
    """Digest everything that shapes a trial: trials of another text, code, recipe or space do not compare.

    Args:
        space: what is searched.
        values: of params.yaml, as `loading.read` returns them.
        digests: of data and code, by path.
    """
    varied = {*space.names, *space.fixed}
    constant = {name: value for name, value in keys.flatten_sections(values).items() if name.startswith(SECTIONS) and name not in varied}
    described = {**asdict(space), "trials": None}  # more trials of the same search
    return hashing.digest_json(constant, described, digests)


def open_study(folder: str | Path, key: str, space: Space) -> "Study":
    """Open the study of a key, or create it.

    Trials in which another process was killed are closed, and will be tried again first.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    Path(folder).mkdir(exist_ok=True)
    # The learning rate falls to 0 at the end of each trial. A rule that stops most trials after a fraction of their steps (successive
    # halving, Hyperband) would favour what is fast early. The median at the same fraction of the training is milder.
    pruner = optuna.pruners.MedianPruner(n_startup_trials=space.startup_trials, n_warmup_steps=0)
    storage = f"sqlite:///{(Path(folder) / 'studies.db').resolve()}"
    study = optuna.create_study(study_name=key, storage=storage, direction="minimize", pruner=pruner, load_if_exists=True)
    for running in study.get_trials(states=[optuna.trial.TrialState.RUNNING]):
        abandon(study, running.number)
    return study


def ask(study: "Study", space: Space) -> "Trial":
    """Return the next trial. Its proposal depends on the seed and the trials before it, not on which process ran them."""
    import optuna

    seed = int(np.random.SeedSequence([space.seed, len(study.trials)]).generate_state(1)[0])
    study.sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=space.startup_trials)
    return study.ask()


def tell(study: "Study", number: int, state: str, loss: float | None = None) -> None:
    """Record how a trial ended.

    Args:
        number: of the trial.
        state: one of STATES.
        loss: the validation loss of a complete trial.
    """
    import optuna

    if state == "complete":
        study.tell(number, loss)
    else:
        # A training that diverged is as bad as can be. Pruned, it keeps the proposals away from there.
        study.tell(number, state=optuna.trial.TrialState.FAIL if state == "failed" else optuna.trial.TrialState.PRUNED)
    study.set_user_attr(f"state {number}", state)


def abandon(study: "Study", number: int) -> None:
    """Close an interrupted trial, and put its values first in line."""
    import optuna

    study.tell(number, state=optuna.trial.TrialState.FAIL)
    study.set_user_attr(f"interrupted {number}", True)
    trial = study.trials[number]
    attributes = {name: value for name, value in trial.user_attrs.items() if name == VALUES}
    if trial.params or attributes:
        study.enqueue_trial(trial.params, user_attrs=attributes)


def state_of(study: "Study", trial: "FrozenTrial") -> str:
    """Return how a trial ended, one of STATES."""
    return str(study.user_attrs.get(f"state {trial.number}", trial.state.name.lower()))


def ended(study: "Study") -> list["FrozenTrial"]:
    """Return the trials that ended by themselves: complete, pruned, diverged or failed."""
    interrupted = {int(name.rpartition(" ")[2]) for name in study.user_attrs if name.startswith("interrupted ")}
    return [trial for trial in study.trials if trial.state.is_finished() and trial.number not in interrupted]


def complete(study: "Study") -> list["FrozenTrial"]:
    """Return the complete trials, the best first."""
    import optuna

    return sorted(study.get_trials(states=[optuna.trial.TrialState.COMPLETE]), key=_loss)


def ranked(study: "Study") -> list["FrozenTrial"]:
    """Return all trials that ended: first the complete ones, the best first, then the others."""
    first = complete(study)
    numbers = {trial.number for trial in first}
    return first + [trial for trial in ended(study) if trial.number not in numbers]


def _loss(trial: "FrozenTrial") -> float:
    assert trial.value is not None
    return float(trial.value)
