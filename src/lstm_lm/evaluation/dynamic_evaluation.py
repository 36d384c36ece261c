"""Dynamic evaluation: the weights go on learning from the text that is scored, after each segment of it has been (Krause et al. 2018).

The paper's plain form, stochastic gradient descent with decay towards the trained weights W:

    w <- w - learning_rate d loss / d w + decay (W - w)

where the loss is the mean of one segment's words. A word is scored before anything is learnt from it, and every document starts from
the trained weights and zero state, so that documents stay apart.
"""

import numpy as np
import tensorflow as tf

from lstm_lm.model import losses


def score(model, documents, learning_rate, decay, segment):
    """The cost of every word but each document's first.

    Args:
        model: LanguageModel; it has its trained weights again when this ends.
        documents: list of int32 [words].
        learning_rate: at least 0; 0: static evaluation.
        decay: in [0, 1), share of the way back to the trained weights after each segment.
        segment: words scored between two updates.
    Returns:
        list of float32 [words - 1], nats, one array a document.
    """
    variables = list(model.weights.values())
    trained = [tf.constant(variable.numpy()) for variable in variables]
    whole = tf.TensorSpec([1, segment], tf.int32)
    part = tf.TensorSpec([1, None], tf.int32)
    state = tf.TensorSpec([model.shape.layers, 2, 1, model.shape.hidden_size], tf.float32)

    def adapt(ids, targets, state):
        with tf.GradientTape() as tape:
            hidden, state, _ = model.training_encode(ids, state)
            nats = losses.nats(model.logits(hidden), targets)[0]  # [segment]
            loss = tf.reduce_mean(nats)
        for variable, start, gradient in zip(variables, trained, tape.gradient(loss, variables), strict=True):
            variable.assign_add(decay * (start - variable) - learning_rate * tf.convert_to_tensor(gradient))
        return nats, state

    def rest(ids, targets, state):
        logits, _ = model(ids, state)
        return losses.nats(logits, targets)[0]

    adapt = tf.function(adapt, input_signature=[whole, whole, state], autograph=False)
    rest = tf.function(rest, input_signature=[part, part, state], autograph=False)
    scored = []
    try:
        for document in documents:
            nats, state = [np.zeros(0, np.float32)], model.initial_state(1)
            for start in range(0, len(document) - 1, segment):
                ids, targets = document[np.newaxis, start : start + segment], document[np.newaxis, start + 1 : start + segment + 1]
                if targets.shape[1] == segment:
                    costs, state = adapt(ids, targets, state)
                else:  # the last words, after which nothing is left to be learnt for
                    costs = rest(ids[:, : targets.shape[1]], targets, state)
                nats.append(costs.numpy())
            scored.append(np.concatenate(nats))
            _assign(variables, trained)
    finally:
        _assign(variables, trained)
    return scored


def _assign(variables, values):
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)
