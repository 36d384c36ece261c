"""Sampling the next word.

The options apply in this order, which is that of Hugging Face's transformers, so that the same values mean the same in both:

    logits -> repetition penalty -> no repeated n-gram -> temperature -> top_k -> top_p, of what top_k kept -> min_p
    -> typical_p, of what all of these kept

The first two are in `penalties`. `<unk>` (id 0) is never generated, so 0 can pad a text after its end.
"""

import numpy as np
import tensorflow as tf

from lstm_lm.generation.draw import draw, draw_from_blocks, exponentials, inverse_cdf, most_probable
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.random_numbers import UNIFORMS_PER_WORD

MIN_PROBABILITY = 1e-30  # its logarithm is finite


def sample_next_token(logits: tf.Tensor, uniforms: tf.Tensor, greedy: tf.Tensor, options: OptionTensors) -> tf.Tensor:
    """Sample a word for every row.

    Args:
        logits: float32 [rows, vocabulary], divided by the temperature.
        uniforms: float32 [rows, UNIFORMS_PER_WORD] in [0, 1).
        greedy: bool scalar; take the most probable word.
        options: of which top_k, top_p, min_p and typical_p are used.
    Returns:
        int32 [rows]
    """
    top_p, min_p = options.top_p, options.min_p
    is_filtered = tf.logical_or(top_p < 1.0, min_p > 0.0)
    needs_sorting = tf.logical_or(options.top_k > 0, options.typical_p < 1.0)

    def sample() -> tf.Tensor:
        return tf.cond(needs_sorting, lambda: _sample_sorted(logits, uniforms[:, 0], options), sample_from_all)

    def sample_from_all() -> tf.Tensor:
        exps, blocks, sums = exponentials(logits)
        word = draw_from_blocks(blocks, sums, uniforms[:, 0])
        return tf.cond(is_filtered, lambda: filtered(exps, tf.reduce_sum(sums, axis=1), word), lambda: word)

    def filtered(exps: tf.Tensor, total: tf.Tensor, word: tf.Tensor) -> tf.Tensor:
        def apply_min_p() -> tuple[tf.Tensor, tf.Tensor]:
            # Not by drawing again, as for top_p: at a high temperature, which min_p is made for, it may keep few words of many.
            kept = tf.where(exps >= min_p * tf.reduce_max(exps, axis=1, keepdims=True), exps, 0.0)
            return kept, draw(kept, uniforms[:, 0])

        # Both filters keep the most probable words only: the one that keeps fewer decides. top_p is a fraction of the whole distribution.
        kept, word = tf.cond(min_p > 0.0, apply_min_p, lambda: (exps, word))
        # With top_p off, 2: rounding must not make it less than the whole.
        return _sample_top_p(kept, total, word, uniforms, tf.where(top_p < 1.0, top_p, 2.0))

    return tf.cond(greedy, lambda: tf.argmax(logits, axis=1, output_type=tf.int32), sample)


def _sample_sorted(logits: tf.Tensor, uniform: tf.Tensor, options: OptionTensors) -> tf.Tensor:
    """Sample among the k most probable words, or those of them that top_p, min_p and typical_p keep, by sorting the words.

    Args:
        logits: float32 [rows, vocabulary].
        uniform: float32 [rows] in [0, 1).
        options: of which top_k, top_p, min_p and typical_p are used.
    Returns:
        int32 [rows]
    """
    vocabulary_size = logits.shape[1]
    k = tf.where(options.top_k > 0, tf.minimum(options.top_k, vocabulary_size), vocabulary_size)
    values, words = most_probable(logits, k)  # [rows, k], falling
    exps = tf.exp(values - values[:, :1])
    # A word stays while the words before it have not reached top_p, so that at least one stays.
    before = tf.cumsum(exps, axis=1, exclusive=True)
    stays = tf.logical_or(before < options.top_p * tf.reduce_sum(exps, axis=1, keepdims=True), options.top_p >= 1.0)
    stays = tf.logical_and(stays, exps >= options.min_p)
    exps *= tf.cast(stays, tf.float32)
    exps = tf.cond(options.typical_p < 1.0, lambda: _keep_typical(exps, options.typical_p), lambda: exps)
    index, _ = inverse_cdf(exps, uniform)
    return tf.gather(words, index, axis=1, batch_dims=1)


def _keep_typical(exps: tf.Tensor, typical_p: tf.Tensor) -> tf.Tensor:
    """Keep the locally typical words (Meister et al. 2023).

    The surprisal of a word is -ln of its probability; the expected surprisal is the entropy of the distribution. Words are kept in
    the order of how far their surprisal is from the entropy, until their probabilities add up to typical_p: at least one, and all
    that are exactly as far from it as the last of them.

    Args:
        exps: float32 [rows, words], a distribution, not normalized; 0 for words that are left out already.
        typical_p: float32 scalar in (0, 1).
    Returns:
        float32 [rows, words], 0 for words that are left out.
    """
    probabilities = exps / tf.reduce_sum(exps, axis=1, keepdims=True)
    surprisal = -tf.math.log(tf.maximum(probabilities, MIN_PROBABILITY))
    entropy = tf.reduce_sum(probabilities * surprisal, axis=1, keepdims=True)
    distance = tf.where(exps > 0.0, tf.abs(surprisal - entropy), np.inf)
    order = tf.argsort(distance, axis=1)
    before = tf.cumsum(tf.gather(probabilities, order, axis=1, batch_dims=1), axis=1, exclusive=True)
    last = tf.reduce_sum(tf.cast(before < typical_p, tf.int32), axis=1, keepdims=True) - 1
    farthest = tf.gather(tf.gather(distance, order, axis=1, batch_dims=1), last, axis=1, batch_dims=1)  # [rows, 1]
    return tf.where(distance <= farthest, exps, 0.0)


def _sample_top_p(exps: tf.Tensor, total: tf.Tensor, word: tf.Tensor, uniforms: tf.Tensor, top_p: tf.Tensor) -> tf.Tensor:
    """Draw again until the word is within top_p, without sorting (by rejection, as FlashInfer does: Ye et al. 2025).

    A word is within top_p if the words more probable than it do not reach top_p without it. If a word is not, no word less probable
    is either. These are left out of the next draw, so that a few draws are enough.

    Args:
        exps: float32 [rows, words], the distribution, not normalized; improbable words may be 0.
        total: float32 [rows], the sum of the whole distribution.
        word: int32 [rows], drawn from `exps`.
        uniforms: float32 [rows, UNIFORMS_PER_WORD]; the first was used for `word`.
        top_p: float32 scalar.
    Returns:
        int32 [rows]
    """
    enough = tf.maximum(top_p * total, 1e-30)  # [rows]

    def more_probable(exps: tf.Tensor, word: tf.Tensor) -> tf.Tensor:
        """The exponentials above that of the word; the others become 0."""
        more = exps - tf.gather(exps, word, axis=1, batch_dims=1)[:, tf.newaxis]
        return tf.raw_ops.ReluGrad(gradients=exps, features=more)  # exps where more > 0, in one pass

    def rejected(rows: tf.Tensor, more: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The rows that have to be drawn again, and the distribution to draw from."""
        out = tf.where(tf.reduce_sum(more, axis=1) >= tf.gather(enough, rows))[:, 0]
        return tf.gather(rows, out), tf.gather(more, out)

    def body(t: tf.Tensor, word: tf.Tensor, rows: tf.Tensor, rest: tf.Tensor) -> tuple[tf.Tensor, ...]:
        again = draw(rest, tf.gather(uniforms[:, t], rows))
        return t + 1, tf.tensor_scatter_nd_update(word, rows[:, tf.newaxis], again), *rejected(rows, more_probable(rest, again))

    start = 1, word, *rejected(tf.range(tf.shape(word)[0]), more_probable(exps, word))
    shapes = tf.TensorShape([]), word.shape, tf.TensorShape([None]), tf.TensorShape([None, exps.shape[1]])
    _, word, rows, rest = tf.while_loop(
        lambda t, word, rows, rest: tf.logical_and(t < UNIFORMS_PER_WORD, tf.size(rows) > 0), body, start, shapes
    )
    # The most probable word is always within top_p.
    return tf.tensor_scatter_nd_update(word, rows[:, tf.newaxis], tf.argmax(rest, axis=1, output_type=tf.int32))
