"""The loop over trials: propose, train, record."""

import functools
import gc
import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lstm_lm import paths
from lstm_lm.config import keys, loading
from lstm_lm.config.schema import Params
from lstm_lm.data import dataset
from lstm_lm.errors import Interrupted, UserError
from lstm_lm.experiments import runner
from lstm_lm.experiments.search import baseline, report
from lstm_lm.experiments.search import space as spaces
from lstm_lm.experiments.search import study as studies
from lstm_lm.experiments.search.pruning import Pruned, Pruning, validation_interval
from lstm_lm.experiments.search.rebatching import rebatch
from lstm_lm.experiments.search.space import FILE, VALUES, Space
from lstm_lm.experiments.search.wording import Wording
from lstm_lm.io import hashing, locks, memory, quiet
from lstm_lm.io.interruption import Interruption
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.tracking import store
from lstm_lm.tracking.naming import limited, short_changes
from lstm_lm.tracking.text_source import present_text
from lstm_lm.tracking.training_run import TrainingRun
from lstm_lm.tracking.views.catalog import SEARCH_SUFFIX
from lstm_lm.ui import run_address, terminal
from lstm_lm.wording import counted

if TYPE_CHECKING:
    from optuna import Study, Trial
    from optuna.trial import FrozenTrial

PRESET = "searched"
STATE_TAG = "lstm_lm.trial"  # of a trial's run: one of study.STATES, or stopped
CODE_STAGES = ("train", "batching")  # stages whose code a trial runs
BUSY = "a search ({holder}) is already running in this checkout: wait for it to end, or stop it"


def run(trials: int | None = None, minutes: float | None = None) -> None:
    """Search as search.yaml says, resuming an interrupted search, and write the best parameters as a preset.

    Args:
        trials: how many in all; None: as search.yaml says.
        minutes: no trial starts after this many; None: no limit.
    Raises:
        UserError: a mistake in a file or an argument, or no trial was completed.
        Interrupted: asked to stop.
    """
    for name, limit in (("TRIALS", trials), ("MINUTES", minutes)):
        if limit is not None and not 0 < limit < math.inf:
            raise UserError(f"{name}={limit:g}: must be above 0")
    memory.keep_freed()
    values = loading.read("params.yaml")
    settings = loading.check(values)
    space = spaces.load(FILE, values)
    tracking = settings.tracking.model_copy(update={"experiment": settings.tracking.experiment + SEARCH_SUFFIX})
    settings = settings.model_copy(update={"tracking": tracking})
    start_run = functools.partial(TrainingRun.start_search, store.connect(settings.tracking), settings)
    if runner.run_dvc(["repro", "batching"]):
        raise UserError("the data could not be prepared: see above")

    folder = paths.project_root() / studies.FOLDER
    folder.mkdir(exist_ok=True)
    # Two searches at once would propose the same trial twice, and train at half the speed.
    with locks.exclusive(folder / "lock", BUSY):
        digests = {path: digest for stage in CODE_STAGES for path, digest in hashing.digest_dependencies(stage).items()}
        study = studies.open_study(folder, studies.key_of(space, values, digests), space)
        deadline = time.monotonic() + minutes * 60 if minutes else math.inf
        Search(space, values, start_run, study, folder).run(trials or space.trials, deadline)


@dataclass(frozen=True)
class Outcome:
    """How a trial ended: a state of study.STATES, the validation loss of a complete one, and what to print."""

    state: str
    loss: float | None = None
    message: str = ""


class Search:
    """The loop over trials.

    Args:
        space: of search.yaml.
        values: of params.yaml, as it stands.
        start_run: creates or resumes an MLflow run in the search's own experiment: `TrainingRun.start_search` without its first arguments.
        study: of `study.open_study`.
        folder: for batches of other sizes.
    """

    def __init__(self, space: Space, values: dict[str, Any], start_run: Callable[..., TrainingRun], study: "Study", folder: Path) -> None:
        self.space = space
        self.values = values
        self.start_run = start_run
        self.study = study
        self.folder = folder
        self.current = space.current(values)
        self.wording = Wording(space, self.current, values["train"]["epochs"], values["train"]["minutes"])
        self.batches = dataset.load("data/batches")
        _, self.counts = vocabulary.load_counts("data/vocab/vocab.csv")

    def run(self, trials: int, deadline: float) -> None:
        """Run trials until there are enough and params.yaml itself is among them, or until a time of the monotonic clock."""
        if done := studies.ended(self.study):
            terminal.print(f"resuming this search: {len(done)} of {counted(trials, 'trial')} done")
        terminal.print(self.wording.conditions(trials))
        baseline.enqueue(self.study, self.space, self.current)
        if baseline.is_waiting(self.study, self.current) and (outside := self.space.outside(self.current)):
            terminal.print(f"params.yaml itself is one of the trials, although outside of the space: {', '.join(outside)}")
        search_run = self._start_run()
        terminal.print("starting TensorFlow ...")
        with quiet.tensorflow_import():
            from lstm_lm.training import trainer  # noqa: F401
        interruption = Interruption()
        with search_run.recorded():
            with interruption:
                while self._is_to_run(trials) and time.monotonic() < deadline:
                    self._run_trial(search_run, interruption)
                    self._log_trials(search_run, trials)
            self._log_trials(search_run, trials)
            self._write_best(search_run)

    def _is_to_run(self, trials: int) -> bool:
        return len(studies.ended(self.study)) < trials or baseline.is_waiting(self.study, self.current)

    def _start_run(self) -> TrainingRun:
        names = [keys.split(parameter.name)[1] for parameter in self.space.parameters]
        resume = self.study.user_attrs.get("run_id")
        search_run = self.start_run(f"search: {', '.join(limited(names))}", resume=resume)
        self.study.set_user_attr("run_id", search_run.id)
        limits = {f"search.{parameter.name}": repr(parameter.ends) for parameter in self.space.parameters}
        search_run.log_params({**limits, **self.space.fixed})
        return search_run

    def _run_trial(self, search_run: TrainingRun, interruption: Interruption) -> None:
        """Run one trial, from its proposal to its end.

        Raises:
            Interrupted: asked to stop; the trial will be tried again.
        """
        from lstm_lm.training.progress import Stopped

        trial = studies.ask(self.study, self.space)
        values = self.space.propose(trial)
        terminal.print(self.wording.title(trial.number, values))
        changes = ["params.yaml"] if values == self.current else limited(short_changes(values))
        trial_run = self.start_run(" ".join([f"trial {trial.number}", *changes]), parent=search_run.id)
        trial_run.set_note(self.wording.note_of_trial(trial.number, values, ""))
        trial.set_user_attr("run_id", trial_run.id)
        trial.set_user_attr(VALUES, values)
        try:
            outcome = self._try(trial, values, trial_run, interruption)
        except (Stopped, KeyboardInterrupt):
            studies.abandon(self.study, trial.number)
            trial_run.tag(STATE_TAG, "stopped")
            trial_run.set_note(self.wording.note_of_trial(trial.number, values, "stopped"))
            trial_run.finish("KILLED")
            message = f"stopped in trial {trial.number}: the next make search resumes, with this trial from its start"
            raise Interrupted(message, interruption.code or 130) from None
        studies.tell(self.study, trial.number, outcome.state, outcome.loss)
        terminal.print(f"  {outcome.message or outcome.state}")
        if outcome.state == "complete":
            terminal.print(f"  {self._best_line()}")
        elif outcome.state == "failed":
            trial_run.tag("failed", outcome.message)
        trial_run.tag(STATE_TAG, outcome.state)
        trial_run.set_note(self.wording.note_of_trial(trial.number, values, outcome.message or outcome.state))
        trial_run.finish("FAILED" if outcome.state == "failed" else "FINISHED")
        gc.collect()  # frees the graphs of this trial before those of the next are built

    def _try(self, trial: "Trial", values: dict[str, Any], trial_run: TrainingRun, interruption: Interruption) -> Outcome:
        """Train one trial, and turn the ways in which it can fail into an outcome."""
        import tensorflow as tf

        from lstm_lm.training.progress import Diverged

        try:
            loss = self._train(trial, values, trial_run, interruption)
        except Pruned:
            return Outcome("pruned")
        except Diverged as diverged:
            where = f"diverged at step {diverged.step:,}"
            return Outcome("diverged", message=f"{where}: loss {diverged.loss:g}, gradient norm {diverged.norm:g}")
        except (UserError, tf.errors.ResourceExhaustedError) as error:
            return Outcome("failed", message=f"failed: {(str(error).splitlines() or [''])[0]}")
        return Outcome("complete", loss, self.wording.result(loss))

    def _train(self, trial: "Trial", values: dict[str, Any], trial_run: TrainingRun, interruption: Interruption) -> float:
        """Train with the values of a trial and return the best validation loss."""
        from lstm_lm.training import setup
        from lstm_lm.training.training_config import Hooks

        changed = keys.with_changes(self.values, {**self.space.fixed, **values, "train.minutes": None})
        settings = loading.check(changed, "params.yaml with the trial's values")
        batches = rebatch(self.batches, settings.batching, self.folder)
        if settings.train.validate_every is None:
            interval = validation_interval(settings.train, batches, self.space.validations_per_trial)
            settings = settings.model_copy(update={"train": settings.train.model_copy(update={"validate_every": interval})})
        precision = self._precision(settings)
        model = setup.build_model(settings, self.counts)
        facts = {"resolved_precision": precision, "parameter_count": model.parameter_count, **present_text()}
        trial_run.log_params({**keys.flatten(settings), **facts})
        hooks = Hooks(
            [trial_run, Pruning(trial, self.space.validations_per_trial, can_prune=values != self.current)], stop_request=interruption
        )
        result = setup.build_trainer(settings, precision, batches, model, hooks).run()
        trial_run.log_metrics({"validation/best_perplexity": math.exp(result.best_validation_loss)}, result.steps)
        return float(result.best_validation_loss)

    def _precision(self, settings: Params) -> str:
        """Resolve the precision once for all trials: measured again, the result might differ."""
        from lstm_lm.model import precision

        wanted = settings.train.precision
        resolved, _ = precision.resolve(self.study.user_attrs.get("precision", wanted) if wanted == "auto" else wanted)
        if wanted == "auto":
            self.study.set_user_attr("precision", resolved)
        return str(resolved)

    def _best_line(self) -> str:
        best = studies.complete(self.study)[0]
        return f"best so far: trial {best.number}, perplexity {math.exp(best.value or 0.0):.2f}"

    def _log_trials(self, search_run: TrainingRun, trials: int) -> None:
        """Log the table of all trials and the best trial's parameters to the search's run."""
        columns, rows = report.trial_table(self.study, self.space)
        if rows:
            search_run.log_table(columns, rows, "trials.json")
        search_run.set_note(self.wording.note_of_search(self.study, trials))
        for best in studies.complete(self.study)[:1]:
            search_run.log_metrics({"validation/best_perplexity": math.exp(best.value or 0.0)}, len(rows))
            search_run.tag("best.trial", str(best.number))
            search_run.tag("best.run", best.user_attrs["run_id"])
            for name, value in best.user_attrs[VALUES].items():
                search_run.tag(f"best.{name}", json.dumps(value))
        search_run.send_soon()

    def _write_best(self, search_run: TrainingRun) -> None:
        """Write the best trial's parameters as a preset, and print what to do with it."""
        total = len(studies.ended(self.study))
        terminal.print(f"\n{counted(total, 'trial')}: {report.count_states(self.study)}")
        if not (complete := studies.complete(self.study)):
            raise UserError(
                "no trial was completed, so there are no best parameters: resume with make search, with TRIALS=... for more trials"
            )
        best = complete[0]
        terminal.print(f"the best is trial {best.number}: {self.wording.result(best.value or 0.0)} (test text was not used)")
        if baseline.measured(self.study, self.current) not in (None, best):
            terminal.print(self.wording.of_baseline(self.study))
        for line in run_address.run_lines(store.uri(loading.load().tracking), search_run.id):
            terminal.verbatim(line)
        path = Path("presets") / f"{PRESET}.yaml"
        path.unlink(missing_ok=True)  # an earlier search may have left one
        if better := baseline.improvement(self.study, self.current):
            written = self._write_preset(path, better)
            search_run.log_files([path])
            self._suggest(path, written)
        elif baseline.measured(self.study, self.current):
            terminal.print("no trial was better than params.yaml itself: no preset is written")
        else:
            terminal.print("params.yaml itself did not get to the end of a trial, so nothing can be called better: no preset is written")
            terminal.print("make search tries it again, before anything else")

    def _write_preset(self, path: Path, trial: "FrozenTrial") -> dict[str, Any]:
        """Write the values of a trial as a preset. Returns what differs from params.yaml."""
        total = len(studies.ended(self.study))
        fixed = f" with {self.wording.fixed}" if self.wording.fixed else ""
        comment = [
            f"Found by make search: trial {trial.number} of {total}, {self.wording.result(trial.value or 0.0)}{fixed}.",
            f"In comparison, {self.wording.of_baseline(self.study)}.",
            "Only what differs from params.yaml.",
        ]
        return report.write_preset(path, trial.user_attrs[VALUES], self.values, comment)

    def _suggest(self, path: Path, written: dict[str, Any]) -> None:
        """Print a preset, and what to do with it."""
        terminal.heading(str(path))
        for name, value in written.items():
            terminal.verbatim(f"  {name}: {json.dumps(value)}")
        terminal.heading("next steps")
        terminal.commands(
            [
                (f"make experiment PRESET={PRESET}", f"trains in full ({self.wording.full}), in an isolated copy: is it still better?"),
                (f"dvc exp apply {PRESET}", "then copies its parameters and its model into this checkout"),
            ]
        )
