"""What the stage `train` prints, and the lines with which it ends."""

import os
import platform
from collections.abc import Sequence
from typing import TYPE_CHECKING

from lstm_lm.config.schema import Params, Train
from lstm_lm.io import extras, machine
from lstm_lm.training.progress import Diverged, Result
from lstm_lm.ui import softmax_note, terminal
from lstm_lm.wording import counted, duration, unit_name

if TYPE_CHECKING:
    from lstm_lm.training.time_budget import Plan

LIST_GPUS = 'import tensorflow as tf; print(tf.config.list_physical_devices("GPU"))'  # TensorFlow logs why it finds none


def show_start() -> None:
    terminal.print("starting TensorFlow ...")


def show_gpus(names: Sequence[str], used: Sequence[str]) -> None:
    """Print which GPU computes, or why none of those that are there does.

    Args:
        names: the machine's NVIDIA GPUs.
        used: those that TensorFlow can use.
    """
    if used:
        first = f"the first of {len(used)} GPUs" if len(used) > 1 else "the GPU"
        terminal.print(f"training on {first}, {used[0]}")
    elif names:
        terminal.print(f"training on the CPU, as TensorFlow cannot use the GPU {names[0]}: {_why_unusable()}")


def _why_unusable() -> str:
    """Return the likely reason, and what to do."""
    if platform.machine() != "x86_64":
        return f"its package for {platform.machine()} has no CUDA; on x86-64 it has"
    if not machine.can_open_gpus(machine.DEVICES):
        return "this process may not open it; a container needs an option such as docker run --gpus all"
    if not extras.has_cuda():
        return "NVIDIA's libraries are not installed; add them with: make setup EXTRAS=cuda"
    return f"its driver may be too old; to see what TensorFlow reports: {extras.python()} -c '{LIST_GPUS}'"


def show_model(weights: int, vocabulary_size: int, training_words: int, unit: str) -> None:
    terminal.print(f"{weights:,} weights, vocabulary {vocabulary_size:,}, {training_words:,} training {unit_name(unit)}")


def show_softmax(settings: Params, vocabulary_size: int, precision: str) -> None:
    """Print what another kind of softmax would gain, if that is much."""
    if line := softmax_note.note(settings, vocabulary_size, precision):
        terminal.print(line)


def show_precision(precision: str, ratio: float | None) -> None:
    """ratio: how many times as long float32 takes as bfloat16, or None if that was not measured."""
    measured = f" (float32 takes {ratio:.1f} times as long as bfloat16 here)" if ratio else ""
    terminal.print(f"matrix products in {precision}{measured}")


def show_plan(minutes: float, plan: "Plan", steps: int, models: int = 1) -> None:
    """Print how long the training is.

    Args:
        minutes: `train.minutes`.
        plan: what fits into them.
        steps: of the training.
        models: trained side by side, in the same steps.
    """
    of_all = f" for all {models} models" if models > 1 else ""
    times = f"{plan.step_seconds * 1000:,.0f} ms{of_all}, a validation takes {plan.validation_seconds:.1f} s"
    less = f"; train.epochs has {counted(steps, 'step')}" if steps < plan.steps else ""
    terminal.print(f"train.minutes: {minutes:g}: time for {counted(plan.steps, 'step')} of {times}{less}")


def show_resumption(step: int, run_id: str, earlier_run_id: str | None) -> None:
    """Print from where the training resumes, if it was started before.

    Args:
        step: of the checkpoint, 0 for none.
        run_id: the MLflow run of this training.
        earlier_run_id: the one in which it was started, or None for a new training.
    """
    if earlier_run_id not in (None, run_id):
        terminal.print(
            f"run {earlier_run_id}, in which the training started, is not in this tracking store: logging to run {run_id} instead"
        )
    if step:
        terminal.print(f"resuming from the checkpoint of step {step:,}, in MLflow run {run_id}")
    elif earlier_run_id:
        terminal.print(f"restarting from scratch, in MLflow run {run_id}: the interrupted training left no checkpoint")


def show_initial_weights(description: str, known_words: int, vocabulary_size: int, unit: str) -> None:
    known = f"{known_words:,} of the {vocabulary_size:,} {unit_name(unit)}"
    terminal.print(f"starting from the weights of {description}, which know {known}")


def show_reused(epochs: int, run_id: str, step: int) -> None:
    terminal.print(f"the {step:,} steps of the training with train.epochs: {epochs}, MLflow run {run_id}, are not done again")


def show_not_reused(epochs: int, run_id: str, schedule: str) -> None:
    terminal.print(
        f"the training with train.epochs: {epochs}, MLflow run {run_id}, is not reused: its learning rates depend on the number of epochs "
        f"(train.schedule: {schedule}). Training from scratch; train.init_from: runs:/{run_id} would start from its weights"
    )


def show_ngrams(order: int, number: int, weight: float, alone: float, mixed: float) -> None:
    """Print what the n-grams add.

    Args:
        order: longest n-gram.
        number: of n-grams of two words and more.
        weight: of the n-grams.
        alone, mixed: validation perplexity of the trained model, and of both together.
    """
    terminal.print(
        f"model.ngrams: {number:,} n-grams of 2 to {order} tokens with a weight of {weight:.4f}: "
        f"validation perplexity {alone:.2f} without them, {mixed:.2f} with them"
    )


def show_result(result: Result, patience: int | None) -> None:
    early = f", stopped early: no lower validation loss in {counted(patience, 'epoch')}" if result.stopped_early and patience else ""
    terminal.print(
        f"{counted(result.steps, 'step')} in {duration(result.seconds)}{early}; "
        f"kept the weights of epoch {result.best_epoch}, validation loss {result.best_validation_loss:.3f}"
    )


def stopped_line(reason: str, step: int) -> str:
    """Return the line with which an interrupted training ends."""
    experiment = os.environ.get("DVC_EXP_NAME")
    command = f"running the experiment {experiment} again with the same parameters" if experiment else "the next make repro"
    return f"{reason} at step {step:,}: {command} resumes from there"


def diverged_line(diverged: Diverged, settings: Train, scratch: str) -> str:
    """Return the line with which a diverged training ends: where, what to change, and where the last good weights are.

    Args:
        diverged: what happened.
        settings: the section `train`.
        scratch: folder of the training, relative to the project.
    """
    limit = f" (train.max_loss is {settings.max_loss:g})" if diverged.loss > settings.max_loss else ""
    return (
        f"the training diverged at step {diverged.step:,} of epoch {diverged.epoch}: "
        f"loss {diverged.loss:g}, gradient norm {diverged.norm:g}{limit}: in params.yaml lower train.learning_rate "
        f"({settings.learning_rate:g}) or train.clip_norm ({settings.clip_norm:g}), or raise train.warmup_steps ({settings.warmup_steps}); "
        f"the last good weights, of step {diverged.kept_step:,}, are in {scratch}/weights"
    )


def diverged_before_line(line: str, scratch: str) -> str:
    """Return the line for a training that diverged before: `diverged_line` and why it is not tried again."""
    key = scratch.rpartition("/")[2]
    return (
        f"{line} (this is the result of an earlier run, kept in {scratch}: change a parameter, the code or the data to train again, "
        f"or try the same again after: make clean-scratch KEY={key})"
    )
