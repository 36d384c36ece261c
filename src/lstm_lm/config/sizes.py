"""Checks of parameters against the size of the vocabulary, which is known only once the stage `vocab` has run, and the memory."""

from lstm_lm.config.schema import Params
from lstm_lm.errors import SettingError
from lstm_lm.io import memory

BYTES = 4  # of a float32
WEIGHT_COPIES = 6  # weights, Adam's two moments, gradients, weights of the last row of the history, best weights
LAYER_VALUES = 11  # for each unit and word: four gates, tanh of the cell, cell and output, kept for the way back; four gradients


def check_vocabulary_size(settings: Params, vocabulary_size: int) -> None:
    """Check the parameters that must be below the size of the vocabulary.

    Raises:
        SettingError: one of them is not.
    """
    cutoffs, sampled = settings.model.adaptive_cutoffs, settings.train.sampled_words
    limit = f"must be below {vocabulary_size}, the size of the vocabulary"
    if cutoffs and cutoffs[-1] >= vocabulary_size:
        raise SettingError("model.adaptive_cutoffs", f"{cutoffs}: {limit}")
    if sampled and sampled >= vocabulary_size:
        raise SettingError("train.sampled_words", f"{sampled}: {limit}, or null")


def check_memory(settings: Params, parameters: int, available: int | None = None) -> None:
    """Check that the training has a chance to fit into the memory.

    What it needs at least is counted, not what TensorFlow adds to that: the check never refuses a training that would have run.

    Args:
        settings: all parameters.
        parameters: number of the model's weights.
        available: bytes; None: what this process can get now.

    Raises:
        SettingError: it does not fit.
    """
    available = memory.available() if available is None else available
    model, batching = settings.model, settings.batching
    averages = 2 if settings.train.ema_decay else 0
    weights = (WEIGHT_COPIES + averages) * parameters * BYTES
    widths = LAYER_VALUES * model.layers * model.hidden_size + model.embedding_size + model.output_size
    activations = model.ensemble_size * widths * batching.batch_size * batching.sequence_length * BYTES
    if weights + activations <= available:
        return
    needs = (
        f"needs at least {memory.gigabytes(weights + activations)} of memory ({memory.gigabytes(weights)} for {parameters:,} weights with "
        f"gradients, Adam's moments and the best weights, {memory.gigabytes(activations)} for the activations of a batch)"
    )
    if weights >= activations:
        raise SettingError(
            "model.hidden_size", f"{model.hidden_size}: the training {needs}, {memory.gigabytes(available)} are free: use a smaller model"
        )
    raise SettingError(
        "batching.batch_size",
        f"{batching.batch_size}, with sequence_length {batching.sequence_length}: the training {needs}, "
        f"{memory.gigabytes(available)} are free: lower one of the two",
    )
