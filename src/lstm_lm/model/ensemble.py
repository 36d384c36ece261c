"""Several models as one: their probabilities are averaged (Hansen & Salamon 1990; for LSTM language models Zaremba et al. 2014, 4.1)."""

import contextlib
import functools
import math
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace

import numpy.typing as npt
import tensorflow as tf

from lstm_lm.model.dropout import DropoutMasks
from lstm_lm.model.graph_order import after
from lstm_lm.model.initializer import Initializer
from lstm_lm.model.language_model import LanguageModel, LayerState, StepWeights
from lstm_lm.model.shape import Shape


class Ensemble(tf.Module):
    """Models of one shape and vocabulary that predict together: P(w) is the mean of the members' P(w).

    It is called as a LanguageModel is. The state has the layers of all members, one member after the other, and the softmax's input is
    the outputs of all members side by side.

    Args:
        shape: Shape, with at least 2 members.
        initializer: of the first member, the seed of each other one is higher by 1; None for zeros (weights that are about to be loaded).

    Attributes:
        members: LanguageModel each. With the seeds 1, 2, 3 they start as the models of these seeds do alone.
    """

    states = staticmethod(LanguageModel.states)
    state = staticmethod(LanguageModel.state)

    def __init__(self, shape: Shape, initializer: Initializer | None = None) -> None:
        super().__init__(name="ensemble")
        self.shape = shape
        initializers = [initializer and replace(initializer, seed=member_seed(initializer.seed, i)) for i in range(shape.members)]
        self.members = tuple(LanguageModel(shape.member, of_member) for of_member in initializers)

    @property
    def weights(self) -> dict[str, tf.Variable]:
        """Each variable once by its name, `member_0/embedding` and so on, the members one after the other."""
        return {f"{weight_prefix(i)}{name}": variable for i, member in enumerate(self.members) for name, variable in member.weights.items()}

    @property
    def parameter_count(self) -> int:
        """Number of weights of all members."""
        return sum(member.parameter_count for member in self.members)

    def initialize_bias_from_counts(self, counts: npt.ArrayLike) -> None:
        """As LanguageModel's, for each member."""
        for member in self.members:
            member.initialize_bias_from_counts(counts)

    def initial_state(self, batch_size: int | tf.Tensor) -> tf.Tensor:
        """Return the zero state, float32 [members * layers, 2, batch, hidden]."""
        return tf.zeros([self.shape.state_layers, 2, batch_size, self.shape.hidden_size])

    def __call__(self, ids: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the log probabilities of the next words, as `logits` does: the inference view.

        Args:
            ids: int32 [batch, time].
            state: float32 [members * layers, 2, batch, hidden].
        Returns:
            (float32 [batch, time, vocabulary], next state)
        """
        hidden, state = self.encode(ids, state)
        return self.logits(hidden), state

    def encode(self, ids: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Run the inference view of all members up to the softmax's input.

        Args:
            ids, state: as for the call.
        Returns:
            (float32 [batch, time, members * output_size], next state)
        """
        encoded = []
        for i, (member, own) in enumerate(zip(self.members, self.split_state(state), strict=True)):
            with member_scope(i):
                encoded.append(member.encode(ids, own))
        outputs, states = zip(*encoded, strict=True)
        return tf.concat(outputs, axis=-1), tf.concat(states, axis=0)

    def training_encode(
        self, ids: tf.Tensor, state: tf.Tensor, masks: DropoutMasks | None = None, dtype: tf.DType = tf.float32
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Run the training view of all members up to the softmax's input.

        Args:
            ids, state: as for the call, the sizes of ids known while tracing.
            masks, dtype: as for LanguageModel.training_encode; all members get the same masks.
        Returns:
            (float32 [batch, time, members * output_size]; next state; the sum of the penalties)
        """
        states = self.split_state(state)
        encoded = [member.training_encode(ids, own, masks, dtype) for member, own in zip(self.members, states, strict=True)]
        outputs, next_states, penalties = zip(*encoded, strict=True)
        return tf.concat(outputs, axis=-1), tf.concat(next_states, axis=0), tf.add_n(penalties)

    @property
    def step_matrices(self) -> list[tf.Variable]:
        """The matrices that `step` multiplies by."""
        return [matrix for member in self.members for matrix in member.step_matrices]

    def step_weights(self) -> list[StepWeights]:
        """Read the weights that `step` uses, so that a loop need not read them again for each word: one for each member."""
        return [weights for member in self.members for weights in member.step_weights()]

    def step(
        self,
        words: tf.Tensor,
        states: list[LayerState],
        weights: Sequence[StepWeights] | None = None,
        inputs: Sequence[tf.Tensor] | None = None,
    ) -> tuple[tf.Tensor, list[LayerState]]:
        """Run the inference view of all members over one word a row, for loops.

        Args:
            words, states, weights, inputs: as for LanguageModel.step.
        Returns:
            (float32 [batch, members * output_size], the softmax's input; next states)
        """
        outputs: list[tf.Tensor] = []
        next_states: list[LayerState] = []
        layers = self.shape.layers
        for i, member in enumerate(self.members):
            own_states = states[i * layers : (i + 1) * layers]
            own_weights, own_inputs = weights and weights[i : i + 1], inputs and inputs[i : i + 1]
            with member_scope(i):
                # One member after the other: see graph_order.
                output, own_states = member.step(after(outputs, words), own_states, own_weights, own_inputs)
            outputs.append(output)
            next_states += own_states
        return tf.concat(outputs, axis=1), next_states

    def split_state(self, state: tf.Tensor) -> list[tf.Tensor]:
        """Split the state, float32 [members * layers, 2, batch, hidden], into those of the members."""
        return list(tf.split(state, self.shape.members, axis=0))

    def logits(self, hidden: tf.Tensor) -> tf.Tensor:
        """Compute the logarithms of the averaged probabilities.

        Args:
            hidden: float32 [..., members * output_size].
        Returns:
            float32 [..., vocabulary]
        """
        total: tf.Tensor = None
        for i, (member, own) in enumerate(zip(self.members, self.split_hidden(hidden), strict=True)):
            with member_scope(i):
                # One member after the other, so that the memory does not grow with their number.
                scores = tf.nn.log_softmax(member.logits(own if total is None else after(total, own)))
            with tf.name_scope("average"):
                total = scores if total is None else _log_add(total, scores)
        return total - math.log(len(self.members))

    def split_hidden(self, hidden: tf.Tensor) -> list[tf.Tensor]:
        """Split the softmax's input, float32 [..., members * output_size], into those of the members."""
        return list(tf.split(hidden, self.shape.members, axis=-1))


Model = LanguageModel | Ensemble


def build(shape: Shape, initializer: Initializer | None = None) -> Model:
    """Build a model, or an ensemble of several.

    Args:
        shape: its `members` says which.
        initializer: Initializer, or None for zeros (weights that are about to be loaded).
    """
    return LanguageModel(shape, initializer) if shape.members == 1 else Ensemble(shape, initializer)


def mean_log_probabilities(scores: Sequence[tf.Tensor]) -> tf.Tensor:
    """Compute the logarithm of the mean of probabilities from their logarithms, float32 of one shape each."""
    return functools.reduce(_log_add, scores) - math.log(len(scores))


def _log_add(a: tf.Tensor, b: tf.Tensor) -> tf.Tensor:
    """Compute log(exp(a) + exp(b))."""
    return tf.maximum(a, b) + tf.math.softplus(-tf.abs(a - b))


def member_seed(seed: int, member: int) -> int:
    """Return the seed of a member of an ensemble that has a seed itself: below 2**31."""
    return (seed + member) % 2**31


def weight_prefix(member: int) -> str:
    """Return what the names of a member's weights start with in an ensemble."""
    return f"member_{member}/"


def member_scope(member: int) -> AbstractContextManager[object]:
    """Return a name scope for the operations of a member. Those of the first one have the names that they have in a single model."""
    return tf.name_scope(f"member_{member}") if member else contextlib.nullcontext()
