"""Adam and AdamW on TensorFlow's fused kernel, clipping by the global norm, and averages of the weights.

A dense gradient updates a whole variable. A gradient of a few rows (tf.IndexedSlices) updates only these rows, moments and weight
decay included ("lazy" Adam), so that its cost does not grow with the number of rows.
"""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8  # those of the paper

Gradient = Any  # tf.Tensor, or tf.IndexedSlices for a gradient of a few rows


class Adam(tf.Module):
    """Adam (Kingma & Ba 2015), or with weight decay AdamW (Loshchilov & Hutter 2019). Only matrices decay, biases do not.

    Args:
        variables: the variables that are updated.
        weight_decay: coefficient of the decay, multiplied by the learning rate; 0: no decay.
        beta2: how much of the second moment stays in a step.

    Attributes:
        m, v: lists of tf.Variable, the first and second moments, in the order of the variables.
    """

    def __init__(self, variables: Sequence[tf.Variable], weight_decay: float = 0.0, beta2: float = BETA2) -> None:
        super().__init__(name="adam")
        self.targets = _Untracked(variables)
        self.weight_decay = weight_decay
        self.beta2 = beta2
        self.m = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self.v = [tf.Variable(tf.zeros_like(variable)) for variable in variables]

    def reset(self) -> None:
        """Set the moments to 0, as before the first step."""
        for moment in (*self.m, *self.v):
            moment.assign(tf.zeros_like(moment))

    def apply(self, gradients: Sequence[Gradient], rate: tf.Tensor, step: tf.Tensor) -> None:
        """Update the variables once.

        Args:
            gradients: in the order of the variables; tf.IndexedSlices must have each row once (`sum_duplicate_rows`).
            rate: float32 scalar, the learning rate.
            step: int32 scalar, 1 for the first step: for the bias correction.
        """
        step = tf.cast(step, tf.float32)
        powers = tf.pow(BETA1, step), tf.pow(self.beta2, step)
        for i, (variable, gradient) in enumerate(zip(self.targets.variables, gradients, strict=True)):
            decay = rate * self.weight_decay if self.weight_decay and len(variable.shape) > 1 else None
            if isinstance(gradient, tf.IndexedSlices):
                self._apply_to_rows(i, gradient, rate, decay, powers)
                continue
            if decay is not None:
                variable.assign_sub(decay * variable)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=self.m[i].handle,
                v=self.v[i].handle,
                beta1_power=powers[0],
                beta2_power=powers[1],
                lr=rate,
                beta1=BETA1,
                beta2=self.beta2,
                epsilon=EPSILON,
                grad=gradient,
            )

    def _apply_to_rows(
        self, i: int, gradient: tf.IndexedSlices, rate: tf.Tensor, decay: tf.Tensor | None, powers: tuple[tf.Tensor, tf.Tensor]
    ) -> None:
        """Update some rows of the i-th variable. powers: of the betas, for the bias correction."""
        variable, m, v = self.targets.variables[i], self.m[i], self.v[i]
        rows, g = gradient.indices, gradient.values
        new_m = BETA1 * tf.gather(m, rows) + (1 - BETA1) * g
        new_v = self.beta2 * tf.gather(v, rows) + (1 - self.beta2) * g * g
        change = rate * tf.sqrt(1 - powers[1]) / (1 - powers[0]) * new_m / (tf.sqrt(new_v) + EPSILON)
        if decay is not None:
            change += decay * tf.gather(variable, rows)
        m.scatter_update(tf.IndexedSlices(new_m, rows))
        v.scatter_update(tf.IndexedSlices(new_v, rows))
        variable.scatter_sub(tf.IndexedSlices(change, rows))


def update_averages(averages: Sequence[tf.Variable], variables: Sequence[tf.Variable], decay: float, step: tf.Tensor) -> None:
    """Move averages towards their variables: an exponential moving average of the weights (Polyak & Juditsky 1992).

    Args:
        averages, variables: in the same order.
        decay: how much of an average stays in a step. It is less in the first steps, so that the initial weights fade quickly.
        step: int32 scalar, 1 for the first step.
    """
    step = tf.cast(step, tf.float32)
    moved = 1 - tf.minimum(decay, (1 + step) / (10 + step))
    for average, variable in zip(averages, variables, strict=True):
        average.assign_sub(moved * (average - variable))


def sum_duplicate_rows(gradient: Gradient) -> Gradient:
    """Return a gradient of rows (tf.IndexedSlices) with each row once, and a dense gradient as it is."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, places = tf.unique(gradient.indices)
    return tf.IndexedSlices(tf.math.unsorted_segment_sum(gradient.values, places, tf.size(rows)), rows, gradient.dense_shape)


def clip_by_global_norm(gradients: Sequence[Gradient], max_norm: float) -> tuple[list[Gradient], tf.Tensor]:
    """Scale gradients so that their global norm is at most `max_norm`.

    Args:
        gradients: dense, or tf.IndexedSlices with each row once.
        max_norm: above 0.
    Returns:
        (gradients, float32 scalar: their global norm before clipping)
    """
    norm = tf.linalg.global_norm(gradients)
    scale = max_norm / tf.maximum(norm, max_norm)

    def scaled(gradient: Gradient) -> Gradient:
        if isinstance(gradient, tf.IndexedSlices):
            return tf.IndexedSlices(gradient.values * scale, gradient.indices, gradient.dense_shape)
        return gradient * scale

    return [scaled(gradient) for gradient in gradients], norm


class _Untracked:
    """Holds variables that belong to another module, so that tf.Module does not list them twice."""

    def __init__(self, variables: Sequence[tf.Variable]) -> None:
        self.variables = tuple(variables)
