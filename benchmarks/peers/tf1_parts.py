"""Parts of TensorFlow 1 that TensorFlow 2 no longer has, written plainly for `tf.compat.v1`."""

from typing import List, Tuple

import tensorflow.compat.v1 as tf

State = Tuple[tf.Tensor, tf.Tensor]


class BasicLSTMCell:
    """A layer of LSTM units whose state is the pair (c, h), float32 [batch, units] each."""

    def __init__(self, units: int) -> None:
        self.units = units

    def zero_state(self, batch_size: int, dtype: tf.DType) -> State:
        """Return zeros that the session can override."""
        # Placeholders rather than constants: the session feeds the carried state, or runs on zeros without one.
        zeros = tf.zeros([batch_size, self.units], dtype)
        return tf.placeholder_with_default(zeros, zeros.shape), tf.placeholder_with_default(zeros, zeros.shape)

    def __call__(self, inputs: tf.Tensor, state: State) -> Tuple[tf.Tensor, State]:
        """Return the output [batch, units] and the next state."""
        c, h = state
        with tf.variable_scope("basic_lstm_cell", reuse=tf.AUTO_REUSE):
            kernel = tf.get_variable("kernel", [int(inputs.shape[1]) + self.units, 4 * self.units])
            bias = tf.get_variable("bias", [4 * self.units], initializer=tf.zeros_initializer())
        gates = tf.nn.bias_add(tf.matmul(tf.concat([inputs, h], axis=1), kernel), bias)
        input_gate, candidate, forget_gate, output_gate = tf.split(gates, 4, axis=1)
        c = tf.sigmoid(forget_gate + 1.0) * c + tf.sigmoid(input_gate) * tf.tanh(candidate)
        h = tf.sigmoid(output_gate) * tf.tanh(c)
        return h, (c, h)


def rnn_decoder(inputs: List[tf.Tensor], state: State, cell: BasicLSTMCell) -> Tuple[List[tf.Tensor], State]:
    """Return the outputs for a list of inputs, and the last state."""
    outputs = []
    for word in inputs:
        output, state = cell(word, state)
        outputs.append(output)
    return outputs, state


def sequence_loss_by_example(logits: List[tf.Tensor], targets: List[tf.Tensor], weights: List[tf.Tensor], vocabulary: int) -> tf.Tensor:
    """Return the nats of each example. Each list has one element."""
    return weights[0] * tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets[0], logits=logits[0])
