"""Changes to the logits that depend on the text so far."""

import tensorflow as tf

from lstm_lm.generation.logits import BLOCKED
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.text_history import NO_WORD

MAX_PENALTY = 100.0


def apply(logits: tf.Tensor, history: tf.Tensor, options: OptionTensors) -> tf.Tensor:
    """Apply all options that depend on the text so far, in their order.

    Args:
        logits: float32 [rows, words], that of `<unk>` BLOCKED.
        history: int32 [rows, longest], as in `text_history`.
        options: vectors, of which repetition_penalty and no_repeat_ngram are used.
    Returns:
        float32 [rows, words]
    """
    logits = tf.cond(
        options.is_on("repetition_penalty"),
        lambda: apply_repetition_penalty(logits, history, options.repetition_penalty),
        lambda: logits,
    )
    return tf.cond(
        options.is_on("no_repeat_ngram"), lambda: block_repeated_ngrams(logits, history, options.no_repeat_ngram), lambda: logits
    )


def apply_repetition_penalty(logits: tf.Tensor, history: tf.Tensor, penalty: tf.Tensor) -> tf.Tensor:
    """Make the words of a text less probable (the repetition penalty of Keskar et al. 2019, "CTRL").

    A word that is in the text, once or several times, has its logit divided by the penalty, or multiplied if it is negative, as other
    libraries do it. By its nature, the method depends on where the zero of a model's logits lies. The logits of an adaptive softmax are
    log probabilities, which are never positive.

    Args:
        logits: float32 [rows, words], before or after the division by the temperature, which makes no difference.
        history: int32 [rows, longest]. `<unk>` represents many words and is not penalized.
        penalty: float32 [rows]; above 1 less probable, 1 no change.
    Returns:
        float32 [rows, words]
    """
    bounded = tf.clip_by_value(penalty, 1 / MAX_PENALTY, MAX_PENALTY)[:, tf.newaxis]
    ids = tf.maximum(history, 0)
    present = tf.gather(logits, ids, axis=1, batch_dims=1)  # [rows, longest]
    changed = tf.where(present > 0.0, present / bounded, present * bounded)
    return _replaced(logits, ids, tf.where(ids > 0, changed, present))


def block_repeated_ngrams(logits: tf.Tensor, history: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Block every word that would complete an n-gram that is already in the text (Paulus et al. 2018, for n = 3).

    Where this would block every word, the row's logits stay as they are.

    Args:
        logits: float32 [rows, words], that of `<unk>` BLOCKED.
        history: int32 [rows, longest].
        size: int32 [rows], the words of the n-gram; with 1, no word is repeated, 0 is off.
    Returns:
        float32 [rows, words]
    """
    rows, width = tf.shape(history)[0], tf.shape(history)[1]
    size = size[:, tf.newaxis]  # [rows, 1]

    def goes_on(same: tf.Tensor, follows: tf.Tensor) -> tf.Tensor:
        return tf.reduce_any(tf.logical_and(follows, same < size - 1))

    def extend_match(same: tf.Tensor, follows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """From matches of `same` words to matches of one more, in the rows that need it."""
        before = tf.concat([tf.fill([rows, same + 1], NO_WORD), history[:, : width - 1 - same]], axis=1)  # [rows, longest]
        longer = tf.logical_and(before == history[:, width - 1 - same, tf.newaxis], before != NO_WORD)
        return same + 1, tf.logical_and(follows, tf.logical_or(longer, same >= size - 1))

    # Whether each word of the text follows the same size - 1 words with which the text ends now: it would complete the n-gram again.
    start = 0, tf.logical_and(history != NO_WORD, size > 0)
    _, follows = tf.while_loop(goes_on, extend_match, start)
    left = _replaced(logits, tf.where(follows, history, 0), tf.fill(tf.shape(history), BLOCKED))
    return tf.where(tf.reduce_max(left, axis=1, keepdims=True) > BLOCKED / 2, left, logits)


def add_bias(logits: tf.Tensor, ids: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Add to the logits of some words.

    Args:
        logits: float32 [rows, words].
        ids: int32 [rows, any]; 0 is no word.
        values: float32 [rows, any].
    Returns:
        float32 [rows, words]
    """
    return tf.tensor_scatter_nd_add(logits, _places(ids), tf.where(ids > 0, values, 0.0))


def _replaced(logits: tf.Tensor, ids: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Replace the logits at `ids`, int32 [rows, any], by `values`. If an id comes twice in a row, so does its value."""
    return tf.tensor_scatter_nd_update(logits, _places(ids), values)


def _places(ids: tf.Tensor) -> tf.Tensor:
    """Indices of columns, int32 [rows, any], as indices of rows and columns, int32 [rows, any, 2]."""
    rows = tf.broadcast_to(tf.range(tf.shape(ids)[0])[:, tf.newaxis], tf.shape(ids))
    return tf.stack([rows, ids], axis=2)
