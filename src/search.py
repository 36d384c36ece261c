"""Search for better parameters: `python src/search.py` (or `make search`). search.yaml says what is tried."""

import argparse
import gc
import json
import math
import time
from pathlib import Path

from lstm_lm import paths
from lstm_lm.config import keys, loading
from lstm_lm.data import dataset
from lstm_lm.errors import Interrupted, UserError
from lstm_lm.experiments import runner, search
from lstm_lm.experiments.search import Pruned, Pruning
from lstm_lm.io import hashing, locks, memory, quiet
from lstm_lm.io.interruption import Interruption
from lstm_lm.jobs import train
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.tracking import store
from lstm_lm.tracking.training_run import TrainingRun
from lstm_lm.ui import program

FILE = "search.yaml"
PRESET = "searched"
STATE = "lstm_lm.trial"  # tag of a trial's run: complete, pruned, diverged, failed or stopped
CODE = ("train", "batching")  # stages of whose code a trial is made


def main():
    parser = argparse.ArgumentParser(description="Search for better parameters by validation perplexity, as search.yaml says.")
    parser.add_argument("--trials", help="how many in all (search.yaml: trials)")
    parser.add_argument("--minutes", help="no trial begins after so many minutes")
    chosen = parser.parse_args()
    memory.keep_freed()
    values = loading.read("params.yaml")
    settings = loading.check(values)
    space = search.load(FILE, values)
    trials = number("TRIALS", chosen.trials, int) or space.trials
    minutes = number("MINUTES", chosen.minutes, float)
    store_settings = settings.tracking.model_copy(update={"experiment": f"{settings.tracking.experiment}-search"})
    settings = settings.model_copy(update={"tracking": store_settings})
    client = store.connect(settings.tracking)
    if runner.run_dvc(["repro", "batching"]):
        raise UserError("the data could not be made: see above")

    folder = paths.project_root() / search.FOLDER
    folder.mkdir(exist_ok=True)
    # Two searches at once would propose one trial twice, and train at half the speed.
    with locks.exclusive(folder / "lock", "a search ({holder}) is already running in this checkout: wait for it to end, or stop it"):
        inputs = {path: digest for stage in CODE for path, digest in hashing.digest_dependencies(stage).items()}
        study = search.open_study(folder, search.key_of(space, values, inputs), space)
        Search(space, values, settings, client, study, folder).run(trials, minutes)


def number(name, text, kind):
    """A limit from the command line: above 0."""
    if text is None:
        return None
    try:
        value = kind(text)
    except ValueError:
        value = 0
    if not 0 < value < math.inf:
        raise UserError(f"{name}={text}: must be a {'whole ' if kind is int else ''}number above 0")
    return value


class Search:
    """The loop over trials.

    Args:
        space: search.Space. values: of params.yaml, as it stands. settings: Params, with the search's own MLflow experiment.
        store: of tracking.connect. study: of search.open_study. folder: for other cuts of the text.
    """

    def __init__(self, space, values, settings, store, study, folder):
        self.space, self.values, self.settings, self.store, self.study, self.folder = space, values, settings, store, study, folder
        self.batches = dataset.load("data/batches")
        _, self.counts = vocabulary.load_counts("data/vocab/vocab.csv")

    def run(self, trials, minutes):
        done = search.ended(self.study)
        if done:
            print(f"going on with this search: {len(done)} of {trials} trials are there")
        elif not self.study.trials:
            self.begin()
        names = ", ".join(parameter.name.partition(".")[2] for parameter in self.space.parameters)
        above = TrainingRun.start_search(self.store, self.settings, f"search: {names}", resume=self.study.user_attrs.get("run_id"))
        self.study.set_user_attr("run_id", above.id)
        facts = {parameter.name: repr(parameter.choices or (parameter.low, parameter.high)) for parameter in self.space.parameters}
        above.log_params({**{f"search.{name}": text for name, text in facts.items()}, **self.space.common})
        print("starting TensorFlow ...")
        with quiet.tensorflow_import():
            from lstm_lm.training.trainer import Diverged, Stopped  # noqa: F401
        interrupted = Interruption()
        until = time.monotonic() + (minutes * 60 if minutes else math.inf)
        with above.recorded():
            with interrupted:
                while len(search.ended(self.study)) < trials and time.monotonic() < until:
                    self.trial(above, interrupted)
                    self.summarise(above)
            self.summarise(above)
            self.finish(above)

    def begin(self):
        """The first trial is params.yaml as it stands: what is found is held against it."""
        here = self.space.as_they_stand(self.values)
        if here is None:
            print("params.yaml as it stands is outside the space of search.yaml: it is not among the trials")
        else:
            self.study.enqueue_trial(here)

    def trial(self, above, interrupted):
        """One trial, from its proposal to its end."""
        import tensorflow as tf

        from lstm_lm.model import precision
        from lstm_lm.training.trainer import Diverged, Stopped

        trial = search.ask(self.study, self.space)
        found = self.space.values(trial)
        print(f"trial {trial.number}: " + ", ".join(f"{name.partition('.')[2]} {value}" for name, value in found.items()))
        run = TrainingRun.start_search(self.store, self.settings, f"trial {trial.number}", parent=above.id)
        trial.set_user_attr("run_id", run.id)
        trial.set_user_attr("values", found)
        state, status, value = "failed", "FAILED", None
        try:
            settings = loading.check(keys.with_changes(self.values, {**self.space.common, **found}), "params.yaml with the trial's values")
            batches = search.cut(self.batches, settings.batching, self.folder)
            if settings.train.validate_every is None:
                every = search.validate_every(settings.train, batches, self.space.reports)
                settings = settings.model_copy(update={"train": settings.train.model_copy(update={"validate_every": every})})
            chosen = self.study.user_attrs.get("precision") if settings.train.precision == "auto" else settings.train.precision
            chosen, _ = precision.resolve(chosen or settings.train.precision)
            if settings.train.precision == "auto":
                self.study.set_user_attr("precision", chosen)  # timed anew, a later run might choose another
            model = train.build(settings, self.counts)
            facts = {"resolved_precision": chosen, "parameter_count": model.parameter_count}
            run.log_params({**keys.flatten(settings), **facts})
            observers = [run, Pruning(trial, self.space.reports)]
            result = train.trainer_of(settings, batches, model, precision=chosen, observers=observers, interruption=interrupted).run()
            state, status, value = "complete", "FINISHED", result.best_validation_loss
            run.log_metrics({"validation/best_perplexity": math.exp(value)}, result.steps)
        except Pruned:
            state, status = "pruned", "FINISHED"
        except Diverged as diverged:
            state = "diverged"
            print(f"  diverged at step {diverged.step:,}: loss {diverged.loss:g}, gradient norm {diverged.norm:g}")
        except (UserError, tf.errors.ResourceExhaustedError) as error:
            why = (str(error).splitlines() or [""])[0]
            run.tag("failed", why)
            print(f"  failed: {why}")
        except (Stopped, KeyboardInterrupt):
            search.give_up(self.study, trial.number)
            run.tag(STATE, "stopped")
            run.finish("KILLED")
            raise Interrupted(
                f"stopped in trial {trial.number}: the next make search tries it again and goes on", interrupted.code or 130
            ) from None
        self.tell(trial, state, value)
        run.tag(STATE, state)
        run.finish(status)
        gc.collect()  # the graphs of this one, before those of the next

    def tell(self, trial, state, value):
        import optuna

        states = optuna.trial.TrialState
        if state == "complete":
            self.study.tell(trial, value)
            best = search.complete(self.study)[0]
            print(f"  perplexity {math.exp(value):.2f}; the best is that of trial {best.number}, {math.exp(best.value):.2f}")
        else:
            # A training that diverged is as bad as one can be: pruned, it keeps the proposals away from there.
            self.study.tell(trial, state=states.FAIL if state == "failed" else states.PRUNED)
            print(f"  {state}")
        self.study.set_user_attr(f"state {trial.number}", state)

    def summarise(self, above):
        """The table of all trials and the best one's parameters, into the search's run."""
        trials = search.ended(self.study)
        names = [*(parameter.name for parameter in self.space.parameters), *self.space.same_as]
        best = search.complete(self.study)[:1]
        rows = []
        for trial in sorted(trials, key=lambda each: (each.value is None or each.state.name != "COMPLETE", each.value or 0)):
            values = trial.user_attrs.get("values", {})
            state = self.study.user_attrs.get(f"state {trial.number}", trial.state.name.lower())
            reports = [math.exp(min(loss, 700)) for _, loss in sorted(trial.intermediate_values.items())]
            perplexity = math.exp(trial.value) if state == "complete" else None
            seconds = round(trial.duration.total_seconds()) if trial.duration else None
            said = [str(values.get(name)) for name in names]
            rows.append([trial.number, state, perplexity, seconds, *said, json.dumps([round(each, 2) for each in reports])])
        if rows:
            above.log_table(["trial", "state", "perplexity", "seconds", *names, "reports"], rows, "trials.json")
        for trial in best:
            above.log_metrics({"validation/best_perplexity": math.exp(trial.value)}, len(trials))
            above.tag("best.trial", str(trial.number))
            above.tag("best.run", trial.user_attrs["run_id"])
            for name, value in trial.user_attrs["values"].items():
                above.tag(f"best.{name}", json.dumps(value))
        above.flush()

    def finish(self, above):
        """Write the best trial's parameters as a preset, and say what to do with them."""
        ranked = search.complete(self.study)
        states = [self.study.user_attrs.get(f"state {trial.number}") for trial in search.ended(self.study)]
        counted = ", ".join(f"{states.count(state)} {state}" for state in ("complete", "pruned", "diverged", "failed") if state in states)
        print(f"\n{len(states)} trials: {counted or 'none'}")
        if not ranked:
            raise UserError("no trial came to its end, so there is no best one: make search goes on, TRIALS=... for more")
        best = ranked[0]
        perplexity = math.exp(best.value)
        common = ", ".join(f"{name} = {json.dumps(value)}" for name, value in self.space.common.items())
        comment = [
            f"Found by make search: trial {best.number} of {len(states)}, validation perplexity {perplexity:.2f}"
            + (f" with {common}." if common else "."),
            "Only what differs from params.yaml.",
        ]
        path = Path("presets") / f"{PRESET}.yaml"
        written = search.write_preset(path, best.user_attrs["values"], self.values, comment)
        print(f"the best is trial {best.number}, validation perplexity {perplexity:.2f} (test text was not looked at)")
        print(f"MLflow run {above.id}, its trials below it, in the experiment {self.settings.tracking.experiment!r}")
        if not written:
            path.unlink(missing_ok=True)  # of an earlier search
            print("these are the parameters of params.yaml as it stands: there is nothing to write")
            return
        above.log_files([path])
        print(f"\n{path}")
        for name, value in written.items():
            print(f"  {name}: {json.dumps(value)}")
        print("\nwhat next")
        print(f"  make experiment PRESET={PRESET}          a whole training with them, beside this checkout")
        print(f"  dvc exp apply {PRESET}                   then: its parameters and its model into this checkout")


if __name__ == "__main__":
    program.run(main)
