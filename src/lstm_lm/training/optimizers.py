"""Adam and AdamW on TensorFlow's fused kernel, learning-rate schedules, and clipping by the global norm.

A dense gradient updates a whole variable. One of a few rows (tf.IndexedSlices) updates these rows alone, moments and weight decay
included ("lazy" Adam), so that its cost does not grow with the number of rows.
"""

import math

import tensorflow as tf

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def learning_rate(step, total_steps, peak, schedule, warmup_steps):
    """The rate of one step.

    Args:
        step: 1 for the first.
        total_steps: of the whole training.
        peak: the largest rate.
        schedule: "constant", or "cosine": down to 0 at the last step (Loshchilov & Hutter 2017).
        warmup_steps: over which the rate rises linearly; at most a quarter of the training's.
    Returns:
        float
    """
    warmup_steps = min(warmup_steps, total_steps // 4)
    if step <= warmup_steps:
        return peak * step / warmup_steps
    if schedule == "constant":
        return peak
    progress = (step - warmup_steps) / max(1, total_steps - warmup_steps)
    return peak * (1 + math.cos(math.pi * progress)) / 2


class Adam(tf.Module):
    """Adam (Kingma & Ba 2015); with weight decay AdamW (Loshchilov & Hutter 2019), on matrices only, not on biases."""

    def __init__(self, variables, weight_decay=0.0):
        super().__init__(name="adam")
        self.targets = _Untracked(variables)
        self.weight_decay = weight_decay
        self.m = [tf.Variable(tf.zeros_like(variable)) for variable in variables]
        self.v = [tf.Variable(tf.zeros_like(variable)) for variable in variables]

    def apply(self, gradients, rate, step):
        """One update.

        Args:
            gradients: dense or of `summed` rows, in the order of the variables.
            rate: float32 scalar, the learning rate.
            step: int32 scalar, 1 for the first: for the bias correction.
        """
        step = tf.cast(step, tf.float32)
        powers = {"beta1_power": tf.pow(BETA1, step), "beta2_power": tf.pow(BETA2, step)}
        for variable, gradient, m, v in zip(self.targets.variables, gradients, self.m, self.v, strict=True):
            decay = rate * self.weight_decay if self.weight_decay and len(variable.shape) > 1 else None
            if isinstance(gradient, tf.IndexedSlices):
                self._apply_to_rows(variable, gradient, m, v, rate, decay, **powers)
                continue
            if decay is not None:
                variable.assign_sub(decay * variable)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.handle,
                m=m.handle,
                v=v.handle,
                **powers,
                lr=rate,
                beta1=BETA1,
                beta2=BETA2,
                epsilon=EPSILON,
                grad=gradient,
            )

    @staticmethod
    def _apply_to_rows(variable, gradient, m, v, rate, decay, beta1_power, beta2_power):
        rows, g = gradient.indices, gradient.values
        new_m = BETA1 * tf.gather(m, rows) + (1 - BETA1) * g
        new_v = BETA2 * tf.gather(v, rows) + (1 - BETA2) * g * g
        change = rate * tf.sqrt(1 - beta2_power) / (1 - beta1_power) * new_m / (tf.sqrt(new_v) + EPSILON)
        if decay is not None:
            change += decay * tf.gather(variable, rows)
        m.scatter_update(tf.IndexedSlices(new_m, rows))
        v.scatter_update(tf.IndexedSlices(new_v, rows))
        variable.scatter_sub(tf.IndexedSlices(change, rows))


def average(averages, variables, decay, step):
    """Move averages towards their variables: an exponential moving average of the weights (Polyak & Juditsky 1992).

    Args:
        averages, variables: lists of tf.Variable, in the same order.
        decay: how much of an average stays in a step; less in the first ones, or the initial weights would be in it for long.
        step: int32 scalar, 1 for the first.
    """
    step = tf.cast(step, tf.float32)
    moved = 1 - tf.minimum(decay, (1 + step) / (10 + step))
    for of_it, variable in zip(averages, variables, strict=True):
        of_it.assign_sub(moved * (of_it - variable))


def summed(gradient):
    """A gradient of rows (tf.IndexedSlices) with each row once; a dense one as it is."""
    if not isinstance(gradient, tf.IndexedSlices):
        return gradient
    rows, which = tf.unique(gradient.indices)
    return tf.IndexedSlices(tf.math.unsorted_segment_sum(gradient.values, which, tf.size(rows)), rows, gradient.dense_shape)


def clip(gradients, norm):
    """Scale gradients, dense or `summed`, so that their global norm is at most `norm`: (gradients, norm before)."""
    before = tf.linalg.global_norm(gradients)
    scale = norm / tf.maximum(before, norm)

    def scaled(gradient):
        if isinstance(gradient, tf.IndexedSlices):
            return tf.IndexedSlices(gradient.values * scale, gradient.indices, gradient.dense_shape)
        return gradient * scale

    return [scaled(gradient) for gradient in gradients], before


class _Untracked:
    """Holds variables that belong to another module."""

    def __init__(self, variables):
        self.variables = tuple(variables)
