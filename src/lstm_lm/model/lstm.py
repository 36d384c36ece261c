"""The LSTM (Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000), three ways over the same weights.

Gates lie side by side in the order input, forget, candidate, output (that of `keras.layers.LSTM`):

    z = x W + h U + b                                  [batch, 4 hidden]
    c' = sigmoid(z_forget) c + sigmoid(z_input) tanh(z_candidate)
    h' = sigmoid(z_output) tanh(c')

`step` is one word. `scan` is any number of words, known only when it runs. `unrolled` is a number of words known while
tracing, with a gradient of its own, and is what training uses.
"""

import tensorflow as tf

from lstm_lm.model.precision import matmul


def step(z, c):
    """One step from the gates' sums.

    Args:
        z: float32 [batch, 4 hidden], x W + h U + b.
        c: float32 [batch, hidden].
    Returns:
        (h, c), float32 [batch, hidden] each.
    """
    i, f, g, o = tf.split(z, 4, axis=1)
    c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
    return tf.sigmoid(o) * tf.tanh(c), c


def scan(x, kernel, recurrent, bias, h, c):
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

    def body(t, h, c, outputs):
        h, c = step(projected[t] + tf.matmul(h, recurrent), c)
        return t + 1, h, c, outputs.write(t, h)

    _, h, c, outputs = tf.while_loop(lambda t, *_: t < time, body, (0, h, c, outputs))
    return tf.transpose(outputs.stack(), [1, 0, 2]), h, c


def unrolled(x, kernel, recurrent, bias, h, c, dtype=tf.float32):
    """`scan` for a length known while tracing, and faster in both directions.

    Backwards, the loop only carries what depends on the next step; the gradients of the weights are one large product
    each over all steps, where automatic differentiation adds up one small product a step.

    Args:
        as `scan`; dtype: of the matrix products' factors, everything else is float32.
    Returns:
        as `scan`
    """
    time = x.shape[1]
    hidden = recurrent.shape[0]

    @tf.custom_gradient
    def run(x, kernel, recurrent, bias, h, c):
        inputs = tf.reshape(tf.transpose(x, [1, 0, 2]), [-1, x.shape[2]])  # [time * batch, inputs]
        projected = tf.split(matmul(inputs, kernel, dtype) + bias, time)  # time x [batch, 4 hidden]
        cast_recurrent = tf.cast(recurrent, dtype)
        hs, cs, saved = [h], [c], []
        for t in range(time):
            z = projected[t] + matmul(hs[-1], cast_recurrent, dtype)
            i, f, _, o = tf.split(tf.sigmoid(z), 4, axis=1)
            g = tf.tanh(z[:, 2 * hidden : 3 * hidden])
            cs.append(f * cs[-1] + i * g)
            squashed = tf.tanh(cs[-1])
            hs.append(o * squashed)
            saved.append((i, f, g, o, squashed))

        def gradient(d_outputs, d_h, d_c):
            d_output = tf.unstack(d_outputs, num=time, axis=1)
            # Turned over once: a product of few rows with a matrix that is read across runs at a fraction of the speed.
            # Gate by gate, since TensorFlow's optimiser would move a single transposition into every product.
            back = tf.concat([tf.transpose(gate) for gate in tf.split(cast_recurrent, 4, axis=1)], axis=0)  # [4 hidden, hidden]
            d_z = [None] * time
            for t in reversed(range(time)):
                i, f, g, o, squashed = saved[t]
                d_h += d_output[t]
                d_c += d_h * o * (1 - squashed * squashed)
                d_gates = [d_c * g * i * (1 - i), d_c * cs[t] * f * (1 - f), d_c * i * (1 - g * g), d_h * squashed * o * (1 - o)]
                d_z[t] = tf.concat(d_gates, axis=1)  # [batch, 4 hidden]
                d_h = matmul(d_z[t], back, dtype)
                d_c *= f
            d_z = tf.concat(d_z, axis=0)  # [time * batch, 4 hidden]
            d_x = tf.reshape(matmul(d_z, kernel, dtype, transpose_b=True), [time, -1, x.shape[2]])
            return (
                tf.transpose(d_x, [1, 0, 2]),
                matmul(inputs, d_z, dtype, transpose_a=True),
                matmul(tf.concat(hs[:-1], axis=0), d_z, dtype, transpose_a=True),
                tf.reduce_sum(d_z, axis=0),
                d_h,
                d_c,
            )

        return (tf.stack(hs[1:], axis=1), hs[-1], cs[-1]), gradient

    return run(x, kernel, recurrent, bias, h, c)
