"""The cookbook's graph (TensorFlow Machine Learning Cookbook, ch. 9.3) on TensorFlow 1.15: training, and its batch-1 copy.

It runs on Python 3.7. With a newer TensorFlow the same script runs on `tf.compat.v1`, with `tf1_parts` for what was removed since.
"""

import os
from typing import Any, Dict, NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np
import tensorflow as tf

import protocol

IS_TF1 = tf.__version__.startswith("1.")
if IS_TF1:
    from tensorflow.contrib.legacy_seq2seq import rnn_decoder, sequence_loss_by_example

    BasicLSTMCell = tf.nn.rnn_cell.BasicLSTMCell
else:
    from tf1_parts import BasicLSTMCell, rnn_decoder, sequence_loss_by_example

    tf = tf.compat.v1
    tf.disable_eager_execution()
tf.logging.set_verbosity(tf.logging.ERROR)


class Sizes(NamedTuple):
    """The sizes of a graph."""

    vocabulary: int
    embedding_size: int
    hidden_size: int
    batch_size: int
    sequence_length: int


class Graph:
    """Placeholders, an unrolled LSTM, softmax, Adam. A second graph in a variable scope with reuse shares the weights."""

    def __init__(self, sizes: Sizes, initializer_scale: float) -> None:
        initializer = tf.random_uniform_initializer(-initializer_scale, initializer_scale)
        shape = [sizes.batch_size, sizes.sequence_length]
        self.inputs = tf.placeholder(tf.int32, shape)
        self.targets = tf.placeholder(tf.int32, shape)
        self.cell = BasicLSTMCell(sizes.hidden_size)
        self.initial_state = self.cell.zero_state(sizes.batch_size, tf.float32)

        with tf.variable_scope("lstm_vars"):
            weights = tf.get_variable("W", [sizes.hidden_size, sizes.vocabulary], tf.float32, initializer)
            bias = tf.get_variable("b", [sizes.vocabulary], tf.float32, tf.constant_initializer(0.0))
            embedding = tf.get_variable("embedding", [sizes.vocabulary, sizes.embedding_size], tf.float32, initializer)
            embedded = tf.nn.embedding_lookup(embedding, self.inputs)
            by_time = [tf.squeeze(word, [1]) for word in tf.split(embedded, sizes.sequence_length, axis=1)]

        outputs, self.final_state = rnn_decoder(by_time, self.initial_state, self.cell)
        output = tf.reshape(tf.concat(outputs, axis=1), [-1, sizes.hidden_size])
        logits = tf.matmul(output, weights) + bias
        self.probabilities = tf.nn.softmax(logits)
        self.bias = bias

        words = sizes.batch_size * sizes.sequence_length
        nats = sequence_loss_by_example([logits], [tf.reshape(self.targets, [-1])], [tf.ones([words])], sizes.vocabulary)
        self.cost = tf.reduce_sum(nats) / words

    def training_op(self, learning_rate: float, clip_norm: float) -> Any:
        """Return the operation that updates the weights."""
        variables = tf.trainable_variables()
        gradients, _ = tf.clip_by_global_norm(tf.gradients(self.cost, variables), clip_norm)
        return tf.train.AdamOptimizer(learning_rate).apply_gradients(zip(gradients, variables))


def sizes_of(config: protocol.Settings) -> Sizes:
    """Return the sizes in the settings."""
    return Sizes(**{name: config[name] for name in Sizes._fields})


def facts() -> Dict[str, str]:
    """Return what the driver is sent first."""
    note = "" if IS_TF1 else "tf.compat.v1 with a hand-written cell"
    return {"version": "TensorFlow " + tf.__version__ if IS_TF1 else "", "note": note}


def main() -> None:
    """Serve a training."""
    config = protocol.settings()
    graph = Graph(sizes_of(config), config["initializer_scale"])
    train_op = graph.training_op(config["learning_rate"], config["clip_norm"])
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    state = session.run(graph.initial_state)

    def step(inputs: np.ndarray, targets: np.ndarray) -> float:
        nonlocal state
        c, h = graph.initial_state
        feed = {graph.inputs: inputs, graph.targets: targets, c: state[0], h: state[1]}
        loss, state, _ = session.run([graph.cost, graph.final_state, train_op], feed_dict=feed)
        return float(loss)

    protocol.train(step, config, **facts())


if __name__ == "__main__":
    main()
