"""The LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000), three ways over the same weights.

Gates lie side by side in the order input, forget, candidate, output (that of `keras.layers.LSTM`):

    z = x W + h U + b                                  [batch, 4 hidden]
    c' = sigmoid(z_forget) c + sigmoid(z_input) tanh(z_candidate)
    h' = sigmoid(z_output) tanh(c')

`step` is one word. `scan` is any number of words, known only at run time. `unrolled` is a number of words known while
tracing, with a custom gradient, and is what training uses.
"""

from typing import Any, NamedTuple

import tensorflow as tf

from lstm_lm.model.graph_order import transpose_once
from lstm_lm.model.precision import matmul


def step(z: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Take one step from the gates' sums.

    Args:
        z: float32 [batch, 4 hidden], x W + h U + b.
        c: float32 [batch, hidden].
    Returns:
        (h, c), float32 [batch, hidden] each.
    """
    i, f, g, o = tf.split(z, 4, axis=1)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
    return tf.sigmoid(o) * tf.tanh(c), c


def scan(
    x: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor, h: tf.Tensor, c: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Run over a sequence of any length.

    Args:
        x: float32 [batch, time, inputs].
        kernel, recurrent, bias: float32 [inputs, 4 hidden], [hidden, 4 hidden], [4 hidden].
        h, c: float32 [batch, hidden].
    Returns:
        (outputs [batch, time, hidden], h, c)
    """
    projected = tf.transpose(tf.tensordot(x, kernel, 1) + bias, [1, 0, 2])  # [time, batch, 4 hidden]
    time = tf.shape(projected)[0]
    outputs = tf.TensorArray(tf.float32, size=time, element_shape=h.shape)

    def body(t: tf.Tensor, h: tf.Tensor, c: tf.Tensor, outputs: tf.TensorArray) -> tuple[Any, ...]:
        h, c = step(projected[t] + tf.matmul(h, recurrent), c)
        return t + 1, h, c, outputs.write(t, h)

    _, h, c, outputs = tf.while_loop(lambda t, *_: t < time, body, (0, h, c, outputs))
    return tf.transpose(outputs.stack(), [1, 0, 2]), h, c


def unrolled(
    x: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor, h: tf.Tensor, c: tf.Tensor, dtype: tf.DType = tf.float32
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Run as `scan` does over a length known while tracing, faster in both directions.

    Backwards, the loop only carries what depends on the next step. The gradients of the weights are one large product
    each over all steps, where automatic differentiation adds up one small product a step.

    Args:
        x, kernel, recurrent, bias, h, c: as for `scan`.
        dtype: of the matrix products' factors; everything else is float32.
    Returns:
        as `scan`
    """

    @tf.custom_gradient
    def run(x: tf.Tensor, kernel: tf.Tensor, recurrent: tf.Tensor, bias: tf.Tensor, h: tf.Tensor, c: tf.Tensor) -> tuple[Any, ...]:
        _, time, width = x.shape
        inputs = tf.reshape(tf.transpose(x, [1, 0, 2]), [-1, width])  # [time * batch, inputs]
        cast_recurrent = tf.cast(recurrent, dtype)
        projected = tf.split(matmul(inputs, kernel, dtype) + bias, time)  # time x [batch, 4 hidden]
        passed = _forward(projected, cast_recurrent, h, c, dtype)

        def gradient(d_outputs: tf.Tensor, d_h: tf.Tensor, d_c: tf.Tensor) -> tuple[Any, ...]:
            d_z, d_h, d_c = _backward(passed, cast_recurrent, tf.unstack(d_outputs, num=time, axis=1), d_h, d_c, dtype)
            d_x = tf.reshape(matmul(d_z, kernel, dtype, transpose_b=True), [time, -1, width])
            return (
                tf.transpose(d_x, [1, 0, 2]),
                matmul(inputs, d_z, dtype, transpose_a=True),
                matmul(tf.concat(passed.hs[:-1], axis=0), d_z, dtype, transpose_a=True),
                tf.reduce_sum(d_z, axis=0),
                d_h,
                d_c,
            )

        return (tf.stack(passed.hs[1:], axis=1), passed.hs[-1], passed.cs[-1]), gradient

    outputs, h, c = run(x, kernel, recurrent, bias, h, c)
    return outputs, h, c


class Gates(NamedTuple):
    """The gates of one step and tanh of its cell, float32 [batch, hidden] each."""

    i: tf.Tensor
    f: tf.Tensor
    g: tf.Tensor
    o: tf.Tensor
    tanh_c: tf.Tensor


class _ForwardPass(NamedTuple):
    """What the backward pass needs: outputs and cells, the initial ones first, and the gates of each step."""

    hs: list[tf.Tensor]
    cs: list[tf.Tensor]
    gates: list[Gates]


def _forward(projected: list[tf.Tensor], recurrent: tf.Tensor, h: tf.Tensor, c: tf.Tensor, dtype: tf.DType) -> _ForwardPass:
    """Run over the steps' projected inputs, float32 [batch, 4 hidden] each; recurrent: dtype [hidden, 4 hidden]."""
    passed = _ForwardPass([h], [c], [])
    for inputs in projected:
        h, c, gates = forward_step(inputs + matmul(passed.hs[-1], recurrent, dtype), passed.cs[-1])
        passed.hs.append(h)
        passed.cs.append(c)
        passed.gates.append(gates)
    return passed


def forward_step(z: tf.Tensor, c: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, Gates]:
    """Take one step as `step` does, and return what `backward_step` needs: (h, c, gates)."""
    hidden = c.shape[1]
    i, f, _, o = tf.split(tf.sigmoid(z), 4, axis=1)
    g = tf.tanh(z[:, 2 * hidden : 3 * hidden])
    c = f * c + i * g
    tanh_c = tf.tanh(c)
    return o * tanh_c, c, Gates(i, f, g, o, tanh_c)


def backward_step(gates: Gates, c: tf.Tensor, d_h: tf.Tensor, d_c: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Go back over one step.

    Args:
        gates: of the step.
        c: the cell before it, float32 [batch, hidden].
        d_h, d_c: gradients by the output and the cell after it, float32 [batch, hidden].
    Returns:
        (gradient by the gates' sums, float32 [batch, 4 hidden]; gradient by the cell before the step)
    """
    i, f, g, o, tanh_c = gates
    d_c += d_h * o * (1 - tanh_c * tanh_c)
    d_gates = [d_c * g * i * (1 - i), d_c * c * f * (1 - f), d_c * i * (1 - g * g), d_h * tanh_c * o * (1 - o)]
    return tf.concat(d_gates, axis=1), d_c * f


def _backward(
    passed: _ForwardPass, recurrent: tf.Tensor, d_output: list[tf.Tensor], d_h: tf.Tensor, d_c: tf.Tensor, dtype: tf.DType
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Run backwards over the steps.

    Args:
        passed: the forward pass.
        recurrent: dtype [hidden, 4 hidden].
        d_output: gradient by each step's output, float32 [batch, hidden] each.
        d_h, d_c: gradients by the last state, float32 [batch, hidden].
    Returns:
        (gradient by all steps' gate sums, float32 [time * batch, 4 hidden]; gradients by the initial h and c)
    """
    transposed = transpose_once(recurrent)
    d_zs = []
    for t in reversed(range(len(passed.gates))):
        d_z, d_c = backward_step(passed.gates[t], passed.cs[t], d_h + d_output[t], d_c)
        d_zs.append(d_z)
        d_h = matmul(d_z, transposed, dtype)
    return tf.concat(d_zs[::-1], axis=0), d_h, d_c
