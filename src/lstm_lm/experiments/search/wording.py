"""What a search prints, and the notes of its MLflow runs: always with how long its trials are, because that decides what they show."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lstm_lm.config import keys
from lstm_lm.config.messages import as_json
from lstm_lm.experiments.search import baseline, report
from lstm_lm.experiments.search import study as studies
from lstm_lm.experiments.search.space import FILE, VALUES, Space
from lstm_lm.ui import markdown
from lstm_lm.wording import counted

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

EPOCHS = "train.epochs"
UNUSED = "Test text is not used."


@dataclass(frozen=True)
class Wording:
    """Words for one search.

    Attributes:
        space: of search.yaml.
        current: of `Space.current`.
        full_epochs, full_minutes: `train.epochs` and `train.minutes` of params.yaml.
    """

    space: Space
    current: Mapping[str, Any]
    full_epochs: int | None
    full_minutes: float | None = None

    @property
    def after(self) -> str:
        """How long a trial is: ` after 2 epochs`, or "" if that differs between trials."""
        epochs = self.space.fixed.get(EPOCHS, self.full_epochs)
        return "" if EPOCHS in self.space.names or epochs is None else f" after {counted(epochs, 'epoch')}"

    @property
    def fixed(self) -> str:
        """What all trials have: `train.epochs = 2, train.patience = null`."""
        return ", ".join(f"{name} = {as_json(value)}" for name, value in self.space.fixed.items())

    def conditions(self, trials: int) -> str:
        """Return a line on how the trials are trained.

        Args:
            trials: how many in all.
        """
        fixed = f", all with {self.fixed} ({FILE}: fixed)" if self.fixed else ""
        trained = f"{counted(trials, 'trial')}, judged by validation perplexity{self.after}{fixed}"
        return f"{trained}; a full training of params.yaml has {self.full}"

    @property
    def full(self) -> str:
        """How long a full training of params.yaml is."""
        epochs = [] if self.full_epochs is None else [counted(self.full_epochs, "epoch")]
        minutes = [] if self.full_minutes is None else [f"{self.full_minutes:g} minutes"]
        return ", or ".join([*epochs, *minutes])

    def title(self, number: int, values: Mapping[str, Any]) -> str:
        """Return the line with which a trial begins."""
        name = f"trial {number}, params.yaml itself" if values == self.current else f"trial {number}"
        return f"{name}: " + ", ".join(f"{keys.split(key)[1]} {value}" for key, value in values.items())

    def result(self, loss: float) -> str:
        """Return a validation perplexity, with how long the trial was."""
        return f"validation perplexity {math.exp(min(loss, report.MAX_LOSS)):.2f}{self.after}"

    def of_baseline(self, study: "Study") -> str:
        """Return what is known about params.yaml itself: `params.yaml itself (trial 0): validation perplexity 150.20 after 2 epochs`."""
        trial = baseline.measured(study, self.current)
        if trial is None:
            return "params.yaml itself was not measured"
        return f"params.yaml itself (trial {trial.number}): {self._ended(study, trial)}"

    def note_of_trial(self, number: int, values: Mapping[str, Any], ended: str) -> str:
        """Return the note of a trial's run.

        Args:
            number: of the trial.
            values: by dotted name.
            ended: how, in words; "" while it runs.
        """
        name = "params.yaml itself" if values == self.current else ", ".join(f"{key} = {as_json(value)}" for key, value in values.items())
        fixed = f" All trials of this search have {self.fixed}." if self.fixed else ""
        return f"Trial {number} of a search, {ended or 'running'}: {name}.{fixed} {UNUSED}"

    def note_of_search(self, study: "Study", trials: int) -> str:
        """Return the note of the search's run: how far it is, and what is the best so far.

        Args:
            study: of `study.open_study`.
            trials: how many in all.
        """
        ended = len(studies.ended(study))
        fixed = f" All have {self.fixed}; a full training of params.yaml has {self.full}." if self.fixed else ""
        lines = [
            f"Search for better parameters: {ended} of {counted(trials, 'trial')} ended ({report.count_states(study)}).{fixed} {UNUSED}"
        ]
        complete = studies.complete(study)
        best = complete[0].user_attrs[VALUES] if complete else {}
        if complete:
            lines.append(f"Best: trial {complete[0].number}, {self._ended(study, complete[0])}. {self.of_baseline(study)}.")
        rows = [
            [name, limits, *(as_json(each[name]) if each else "" for each in (self.current, best))]
            for name, limits in self.space.limits.items()
        ]
        return "\n\n".join([*lines, markdown.table(["parameter", "tried", "params.yaml", "best"], rows)])

    def _ended(self, study: "Study", trial: "FrozenTrial") -> str:
        state = studies.state_of(study, trial)
        return self.result(trial.value) if state == "complete" and trial.value is not None else state
