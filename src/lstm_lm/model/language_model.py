"""LanguageModel: one set of weights, with a training view and an inference view over it."""

from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from lstm_lm.model import adaptive_softmax, losses, lstm
from lstm_lm.model.adaptive_softmax import Tail
from lstm_lm.model.dropout import Noise, Regularization
from lstm_lm.model.shape import Shape


@dataclass(frozen=True)
class Initializer:
    """Of embedding, projection and softmax weights. LSTM kernels are Glorot uniform, biases 0, forget gates' biases 1.

    Attributes:
        distribution: "uniform" in [-scale, scale], or "normal" with standard deviation `scale`.
        scale: as above.
        seed: of all random numbers.
    """

    distribution: str
    scale: float
    seed: int


class LanguageModel(tf.Module):
    """Embedding, LSTM layer(s), optional projection, softmax weights.

    State is explicit: `logits, state = model(ids, state)`, starting from `model.initial_state(batch_size)`. Training
    calls it with [batch_size, sequence_length], inference with [1, 1], over the same variables.
    """

    def __init__(self, shape: Shape, initializer: Initializer | None = None) -> None:
        """initializer: Initializer, or None for zeros (weights that are about to be loaded)."""
        super().__init__(name="language_model")
        self.shape = shape
        draws = _Draws(initializer)
        self.embedding = tf.Variable(draws.table(shape.vocabulary_size, shape.embedding_size), name="embedding")
        self.kernels, self.recurrents, self.biases = [], [], []
        hidden = shape.hidden_size
        for layer in range(shape.layers):
            inputs = hidden if layer else shape.embedding_size
            # One Glorot limit for the stacked matrix [x, h] -> gates, as in TensorFlow 1's BasicLSTMCell.
            stacked = draws.glorot(inputs + hidden, 4 * hidden)
            bias = np.zeros(4 * hidden, np.float32)
            bias[hidden : 2 * hidden] = 1  # remember, until told otherwise (Jozefowicz et al. 2015)
            self.kernels.append(tf.Variable(stacked[:inputs], name=f"lstm_{layer}_kernel"))
            self.recurrents.append(tf.Variable(stacked[inputs:], name=f"lstm_{layer}_recurrent"))
            self.biases.append(tf.Variable(bias, name=f"lstm_{layer}_bias"))
        self.projection = None
        if shape.projection_size:
            self.projection = tf.Variable(draws.table(hidden, shape.projection_size), name="projection")
        self.softmax = None
        head = shape.head_size
        if not shape.tie_weights:
            self.softmax = tf.Variable(draws.table(head, shape.output_size), name="softmax")
        self.softmax_bias = tf.Variable(tf.zeros([head]), name="softmax_bias")
        self.tails = [
            Tail(
                start,
                stop,
                tf.Variable(draws.table(shape.output_size, width), name=f"tail_{i}_projection"),
                tf.Variable(draws.table(stop - start, width), name=f"tail_{i}"),
                tf.Variable(tf.zeros([stop - start]), name=f"tail_{i}_bias"),
            )
            for i, (start, stop, width) in enumerate(shape.clusters)
        ]

    @property
    def softmax_weights(self):
        """float32 variable [vocabulary, output_size]: the embedding itself, if weights are tied."""
        return self.embedding if self.softmax is None else self.softmax

    @property
    def weights(self):
        """{name: tf.Variable}, each variable once, from the words that come in to the words that come out."""
        layers = zip(self.kernels, self.recurrents, self.biases, strict=True)
        variables = [
            self.embedding,
            *(variable for layer in layers for variable in layer),
            self.projection,
            self.softmax,
            self.softmax_bias,
            *(variable for tail in self.tails for variable in (tail.projection, tail.weights, tail.bias)),
        ]
        return {variable.name.split(":")[0]: variable for variable in variables if variable is not None}

    @property
    def parameter_count(self):
        return sum(int(variable.shape.num_elements()) for variable in self.weights.values())

    def start_from_unigram(self, counts):
        """Set the softmax's biases so that, but for what comes in, each word has its share of the training text.

        Without this the first steps go into learning little else (as for the bias of rare classes: Lin et al. 2017, focal loss, 3.3).

        Args:
            counts: int [vocabulary], occurrences in the training text; 1 is added to each.
        """
        shares = np.log((np.asarray(counts, np.float64) + 1) / (np.sum(counts) + len(counts)))
        frequent = self.tails[0].start if self.tails else len(shares)
        whole_tails = [np.logaddexp.reduce(shares[tail.start : tail.stop]) for tail in self.tails]
        self.softmax_bias.assign(np.concatenate([shares[:frequent], whole_tails]).astype(np.float32))
        for tail, whole in zip(self.tails, whole_tails, strict=True):
            tail.bias.assign((shares[tail.start : tail.stop] - whole).astype(np.float32))

    def initial_state(self, batch_size):
        """Zeros, float32 [layers, 2, batch, hidden]: per layer the output h and the cell c."""
        return tf.zeros([self.shape.layers, 2, batch_size, self.shape.hidden_size])

    def __call__(self, ids, state):
        """The inference view.

        Args:
            ids: int32 [batch, time].
            state: float32 [layers, 2, batch, hidden].
        Returns:
            (logits float32 [batch, time, vocabulary], next state)
        """
        hidden, state = self.encode(ids, state)
        return self.logits(hidden), state

    def encode(self, ids, state):
        """The inference view up to the softmax's input: (float32 [batch, time, output_size], next state)."""
        if ids.shape[1] == 1:
            hidden, states = self.step(ids[:, 0], self.states(state))
            return hidden[:, tf.newaxis], self.state(states)
        with tf.name_scope("embedding"):
            x = tf.gather(self.embedding, ids)  # [batch, time, embedding]
        states = []
        for layer, before in enumerate(self.states(state)):
            with tf.name_scope(f"lstm_{layer}"):
                weights = self.kernels[layer], self.recurrents[layer], self.biases[layer]
                x, *after = lstm.scan(x, *weights, *before)  # [batch, time, hidden]
            states.append(tuple(after))
        return self._project(x), self.state(states)

    def step(self, words, states):
        """The inference view of one word a row, for loops.

        Args:
            words: int32 [batch].
            states: of `states`.
        Returns:
            (float32 [batch, output_size], the softmax's input; next states)
        """
        with tf.name_scope("embedding"):
            x = tf.gather(self.embedding, words)  # [batch, embedding]
        after = []
        for layer, (h, c) in enumerate(states):
            with tf.name_scope(f"lstm_{layer}"):
                z = tf.matmul(x, self.kernels[layer]) + tf.matmul(h, self.recurrents[layer]) + self.biases[layer]
                x, after_c = lstm.step(z, c)
            after.append((x, after_c))
        return self._project(x), after

    @staticmethod
    def states(state):
        """The state as a list of (h, c), float32 [batch, hidden] each, one for each layer."""
        return [tuple(tf.unstack(layer)) for layer in tf.unstack(state)]

    @staticmethod
    def state(states):
        """Back to float32 [layers, 2, batch, hidden]."""
        return tf.stack([tf.stack(layer) for layer in states])

    def logits(self, hidden):
        """float32 [..., output_size] -> float32 [..., vocabulary]; log probabilities, if the softmax is adaptive."""
        with tf.name_scope("softmax"):
            if self.tails:
                return adaptive_softmax.log_probabilities(hidden, self.softmax, self.softmax_bias, self.tails)
            return tf.tensordot(hidden, self.softmax_weights, [[-1], [1]]) + self.softmax_bias

    def training_loss(self, ids, targets, state, noise=None, dtype=tf.float32, sampled=None):
        """The training view: the loss of one window.

        Args:
            ids, targets: int32 [batch, time], both sizes known while tracing.
            state: float32 [layers, 2, batch, hidden].
            noise: Noise, or None.
            dtype: of the matrix products' factors: tf.float32 or tf.bfloat16.
            sampled: SampledSoftmax, or None for the exact loss.
        Returns:
            (nats per word, float32 scalar; next state; float32 scalar that is added to what is minimised, 0.0 without such noise)
        """
        x, state, penalty = self.training_encode(ids, state, noise, dtype)
        with tf.name_scope("softmax"):
            hidden = tf.reshape(x, [ids.shape[0] * ids.shape[1], self.shape.output_size])  # [batch * time, output]
            targets = tf.reshape(targets, [-1])
            weights = self.softmax_weights, self.softmax_bias
            if self.tails:
                loss = adaptive_softmax.cross_entropy(hidden, *weights, self.tails, targets, dtype)
            elif sampled is not None:
                sample = sampled.draw(self.shape.vocabulary_size)
                loss = losses.sampled_softmax_cross_entropy(hidden, *weights, targets, *sample, dtype)
            else:
                loss = losses.chunked_softmax_cross_entropy(hidden, *weights, targets, dtype)
        return loss, state, penalty

    def training_encode(self, ids, state, noise=None, dtype=tf.float32):
        """The training view up to the softmax's input: (float32 [batch, time, output_size], next state, penalty)."""
        noise = noise or Noise(Regularization(), 0, tf.constant(0))
        with tf.name_scope("embedding"):
            x = noise.on_words(tf.gather(self.embedding, ids), ids, self.shape.vocabulary_size)  # [batch, time, embedding]
            x = noise.on_input(x)
        states = []
        for layer in range(self.shape.layers):
            with tf.name_scope(f"lstm_{layer}"):
                weights = self.kernels[layer], noise.on_recurrent(self.recurrents[layer], layer), self.biases[layer]
                raw, h, c = lstm.unrolled(x, *weights, state[layer, 0], state[layer, 1], dtype)  # [batch, time, hidden]
                x = noise.on_layer(raw, layer, last=layer == self.shape.layers - 1)
                states.append(tf.stack([h, c]))
        return self._project(x, dtype), tf.stack(states), noise.penalty(x, raw)

    def _project(self, x, dtype=tf.float32):
        if self.projection is None:
            return x
        with tf.name_scope("projection"):
            return tf.cast(tf.tensordot(tf.cast(x, dtype), tf.cast(self.projection, dtype), 1), tf.float32)


class _Draws:
    """Random initial values, in a fixed order."""

    def __init__(self, initializer):
        self.initializer = initializer
        self.generator = np.random.default_rng(initializer.seed) if initializer else None

    def table(self, rows, columns):
        if self.initializer is None:
            return np.zeros([rows, columns], np.float32)
        scale = self.initializer.scale
        if self.initializer.distribution == "normal":
            return self.generator.normal(0, scale, [rows, columns]).astype(np.float32)
        return self.generator.uniform(-scale, scale, [rows, columns]).astype(np.float32)

    def glorot(self, rows, columns):
        if self.initializer is None:
            return np.zeros([rows, columns], np.float32)
        limit = np.sqrt(6 / (rows + columns))
        return self.generator.uniform(-limit, limit, [rows, columns]).astype(np.float32)
