"""The generation options in TensorFlow's graph: one vector for each row of the table, with one value for each text."""

from collections.abc import Callable
from types import SimpleNamespace

import tensorflow as tf

from lstm_lm.generation import options
from lstm_lm.generation.options import GenerationOptions, Option

DTYPES = {int: tf.int32, float: tf.float32, bool: tf.bool}
MIN_TEMPERATURE = 1e-4  # anything smaller is greedy too, and would only overflow


def of_words(row: Option) -> bool:
    """Whether an option applies to each generated word: all but those that only set the number of rows."""
    return not row.sets_rows


class OptionTensors(SimpleNamespace):
    """The options as vectors, an attribute for each option, such as `top_k`, int32 [rows]."""

    def replace(self, **changes: tf.Tensor) -> "OptionTensors":
        """The same options with some others."""
        return OptionTensors(**{**vars(self), **changes})

    def map(self, function: Callable[[tf.Tensor], tf.Tensor]) -> "OptionTensors":
        """The same options after a function that is applied to each vector."""
        return OptionTensors(**{name: function(values) for name, values in vars(self).items()})

    def is_on(self, name: str) -> tf.Tensor:
        """Whether any row has an option switched on: bool scalar."""
        return tf.reduce_any(getattr(self, name) != options.by_name()[name].off)

    def looks_back(self) -> tf.Tensor:
        """Whether any option that is on in any row needs the whole text generated so far: bool scalar."""
        return tf.reduce_any([self.is_on(row.name) for row in options.options() if row.looks_back])

    @property
    def greedy(self) -> tf.Tensor:
        """Which rows take the most probable word: bool [rows]."""
        return tf.less_equal(self.temperature, 0.0)

    @property
    def sharpness(self) -> tf.Tensor:
        """What logits are multiplied by, 1 / temperature; 1 in greedy rows: float32 [rows]."""
        # 2 / 2t is 1 / t to the last bit. TensorFlow would make 1 / t a reciprocal, whose rounding depends on how many rows there are.
        return tf.where(self.greedy, 1.0, 2.0 / (2.0 * tf.maximum(self.temperature, MIN_TEMPERATURE)))


def specs(keep: Callable[[Option], bool] = lambda row: True) -> dict[str, tf.TensorSpec]:
    """The input signature of the options.

    Args:
        keep: which rows of the table.
    Returns:
        A TensorSpec for each option, named like the option.
    """
    return {row.name: tf.TensorSpec([None], DTYPES[row.type], row.name) for row in options.options() if keep(row)}


def tensors(values: GenerationOptions, count: int, keep: Callable[[Option], bool] = lambda row: True) -> dict[str, tf.Tensor]:
    """Options given in Python, the same for all of `count` texts, as tensors of the structure `specs`."""
    rows = [row for row in options.options() if keep(row)]
    return {row.name: tf.fill([count], tf.constant(getattr(values, row.name), DTYPES[row.type])) for row in rows}


def with_others_off(values: dict[str, tf.Tensor], count: tf.Tensor) -> OptionTensors:
    """Some of the options of words, and the others switched off. Temperature and seed, which have no such value, become 0.

    Args:
        values: vectors [count] by the names of the options.
        count: int32 scalar, number of texts.
    """
    others = {row.name: 0 if row.off is None else row.off for row in options.options() if of_words(row) and row.name not in values}
    types = {row.name: DTYPES[row.type] for row in options.options()}
    return OptionTensors(**values, **{name: tf.fill([count], tf.constant(off, types[name])) for name, off in others.items()})
