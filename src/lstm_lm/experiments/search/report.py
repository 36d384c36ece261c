"""What a search leaves behind: the table of trials, and the best parameters as a preset."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_lm.config import keys, yaml_files
from lstm_lm.experiments.search import study as studies
from lstm_lm.experiments.search.space import VALUES, Space

if TYPE_CHECKING:
    from optuna import Study

MAX_LOSS = 700.0  # the exponential of more overflows


def trial_table(study: "Study", space: Space) -> tuple[list[str], list[list[Any]]]:
    """Return the columns and rows of the table of all trials that ended, the best first."""
    columns = ["trial", "state", "perplexity", "seconds", *space.names, "validations"]
    rows = []
    for trial in studies.ranked(study):
        state = studies.state_of(study, trial)
        perplexity = math.exp(trial.value) if state == "complete" and trial.value is not None else None
        seconds = round(trial.duration.total_seconds()) if trial.duration else None
        values = trial.user_attrs.get(VALUES, {})
        validations = [round(math.exp(min(loss, MAX_LOSS)), 2) for _, loss in sorted(trial.intermediate_values.items())]
        rows.append([trial.number, state, perplexity, seconds, *(str(values.get(name)) for name in space.names), json.dumps(validations)])
    return columns, rows


def count_states(study: "Study") -> str:
    """Return how many trials ended how: `3 complete, 1 pruned`."""
    states = [studies.state_of(study, trial) for trial in studies.ended(study)]
    return ", ".join(f"{states.count(state)} {state}" for state in studies.STATES if state in states) or "none"


def write_preset(path: str | Path, changes: Mapping[str, Any], values: Mapping[str, Any], comment: Sequence[str]) -> dict[str, Any]:
    """Write a preset with those changes that differ from params.yaml. Without any difference, no file is written.

    Args:
        path: the file.
        changes: `{"train.learning_rate": 0.004, ...}`
        values: of params.yaml, as `loading.read` returns them.
        comment: lines for the top of the file.
    Returns:
        The changes that differ.
    """
    flat = keys.flatten_sections(values)
    differing = {name: value for name, value in changes.items() if flat[name] != value}
    if not differing:
        return {}
    with Path(path).open("w", encoding="utf-8") as file:
        file.writelines(f"# {line}\n" for line in comment)
        yaml_files.editor().dump(keys.with_changes({}, differing), file)
    return differing
