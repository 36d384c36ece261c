"""The computations of a training as TensorFlow graphs: one step, several steps, scoring."""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from lstm_lm.data import windows
from lstm_lm.data.dataset import Batches
from lstm_lm.evaluation import scoring
from lstm_lm.model import devices, losses
from lstm_lm.model.dropout import DropoutMasks, SampledSoftmax
from lstm_lm.model.ensemble import Model, member_scope, member_seed
from lstm_lm.model.language_model import LanguageModel
from lstm_lm.training.optimizers import Adam, Gradient, clip_by_global_norm, sum_duplicate_rows, update_averages
from lstm_lm.training.training_config import TrainingConfig

RESET_SEED = 0x5EED  # separates these random numbers from those of dropout
MAX_COMPILED_ROWS = 4  # with more rows, the products of a step take longer than the calls of its operations
MIN_COMPILED_WORDS = 5_000  # one after the other: compiling for a number of rows takes as long as compiled code saves on so many


class _MemberStep(NamedTuple):
    """The loss in nats per word and the gradient norm before clipping, float32 scalars; the clipped gradients; the next state."""

    loss: tf.Tensor
    norm: tf.Tensor
    gradients: list[Gradient]
    state: tf.Tensor


class StepFunctions:
    """The graphs of one training, over the model's own variables.

    Args:
        model: its weights are updated by the training steps.
        config: how to train.
        batches: of which only the sizes count.

    Attributes:
        optimizer: Adam, with its moments.
        averages: list of tf.Variable, averages of the weights in their order; empty without `ema_decay`.
        lazy: whether rows that a step does not use stay as they are.
        train_step: one step on a whole window, as `_train_step`.
        train_steps, train_short_steps: several steps on whole or short windows, as `_train_steps`.
    """

    def __init__(self, model: Model, config: TrainingConfig, batches: Batches) -> None:
        self.model = model
        self.config = config
        self.batch_size, self.sequence_length = batches.batch_size, batches.sequence_length
        self.optimizer = Adam(list(model.weights.values()), config.train.weight_decay, config.train.beta2)
        self.averages = [tf.Variable(variable) for variable in model.weights.values()] if config.train.ema_decay else []
        # With a vocabulary so large that softmax rows are sampled or clustered, visiting all rows in each step would take too long.
        self.lazy = bool(config.train.sampled_words or model.shape.adaptive_cutoffs)
        # No function here needs AutoGraph: without it, tracing takes a third of the time.
        graph = functools.partial(tf.function, autograph=False)
        size = [self.batch_size, self.sequence_length]
        window, several_windows = tf.TensorSpec(size, tf.int32), tf.TensorSpec([None, *size], tf.int32)
        short_windows = tf.TensorSpec([None, size[0], windows.short_length(size[1])], tf.int32)
        state = tf.TensorSpec(model.initial_state(self.batch_size).shape, tf.float32)
        step, rate, rates = tf.TensorSpec([], tf.int32), tf.TensorSpec([]), tf.TensorSpec([None])
        self.train_step = graph(self._train_step, input_signature=[window, window, state, step, rate])
        self.train_steps = graph(self._train_steps, input_signature=[several_windows, several_windows, state, step, rates])
        self.train_short_steps = graph(self._train_steps, input_signature=[short_windows, short_windows, state, step, rates])
        any_rows = tf.TensorSpec([None, None], tf.int32)
        any_state = tf.TensorSpec([*state.shape[:2], None, state.shape[3]])
        self._score_rows = graph(self._score, input_signature=[any_rows, any_rows, any_state])
        lengths = [document.words for document in batches.held_out["validation"].documents]
        self._compiled_rows = frozenset() if devices.gpus() else compiled_rows(lengths)
        self._score_few_rows = graph(self._score, input_signature=[any_rows, any_rows, any_state], jit_compile=True)

    def score(self, ids: np.ndarray, targets: np.ndarray, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Score words: (ids, targets: int32 [batch, time], state) -> (nats float32 [batch, time], next state).

        A step of an LSTM is many small operations. On a CPU, XLA compiles those of few rows into one call, in half of the time, and in a
        quarter with a mogrifier.
        """
        score = self._score_few_rows if len(ids) in self._compiled_rows else self._score_rows
        nats, next_state = score(ids, targets, state)
        return nats, next_state

    def _train_step(
        self, ids: tf.Tensor, targets: tf.Tensor, state: tf.Tensor, step: tf.Tensor, rate: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, Any, tf.Tensor]:
        """Update the weights once, unless the gradient is not finite or the loss is above `max_loss`.

        Args:
            ids, targets: int32 [batch, time].
            state: float32 [layers, 2, batch, hidden].
            step: int32 scalar, 1 for the first step.
            rate: float32 scalar, the learning rate.
        Returns:
            (loss in nats per word, gradient norm before clipping, whether the weights were updated, next state). Of an ensemble the
            mean loss and the mean norm of the members; if the weights were not updated, the largest ones.
        """
        settings, members = self.config.train, self.model.members
        variables = list(self.model.weights.values())
        steps = []
        for i, (member, own_state) in enumerate(zip(members, tf.split(state, len(members)), strict=True)):
            with member_scope(i):
                steps.append(self._member_step(member, member_seed(settings.seed, i), ids, targets, own_state, step))
        losses, norms = tf.stack([of_member.loss for of_member in steps]), tf.stack([of_member.norm for of_member in steps])
        # False for a loss that is not a number
        is_good = tf.logical_and(tf.reduce_all(tf.math.is_finite(norms)), tf.reduce_all(losses <= settings.max_loss))

        def update() -> bool:
            self.optimizer.apply([gradient for of_member in steps for gradient in of_member.gradients], rate, step)
            if settings.ema_decay:
                update_averages(self.averages, variables, settings.ema_decay, step)
            return True

        tf.cond(is_good, update, lambda: False)
        loss, norm = (tf.where(is_good, tf.reduce_mean(values), _largest(values)) for values in (losses, norms))
        return loss, norm, is_good, tf.concat([of_member.state for of_member in steps], axis=0)

    def _member_step(
        self, member: LanguageModel, seed: int, ids: tf.Tensor, targets: tf.Tensor, state: tf.Tensor, step: tf.Tensor
    ) -> "_MemberStep":
        """Compute the gradients of one model, as if it were trained alone with this seed; the other arguments as of `_train_step`."""
        settings = self.config.train
        masks = DropoutMasks(self.config.regularization, seed, step)
        if settings.state_reset:
            # Scoring and generation start from the zero state, which training would otherwise see once per epoch. Without resets
            # some models drift from there into a state that they never leave.
            kept = (
                tf.random.stateless_uniform([self.batch_size], seed=tf.stack([tf.constant(seed ^ RESET_SEED), step]))
                >= settings.state_reset
            )
            state *= tf.cast(kept, tf.float32)[:, tf.newaxis]  # [layers, 2, batch, hidden]
        sampled = SampledSoftmax(settings.sampled_words, seed, step) if settings.sampled_words else None
        with tf.GradientTape() as tape:
            loss, state, penalty = member.training_loss(ids, targets, state, masks, tf.as_dtype(self.config.precision), sampled)
            objective = loss + penalty
        gradients = tape.gradient(objective, list(member.weights.values()))
        gradients = [sum_duplicate_rows(gradient) if self.lazy else tf.convert_to_tensor(gradient) for gradient in gradients]
        gradients, norm = clip_by_global_norm(gradients, settings.clip_norm)
        return _MemberStep(loss, norm, gradients, state)

    def _train_steps(
        self, ids: tf.Tensor, targets: tf.Tensor, state: tf.Tensor, first_step: tf.Tensor, rates: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor, tf.Tensor]:
        """Take several steps, up to the first that does not update the weights.

        Args:
            ids, targets: int32 [steps, batch, time], where time is that of a whole window or of a short one.
            state: float32 [layers, 2, batch, hidden].
            first_step: int32 scalar, the number of the first step.
            rates: float32 [steps], learning rates.
        Returns:
            (losses, gradient norms: float32 [steps]; whether the last step updated the weights; next state; int32 scalar, steps taken)
        """
        steps = tf.shape(ids)[0]
        one_step = self.train_step if ids.shape[2] == self.sequence_length else self._train_step

        def body(i: tf.Tensor, is_good: tf.Tensor, state: tf.Tensor, arrays: list[tf.TensorArray]) -> tuple[Any, ...]:
            loss, norm, is_good, state = one_step(ids[i], targets[i], state, first_step + i, rates[i])
            return i + 1, is_good, state, [array.write(i, value) for array, value in zip(arrays, (loss, norm), strict=True)]

        arrays = [tf.TensorArray(tf.float32, steps, element_shape=[]) for _ in range(2)]
        steps_taken, is_good, state, arrays = tf.while_loop(
            lambda i, is_good, *_: tf.logical_and(i < steps, is_good), body, (0, True, state, arrays), parallel_iterations=1
        )
        return arrays[0].stack(), arrays[1].stack(), is_good, state, steps_taken

    def _score(self, ids: tf.Tensor, targets: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        logits, state = self.model(ids, state)
        return losses.nats(logits, targets), state


def compiled_rows(lengths: Sequence[int]) -> frozenset[int]:
    """Choose the numbers of rows for which scoring is worth compiling.

    Args:
        lengths: words of each document. `scoring.score` reads them side by side, so that rows become fewer as documents end.
    """
    steps = dict.fromkeys(range(1, MAX_COMPILED_ROWS + 1), 0)
    longest_first = sorted(lengths, reverse=True)
    for start in range(0, len(lengths), scoring.MAX_ROWS):
        group = [*longest_first[start : start + scoring.MAX_ROWS], 0]
        for rows in range(1, min(MAX_COMPILED_ROWS, len(group) - 1) + 1):
            steps[rows] += group[rows - 1] - group[rows]
    return frozenset(rows for rows, words in steps.items() if words >= MIN_COMPILED_WORDS)


def _largest(values: tf.Tensor) -> tf.Tensor:
    """The largest value; NaN if one of them is NaN."""
    return tf.reduce_max(values) + 0 * tf.reduce_sum(values)
