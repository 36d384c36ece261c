"""Where a training starts: from random weights, from those of another training, or from where one with fewer epochs ended."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lstm_lm import paths
from lstm_lm.config.schema import Params
from lstm_lm.data import windows
from lstm_lm.data.dataset import Batches
from lstm_lm.errors import SettingError
from lstm_lm.io import hashing, scratch
from lstm_lm.io.checkpoints import CHECKPOINT, checkpoint_step
from lstm_lm.io.scratch import Scratch
from lstm_lm.tracking import store, trained_models
from lstm_lm.training.schedules import learning_rate
from lstm_lm.ui import training_messages

IN_STORE = ("runs:/", "models:/")


@dataclass(frozen=True)
class InitialWeights:
    """Trained weights to start from.

    Attributes:
        folder: like models/weights, or a SavedModel.
        description: for messages and tags.
        digest: of the folder.
    """

    folder: Path
    description: str
    digest: str


@contextlib.contextmanager
def initial_weights(settings: Params) -> Iterator[InitialWeights | None]:
    """Provide the weights that `train.init_from` names, or None for random ones. What is downloaded is removed when the block ends.

    Raises:
        UserError: there are no such weights.
    """
    address = settings.train.init_from
    if address is None:
        yield None
    elif not address.startswith(IN_STORE):
        folder = paths.project_root() / address
        if not folder.is_dir():
            raise SettingError("train.init_from", f"{address}: no such folder; relative paths start at the project's folder")
        yield InitialWeights(folder, address, hashing.digest(folder))
    else:
        client = store.connect(settings.tracking)
        model = trained_models.find(client, address)
        with tempfile.TemporaryDirectory() as temporary:
            folder = trained_models.download(client, model, Path(temporary))
            yield InitialWeights(folder, model.description, hashing.digest(folder))


def reuse_shorter_training(current: Scratch, settings: Params, batches: Batches, base_key: str) -> None:
    """Let a new training start where one that differs only in having fewer epochs ended or was stopped, if the schedule allows it.

    Args:
        current: scratch folder of the new training; gets a copy of the other's checkpoint.
        settings: all parameters.
        batches: what to train on.
        base_key: digest of all that shapes the weights except `train.epochs`.
    """
    epochs = settings.train.epochs
    if epochs is None or settings.train.minutes is not None:  # how long it is depends on the machine
        return
    current.write("training", {"base_key": base_key, "epochs": epochs})
    if current.read("run"):
        return
    shorter = _longest_shorter_training(current, base_key, epochs)
    if shorter is None:
        return
    facts = {name: shorter.read(name) or {} for name in ("training", "run", "ended")}
    run_id, shorter_epochs = facts["run"]["run_id"], facts["training"]["epochs"]
    step = checkpoint_step(shorter.folder) or facts["ended"].get("steps")
    if step is None:
        return
    if not has_same_rates(settings, batches, epochs, shorter_epochs, step):
        training_messages.show_not_reused(shorter_epochs, run_id, settings.train.schedule)
    elif checkpoint_step(shorter.folder):
        shutil.copyfile(shorter.folder / CHECKPOINT, current.folder / CHECKPOINT)
        current.write("run", {"precision": facts["run"]["precision"], "continues": run_id, "usage": facts["run"].get("usage")})
        training_messages.show_reused(shorter_epochs, run_id, step)


def has_same_rates(settings: Params, batches: Batches, epochs: int, shorter_epochs: int, step: int) -> bool:
    """Whether the first `step` steps of a training with fewer epochs had the learning rates that they have in one with `epochs`."""
    train = settings.train

    def rates(length: int) -> list[float]:
        total = sum(
            windows.steps_per_epoch(batches.train, batches.recipe, batches.sequence_length, train.seed, epoch, train.short_windows)
            for epoch in range(1, length + 1)
        )
        return [learning_rate(i, total, train.learning_rate, train.schedule, train.warmup_steps) for i in range(1, step + 1)]

    return rates(shorter_epochs) == rates(epochs)


def _longest_shorter_training(current: Scratch, base_key: str, epochs: int) -> Scratch | None:
    """Find the training with the most epochs below `epochs` that differs in nothing else and did not diverge."""
    candidates = {}
    for other in scratch.all_scratch(paths.project_root()):
        facts = other.read("training")
        is_shorter = facts is not None and facts["base_key"] == base_key and facts["epochs"] < epochs
        if facts and is_shorter and other.name != current.name and (other.read("run") or {}).get("run_id") and not other.read("diverged"):
            candidates[facts["epochs"]] = other
    return candidates[max(candidates)] if candidates else None
