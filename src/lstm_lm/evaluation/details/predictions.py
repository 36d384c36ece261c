"""What the model predicts before each word of some texts, from its whole distributions, which are not kept."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from lstm_lm.evaluation.details.calibration import Predictions
from lstm_lm.evaluation.scoring import MAX_LOGITS, MAX_ROWS, MAX_WINDOW
from lstm_lm.model.mixture import Predictor, state_spec


def predict(model: Predictor, documents: Sequence[np.ndarray], max_logits: int = MAX_LOGITS) -> Predictions:
    """Run the model over texts, each from the zero state, side by side.

    Args:
        model: any.
        documents: int32 [words] each.
        max_logits: computed at a time.
    Returns:
        One prediction for every word but each document's first, the documents one after the other.
    """
    top = [np.zeros(max(len(document) - 1, 0), np.float32) for document in documents]
    rank = [np.zeros(len(part), np.int32) for part in top]
    longest_first = sorted((i for i in range(len(documents)) if len(top[i])), key=lambda i: -len(top[i]))
    step = _make_step(model)
    for start in range(0, len(longest_first), MAX_ROWS):
        rows = longest_first[start : start + MAX_ROWS]
        window = max(1, min(MAX_WINDOW, max_logits // (len(rows) * model.shape.vocabulary_size)))
        state = model.initial_state(len(rows))
        for begin in range(0, len(top[rows[0]]), window):
            rows = [i for i in rows if len(top[i]) > begin]  # the first ones, since the longest come first
            ids = np.zeros([len(rows), window + 1], np.int32)
            for row, i in enumerate(rows):
                words = documents[i][begin : begin + window + 1]
                ids[row, : len(words)] = words
            probabilities, ranks, state = step(tf.constant(ids[:, :-1]), tf.constant(ids[:, 1:]), state[:, :, : len(rows)])
            for row, i in enumerate(rows):
                stop = min(begin + window, len(top[i]))
                top[i][begin:stop] = probabilities[row, : stop - begin]
                rank[i][begin:stop] = ranks[row, : stop - begin]
    return Predictions(np.concatenate([np.zeros(0, np.float32), *top]), np.concatenate([np.zeros(0, np.int32), *rank]))


def _make_step(model: Predictor) -> tf.types.experimental.PolymorphicFunction:
    """Return the graph that reads a window: (ids, targets, state) -> (top probabilities, ranks, next state)."""
    words = tf.TensorSpec([None, None], tf.int32)

    def step(ids: tf.Tensor, targets: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        logits, state = model(ids, state)  # [batch, time, vocabulary]
        target_logits = tf.gather(logits, targets[..., tf.newaxis], batch_dims=2)
        rank = tf.math.count_nonzero(logits > target_logits, axis=-1, dtype=tf.int32)
        return tf.exp(tf.reduce_max(logits, -1) - tf.reduce_logsumexp(logits, -1)), rank, state

    return tf.function(step, input_signature=[words, words, state_spec(model, None)], autograph=False)
