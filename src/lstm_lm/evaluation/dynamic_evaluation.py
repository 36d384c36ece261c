"""Dynamic evaluation: the weights adapt to the text that is scored, after each segment of it (Krause et al. 2018).

The paper's plain form, stochastic gradient descent with decay towards the trained weights W:

    w <- w - learning_rate d loss / d w + decay (W - w)

where the loss is the mean of one segment's words. A word is scored before the weights adapt to it. Every document starts from the
trained weights and the zero state, so no document influences another.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from lstm_lm.model import losses
from lstm_lm.model.mixture import Predictor, state_spec


def score(model: Predictor, documents: Sequence[np.ndarray], learning_rate: float, decay: float, segment: int) -> list[np.ndarray]:
    """Score every word but each document's first.

    Args:
        model: it has its trained weights again afterwards.
        documents: int32 [words] each.
        learning_rate: at least 0; 0: static evaluation.
        decay: in [0, 1), fraction of the way back to the trained weights after each segment.
        segment: words scored between two updates.
    Returns:
        float32 [words - 1] for each document: nats per word.
    """
    variables = list(model.weights.values())
    trained = [tf.constant(variable.numpy()) for variable in variables]
    adapt, score_rest = _make_functions(model, variables, trained, (learning_rate, decay), segment)
    scored = []
    try:
        for document in documents:
            nats, state = [np.zeros(0, np.float32)], model.initial_state(1)
            for start in range(0, len(document) - 1, segment):
                ids, targets = document[np.newaxis, start : start + segment], document[np.newaxis, start + 1 : start + segment + 1]
                if targets.shape[1] == segment:
                    costs, state = adapt(ids, targets, state)
                else:  # the last words: there is nothing left to adapt for
                    costs = score_rest(ids[:, : targets.shape[1]], targets, state)
                nats.append(costs.numpy())
            scored.append(np.concatenate(nats))
            _assign(variables, trained)
    finally:
        _assign(variables, trained)
    return scored


def _make_functions(
    model: Predictor, variables: Sequence[tf.Variable], trained: Sequence[tf.Tensor], rates: tuple[float, float], segment: int
) -> tuple[Callable[..., Any], Callable[..., Any]]:
    """Return the graphs that score a whole segment and adapt to it, and that score a shorter one.

    Args:
        rates: learning rate and decay.
    """
    learning_rate, decay = rates
    whole = tf.TensorSpec([1, segment], tf.int32)
    part = tf.TensorSpec([1, None], tf.int32)
    state = state_spec(model, 1)

    def adapt(ids: tf.Tensor, targets: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            hidden, state, _ = model.training_encode(ids, state)
            nats = losses.nats(model.logits(hidden), targets)[0]  # [segment]
            loss = tf.reduce_mean(nats)
        for variable, start, gradient in zip(variables, trained, tape.gradient(loss, variables), strict=True):
            variable.assign_add(decay * (start - variable) - learning_rate * tf.convert_to_tensor(gradient))
        return nats, state

    def score_rest(ids: tf.Tensor, targets: tf.Tensor, state: tf.Tensor) -> tf.Tensor:
        logits, _ = model(ids, state)
        return losses.nats(logits, targets)[0]

    return (
        tf.function(adapt, input_signature=[whole, whole, state], autograph=False),
        tf.function(score_rest, input_signature=[part, part, state], autograph=False),
    )


def _assign(variables: Sequence[tf.Variable], values: Sequence[tf.Tensor]) -> None:
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
