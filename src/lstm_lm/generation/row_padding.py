"""How many rows to compute so that the result of a row does not depend on how many there are.

Libraries compute matrix products for a few rows at a time. Some of them add up the rows that are left over in another order, so that
their last bits differ: on CPUs without AVX-512, TensorFlow does so for 1 to 3 rows, and for the last 1 to 3 rows of 7, 8, 9, 13, ... A
trial finds the numbers of rows for which all rows have the same bits. Loops then compute a few rows more, and drop them.
"""

from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
import tensorflow as tf

PERIOD = 24  # rows: a multiple of the number that any of the usual libraries computes at a time (4, 6, 8 or 12)
SCALES = (0.1, 0.3, 1.0, 2.0, 3.0, 5.0)  # of the numbers whose functions are tried
MAX_COLUMNS = 1024  # of the weights that are tried: more would take time
COLUMNS_PERIOD = 64  # as many columns are left over of those that are tried as of all


def row_counts(weights: Iterable[tf.Tensor], hidden_size: int, rows: tf.Tensor | None = None) -> tf.Tensor:
    """Try products, and the functions of an LSTM, with 1 to PERIOD rows. With PERIOD more, the rows that are left over are the same.

    Args:
        weights: float32 [width, any] each, of all products that rows take part in.
        hidden_size: numbers in a row of the LSTM's gates.
        rows: int32 scalar, the only number of rows whose count is needed, which takes less time; None: all.
    Returns:
        int32 [PERIOD + 1], for each number of rows the number of rows to compute.
    """
    tried = [matrix[:, : MAX_COLUMNS + matrix.shape[1] % COLUMNS_PERIOD] for matrix in weights]
    trials = [_trial(partial(tf.matmul, b=matrix), matrix.shape[0]) for matrix in tried] + [_trial(_functions, hidden_size)]
    numbers = tf.range(1, PERIOD + 1)

    def is_right(number: tf.Tensor) -> tf.Tensor:
        return tf.reduce_all([trial(number) for trial in trials])

    if rows is None:
        right = tf.map_fn(is_right, numbers, fn_output_signature=tf.bool, parallel_iterations=1)
    else:
        first = tf.maximum(rows % PERIOD, 1)
        [least] = tf.while_loop(lambda n: (n <= PERIOD) & ~is_right(n), lambda n: [n + 1], [first], parallel_iterations=1)
        right = numbers == least
    is_enough = tf.logical_and(right[tf.newaxis], numbers[tf.newaxis] >= numbers[:, tf.newaxis])
    least = tf.reduce_min(tf.where(is_enough, numbers[tf.newaxis], PERIOD + 1), axis=1)
    # If no number is right there is nothing to gain.
    return tf.concat([[0], tf.where(least > PERIOD, numbers, least)], axis=0)


class RowPadding:
    """Adds rows to tensors, and drops them.

    Attributes:
        rows: int32 scalar.
        added: int32 scalar, rows that are added.
    """

    def __init__(self, rows: tf.Tensor, counts: tf.Tensor) -> None:
        """Find how many rows to add.

        Args:
            rows: int32 scalar.
            counts: as `row_counts` returns them.
        """
        self.rows = rows
        self.added = tf.gather(counts, rows % PERIOD) - rows % PERIOD

    def pad(self, numbers: tf.Tensor) -> tf.Tensor:
        """Add rows of zeros: [rows, ...] -> [rows + added, ...]."""
        zeros = tf.zeros([self.added, *tf.unstack(tf.shape(numbers)[1:])], numbers.dtype)
        return tf.concat([numbers, zeros], axis=0)

    def strip(self, numbers: tf.Tensor) -> tf.Tensor:
        """Drop the added rows: [rows + added, ...] -> [rows, ...]."""
        return numbers[: self.rows]


def _functions(rows: tf.Tensor) -> tf.Tensor:
    return tf.concat([function(rows * scale) for scale in SCALES for function in (tf.sigmoid, tf.tanh)], axis=1)


def _trial(function: Callable[[tf.Tensor], tf.Tensor], width: int) -> Callable[[tf.Tensor], tf.Tensor]:
    """Apply a function to PERIOD equal rows.

    Args:
        function: [rows, width] -> [rows, any].
        width: numbers in a row.
    Returns:
        A function from a number of rows, int32 scalar from 1 to PERIOD, to whether with so many all results are the same: bool scalar.
    """
    row = np.sin(np.arange(1, width + 1, dtype=np.float32))  # any numbers whose products have to be rounded
    rows = tf.tile(tf.constant(row)[tf.newaxis], [PERIOD, 1])
    expected = function(rows)[0]
    return lambda number: tf.reduce_all(function(rows[:number]) == expected)
