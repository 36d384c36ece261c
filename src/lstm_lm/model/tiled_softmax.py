"""Softmax cross-entropy over a large vocabulary, exact: its gradient is computed tile by tile, in the layout of the weights."""

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from lstm_lm.model.precision import matmul

TILE = 2048  # words of the vocabulary: with the rows of a chunk 4 to 5 MiB, which stay in a core's cache from product to product
CHUNK_EXPONENTIALS = 2**25  # of a chunk of rows, 128 MiB: the weights' whole gradient is read and written once a chunk
MIN_ROWS = 256  # of a chunk, however large the vocabulary
MAX_EXP_SUM = 1e30  # of exponentials that are not shifted; the target's exponential must be above the inverse of it


def tiled_softmax_cross_entropy(
    hidden: tf.Tensor,
    weights: tf.Tensor,
    bias: tf.Tensor,
    targets: tf.Tensor,
    dtype: tf.DType = tf.float32,
    chunk: int | None = None,
    count: tf.Tensor | int | None = None,
) -> tf.Tensor:
    """Compute what `losses.chunked_softmax_cross_entropy` does, with the same arguments: faster, if the vocabulary is large.

    Returns:
        nats per word, float32 scalar.
    """
    targets = tf.convert_to_tensor(targets)

    @tf.custom_gradient
    def run(hidden: tf.Tensor, weights: tf.Tensor, bias: tf.Tensor) -> tuple[Any, ...]:
        scale = 1 / tf.cast(tf.shape(hidden)[0] if count is None else count, tf.float32)
        costs, d_hidden, d_weights, d_bias, coefficients = TiledSoftmax(hidden, weights, bias, targets, dtype, scale, chunk).run()
        d_hidden = (d_hidden - coefficients[:, tf.newaxis] * tf.gather(weights, targets)) * scale
        d_targets, places = coefficients * scale, targets[:, tf.newaxis]
        d_weights = tf.tensor_scatter_nd_sub(d_weights, places, hidden * d_targets[:, tf.newaxis])
        d_bias = tf.tensor_scatter_nd_sub(d_bias, places, d_targets)

        def gradient(d_loss: tf.Tensor) -> tuple[Any, ...]:
            return d_hidden * d_loss, d_weights * d_loss, d_bias * d_loss

        return tf.reduce_sum(costs) * scale, gradient

    return run(hidden, weights, bias)


class TiledGradients(NamedTuple):
    """Costs and gradients of some rows.

    Attributes:
        costs: float32 [rows], nats.
        d_hidden: float32 [rows, width], gradient of the costs' sum by the hidden vectors, without the targets' part.
        d_weights, d_bias: float32 [vocabulary, width], [vocabulary]: gradient of the costs' scaled sum, without the targets' part.
        target_coefficients: float32 [rows], by which factor of its target's weights each row's gradient is lower.
    """

    costs: tf.Tensor
    d_hidden: tf.Tensor
    d_weights: tf.Tensor
    d_bias: tf.Tensor
    target_coefficients: tf.Tensor


class _Exponentials(NamedTuple):
    """A chunk of rows against the whole vocabulary.

    Attributes:
        tiles: TensorArray of dtype [tile, rows]: exp of the logits, perhaps shifted, transposed.
        product: float32 [width + 2, rows], the exponentials times the weights, (unused), and the sums of the rounded exponentials.
        sums, target_logits: float32 [rows].
    """

    tiles: tf.TensorArray
    product: tf.Tensor
    sums: tf.Tensor
    target_logits: tf.Tensor


@dataclass(frozen=True)
class TiledSoftmax:
    """The loop over chunks of rows and, in each, twice over tiles of the vocabulary.

    All products are transposed: the logits of a tile are `weights[tile] @ hidden^T`, [tile, rows]. So the weights are read as the variable
    has them, a tile's gradient is the plain product `exps @ hidden`, and no matrix of the vocabulary's size is transposed or joined.

    1. For each tile: logits, exponentials (kept), and their product with the weights, which is added up: gradient of hidden, and sums.
    2. With the sums known, for each tile the gradient of its weights.

    Attributes:
        hidden: float32 [rows, width].
        weights, bias: float32 [vocabulary, width], [vocabulary].
        targets: int32 [rows].
        dtype: of the matrix products' factors.
        scale: float32 scalar, what the costs' sum is multiplied by.
        chunk: rows at a time, or None to choose by the vocabulary's size.
    """

    hidden: tf.Tensor
    weights: tf.Tensor
    bias: tf.Tensor
    targets: tf.Tensor
    dtype: tf.DType
    scale: tf.Tensor
    chunk: int | None = None

    def run(self) -> TiledGradients:
        """Compute costs and gradients."""
        rows, (size, width) = tf.shape(self.hidden)[0], self.weights.shape
        chunk = self._chunk_rows(rows)

        def body(start: tf.Tensor, d_weights: tf.TensorArray, d_bias: tf.TensorArray, by_rows: list[tf.TensorArray]) -> tuple[Any, ...]:
            stop = tf.minimum(start + chunk, rows)
            exponentials = self._exponentials(start, stop)
            sums = exponentials.sums
            d_weights, d_bias = self._add_weight_gradients(exponentials, start, stop, d_weights, d_bias)
            target_exps = tf.exp(exponentials.target_logits)
            # The products contain the target's own probability rounded, but its distance from 1 should not be rounded.
            contained = tf.cast(tf.cast(target_exps, self.dtype), tf.float32)
            values = (
                tf.math.log(sums) - exponentials.target_logits,
                tf.transpose(exponentials.product[:width] / sums),
                1 - (target_exps - contained) / sums,
            )
            return stop, d_weights, d_bias, [array.write(start // chunk, value) for array, value in zip(by_rows, values, strict=True)]

        chunks = (rows + chunk - 1) // chunk
        by_rows = [tf.TensorArray(tf.float32, chunks, element_shape=[None, *shape], infer_shape=False) for shape in ((), (width,), ())]
        d_weights, d_bias = (
            tf.TensorArray(tf.float32, self._tiles, element_shape=[None, *shape], infer_shape=False, clear_after_read=False)
            for shape in ((width,), ())
        )
        _, d_weights, d_bias, by_rows = tf.while_loop(
            lambda start, *_: start < rows, body, (0, d_weights, d_bias, by_rows), parallel_iterations=1
        )
        costs, d_hidden, coefficients = (array.concat() for array in by_rows)
        return TiledGradients(
            costs, d_hidden, tf.ensure_shape(d_weights.concat(), [size, width]), tf.ensure_shape(d_bias.concat(), [size]), coefficients
        )

    @property
    def _tiles(self) -> int:
        return -(-int(self.weights.shape[0]) // TILE)

    def _chunk_rows(self, rows: tf.Tensor) -> tf.Tensor:
        """Return the rows of a chunk, so that all chunks are about equal."""
        limit = self.chunk or max(MIN_ROWS, CHUNK_EXPONENTIALS // int(self.weights.shape[0]))
        chunks = tf.maximum((rows + limit - 1) // limit, 1)
        return tf.maximum((rows + chunks - 1) // chunks, 1)

    def _exponentials(self, start: tf.Tensor, stop: tf.Tensor) -> _Exponentials:
        """Compute the exponentials of a chunk; out of range, again with each row's maximum subtracted."""
        hidden = self.hidden[start:stop]
        rows = stop - start
        columns = tf.cast(tf.transpose(tf.concat([hidden, tf.ones([rows, 1]), tf.zeros([rows, 1])], axis=1)), self.dtype)
        targets = self.targets[start:stop]
        plain = self._exponentials_of(columns, targets, None)
        in_range = tf.logical_and(tf.reduce_max(plain.sums) < MAX_EXP_SUM, tf.reduce_min(plain.target_logits) > -math.log(MAX_EXP_SUM))
        return _Exponentials(*tf.cond(in_range, lambda: plain, lambda: self._exponentials_of(columns, targets, self._maxima(columns))))

    def _exponentials_of(self, columns: tf.Tensor, targets: tf.Tensor, shift: tf.Tensor | None) -> _Exponentials:
        """Compute exponentials.

        Args:
            columns: dtype [width + 2, rows], the hidden vectors, ones for the bias, zeros.
            targets: int32 [rows].
            shift: float32 [rows], subtracted from the logits.
        """
        width, rows = columns.shape[0], tf.shape(columns)[1]

        def body(i: tf.Tensor, done: _Exponentials) -> tuple[tf.Tensor, _Exponentials]:
            weights = self._tile_weights(i)
            logits = matmul(weights, columns, self.dtype)
            if shift is not None:
                logits -= shift
            exps = tf.exp(logits)
            rounded = tf.cast(exps, self.dtype)
            product = done.product + matmul(weights, rounded, self.dtype, transpose_a=True)
            # Sums of rounded numbers would do for the gradient, but not for the loss.
            sums = product[-1] if self.dtype == tf.float32 else done.sums + tf.reduce_sum(exps, axis=0)
            places = targets - i * TILE
            last = tf.shape(logits)[0] - 1
            picked = tf.gather_nd(logits, tf.stack([tf.clip_by_value(places, 0, last), tf.range(rows)], axis=1))
            target_logits = tf.where(tf.logical_and(places >= 0, places <= last), picked, done.target_logits)
            return i + 1, _Exponentials(done.tiles.write(i, rounded), product, sums, target_logits)

        tiles = tf.TensorArray(self.dtype, self._tiles, element_shape=[None, None], infer_shape=False)
        initial = _Exponentials(tiles, tf.zeros([width, rows]), tf.zeros([rows]), tf.zeros([rows]))
        _, done = tf.while_loop(lambda i, _: i < self._tiles, body, (0, initial), parallel_iterations=1)
        return _Exponentials(*done)

    def _maxima(self, columns: tf.Tensor) -> tf.Tensor:
        """Compute the largest logit of each row, float32 [rows]. columns: as for `_exponentials_of`."""

        def body(i: tf.Tensor, largest: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            return i + 1, tf.maximum(largest, tf.reduce_max(matmul(self._tile_weights(i), columns, self.dtype), axis=0))

        initial = 0, tf.fill([tf.shape(columns)[1]], tf.float32.min)
        return tf.while_loop(lambda i, _: i < self._tiles, body, initial, parallel_iterations=1)[1]

    def _add_weight_gradients(
        self, exponentials: _Exponentials, start: tf.Tensor, stop: tf.Tensor, d_weights: tf.TensorArray, d_bias: tf.TensorArray
    ) -> tuple[tf.TensorArray, tf.TensorArray]:
        """Add a chunk's gradient of weights and bias to that of the chunks before it, tile by tile."""
        hidden, width = self.hidden[start:stop], self.weights.shape[1]
        factors = tf.concat([hidden, tf.ones([stop - start, 1])], axis=1) * (self.scale / exponentials.sums)[:, tf.newaxis]
        factors = tf.cast(factors, self.dtype)  # [rows, width + 1]

        def body(i: tf.Tensor, d_weights: tf.TensorArray, d_bias: tf.TensorArray) -> tuple[Any, ...]:
            product = matmul(exponentials.tiles.read(i), factors, self.dtype)  # [tile, width + 1]
            by_weights, by_bias = tf.cond(
                start == 0,
                lambda: (product[:, :width], product[:, width]),
                lambda: (product[:, :width] + d_weights.read(i), product[:, width] + d_bias.read(i)),
            )
            return i + 1, d_weights.write(i, by_weights), d_bias.write(i, by_bias)

        _, d_weights, d_bias = tf.while_loop(lambda i, *_: i < self._tiles, body, (0, d_weights, d_bias), parallel_iterations=1)
        return d_weights, d_bias

    def _tile_weights(self, i: tf.Tensor) -> tf.Tensor:
        """Return a tile of the weights, with the bias and a column of ones, whose product is the sum of a row: dtype [tile, width + 2]."""
        start = i * TILE
        weights, bias = self.weights[start : start + TILE], self.bias[start : start + TILE]
        return tf.cast(tf.concat([weights, tf.stack([bias, tf.ones_like(bias)], axis=1)], axis=1), self.dtype)
