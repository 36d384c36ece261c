"""Sampling the next word.

The options apply in this order, which is that of Hugging Face's transformers, so that the same values mean the same in both:

    logits -> repetition penalty -> no repeated n-gram -> temperature -> top_k -> top_p, of what top_k kept -> min_p
    -> typical_p, of what all of these kept

The first two are in `penalties`. `<unk>` (id 0) is never generated, so 0 can pad a text after its end.

Each row has its own options, and its word is the same to the last bit whatever the other rows are: an option that is off in a row changes
nothing in it, and no sum over a row depends on the number of rows.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tensorflow as tf

from lstm_lm.generation.draw import GROUP, draw, draw_from_blocks, exponentials, inverse_cdf, most_probable, row_sums
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.random_numbers import UNIFORMS_PER_WORD, uniforms

MIN_PROBABILITY = 1e-30  # its logarithm is finite


@dataclass(frozen=True)
class Draws:
    """The random numbers of one word of each row.

    Attributes:
        first: float32 [rows], all that most words need: `uniforms(keys, positions)`.
        keys: uint64 [rows], as `random_numbers.row_keys` returns them.
        positions: int32 [rows], how many words were generated in the row before.
    """

    first: tf.Tensor
    keys: tf.Tensor
    positions: tf.Tensor

    def again(self, draw: tf.Tensor, rows: tf.Tensor) -> tf.Tensor:
        """Another number for some of the rows, given by their indices: float32 [rows]."""
        return uniforms(tf.gather(self.keys, rows), tf.gather(self.positions, rows), draw)


def sample_from_all(logits: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
    """Sample among all words: the whole of it, if no option removes words in any row.

    Args:
        logits: float32 [rows, vocabulary], divided by the temperature.
        uniform: float32 [rows].
    Returns:
        int32 [rows]
    """
    _, blocks, sums = exponentials(logits)
    return draw_from_blocks(blocks, sums, uniform)


@dataclass(frozen=True)
class Filters:
    """What is known about the options of all rows while a loop is traced. What is known to be off costs no time.

    Each is True: on, in all rows that sample; False: off in all rows; or None: decided for each word, as the options have it.

    Attributes:
        greedy: rows of temperature 0 beside others.
        sorted: rows whose words have to be sorted, for top_k or typical_p.
        top_p, min_p: in rows that need no sorting.
        typical_p: in rows that are sorted.
    """

    greedy: bool | None = None
    sorted: bool | None = None
    top_p: bool | None = None
    min_p: bool | None = None
    typical_p: bool | None = None


class Sampler:
    """Samples words with the options of each row. What depends on the options alone is computed once, before a loop over words.

    Args:
        options: vectors, of which temperature, top_k, top_p, min_p and typical_p are used.
        vocabulary_size: number of columns of the logits.
        filters: what is known about the options.
    """

    def __init__(self, options: OptionTensors, vocabulary_size: int, filters: Filters = Filters()) -> None:
        self.options, self.filters = options, filters
        greedy = options.greedy
        needs_sorting = tf.logical_and(tf.logical_or(options.top_k > 0, options.typical_p < 1.0), tf.logical_not(greedy))
        self.any_greedy = tf.reduce_any(greedy)
        self.all_sorted = tf.reduce_all(tf.logical_or(needs_sorting, greedy))
        self.sorted_rows = tf.where(needs_sorting)[:, 0]
        self.has_top_p, self.has_min_p = options.is_on("top_p"), options.is_on("min_p")
        self.has_typical_p = options.is_on("typical_p")
        limit = tf.where(options.top_k > 0, tf.minimum(options.top_k, vocabulary_size), vocabulary_size)
        self.all_options = options.replace(top_k=limit).map(lambda values: values[:, tf.newaxis])  # [rows, 1] each
        self.sorted_options = self.all_options.map(lambda values: tf.gather(values, self.sorted_rows))
        # A few more, so that the functions of all of them are computed in whole vectors: others may be rounded in another way.
        most = tf.reduce_max(tf.concat([tf.gather(limit, self.sorted_rows), [1]], axis=0))
        self.sorted_words = tf.minimum(-(-most // GROUP) * GROUP, vocabulary_size)

    def __call__(self, logits: tf.Tensor, draws: Draws) -> tf.Tensor:
        """Sample a word for every row.

        Args:
            logits: float32 [rows, vocabulary], divided by the temperature.
            draws: the random numbers of this word.
        Returns:
            int32 [rows]
        """
        no_words, filters = tf.zeros_like(draws.positions), self.filters
        if filters.sorted:
            word = self._sample_sorted(logits, draws.first, self.all_options)
        else:
            word = self._cond(filters.sorted, self.all_sorted, lambda: no_words, lambda: self._sample_unsorted(logits, draws))
            any_sorted = tf.size(self.sorted_rows) > 0
            word = self._cond(filters.sorted, any_sorted, lambda: self._replace_sorted(word, logits, draws.first), lambda: word)
        if filters.greedy is False:
            return word
        best = tf.cond(self.any_greedy, lambda: tf.argmax(logits, axis=1, output_type=tf.int32), lambda: no_words)
        return tf.where(self.options.greedy, best, word)

    @staticmethod
    def _cond(known: bool | None, condition: tf.Tensor, on: Callable[[], Any], off: Callable[[], Any]) -> Any:
        """As tf.cond, but without a condition in the graph where the outcome is known."""
        if known is None:
            return tf.cond(condition, on, off)
        return on() if known else off()

    def _sample_unsorted(self, logits: tf.Tensor, draws: Draws) -> tf.Tensor:
        """Sample with top_p and min_p, which need no sorting."""
        exps, blocks, sums = exponentials(logits)

        def apply_min_p() -> tuple[tf.Tensor, tf.Tensor]:
            # Not by drawing again, as for top_p: at a high temperature, which min_p is made for, it may keep few words of many.
            least = self.options.min_p[:, tf.newaxis] * tf.reduce_max(exps, axis=1, keepdims=True)
            kept = tf.where(exps >= least, exps, 0.0)
            return kept, draw(kept, draws.first)

        def all_words() -> tuple[tf.Tensor, tf.Tensor]:
            return exps, draw_from_blocks(blocks, sums, draws.first)

        # Both filters keep the most probable words only: the one that keeps fewer decides. top_p is a fraction of the whole distribution.
        kept, word = self._cond(self.filters.min_p, self.has_min_p, apply_min_p, all_words)

        def apply_top_p() -> tf.Tensor:
            # With top_p off, 2: rounding must not make it less than the whole.
            top_p = tf.where(self.options.top_p < 1.0, self.options.top_p, 2.0)
            return _sample_top_p(kept, top_p * tf.cumsum(sums, axis=1)[:, -1], word, draws)

        return self._cond(self.filters.top_p, self.has_top_p, apply_top_p, lambda: word)

    def _replace_sorted(self, word: tf.Tensor, logits: tf.Tensor, uniform: tf.Tensor) -> tf.Tensor:
        """Sample the words of the rows that need sorting, and keep those of the others."""
        rows = self.sorted_rows
        sampled = self._sample_sorted(tf.gather(logits, rows), tf.gather(uniform, rows), self.sorted_options)
        return tf.tensor_scatter_nd_update(word, rows[:, tf.newaxis], sampled)

    def _sample_sorted(self, logits: tf.Tensor, uniform: tf.Tensor, options: OptionTensors) -> tf.Tensor:
        """Sample among the k most probable words, or those of them that top_p, min_p and typical_p keep.

        Args:
            logits, uniform: of some rows.
            options: those of these rows, [rows, 1] each; top_k is at most the number of words.
        Returns:
            int32 [rows]
        """
        k = self.sorted_words
        values, words = most_probable(logits, k)  # [rows, k], falling
        exps = tf.exp(values - values[:, :1])
        exps = tf.where(tf.range(k)[tf.newaxis] < options.top_k, exps, 0.0)
        # A word stays while the words before it have not reached top_p, so that at least one stays.
        cumulative = tf.cumsum(exps, axis=1)
        stays = tf.logical_or(cumulative - exps < options.top_p * cumulative[:, -1:], options.top_p >= 1.0)
        exps = tf.where(tf.logical_and(stays, exps >= options.min_p), exps, 0.0)
        exps = self._cond(self.filters.typical_p, self.has_typical_p, lambda: _keep_typical(exps, options.typical_p), lambda: exps)
        index, _ = inverse_cdf(exps, uniform)
        return tf.gather(words, index, axis=1, batch_dims=1)


def _keep_typical(exps: tf.Tensor, typical_p: tf.Tensor) -> tf.Tensor:
    """Keep the locally typical words (Meister et al. 2023).

    The surprisal of a word is -ln of its probability; the expected surprisal is the entropy of the distribution. Words are kept in
    the order of how far their surprisal is from the entropy, until their probabilities add up to typical_p: at least one, and all
    that are exactly as far from it as the last of them.

    Args:
        exps: float32 [rows, words], a distribution, not normalized; 0 for words that are left out already.
        typical_p: float32 [rows, 1] in (0, 1]; 1 keeps all.
    Returns:
        float32 [rows, words], 0 for words that are left out.
    """
    probabilities = exps / tf.cumsum(exps, axis=1)[:, -1:]
    surprisal = -tf.math.log(tf.maximum(probabilities, MIN_PROBABILITY))
    entropy = tf.cumsum(probabilities * surprisal, axis=1)[:, -1:]
    distance = tf.where(exps > 0.0, tf.abs(surprisal - entropy), np.inf)
    order = tf.argsort(distance, axis=1)
    before = tf.cumsum(tf.gather(probabilities, order, axis=1, batch_dims=1), axis=1, exclusive=True)
    last = tf.reduce_sum(tf.cast(before < typical_p, tf.int32), axis=1, keepdims=True) - 1
    farthest = tf.gather(tf.gather(distance, order, axis=1, batch_dims=1), last, axis=1, batch_dims=1)  # [rows, 1]
    return tf.where(tf.logical_or(distance <= farthest, typical_p >= 1.0), exps, 0.0)


def _sample_top_p(exps: tf.Tensor, enough: tf.Tensor, word: tf.Tensor, draws: Draws) -> tf.Tensor:
    """Draw again until the word is within top_p, without sorting (by rejection, as FlashInfer does: Ye et al. 2025).

    A word is within top_p if the words more probable than it do not reach top_p without it. If a word is not, no word less probable
    is either. These are left out of the next draw, so that a few draws are enough.

    Args:
        exps: float32 [rows, words], the distribution, not normalized; improbable words may be 0.
        enough: float32 [rows], top_p of the sum of the whole distribution.
        word: int32 [rows], drawn from `exps`.
        draws: the random numbers; the first was used for `word`.
    Returns:
        int32 [rows]
    """
    enough = tf.maximum(enough, 1e-30)

    def more_probable(exps: tf.Tensor, word: tf.Tensor) -> tf.Tensor:
        """The exponentials above that of the word; the others become 0."""
        more = exps - tf.gather(exps, word, axis=1, batch_dims=1)[:, tf.newaxis]
        return tf.raw_ops.ReluGrad(gradients=exps, features=more)  # exps where more > 0, in one pass

    def rejected(rows: tf.Tensor, more: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """The rows that have to be drawn again, and the distribution to draw from."""
        out = tf.where(row_sums(more) >= tf.gather(enough, rows))[:, 0]
        return tf.gather(rows, out), tf.gather(more, out)

    def body(t: tf.Tensor, word: tf.Tensor, rows: tf.Tensor, rest: tf.Tensor) -> tuple[tf.Tensor, ...]:
        again = draw(rest, draws.again(t, rows))
        return t + 1, tf.tensor_scatter_nd_update(word, rows[:, tf.newaxis], again), *rejected(rows, more_probable(rest, again))

    start = 1, word, *rejected(tf.range(tf.shape(word)[0]), more_probable(exps, word))
    shapes = tf.TensorShape([]), word.shape, tf.TensorShape([None]), tf.TensorShape([None, exps.shape[1]])
    _, word, rows, rest = tf.while_loop(
        lambda t, word, rows, rest: tf.logical_and(t < UNIFORMS_PER_WORD, tf.size(rows) > 0), body, start, shapes
    )
    # The most probable word is always within top_p.
    return tf.tensor_scatter_nd_update(word, rows[:, tf.newaxis], tf.argmax(rest, axis=1, output_type=tf.int32))
