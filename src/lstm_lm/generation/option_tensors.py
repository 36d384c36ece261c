"""The generation options in TensorFlow's graph: one scalar tensor for each row of the table."""

from collections.abc import Callable
from types import SimpleNamespace

import tensorflow as tf

from lstm_lm.generation import options
from lstm_lm.generation.options import GenerationOptions, Option

DTYPES = {int: tf.int32, float: tf.float32, bool: tf.bool}


def of_words(row: Option) -> bool:
    """Whether an option applies to each generated word: all but those that only set the number of rows."""
    return not row.sets_rows


class OptionTensors(SimpleNamespace):
    """The options as scalar tensors, an attribute for each option, such as `top_k`, int32."""

    def looks_back(self) -> tf.Tensor:
        """Whether any option that is on needs the whole text generated so far: bool scalar."""
        return tf.reduce_any([getattr(self, row.name) != row.off for row in options.options() if row.looks_back])

    def replace(self, **changes: tf.Tensor) -> "OptionTensors":
        """The same options with some others."""
        return OptionTensors(**{**vars(self), **changes})


def specs(keep: Callable[[Option], bool] = lambda row: True) -> dict[str, tf.TensorSpec]:
    """The input signature of the options.

    Args:
        keep: which rows of the table.
    Returns:
        A TensorSpec for each option, named like the option.
    """
    return {row.name: tf.TensorSpec([], DTYPES[row.type], row.name) for row in options.options() if keep(row)}


def tensors(values: GenerationOptions, keep: Callable[[Option], bool] = lambda row: True) -> dict[str, tf.Tensor]:
    """Options given in Python, as tensors of the structure `specs`."""
    return {row.name: tf.constant(getattr(values, row.name), DTYPES[row.type]) for row in options.options() if keep(row)}
