"""The cookbook's graph (TensorFlow Machine Learning Cookbook, ch. 9.3) on TensorFlow 1.15: training, and its batch-1 twin.

Python 3.7. With a newer TensorFlow the same script runs on `tf.compat.v1`, with `tf1_parts` for what went away since.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import tensorflow as tf

import protocol

GENUINE = tf.__version__.startswith("1.")
if GENUINE:
    from tensorflow.contrib.legacy_seq2seq import rnn_decoder, sequence_loss_by_example

    BasicLSTMCell = tf.nn.rnn_cell.BasicLSTMCell
else:
    from tf1_parts import BasicLSTMCell, rnn_decoder, sequence_loss_by_example

    tf = tf.compat.v1
    tf.disable_eager_execution()
tf.logging.set_verbosity(tf.logging.ERROR)


class Graph:
    """Placeholders, an unrolled LSTM, softmax, Adam. Made a second time in a variable scope that reuses, it shares the weights."""

    def __init__(self, vocabulary, embedding_size, hidden_size, batch_size, sequence_length, initializer):
        self.inputs = tf.placeholder(tf.int32, [batch_size, sequence_length])
        self.targets = tf.placeholder(tf.int32, [batch_size, sequence_length])
        self.cell = BasicLSTMCell(hidden_size)
        self.initial_state = self.cell.zero_state(batch_size, tf.float32)

        with tf.variable_scope("lstm_vars"):
            weights = tf.get_variable("W", [hidden_size, vocabulary], tf.float32, initializer)
            bias = tf.get_variable("b", [vocabulary], tf.float32, tf.constant_initializer(0.0))
            embedding = tf.get_variable("embedding", [vocabulary, embedding_size], tf.float32, initializer)
            embedded = tf.nn.embedding_lookup(embedding, self.inputs)
            by_time = [tf.squeeze(word, [1]) for word in tf.split(embedded, sequence_length, axis=1)]

        outputs, self.final_state = rnn_decoder(by_time, self.initial_state, self.cell)
        output = tf.reshape(tf.concat(outputs, axis=1), [-1, hidden_size])
        logits = tf.matmul(output, weights) + bias
        self.probabilities = tf.nn.softmax(logits)
        self.bias = bias

        words = batch_size * sequence_length
        nats = sequence_loss_by_example([logits], [tf.reshape(self.targets, [-1])], [tf.ones([words])], vocabulary)
        self.cost = tf.reduce_sum(nats) / words

    def training_op(self, learning_rate, clip_norm):
        variables = tf.trainable_variables()
        gradients, _ = tf.clip_by_global_norm(tf.gradients(self.cost, variables), clip_norm)
        return tf.train.AdamOptimizer(learning_rate).apply_gradients(zip(gradients, variables))


def facts():
    how = "" if GENUINE else "tf.compat.v1 with a hand-written cell"
    return {"version": "TensorFlow " + tf.__version__ if GENUINE else "", "note": how}


def main():
    chosen = protocol.settings()
    scale = chosen["initializer_scale"]
    graph = Graph(
        chosen["vocabulary"],
        chosen["embedding_size"],
        chosen["hidden_size"],
        chosen["batch_size"],
        chosen["sequence_length"],
        tf.random_uniform_initializer(-scale, scale),
    )
    train_op = graph.training_op(chosen["learning_rate"], chosen["clip_norm"])
    session = tf.Session()
    session.run(tf.global_variables_initializer())
    state = session.run(graph.initial_state)

    def step(inputs, targets):
        nonlocal state
        c, h = graph.initial_state
        feed = {graph.inputs: inputs, graph.targets: targets, c: state[0], h: state[1]}
        loss, state, _ = session.run([graph.cost, graph.final_state, train_op], feed_dict=feed)
        return loss

    protocol.train(step, chosen, **facts())


if __name__ == "__main__":
    main()
