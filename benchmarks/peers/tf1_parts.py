"""What TensorFlow 1 had and TensorFlow 2 has no more, written plainly for `tf.compat.v1`."""

import tensorflow.compat.v1 as tf


class BasicLSTMCell:
    """A layer of LSTM units whose state is the pair (c, h)."""

    def __init__(self, units):
        self.units = units

    def zero_state(self, batch_size, dtype):
        # Not constants: the session is fed with the state that goes on, and runs on zeros without one.
        zeros = tf.zeros([batch_size, self.units], dtype)
        return tf.placeholder_with_default(zeros, zeros.shape), tf.placeholder_with_default(zeros, zeros.shape)

    def __call__(self, inputs, state):
        c, h = state
        with tf.variable_scope("basic_lstm_cell", reuse=tf.AUTO_REUSE):
            kernel = tf.get_variable("kernel", [int(inputs.shape[1]) + self.units, 4 * self.units])
            bias = tf.get_variable("bias", [4 * self.units], initializer=tf.zeros_initializer())
        gates = tf.nn.bias_add(tf.matmul(tf.concat([inputs, h], axis=1), kernel), bias)
        enter, candidate, forget, leave = tf.split(gates, 4, axis=1)
        c = tf.sigmoid(forget + 1.0) * c + tf.sigmoid(enter) * tf.tanh(candidate)
        h = tf.sigmoid(leave) * tf.tanh(c)
        return h, (c, h)


def rnn_decoder(inputs, state, cell):
    """(a list of outputs, the last state) of a list of inputs."""
    outputs = []
    for word in inputs:
        output, state = cell(word, state)
        outputs.append(output)
    return outputs, state


def sequence_loss_by_example(logits, targets, weights, vocabulary):
    """Nats of each example, of lists with one element."""
    return weights[0] * tf.nn.sparse_softmax_cross_entropy_with_logits(labels=targets[0], logits=logits[0])
