"""Softmax cross-entropy over the vocabulary: plain, exact in chunks, and estimated from a sample of the vocabulary."""

from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import tensorflow as tf

from lstm_lm.model.precision import matmul
from lstm_lm.model.tiled_softmax import MAX_EXP_SUM, tiled_softmax_cross_entropy

CHUNK_LOGITS = 2**22  # of a chunk: 16 MiB, which stay in the cache
MIN_CHUNK = 256  # words: with fewer the weights' gradient is read and written too often
MAX_CHUNKED_SIZE = CHUNK_LOGITS // MIN_CHUNK  # columns: with more, the vocabulary is tiled as well


class Sample(NamedTuple):
    """Words drawn with replacement, for the sampled softmax.

    Attributes:
        ids: int32 [samples].
        log_expected: float32 [samples], logarithm of how often each word is expected in such a sample.
    """

    ids: tf.Tensor
    log_expected: tf.Tensor


def nats(logits: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Return the cost of each target in nats, float32 [...], from logits [..., vocabulary] and int32 [...]."""
    return tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets, logits=logits)


def softmax_cross_entropy(hidden: tf.Tensor, weights: tf.Tensor, bias: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
    """Compute the loss plainly: all logits at once, with TensorFlow's own loss and gradient.

    Args:
        hidden: float32 [words, width].
        weights: float32 [vocabulary, width].
        bias: float32 [vocabulary].
        targets: int32 [words].
    Returns:
        nats per word, float32 [words].
    """
    return nats(tf.matmul(hidden, weights, transpose_b=True) + bias, targets)


def chunked_softmax_cross_entropy(
    hidden: tf.Tensor,
    weights: tf.Tensor,
    bias: tf.Tensor,
    targets: tf.Tensor,
    dtype: tf.DType = tf.float32,
    chunk: int | None = None,
    count: tf.Tensor | int | None = None,
) -> tf.Tensor:
    """Compute the mean of `softmax_cross_entropy`, exactly, without holding the logits of all words.

    The gradient is computed with the loss, chunk by chunk, while a chunk's numbers are still in the cache:
    d loss / d logits = (softmax - one hot) / words. Besides the three matrix products there is one pass over a chunk, by exp:

    - The bias is one more column of the weights, and its gradient one more of theirs.
    - exp(logits) is not normalized: dividing the rows of the narrow products has the same effect. Its sums are one more
      column of the product with the weights.
    - The one-hot part is a gather from the weights and a scatter into their gradient.
    - No maximum is subtracted. Where that would overflow, or a target's probability underflow, the chunk is repeated with it.

    A vocabulary of more than `MAX_CHUNKED_SIZE` words is tiled as well: see `tiled_softmax_cross_entropy`.

    Args:
        hidden, weights, bias, targets: as for `softmax_cross_entropy`.
        dtype: of the matrix products' factors; softmax and sums are always float32.
        chunk: words at a time, or None to choose by the vocabulary's size.
        count: what the sum is divided by, or None for the number of words, which gives the mean.
    Returns:
        nats per word, float32 scalar.
    """
    if weights.shape[0] > MAX_CHUNKED_SIZE:
        return tiled_softmax_cross_entropy(hidden, weights, bias, targets, dtype, chunk, count)
    targets = tf.convert_to_tensor(targets)

    @tf.custom_gradient
    def run(hidden: tf.Tensor, weights: tf.Tensor, bias: tf.Tensor) -> tuple[Any, ...]:
        softmax = _ChunkedSoftmax.create(hidden, weights, bias, _ColumnTargets(targets), dtype, chunk, count)
        costs, d_hidden, d_columns, coefficients = softmax.run()
        scale = softmax.scale
        d_hidden = (d_hidden - coefficients[:, tf.newaxis] * tf.gather(weights, targets)) * scale
        ones = tf.ones([tf.shape(hidden)[0], 1])
        d_targets = tf.concat([hidden, ones], axis=1) * coefficients[:, tf.newaxis] * scale
        d_columns = tf.tensor_scatter_nd_sub(d_columns, targets[:, tf.newaxis], d_targets)

        def gradient(d_loss: tf.Tensor) -> tuple[Any, ...]:
            return d_hidden * d_loss, d_columns[:, :-1] * d_loss, d_columns[:, -1] * d_loss

        return tf.reduce_sum(costs) * scale, gradient

    return run(hidden, weights, bias)


def sampled_softmax_cross_entropy(
    hidden: tf.Tensor,
    weights: tf.Tensor,
    bias: tf.Tensor,
    targets: tf.Tensor,
    sample: Sample,
    dtype: tf.DType = tf.float32,
    chunk: int | None = None,
) -> tf.Tensor:
    """Estimate the mean of `softmax_cross_entropy` from one sample of the vocabulary for all words.

    The softmax's denominator is the target's term and, for all other words, the sample's terms divided by their expected counts
    (importance sampling: Bengio & Senécal 2008; Jean et al. 2015). The estimate approaches the exact loss as the sample grows.
    The gradient of the weights is sparse: the cost of a step does not depend on the size of the vocabulary.

    Args:
        hidden, weights, bias, targets, dtype, chunk: as for `chunked_softmax_cross_entropy`.
        sample: Sample.
    Returns:
        nats per word, float32 scalar.
    """
    targets, samples = tf.convert_to_tensor(targets), tf.convert_to_tensor(sample.ids)

    @tf.custom_gradient
    def run(
        hidden: tf.Tensor, columns: tf.Tensor, column_bias: tf.Tensor, target_weights: tf.Tensor, target_bias: tf.Tensor
    ) -> tuple[Any, ...]:
        sampled_targets = _SampledTargets(targets, samples, hidden, target_weights, target_bias)
        softmax = _ChunkedSoftmax.create(hidden, columns, column_bias, sampled_targets, dtype, chunk)
        costs, d_hidden, d_columns, coefficients = softmax.run()
        scale = softmax.scale
        d_hidden = (d_hidden - coefficients[:, tf.newaxis] * target_weights) * scale

        def gradient(d_loss: tf.Tensor) -> tuple[Any, ...]:
            d_target = -coefficients * scale * d_loss
            return d_hidden * d_loss, d_columns[:, :-1] * d_loss, d_columns[:, -1] * d_loss, hidden * d_target[:, tf.newaxis], d_target

        return tf.reduce_sum(costs) * scale, gradient

    columns, column_bias = tf.gather(weights, samples), tf.gather(bias, samples) - sample.log_expected
    return run(hidden, columns, column_bias, tf.gather(weights, targets), tf.gather(bias, targets))


def log_uniform_sample(count: int, vocabulary_size: int, seed: tf.Tensor) -> Sample:
    """Draw words with replacement, as frequencies of words fall by rank: P(id) = ln((id + 2) / (id + 1)) / ln(vocabulary + 1).

    Args:
        count: number of words to draw.
        vocabulary_size: number of words to draw from.
        seed: int32 [2]: the same seed draws the same words.
    """
    span = tf.math.log(float(vocabulary_size + 1))
    ids = tf.cast(tf.exp(tf.random.stateless_uniform([count], seed=seed) * span), tf.int32) - 1
    ids = tf.clip_by_value(ids, 0, vocabulary_size - 1)
    rank = tf.cast(ids, tf.float32) + 1
    return Sample(ids, tf.math.log(count * tf.math.log1p(1 / rank) / span))


class _Exponentials(NamedTuple):
    """exp of a chunk's logits, perhaps shifted.

    Attributes:
        columns: float32 [chunk, columns].
        targets: float32 [chunk], those of the targets.
        target_logits: float32 [chunk], the logarithms of `targets`.
    """

    columns: tf.Tensor
    targets: tf.Tensor
    target_logits: tf.Tensor


class _Targets(Protocol):
    """How the targets relate to the columns of the softmax.

    Attributes:
        in_columns: whether each target is one of the columns.
    """

    @property
    def in_columns(self) -> bool: ...

    def exponentials(self, logits: tf.Tensor, start: tf.Tensor, stop: tf.Tensor, shifted: bool) -> _Exponentials:
        """Compute the exponentials of the words `start` to `stop`. shifted: with the maximum of each row subtracted first."""


@dataclass(frozen=True)
class _ColumnTargets:
    """Targets that are columns of the softmax. targets: int32 [words], the columns."""

    targets: tf.Tensor
    in_columns: bool = True

    def exponentials(self, logits: tf.Tensor, start: tf.Tensor, stop: tf.Tensor, shifted: bool) -> _Exponentials:
        def pick(values: tf.Tensor) -> tf.Tensor:
            return tf.gather_nd(values, tf.stack([tf.range(stop - start), self.targets[start:stop]], axis=1))

        if shifted:
            logits -= tf.reduce_max(logits, axis=1)[:, tf.newaxis]
        exps = tf.exp(logits)
        target_exps = pick(exps)
        return _Exponentials(exps, target_exps, pick(logits) if shifted else tf.math.log(target_exps))


@dataclass(frozen=True)
class _SampledTargets:
    """Targets and a sample of the vocabulary. A column that is a row's target does not count in that row.

    Attributes:
        targets, samples: int32 [words], int32 [columns].
        hidden: float32 [words, width].
        weights, bias: those of the targets, float32 [words, width], [words].
    """

    targets: tf.Tensor
    samples: tf.Tensor
    hidden: tf.Tensor
    weights: tf.Tensor
    bias: tf.Tensor
    in_columns: bool = False

    def exponentials(self, logits: tf.Tensor, start: tf.Tensor, stop: tf.Tensor, shifted: bool) -> _Exponentials:
        target_logits = tf.reduce_sum(self.hidden[start:stop] * self.weights[start:stop], axis=1) + self.bias[start:stop]
        if shifted:
            shift = tf.maximum(tf.reduce_max(logits, axis=1), target_logits)
            logits -= shift[:, tf.newaxis]
            target_logits -= shift
        is_target = self.samples == self.targets[start:stop, tf.newaxis]
        return _Exponentials(tf.where(is_target, 0.0, tf.exp(logits)), tf.exp(target_logits), target_logits)


class _Gradients(NamedTuple):
    """What the loop over chunks computes.

    Attributes:
        costs: float32 [words], nats.
        d_hidden: float32 [words, width], gradient of the costs' sum by hidden, without the targets' part.
        d_columns: float32 [columns, width + 1], gradient of the costs' mean by columns and bias, without the targets' part.
        target_coefficients: float32 [words], by which factor of its target's weights each word's gradient is lower.
    """

    costs: tf.Tensor
    d_hidden: tf.Tensor
    d_columns: tf.Tensor
    target_coefficients: tf.Tensor


@dataclass(frozen=True)
class _ChunkedSoftmax:
    """The loop over chunks of words: three matrix products with the columns, the softmax's weights or a sample of them.

    Attributes:
        inputs: float32 [words, width + 1], the hidden vectors and a 1 for the bias.
        logit_weights: dtype [width + 1, columns], columns and bias, transposed once: a product that reads them across is slower.
        sum_weights: dtype [columns, width + 1], columns and a 1, whose product is the sum of a row.
        targets: the targets and their exponentials.
        dtype: of the matrix products' factors.
        chunk: words at a time.
        scale: float32 scalar, what the costs' sum is multiplied by.
    """

    inputs: tf.Tensor
    logit_weights: tf.Tensor
    sum_weights: tf.Tensor
    targets: _Targets
    dtype: tf.DType
    chunk: int
    scale: tf.Tensor

    @classmethod
    def create(
        cls,
        hidden: tf.Tensor,
        columns: tf.Tensor,
        bias: tf.Tensor,
        targets: _Targets,
        dtype: tf.DType,
        chunk: int | None,
        count: tf.Tensor | int | None = None,
    ) -> "_ChunkedSoftmax":
        """Prepare the loop.

        Args:
            hidden, columns, bias: float32 [words, width], [columns, width], [columns].
            chunk, count: as for `chunked_softmax_cross_entropy`.
        """
        words, size = tf.shape(hidden)[0], columns.shape[0]
        return cls(
            inputs=tf.concat([hidden, tf.ones([words, 1])], axis=1),
            logit_weights=tf.transpose(tf.cast(tf.concat([columns, bias[:, tf.newaxis]], axis=1), dtype)),
            sum_weights=tf.cast(tf.concat([columns, tf.ones([size, 1])], axis=1), dtype),
            targets=targets,
            dtype=dtype,
            chunk=chunk or max(MIN_CHUNK, CHUNK_LOGITS // size),
            scale=1 / tf.cast(words if count is None else count, tf.float32),
        )

    def run(self) -> _Gradients:
        """Compute costs and gradients, one chunk after the other: in parallel they would need the memory of several."""
        words = tf.shape(self.inputs)[0]
        size, columns_width = self.sum_weights.shape

        def body(start: tf.Tensor, d_columns: tf.Tensor, arrays: list[tf.TensorArray]) -> tuple[Any, ...]:
            stop = tf.minimum(start + self.chunk, words)
            is_in_range, plain = self._chunk(start, stop, shifted=False)
            chunk = tf.cond(is_in_range, lambda: plain, lambda: self._chunk(start, stop, shifted=True)[1])
            values = chunk.costs, chunk.d_hidden, chunk.target_coefficients
            arrays = [array.write(start // self.chunk, value) for array, value in zip(arrays, values, strict=True)]
            return stop, d_columns + chunk.d_columns, arrays

        def array(*shape: int) -> tf.TensorArray:
            chunks = (words + self.chunk - 1) // self.chunk
            return tf.TensorArray(tf.float32, size=chunks, element_shape=[None, *shape], infer_shape=False)

        initial = 0, tf.zeros([size, columns_width]), [array(), array(columns_width - 1), array()]
        _, d_columns, arrays = tf.while_loop(lambda start, *_: start < words, body, initial, parallel_iterations=1)
        costs, d_hidden, coefficients = [array.concat() for array in arrays]
        return _Gradients(costs, d_hidden, d_columns, coefficients)

    def _chunk(self, start: tf.Tensor, stop: tf.Tensor, shifted: bool) -> tuple[tf.Tensor, _Gradients]:
        """Compute one chunk.

        Returns:
            (whether no number was too large or too small, bool scalar; the chunk's costs and gradients)
        """
        dtype, rows = self.dtype, self.inputs[start:stop]
        logits = matmul(rows, self.logit_weights, dtype)  # [chunk, columns]
        exps, target_exps, target_logits = self.targets.exponentials(logits, start, stop, shifted)
        rounded = tf.cast(exps, dtype)
        by_rows = matmul(rounded, self.sum_weights, dtype)  # [chunk, width + 1]
        # Sums of rounded numbers would do for the gradient, but not for the loss.
        sums = by_rows[:, -1] if dtype == tf.float32 else tf.reduce_sum(exps, axis=1)
        if not self.targets.in_columns:
            sums += target_exps
        by_columns = matmul(rounded, rows * (self.scale / sums)[:, tf.newaxis], dtype, transpose_a=True)  # [columns, width + 1]
        # The products contain the target's own probability rounded, but its distance from 1 should not be rounded.
        contained = tf.cast(tf.cast(target_exps, dtype), tf.float32) if self.targets.in_columns else 0.0
        coefficients = 1 - (target_exps - contained) / sums
        is_in_range = tf.reduce_all([tf.reduce_max(sums) < MAX_EXP_SUM, tf.reduce_min(target_exps) > 1 / MAX_EXP_SUM])
        costs = tf.math.log(sums) - target_logits
        return is_in_range, _Gradients(costs, by_rows[:, :-1] / sums[:, tf.newaxis], by_columns, coefficients)
