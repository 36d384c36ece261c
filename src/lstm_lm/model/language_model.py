"""LanguageModel: one set of weights, with a training view and an inference view over it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from lstm_lm.model import adaptive_softmax, losses, lstm, mogrifier
from lstm_lm.model.adaptive_softmax import Tail
from lstm_lm.model.dropout import DropoutMasks, Regularization, SampledSoftmax
from lstm_lm.model.graph_order import after
from lstm_lm.model.initializer import Initializer, WeightInitializer
from lstm_lm.model.shape import Shape

LayerState = tuple[tf.Tensor, tf.Tensor]  # a layer's output h and cell c, float32 [batch, hidden] each


class StepWeights(NamedTuple):
    """The values of the weights up to the softmax.

    Attributes:
        embedding, kernels, recurrents, biases, mogrifiers, projection: as those of LanguageModel.
    """

    embedding: tf.Tensor
    kernels: list[tf.Tensor]
    recurrents: list[tf.Tensor]
    biases: list[tf.Tensor]
    mogrifiers: list[list[tf.Tensor]]
    projection: tf.Tensor | None


class LanguageModel(tf.Module):
    """Embedding, LSTM layer(s), optional projection, softmax weights.

    State is explicit: `logits, state = model(ids, state)`, starting from `model.initial_state(batch_size)`. Training
    calls it with [batch_size, sequence_length], inference with [1, 1], over the same variables.

    Args:
        shape: Shape.
        initializer: Initializer, or None for zeros (weights that are about to be loaded).
    """

    def __init__(self, shape: Shape, initializer: Initializer | None = None) -> None:
        super().__init__(name="language_model")
        self.shape = shape
        initial = WeightInitializer(initializer)
        self.embedding = tf.Variable(initial.table(shape.vocabulary_size, shape.embedding_size), name="embedding")
        self.kernels: list[tf.Variable] = []
        self.recurrents: list[tf.Variable] = []
        self.biases: list[tf.Variable] = []
        hidden = shape.hidden_size
        for layer, inputs in enumerate(shape.layer_inputs):
            # One Glorot limit for the stacked matrix [x, h] -> gates, as in TensorFlow 1's BasicLSTMCell.
            stacked = initial.glorot(inputs + hidden, 4 * hidden)
            bias = np.zeros(4 * hidden, np.float32)
            bias[hidden : 2 * hidden] = 1  # forget gates start open (Jozefowicz et al. 2015)
            self.kernels.append(tf.Variable(stacked[:inputs], name=f"lstm_{layer}_kernel"))
            self.recurrents.append(tf.Variable(stacked[inputs:], name=f"lstm_{layer}_recurrent"))
            self.biases.append(tf.Variable(bias, name=f"lstm_{layer}_bias"))
        self.projection = None
        if shape.projection_size:
            self.projection = tf.Variable(initial.table(hidden, shape.projection_size), name="projection")
        self.softmax = None
        if not shape.tie_weights:
            self.softmax = tf.Variable(initial.table(shape.head_size, shape.output_size), name="softmax")
        self.softmax_bias = tf.Variable(tf.zeros([shape.head_size]), name="softmax_bias")
        self.tails = [
            Tail(
                start,
                stop,
                tf.Variable(initial.table(shape.output_size, width), name=f"tail_{i}_projection"),
                tf.Variable(initial.table(stop - start, width), name=f"tail_{i}"),
                tf.Variable(tf.zeros([stop - start]), name=f"tail_{i}_bias"),
            )
            for i, (start, stop, width) in enumerate(shape.clusters)
        ]
        # After all others, so that these start the same with rounds and without. Of each layer the factors L and R of the rounds.
        self.mogrifiers = []
        for layer, inputs in enumerate(shape.layer_inputs):
            factors = enumerate(_mogrifier_factors(initial, shape, inputs))
            self.mogrifiers.append([tf.Variable(factor, name=mogrifier_name(layer, place)) for place, factor in factors])

    @property
    def members(self) -> tuple["LanguageModel", ...]:
        """The models whose probabilities are averaged, as of an Ensemble: this one alone."""
        return (self,)

    @property
    def softmax_weights(self) -> tf.Variable:
        """The softmax's weights, float32 [vocabulary, output_size]: the embedding itself, if weights are tied."""
        return self.embedding if self.softmax is None else self.softmax

    @property
    def weights(self) -> dict[str, tf.Variable]:
        """Each variable once by its name, in the order from input to output."""
        layers = zip(self.kernels, self.recurrents, self.biases, self.mogrifiers, strict=True)
        variables = [
            self.embedding,
            *(variable for *layer, factors in layers for variable in (*layer, *factors)),
            self.projection,
            self.softmax,
            self.softmax_bias,
            *(variable for tail in self.tails for variable in (tail.projection, tail.weights, tail.bias)),
        ]
        return {variable.name.split(":")[0]: variable for variable in variables if variable is not None}

    @property
    def parameter_count(self) -> int:
        """Number of weights, each counted once."""
        return sum(int(variable.shape.num_elements()) for variable in self.weights.values())

    def initialize_bias_from_counts(self, counts: npt.ArrayLike) -> None:
        """Set the softmax's biases so that each word starts with its frequency in the training text as its probability.

        Without this the first steps learn little else (as for the bias of rare classes: Lin et al. 2017, focal loss, 3.3).

        Args:
            counts: int [vocabulary], occurrences in the training text; 1 is added to each.
        """
        counts = np.asarray(counts)
        log_probs = np.log((np.asarray(counts, np.float64) + 1) / (np.sum(counts) + len(counts)))
        frequent = self.tails[0].start if self.tails else len(log_probs)
        cluster_log_probs = [np.logaddexp.reduce(log_probs[tail.start : tail.stop]) for tail in self.tails]
        self.softmax_bias.assign(np.concatenate([log_probs[:frequent], cluster_log_probs]).astype(np.float32))
        for tail, cluster_log_prob in zip(self.tails, cluster_log_probs, strict=True):
            tail.bias.assign((log_probs[tail.start : tail.stop] - cluster_log_prob).astype(np.float32))

    def initial_state(self, batch_size: int | tf.Tensor) -> tf.Tensor:
        """Return the zero state, float32 [layers, 2, batch, hidden]: per layer the output h and the cell c."""
        return tf.zeros([self.shape.layers, 2, batch_size, self.shape.hidden_size])

    def __call__(self, ids: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the logits of the next words: the inference view.

        Args:
            ids: int32 [batch, time].
            state: float32 [layers, 2, batch, hidden].
        Returns:
            (logits float32 [batch, time, vocabulary], next state)
        """
        hidden, state = self.encode(ids, state)
        return self.logits(hidden), state

    def encode(self, ids: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Run the inference view up to the softmax's input.

        Args:
            ids, state: as for the call.
        Returns:
            (float32 [batch, time, output_size], next state)
        """
        if ids.shape[1] == 1:
            hidden, states = self.step(ids[:, 0], self.states(state))
            return hidden[:, tf.newaxis], self.state(states)
        with tf.name_scope("embedding"):
            x = tf.gather(self.embedding, ids)  # [batch, time, embedding]
        next_states = []
        for layer, layer_state in enumerate(self.states(state)):
            with tf.name_scope(f"lstm_{layer}"):
                weights = self.kernels[layer], self.recurrents[layer], self.biases[layer]
                if factors := self.mogrifiers[layer]:
                    x, *next_state = mogrifier.scan(x, weights, factors, *layer_state)
                else:
                    x, *next_state = lstm.scan(x, *weights, *layer_state)  # [batch, time, hidden]
            next_states.append(tuple(next_state))
        return self._project(x), self.state(next_states)

    @property
    def step_matrices(self) -> list[tf.Variable]:
        """The matrices that `step` multiplies by."""
        factors = [factor for of_layer in self.mogrifiers for factor in of_layer]
        return [*self.kernels, *self.recurrents, *factors, *([] if self.projection is None else [self.projection])]

    def step_weights(self) -> list[StepWeights]:
        """Read the weights that `step` uses, so that a loop need not read them again for each word: one for each member."""
        kernels, recurrents, biases = (
            [variable.read_value() for variable in variables] for variables in (self.kernels, self.recurrents, self.biases)
        )
        mogrifiers = [[factor.read_value() for factor in factors] for factors in self.mogrifiers]
        projection = None if self.projection is None else self.projection.read_value()
        return [StepWeights(self.embedding.read_value(), kernels, recurrents, biases, mogrifiers, projection)]

    def step(
        self,
        words: tf.Tensor,
        states: list[LayerState],
        weights: Sequence[StepWeights] | None = None,
        inputs: Sequence[tf.Tensor] | None = None,
    ) -> tuple[tf.Tensor, list[LayerState]]:
        """Run the inference view over one word a row, for loops.

        Args:
            words: int32 [batch].
            states: as `states` returns them.
            weights: from `step_weights`, read before the loop; None reads them here.
            inputs: for each member float32 [vocabulary, 4 hidden], the embedding of each word times the first kernel, in place of that
                product. Without rows, or None, it is computed here, with the same result to the last bit.
        Returns:
            (float32 [batch, output_size], the softmax's input; next states)
        """
        # Variables are read where they are used, in the scope of their layer.
        own = weights[0] if weights else self._variables()
        next_states = []
        with tf.name_scope("embedding"):
            knows_inputs = inputs is not None and not self.shape.mogrifier_rounds
            x = None if knows_inputs else tf.gather(own.embedding, words)  # [batch, embedding]
        for layer, (h, c) in enumerate(states):
            with tf.name_scope(f"lstm_{layer}"):
                x, scaled_h = mogrifier.modulate(x, h, own.mogrifiers[layer]) if own.mogrifiers[layer] else (x, h)
                z = self._inputs(layer, x, own) if inputs is None or x is not None else self._known_inputs(words, own, inputs[0])
                x, next_c = lstm.step(z + tf.matmul(after(z, scaled_h), own.recurrents[layer]), c)
            next_states.append((x, next_c))
        return self._project(x, projection=own.projection), next_states

    def _variables(self) -> StepWeights:
        return StepWeights(self.embedding, self.kernels, self.recurrents, self.biases, self.mogrifiers, self.projection)

    @staticmethod
    def _inputs(layer: int, x: tf.Tensor, weights: StepWeights) -> tf.Tensor:
        return tf.matmul(x, weights.kernels[layer]) + weights.biases[layer]

    def _known_inputs(self, words: tf.Tensor, weights: StepWeights, inputs: tf.Tensor) -> tf.Tensor:
        """What the first layer makes of words, from a table if it has rows: float32 [batch, 4 hidden]."""
        products = tf.cond(
            tf.shape(inputs)[0] > 0,
            lambda: tf.gather(inputs, words),
            lambda: tf.matmul(tf.gather(weights.embedding, words), weights.kernels[0]),
        )
        return products + weights.biases[0]

    @staticmethod
    def states(state: tf.Tensor) -> list[LayerState]:
        """Split the state, float32 [layers, 2, batch, hidden], into one (h, c) for each layer."""
        return [tuple(tf.unstack(layer)) for layer in tf.unstack(state)]

    @staticmethod
    def state(states: list[LayerState]) -> tf.Tensor:
        """Join the layers' states again, float32 [layers, 2, batch, hidden]."""
        return tf.stack([tf.stack(layer) for layer in states])

    def logits(self, hidden: tf.Tensor) -> tf.Tensor:
        """Multiply by the softmax's weights.

        Args:
            hidden: float32 [..., output_size].
        Returns:
            float32 [..., vocabulary]; log probabilities, if the softmax is adaptive.
        """
        with tf.name_scope("softmax"):
            if self.tails:
                return adaptive_softmax.log_probabilities(hidden, self.softmax, self.softmax_bias, self.tails)
            return tf.tensordot(hidden, self.softmax_weights, [[-1], [1]]) + self.softmax_bias

    def training_loss(
        self,
        ids: tf.Tensor,
        targets: tf.Tensor,
        state: tf.Tensor,
        masks: DropoutMasks | None = None,
        dtype: tf.DType = tf.float32,
        sampled: SampledSoftmax | None = None,
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Compute the loss of one window: the training view.

        Args:
            ids, targets: int32 [batch, time], both sizes known while tracing.
            state: float32 [layers, 2, batch, hidden].
            masks: DropoutMasks, or None for no regularization.
            dtype: of the matrix products' factors: tf.float32 or tf.bfloat16.
            sampled: SampledSoftmax, or None for the exact loss.
        Returns:
            (nats per word, float32 scalar; next state; penalty that is added to what is minimized, float32 scalar)
        """
        x, state, penalty = self.training_encode(ids, state, masks, dtype)
        with tf.name_scope("softmax"):
            hidden = tf.reshape(x, [ids.shape[0] * ids.shape[1], self.shape.output_size])  # [batch * time, output]
            targets = tf.reshape(targets, [-1])
            weights = self.softmax_weights, self.softmax_bias
            if self.tails:
                loss = adaptive_softmax.cross_entropy(hidden, *weights, self.tails, targets, dtype)
            elif sampled is not None:
                loss = losses.sampled_softmax_cross_entropy(hidden, *weights, targets, sampled.draw(self.shape.vocabulary_size), dtype)
            else:
                loss = losses.chunked_softmax_cross_entropy(hidden, *weights, targets, dtype)
        return loss, state, penalty

    def training_encode(
        self, ids: tf.Tensor, state: tf.Tensor, masks: DropoutMasks | None = None, dtype: tf.DType = tf.float32
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Run the training view up to the softmax's input.

        Args:
            ids, state, masks, dtype: as for `training_loss`.
        Returns:
            (float32 [batch, time, output_size]; next state; penalty)
        """
        masks = masks or DropoutMasks(Regularization(), 0, tf.constant(0))
        with tf.name_scope("embedding"):
            x = masks.drop_words(tf.gather(self.embedding, ids), ids, self.shape.vocabulary_size)  # [batch, time, embedding]
            x = masks.drop_input(x)
        states = []
        for layer in range(self.shape.layers):
            with tf.name_scope(f"lstm_{layer}"):
                weights = self.kernels[layer], masks.drop_recurrent(self.recurrents[layer], layer), self.biases[layer]
                if factors := self.mogrifiers[layer]:
                    outputs, h, c = mogrifier.unrolled(x, weights, factors, state[layer, 0], state[layer, 1], dtype)
                else:
                    outputs, h, c = lstm.unrolled(x, *weights, state[layer, 0], state[layer, 1], dtype)  # [batch, time, hidden]
                x = masks.drop_output(outputs, layer, last=layer == self.shape.layers - 1)
                states.append(tf.stack([h, c]))
        return self._project(x, dtype), tf.stack(states), masks.penalty(x, outputs)

    def _project(self, x: tf.Tensor, dtype: tf.DType = tf.float32, projection: tf.Tensor | None = None) -> tf.Tensor:
        projection = self.projection if projection is None else projection
        if projection is None:
            return x
        with tf.name_scope("projection"):
            return tf.cast(tf.tensordot(tf.cast(x, dtype), tf.cast(projection, dtype), 1), tf.float32)


def mogrifier_name(layer: int, place: int) -> str:
    """Name a factor of a layer's mogrifier, given its place among them: L and R of the first round, then of the second, ..."""
    return f"lstm_{layer}_mogrifier_{place // 2}_{('left', 'right')[place % 2]}"


def _mogrifier_factors(initial: WeightInitializer, shape: Shape, inputs: int) -> list[npt.NDArray[np.float32]]:
    """Draw the factors of the mogrifier of a layer with inputs of this width."""
    factors: list[npt.NDArray[np.float32]] = []
    for i in range(shape.mogrifier_rounds):
        source, scaled = (inputs, shape.hidden_size) if i % 2 else (shape.hidden_size, inputs)
        factors += initial.low_rank(source, shape.mogrifier_rank, scaled)
    return factors
