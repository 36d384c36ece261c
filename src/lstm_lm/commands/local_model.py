"""This checkout's model in this process, with the engine that also serves it."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lstm_lm.commands.text_printer import Part
from lstm_lm.errors import UserError
from lstm_lm.generation import options
from lstm_lm.generation.options import GenerationOptions
from lstm_lm_serving.limits import Limits

if TYPE_CHECKING:
    from lstm_lm_serving.engine import Engine

# What one person asks of a process of their own is limited by the table of options alone.
MAX_WORDS = int(options.by_name()["max_words"].maximum or 0)
LIMITS = Limits(
    max_words=MAX_WORDS,
    max_words_per_request=MAX_WORDS * options.MAX_TEXTS,
    max_beam_words_per_request=MAX_WORDS * options.MAX_TEXTS,
)


def complete(engine: "Engine", prompt: str, generation: GenerationOptions, stop: Sequence[str] = ()) -> Iterator[Part]:
    """Continue a prompt.

    Args:
        engine: of the model, as `load_engine` returns it.
        prompt: with a word that the model knows.
        generation: checked options.
        stop: a text ends before the first of these strings.
    Yields:
        Parts of the texts as they are generated. The first part of each text starts with the prompt.
    Raises:
        UserError: a stop string is not allowed.
    """
    from lstm_lm_serving.errors import Refused
    from lstm_lm_serving.texts import Text

    try:
        stream = engine.submit([Text(prompt, dataclasses.asdict(generation), tuple(stop), echo=True)], math.inf)
    except Refused as error:
        raise UserError(str(error)) from None
    try:
        for piece in stream:
            yield Part(piece.sample, piece.new_text, piece.finish_reason is not None)
    finally:
        stream.cancel()


def load_engine(folder: Path) -> "Engine":
    """Load a SavedModel.

    Raises:
        UserError: it cannot be loaded.
    """
    import_tensorflow()
    from lstm_lm_serving.engine import Engine

    try:
        return Engine(folder, LIMITS, warm_up=False)
    except Exception as error:
        from lstm_lm.export.text_model import load_text_model

        load_text_model(folder)  # reports what is wrong with it
        if isinstance(error, AttributeError):
            raise UserError(f"the model in {folder} was made by an older version of this project: train it again: make repro") from None
        raise


def import_tensorflow() -> None:
    """Import TensorFlow silently, with the settings for one text."""
    from lstm_lm.io import memory, quiet

    memory.keep_freed()
    with quiet.tensorflow_import():
        import tensorflow as tf
    # Generating one word is too little work to share between threads.
    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
