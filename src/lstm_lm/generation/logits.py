"""From the output of the last layer to logits, in forms made for loops over words."""

from collections.abc import Callable

import tensorflow as tf

from lstm_lm.generation.draw import block_size
from lstm_lm.model.language_model import LanguageModel

BLOCKED = -1e30  # the logit of a word that must not be generated; finite, so that no NaN can come of it
LogitsFunction = Callable[[tf.Tensor], tf.Tensor]  # float32 [rows, output_size] -> float32 [rows, vocabulary or more]


def block_unknown(vocabulary: int | tf.Tensor) -> tf.Tensor:
    """What to add to logits so that `<unk>` is never generated: float32 [vocabulary]."""
    return tf.one_hot(0, vocabulary, on_value=BLOCKED, off_value=0.0)


def plain_softmax(weights: tf.Tensor, bias: tf.Tensor) -> LogitsFunction:
    """The product as in the model. For few rows, it reads the weights fast enough as they are."""
    return lambda hidden: tf.matmul(hidden, weights, transpose_b=True) + bias


def adaptive_softmax(model: LanguageModel, sharpness: tf.Tensor, forbidden: tf.Tensor) -> LogitsFunction:
    """Of a hidden layer that was multiplied by `sharpness`, which log probabilities can only be after they were computed."""
    return lambda hidden: model.logits(hidden / sharpness) * sharpness + forbidden


def transposed_softmax(weights: tf.Tensor, bias: tf.Tensor) -> LogitsFunction:
    """The product with the weights transposed once, before the loop.

    Words that are never generated are added until there are only whole blocks for `draw`.

    Args:
        weights: float32 [vocabulary, output_size].
        bias: float32 [vocabulary].
    Returns:
        A function from float32 [rows, output_size] to float32 [rows, at least vocabulary].
    """
    words, width = weights.shape
    padded = words
    while padded % block_size(padded):  # more words may make the blocks larger
        padded += 1
    missing = padded - words
    # In halves, because TensorFlow's optimizer would move a single transposition into every product.
    halves = tf.transpose(weights[:, : width // 2]), tf.transpose(weights[:, width // 2 :])
    transposed = tf.concat([*halves, bias[tf.newaxis]], axis=0)  # [width + 1, vocabulary]
    never = tf.concat([tf.zeros([width, missing]), tf.fill([1, missing], BLOCKED)], axis=0)
    transposed = tf.concat([transposed, never], axis=1)  # [width + 1, vocabulary + missing]
    return lambda hidden: tf.matmul(tf.concat([hidden, tf.ones([tf.shape(hidden)[0], 1])], axis=1), transposed)
