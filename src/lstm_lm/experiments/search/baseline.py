"""The trial of params.yaml as it stands. Only a trial that was trained under the same conditions can be called better than it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from lstm_lm.experiments.search import study as studies
from lstm_lm.experiments.search.space import VALUES, Space

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

MEASURED = ("complete", "diverged")  # a training that diverged is a result too, and as bad as can be


def enqueue(study: "Study", space: Space, current: Mapping[str, Any]) -> None:
    """Make params.yaml as it stands the next trial, unless it was tried already. A trial of it that failed is repeated.

    Args:
        study: of `study.open_study`.
        space: of search.yaml. What of params.yaml lies outside of it is tried all the same.
        current: of `Space.current`.
    """
    if measured(study, current) is None and not is_waiting(study, current):
        study.enqueue_trial({name: current[name] for name in space.inside(current)}, user_attrs={VALUES: dict(current)})


def is_waiting(study: "Study", current: Mapping[str, Any]) -> bool:
    """Whether the trial is still to be run."""
    import optuna

    waiting = study.get_trials(states=[optuna.trial.TrialState.WAITING])
    return any(trial.user_attrs.get(VALUES) == current for trial in waiting)


def measured(study: "Study", current: Mapping[str, Any]) -> "FrozenTrial | None":
    """Return the trial that had the values of params.yaml and was trained to its end, or None.

    Args:
        study: of `study.open_study`.
        current: of `Space.current`.
    """
    same = [trial for trial in studies.ended(study) if trial.user_attrs.get(VALUES) == current]
    return next((trial for trial in same if studies.state_of(study, trial) in MEASURED), None)


def improvement(study: "Study", current: Mapping[str, Any]) -> "FrozenTrial | None":
    """Return the best trial if it is better than that of params.yaml, which was measured too; else None. Arguments as of `measured`."""
    own = measured(study, current)
    best = next(iter(studies.complete(study)), None)
    if own is None or best is None or best.user_attrs[VALUES] == current:
        return None
    # A trial that diverged has the value of its last validation.
    diverged = studies.state_of(study, own) != "complete"
    return best if diverged or own.value is None or (best.value is not None and best.value < own.value) else None
