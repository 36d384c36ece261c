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
        options: of which repetition_penalty and no_repeat_ngram are used.
    Returns:
        float32 [rows, words]
    """
    logits = apply_repetition_penalty(logits, history, options.repetition_penalty)
    return block_repeated_ngrams(logits, history, options.no_repeat_ngram)


def apply_repetition_penalty(logits: tf.Tensor, history: tf.Tensor, penalty: tf.Tensor) -> tf.Tensor:
    """Make the words of a text less probable (the repetition penalty of Keskar et al. 2019, "CTRL").

    A word that is in the text, once or several times, has its logit divided by the penalty, or multiplied if it is negative, as other
    libraries do it. By its nature, the method depends on where the zero of a model's logits lies. The logits of an adaptive softmax are
    log probabilities, which are never positive.

    Args:
        logits: float32 [rows, words], before or after the division by the temperature, which makes no difference.
        history: int32 [rows, longest]. `<unk>` represents many words and is not penalized.
        penalty: float32 scalar; above 1 less probable, 1 no change.
    Returns:
        float32 [rows, words]
    """

    def penalized() -> tf.Tensor:
        bounded = tf.clip_by_value(penalty, 1 / MAX_PENALTY, MAX_PENALTY)
        ids = tf.maximum(history, 0)
        present = tf.gather(logits, ids, axis=1, batch_dims=1)  # [rows, longest]
        changed = tf.where(present > 0.0, present / bounded, present * bounded)
        return _replaced(logits, ids, tf.where(ids > 0, changed, present))

    return tf.cond(penalty == 1.0, lambda: logits, penalized)


def block_repeated_ngrams(logits: tf.Tensor, history: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
    """Block every word that would complete an n-gram that is already in the text (Paulus et al. 2018, for n = 3).

    Where this would block every word, the row's logits stay as they are.

    Args:
        logits: float32 [rows, words], that of `<unk>` BLOCKED.
        history: int32 [rows, longest].
        size: int32 scalar, the words of the n-gram; with 1, no word is repeated, 0 is off.
    Returns:
        float32 [rows, words]
    """
    rows, width = tf.shape(history)[0], tf.shape(history)[1]

    def extend_match(same: tf.Tensor, follows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """From matches of `same` words to matches of one more."""
        before = tf.concat([tf.fill([rows, same + 1], NO_WORD), history[:, : width - 1 - same]], axis=1)  # [rows, longest]
        follows = tf.logical_and(follows, before == history[:, width - 1 - same, tf.newaxis])
        return same + 1, tf.logical_and(follows, before != NO_WORD)

    def blocked() -> tf.Tensor:
        # Whether each word of the text follows the same size - 1 words with which the text ends now: it would complete the n-gram again.
        start = 0, history != NO_WORD
        _, follows = tf.while_loop(lambda same, follows: tf.logical_and(same < size - 1, tf.reduce_any(follows)), extend_match, start)
        left = _replaced(logits, tf.where(follows, history, 0), tf.fill(tf.shape(history), BLOCKED))
        return tf.where(tf.reduce_max(left, axis=1, keepdims=True) > BLOCKED / 2, left, logits)

    return tf.cond(size > 0, blocked, lambda: logits)


def _replaced(logits: tf.Tensor, ids: tf.Tensor, values: tf.Tensor) -> tf.Tensor:
    """Replace the logits at `ids`, int32 [rows, any], by `values`. If an id comes twice in a row, so does its value."""
    rows = tf.broadcast_to(tf.range(tf.shape(ids)[0])[:, tf.newaxis], tf.shape(ids))
    return tf.tensor_scatter_nd_update(logits, tf.stack([rows, ids], axis=2), values)
