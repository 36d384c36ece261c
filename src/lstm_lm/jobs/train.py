"""Stage `train`: data/batches -> models/: weights, SavedModel, history, samples; one MLflow run."""

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lstm_lm import paths
from lstm_lm.config import keys, sizes
from lstm_lm.config.schema import Params
from lstm_lm.data import dataset
from lstm_lm.data.dataset import Batches
from lstm_lm.errors import Interrupted, SettingError, UserError
from lstm_lm.events import Observer
from lstm_lm.io import folders, hashing, machine, memory, quiet
from lstm_lm.io.checkpoints import Checkpoints
from lstm_lm.io.interruption import Interruption
from lstm_lm.io.scratch import Scratch
from lstm_lm.io.usage import UsageMeter
from lstm_lm.jobs import ngram_member, starting_point
from lstm_lm.jobs.starting_point import InitialWeights
from lstm_lm.model.shape import count_parameters
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.tracking import naming, store
from lstm_lm.tracking.queued_run import resend_in_background
from lstm_lm.tracking.trained_models import CONTINUES_TAG, INIT_TAG
from lstm_lm.tracking.training_run import TrainingRun
from lstm_lm.training import history
from lstm_lm.training.history import HistoryFiles
from lstm_lm.training.progress import Diverged, Result, Stopped
from lstm_lm.training.shapes import model_shape
from lstm_lm.ui import event_files, training_messages
from lstm_lm.ui.event_files import EventFiles
from lstm_lm.ui.progress import TrainingProgress, timed
from lstm_lm.wording import counted

if TYPE_CHECKING:
    from lstm_lm.export.text_model import TextModel
    from lstm_lm.model.ensemble import Model
    from lstm_lm.model.mixture import Predictor
    from lstm_lm.training.trainer import Trainer
    from lstm_lm.training.training_config import Hooks


@dataclass(frozen=True)
class Inputs:
    """What the earlier stages made, and the weights to start from.

    Attributes:
        counts: int [vocabulary], occurrences of each word in the training text.
        initial: trained weights, or None for random ones.
    """

    batches: Batches
    words: list[str]
    counts: np.ndarray
    tokenizer: Tokenizer
    initial: InitialWeights | None


def load_inputs(initial: InitialWeights | None) -> Inputs:
    """Load the outputs of the stages `vocab` and `batching`."""
    words, counts = vocabulary.load_counts("data/vocab/vocab.csv")
    return Inputs(dataset.load("data/batches"), words, counts, Tokenizer.load("data/vocab/tokenizer.json"), initial)


def run(settings: Params) -> None:
    """Train, or resume an interrupted training of the same parameters, data and code.

    Raises:
        UserError: the training diverged, now or at an earlier try, or another process is already running it.
        Interrupted: the training was asked to stop.
    """
    memory.keep_freed()
    interruption = Interruption()
    with (
        starting_point.initial_weights(settings) as initial,
        Scratch(paths.project_root(), training_key(settings, initial)).lock() as scratch,
    ):
        if scratch.read("settled") is not None:  # `dvc repro --force`
            scratch.clear()
        if diverged := scratch.read("diverged"):
            raise UserError(training_messages.diverged_before_line(diverged["message"], scratch.name))
        inputs = load_inputs(initial)
        starting_point.reuse_shorter_training(scratch, settings, inputs.batches, training_key(settings, initial, without=("epochs",)))
        result = TrainingJob(settings, inputs, scratch, interruption).run()
    training_messages.show_result(result, settings.train.patience)


def training_key(settings: Params, initial: InitialWeights | None, without: Sequence[str] = ()) -> str:
    """Return a digest of everything that shapes the weights. The section `reporting` does not.

    Args:
        settings: all parameters.
        initial: trained weights to start from, or None.
        without: keys of the section `train` to leave out.
    """
    parameters = [settings.model.model_dump(), settings.train.model_dump(exclude=set(without)), initial and initial.digest]
    return hashing.digest_json(*parameters, hashing.digest_dependencies("train"), version("tensorflow"), version("numpy"))


class TrainingJob:
    """One try to train: a new training, or the rest of an interrupted one.

    Args:
        settings: all parameters.
        inputs: what to train on.
        scratch: where the unfinished training is kept.
        interruption: says when to stop.
    """

    def __init__(self, settings: Params, inputs: Inputs, scratch: Scratch, interruption: Interruption) -> None:
        self.settings, self.inputs, self.scratch, self.interruption = settings, inputs, scratch, interruption
        self.earlier = scratch.read("run") or {}  # MLflow run, precision and usage of the interrupted training
        self.facts = dict(self.earlier)  # the same of this one
        self.startup: dict[str, float] = {}
        self.event_files: EventFiles | None = None

    def run(self) -> Result:
        """Train and write the outputs."""
        words = len(self.inputs.words)
        sizes.check_vocabulary_size(self.settings, words)
        ngram_member.check(self.settings, self.inputs.batches)
        sizes.check_memory(self.settings, count_parameters(model_shape(self.settings, words)))
        if self.settings.reporting.tensorboard:
            event_files.check_installed("reporting.tensorboard: true in params.yaml")
        with timed(self.startup, "MLflow"):  # first, so that a store that cannot be used is reported at once
            client = store.connect(self.settings.tracking)
            tracked = TrainingRun.start(client, self.settings, scratch_folder=self.scratch.folder, resume=self.earlier.get("run_id"))
        self._note(run_id=tracked.id)
        with tracked.recorded():
            resend_in_background(self.settings.tracking, client)
            result = self._train_and_save(tracked)
        # evaluate-sample removes most of the folder, once DVC has recorded the outputs
        is_extendable = self.settings.train.schedule == "constant" and self.settings.train.minutes is None
        self.scratch.write("ended", {"steps": result.steps, "is_extendable": is_extendable})
        return result

    def _train_and_save(self, tracked: TrainingRun) -> Result:
        settings, inputs = self.settings, self.inputs
        training_messages.show_start()
        with timed(self.startup, "TensorFlow"), quiet.tensorflow_import():
            from lstm_lm.export.text_model import TextModel, save_vocabulary
            from lstm_lm.model import devices
            from lstm_lm.model import precision as precisions
            from lstm_lm.training import setup

        training_messages.show_gpus(machine.gpus(), devices.gpus())
        precision, ratio = precisions.resolve(self.earlier.get("precision", settings.train.precision))
        training_messages.show_precision(precision, ratio)
        model = setup.build_model(settings, inputs.counts)
        known_words = self._copy_initial_weights(model)
        training_messages.show_model(model.parameter_count, len(inputs.words), inputs.batches.train.size, inputs.tokenizer.unit)
        if not devices.gpus():  # the note is about the speed of CPUs
            training_messages.show_softmax(settings, len(inputs.words), precision)
        self._note(precision=precision)
        with tempfile.TemporaryDirectory() as temporary:
            facts = {"resolved_precision": precision, "vocabulary_size": len(inputs.words), "parameter_count": model.parameter_count}
            self._log_starting_point(tracked, known_words)
            tracked.log_params({**keys.flatten(settings), **facts})
            tracked.log_dataset(inputs.batches)
            vocabulary_file = save_vocabulary(inputs.words, Path(temporary) / "vocabulary.txt")
            text_model = TextModel(model, inputs.tokenizer, vocabulary_file)
            with self._hooks(tracked, text_model) as hooks:
                trainer = setup.build_trainer(settings, precision, inputs.batches, model, hooks)
                if self.event_files is not None:
                    self.event_files.graphs = lambda: graphs(trainer, text_model)
                result = self._train(trainer, tracked)
                if mixture := ngram_member.mixture(settings, trainer):
                    text_model = TextModel(mixture, inputs.tokenizer, vocabulary_file)
                save_outputs(trainer, text_model, inputs.words, result)
                for name in (history.HISTORY, history.SAMPLES):
                    shutil.copyfile(self.scratch.folder / name, Path("models") / name)
                facts = {"run_id": tracked.id, **self.facts["usage"], "machine": machine.describe()}
                Path("models/run.json").write_text(json.dumps(facts) + "\n", encoding="utf-8")
                tracked.log_files(["models/history.csv", "models/samples.csv", "reports/graph.png", "params.yaml"])
        return result

    def _note(self, **facts: object) -> None:
        """Keep facts for the process that resumes this training."""
        self.facts |= facts
        self.scratch.write("run", self.facts)

    def _copy_initial_weights(self, model: "Model") -> int | None:
        """Give the model the weights that `train.init_from` names. Returns how many words they know, or None without any."""
        from lstm_lm.export import trained_weights

        if self.inputs.initial is None:
            return None
        trained = trained_weights.read(self.inputs.initial.folder, self.inputs.initial.description)
        check_members_differ(self.settings, len(trained.members))
        known_words = trained_weights.copy_into(model, self.inputs.words, trained)
        training_messages.show_initial_weights(
            self.inputs.initial.description, known_words, len(self.inputs.words), self.inputs.tokenizer.unit
        )
        return known_words

    def _log_starting_point(self, tracked: TrainingRun, known_words: int | None) -> None:
        """Tag the run with where its training started."""
        if self.inputs.initial is not None:
            tracked.tag(INIT_TAG, f"{self.inputs.initial.description}: {known_words} of {len(self.inputs.words)} words known there")
        if continues := self.earlier.get("continues"):
            tracked.tag(CONTINUES_TAG, continues)

    @contextlib.contextmanager
    def _hooks(self, tracked: TrainingRun, text_model: "TextModel") -> Iterator["Hooks"]:
        """Provide what reports and keeps the training, and close it at the end."""
        from lstm_lm.export.generator import Generator
        from lstm_lm.training.training_config import Hooks

        checkpoints = Checkpoints(self.scratch.folder, self.settings.reporting.checkpoint_seconds)
        # The files are in scratch until they are complete: unfinished ones in models/ would keep `dvc checkout` from restoring the others.
        progress = TrainingProgress(startup=self.startup, unit=self.inputs.tokenizer.unit)
        observers: list[Observer] = [progress, HistoryFiles(self.scratch.folder), tracked]
        if self.settings.reporting.tensorboard:
            self.event_files = EventFiles(event_files.run_folder(naming.run_name(self.settings), tracked.id))
            observers.append(self.event_files)
        with contextlib.ExitStack() as resources:
            resources.callback(checkpoints.close)
            for observer in observers:
                resources.callback(observer.close)
            yield Hooks(observers, Generator(text_model), checkpoints, self.interruption)

    def _steps_in(self, trainer: "Trainer", minutes: float) -> int:
        """Return how many steps fit into the minutes. A resumed training keeps the number that it began with."""
        from lstm_lm.training import time_budget

        if steps := self.earlier.get("steps"):
            return int(steps)
        plan = time_budget.plan(trainer, minutes * 60)
        steps = min(plan.steps, trainer.total_steps or plan.steps)  # at most those of train.epochs
        training_messages.show_plan(minutes, plan, steps, self.settings.model.ensemble_size)
        self._note(steps=steps)
        return steps

    def _train(self, trainer: "Trainer", tracked: TrainingRun) -> Result:
        """Train from the latest checkpoint, if there is one, to the end."""
        checkpoints = trainer.hooks.checkpoints
        if isinstance(checkpoints, Checkpoints) and (saved := checkpoints.load()):
            trainer.restore(*saved)
        training_messages.show_resumption(trainer.progress.step, tracked.id, self.earlier.get("run_id"))
        try:
            with self.interruption, UsageMeter(self.earlier.get("usage"), lambda usage: self._note(usage=usage)):
                if (minutes := self.settings.train.minutes) is not None:
                    trainer.limit_steps(self._steps_in(trainer, minutes))
                return trainer.run()
        except Stopped as stopped:
            line = training_messages.stopped_line(self.interruption.reason or "stopped", stopped.step)
            raise Interrupted(line, self.interruption.code or 1) from None
        except Diverged as diverged:
            steps = {"steps": diverged.kept_step}
            save_trained_weights(trainer.model, trainer, self.inputs.words, self.scratch.folder / "weights", steps)
            line = training_messages.diverged_line(diverged, self.settings.train, self.scratch.name)
            self.scratch.write("diverged", {"message": line})
            tracked.tag("diverged", line)
            raise UserError(line) from None


def check_members_differ(settings: Params, trained_members: int) -> None:
    """Check that members of an ensemble that start from the same weights do not stay the same.

    Args:
        settings: all parameters.
        trained_members: how many models they start from.

    Raises:
        SettingError: nothing random is different between them.
    """
    size, train = settings.model.ensemble_size, settings.train
    rates = settings.model.model_dump(include={name for name in type(settings.model).model_fields if name.startswith("dropout_")})
    if trained_members < size and not (any(rates.values()) or train.state_reset or train.sampled_words):
        raise SettingError(
            "model.ensemble_size",
            f"{size}: models that start from the weights of {counted(trained_members, 'model')} (train.init_from) stay the same without "
            "dropout: set a model.dropout_* or train.state_reset above 0",
        )


def save_trained_weights(model: "Predictor", trainer: "Trainer", words: Sequence[str], folder: str | Path, facts: dict[str, int]) -> None:
    """Save a model of the trainer's weights with the precision they were trained in and some facts about the training."""
    from lstm_lm.export.weights import save_weights

    save_weights(model, words, folder, {"precision": trainer.config.precision, **facts})


def save_outputs(trainer: "Trainer", text_model: "TextModel", words: Sequence[str], result: Result) -> None:
    """Write the models and the picture of the graphs."""
    from lstm_lm.ui import graph_picture

    with folders.replaced("models/saved_model") as folder:
        text_model.save(folder)
    steps = {"steps": result.steps, "best_step": result.best_step, "best_epoch": result.best_epoch}
    with folders.replaced("models/weights") as folder:
        save_trained_weights(text_model.model, trainer, words, folder, steps)
    Path("reports").mkdir(exist_ok=True)
    training, inference = graphs(trainer, text_model).values()
    members = trainer.model.members
    parts = graph_picture.Parts(len(members), has_ngrams=text_model.model is not trainer.model)
    graph_picture.draw(training, inference, members[0].weights, "reports/graph.png", parts)


def graphs(trainer: "Trainer", text_model: "TextModel") -> dict[str, Any]:
    """Return the concrete functions of the training step and of the inference step."""
    return {
        "training graph": trainer.functions.train_step.get_concrete_function(),
        "batch-1 inference graph": text_model.step.get_concrete_function(),
    }
