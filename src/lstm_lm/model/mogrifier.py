"""The Mogrifier (Melis et al. 2020): before each step of an LSTM, its input and its last output scale each other in turns.

    round 1, 3, ...:  x' = 2 sigmoid(h L R) x          with L [hidden, rank], R [rank, inputs]
    round 2, 4, ...:  h' = 2 sigmoid(x L R) h          with L [inputs, rank], R [rank, hidden]

The step then takes x' and h' in place of x and h. So what a word means to the LSTM depends on the text before it. Products of two narrow
matrices take the place of one large one, as in the paper's section 3. They are few, and always in float32.

The functions are those of `lstm`, with the factors of the rounds as another argument: L and R of the first round, then of the second, ...
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import tensorflow as tf

from lstm_lm.model import lstm
from lstm_lm.model.graph_order import transpose_once
from lstm_lm.model.lstm import Gates
from lstm_lm.model.precision import matmul

LayerWeights = tuple[tf.Tensor, tf.Tensor, tf.Tensor]  # kernel, recurrent, bias


def modulate(x: tf.Tensor, h: tf.Tensor, factors: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor]:
    """Let input and output scale each other.

    Args:
        x: float32 [batch, inputs].
        h: float32 [batch, hidden].
        factors: of all rounds.
    Returns:
        (x, h) after the last round
    """
    return _modulate(x, h, factors)[:2]


def scan(
    x: tf.Tensor, weights: LayerWeights, factors: Sequence[tf.Tensor], h: tf.Tensor, c: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Run over a sequence of any length.

    Args:
        x, h, c: as for `lstm.scan`.
        weights: kernel, recurrent and bias.
        factors: of all rounds.
    Returns:
        as `lstm.scan`
    """
    kernel, recurrent, bias = weights
    inputs = tf.transpose(x, [1, 0, 2])  # [time, batch, inputs]
    time = tf.shape(inputs)[0]
    outputs = tf.TensorArray(tf.float32, size=time, element_shape=h.shape)

    def body(t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, outputs: tf.TensorArray) -> tuple[Any, ...]:
        x_t, h = modulate(inputs[t], h, factors)
        h, c = lstm.step(tf.matmul(x_t, kernel) + tf.matmul(h, recurrent) + bias, c)
        return t + 1, h, c, outputs.write(t, h)

    _, h, c, outputs = tf.while_loop(lambda t, *_: t < time, body, (0, h, c, outputs))
    return tf.transpose(outputs.stack(), [1, 0, 2]), h, c


def unrolled(
    x: tf.Tensor,
    weights: LayerWeights,
    factors: Sequence[tf.Tensor],
    h: tf.Tensor,
    c: tf.Tensor,
    dtype: tf.DType = tf.float32,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Run as `scan` does over a length known while tracing, faster in both directions, as `lstm.unrolled`.

    Args:
        x, h, c: as for `scan`.
        weights: kernel, recurrent and bias.
        factors: of all rounds.
        dtype: of the factors of the products with kernel and recurrent weights.
    """

    @tf.custom_gradient
    def run(x: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor, h: tf.Tensor, c: tf.Tensor, *factors: tf.Tensor) -> Any:
        width = x.shape[2]
        own = _Weights(tf.cast(tf.concat([kernel, recurrent], axis=0), dtype), bias, factors)
        passed = _forward(tf.unstack(x, axis=1), own, h, c)

        def gradient(d_outputs: tf.Tensor, d_h: tf.Tensor, d_c: tf.Tensor) -> tuple[Any, ...]:
            d_output = tf.unstack(d_outputs, num=len(passed.gates), axis=1)
            back = _backward(passed, own, d_output, d_h, d_c)
            d_both = matmul(tf.concat(passed.inputs, axis=0), back.d_z, dtype, transpose_a=True)
            return (
                tf.stack(back.d_x, axis=1),
                d_both[:width],
                d_both[width:],
                tf.reduce_sum(back.d_z, axis=0),
                back.d_h,
                back.d_c,
                *back.d_factors,
            )

        return (tf.stack(passed.hs[1:], axis=1), passed.hs[-1], passed.cs[-1]), gradient

    outputs, h, c = run(x, *weights, h, c, *factors)
    return outputs, h, c


class _Weights(NamedTuple):
    """Kernel and recurrent weights as one matrix [inputs + hidden, 4 hidden], of the dtype of its products; bias; factors."""

    both: tf.Tensor
    bias: tf.Tensor
    factors: Sequence[tf.Tensor]


class _Round(NamedTuple):
    """What the backward pass needs of one round of one step, float32 [batch, width] each.

    Attributes:
        source: the one that scales.
        narrow: source times L.
        scaled: the other one before it was scaled.
        scale: what it was multiplied by.
    """

    source: tf.Tensor
    narrow: tf.Tensor
    scaled: tf.Tensor
    scale: tf.Tensor


class _ForwardPass(NamedTuple):
    """What the backward pass needs.

    Attributes:
        hs, cs: outputs and cells, the initial ones first.
        inputs: of each step, x and h after the rounds side by side, float32 [batch, inputs + hidden].
        gates, rounds: of each step.
    """

    hs: list[tf.Tensor]
    cs: list[tf.Tensor]
    inputs: list[tf.Tensor]
    gates: list[Gates]
    rounds: list[list[_Round]]


class _Gradients(NamedTuple):
    """Gradients by the inputs of each step, by all steps' gate sums [time * batch, 4 hidden], by the initial h and c, by the factors."""

    d_x: list[tf.Tensor]
    d_z: tf.Tensor
    d_h: tf.Tensor
    d_c: tf.Tensor
    d_factors: list[tf.Tensor]


def _modulate(x: tf.Tensor, h: tf.Tensor, factors: Sequence[tf.Tensor]) -> tuple[tf.Tensor, tf.Tensor, list[_Round]]:
    """As `modulate`, and what the backward pass needs."""
    rounds: list[_Round] = []
    for left, right in zip(factors[::2], factors[1::2], strict=True):
        scales_x = len(rounds) % 2 == 0
        source, scaled = (h, x) if scales_x else (x, h)
        narrow = tf.matmul(source, left)
        scale = 2 * tf.sigmoid(tf.matmul(narrow, right))
        rounds.append(_Round(source, narrow, scaled, scale))
        x, h = (x * scale, h) if scales_x else (x, h * scale)
    return x, h, rounds


def _forward(xs: list[tf.Tensor], weights: _Weights, h: tf.Tensor, c: tf.Tensor) -> _ForwardPass:
    """Run over the steps' inputs, float32 [batch, inputs] each."""
    passed = _ForwardPass([h], [c], [], [], [])
    for x in xs:
        x_t, h_t, rounds = _modulate(x, passed.hs[-1], weights.factors)
        passed.inputs.append(tf.concat([x_t, h_t], axis=1))
        h, c, gates = lstm.forward_step(matmul(passed.inputs[-1], weights.both, weights.both.dtype) + weights.bias, passed.cs[-1])
        passed.hs.append(h)
        passed.cs.append(c)
        passed.gates.append(gates)
        passed.rounds.append(rounds)
    return passed


def _backward(passed: _ForwardPass, weights: _Weights, d_output: list[tf.Tensor], d_h: tf.Tensor, d_c: tf.Tensor) -> _Gradients:
    """Run backwards over the steps.

    Args:
        passed: the forward pass.
        weights: as there.
        d_output: gradient by each step's output, float32 [batch, hidden] each.
        d_h, d_c: gradients by the last state, float32 [batch, hidden].
    """
    width = passed.rounds[0][0].scaled.shape[1]  # of the inputs
    transposed = transpose_once(weights.both)  # [4 hidden, inputs + hidden]
    lefts, rights = ([transpose_once(factor) for factor in weights.factors[start::2]] for start in (0, 1))
    d_zs, d_xs = [], []
    d_logits: list[list[tf.Tensor]] = [[] for _ in lefts]  # of each round, from the last step to the first, by what the sigmoid gets
    d_narrows: list[list[tf.Tensor]] = [[] for _ in lefts]
    for t in reversed(range(len(passed.gates))):
        d_z, d_c = lstm.backward_step(passed.gates[t], passed.cs[t], d_h + d_output[t], d_c)
        d_zs.append(d_z)
        d_x, d_h = tf.split(matmul(d_z, transposed, transposed.dtype), [width, -1], axis=1)
        for i in reversed(range(len(lefts))):
            of_round = passed.rounds[t][i]
            d_scaled = d_h if i % 2 else d_x
            # scale = 2 s, and the derivative of the sigmoid s is s (1 - s)
            d_logits[i].append(d_scaled * of_round.scaled * of_round.scale * (1 - 0.5 * of_round.scale))
            d_narrows[i].append(tf.matmul(d_logits[i][-1], rights[i]))
            d_source = tf.matmul(d_narrows[i][-1], lefts[i])
            d_scaled *= of_round.scale
            d_x, d_h = (d_x + d_source, d_scaled) if i % 2 else (d_scaled, d_h + d_source)
        d_xs.append(d_x)
    d_factors = []
    for i, (narrow_gradients, logit_gradients) in enumerate(zip(d_narrows, d_logits, strict=True)):
        sources, narrows = (tf.concat([getattr(rounds[i], name) for rounds in passed.rounds], axis=0) for name in ("source", "narrow"))
        d_factors.append(tf.matmul(sources, tf.concat(narrow_gradients[::-1], axis=0), transpose_a=True))
        d_factors.append(tf.matmul(narrows, tf.concat(logit_gradients[::-1], axis=0), transpose_a=True))
    return _Gradients(d_xs[::-1], tf.concat(d_zs[::-1], axis=0), d_h, d_c, d_factors)
