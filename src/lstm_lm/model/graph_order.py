"""Where TensorFlow puts operations: their order in loops whose steps are short, and what it would move into a loop.

TensorFlow gives an operation that takes some microseconds to another thread if it has anything else to do at that moment, however little.
Waking that thread takes longer than what it saves, and its core has to load the weights again. In loops over words, the products therefore
wait for the small operations beside them.
"""

from typing import TypeVar

import tensorflow as tf

Tensors = TypeVar("Tensors")


def after(first: object, tensors: Tensors) -> Tensors:
    """Let tensors be used only after others are computed.

    Args:
        first, tensors: a tensor, or any structure of tensors.
    Returns:
        The same values as `tensors`.
    """
    with tf.control_dependencies(tf.nest.flatten(first)):
        same: Tensors = tf.nest.map_structure(tf.identity, tensors)
    return same


def transpose_once(matrix: tf.Tensor) -> tf.Tensor:
    """Transpose, before a loop, what its steps multiply by: [rows, columns] -> [columns, rows].

    A product of few rows with a matrix that is read across runs at a fraction of the speed. TensorFlow's optimizer would move a single
    transposition into every product, so it is made in halves.
    """
    half = matrix.shape[1] // 2
    return tf.concat([tf.transpose(matrix[:, :half]), tf.transpose(matrix[:, half:])], axis=0)
