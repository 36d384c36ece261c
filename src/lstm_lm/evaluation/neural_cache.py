"""The neural cache (Grave et al. 2017): recent words that followed a similar state become more probable again.

With h_t the model's output that predicts word x_{t+1}, and the last `size` pairs (h_i, x_{i+1}) of the document before t in the cache:

    P(w) = (1 - weight) P_model(w) + weight P_cache(w)
    P_cache(w) = sum of exp(theta h_t . h_i) over pairs with x_{i+1} = w / the same sum over all pairs

A document's first prediction has an empty cache and is the model's alone. Every word is predicted before it is added to the cache, and
nothing is learned: the weights stay as they are.
"""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from lstm_lm.model import losses
from lstm_lm.model.mixture import Predictor, state_spec

ROWS = 256  # predictions made together


def score(model: Predictor, documents: Sequence[np.ndarray], size: int, theta: float, weight: float) -> list[np.ndarray]:
    """Score every word but each document's first.

    Args:
        model: it stays as it is.
        documents: int32 [words] each.
        size, theta, weight: as for `nats_with_cache`.
    Returns:
        float64 [words - 1] for each document: nats per word.
    """
    ids_spec = tf.TensorSpec([1, None], tf.int32)
    width = len(model.members) * model.shape.output_size

    def encode(ids: tf.Tensor, targets: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        hidden, state = model.encode(ids, state)
        return hidden[0, :, :width], losses.nats(model.logits(hidden), targets)[0], state

    encode = tf.function(encode, input_signature=[ids_spec, ids_spec, state_spec(model, 1)], autograph=False)
    scored = []
    for document in documents:
        hidden, model_nats, state = [np.zeros([0, 1])], [np.zeros(0)], model.initial_state(1)
        for start in range(0, len(document) - 1, ROWS):
            words = document[np.newaxis, start : start + ROWS + 1]
            outputs, costs, state = encode(words[:, :-1], words[:, 1:], state)
            hidden.append(outputs.numpy())
            model_nats.append(costs.numpy())
        # Of an ensemble the mean similarity of the members counts.
        outputs = np.concatenate(hidden[1:] or hidden) / np.sqrt(len(model.members))
        scored.append(nats_with_cache(outputs, document[1:], np.concatenate(model_nats), size, theta, weight))
    return scored


def nats_with_cache(hidden: np.ndarray, words: np.ndarray, model_nats: np.ndarray, size: int, theta: float, weight: float) -> np.ndarray:
    """Compute the cost of each word of one document.

    Args:
        hidden: float32 [predictions, width], the softmax's input.
        words: int [predictions], the word that followed each.
        model_nats: float [predictions], what each word costs by the model alone.
        size: maximum number of pairs in the cache.
        theta: how much similarity counts, at least 0; 0: all pairs count alike.
        weight: of the cache, in (0, 1).
    Returns:
        float64 [predictions], nats
    """
    hidden, words = np.asarray(hidden, np.float32), np.asarray(words)
    cache_probability = np.zeros(len(words))
    for start in range(0, len(words), ROWS):
        stop, first = min(start + ROWS, len(words)), max(0, start - size)
        prediction, pair = np.arange(start, stop)[:, np.newaxis], np.arange(first, stop)
        in_cache = (pair < prediction) & (pair >= prediction - size)  # [rows, pairs]
        similarity = np.where(in_cache, theta * (hidden[start:stop] @ hidden[first:stop].T).astype(np.float64), -np.inf)
        largest = similarity.max(axis=1, keepdims=True)
        weights = np.exp(similarity - np.where(np.isfinite(largest), largest, 0))
        total = weights.sum(axis=1)
        hits = np.where(words[first:stop] == words[start:stop, np.newaxis], weights, 0).sum(axis=1)
        cache_probability[start:stop] = hits / np.where(total > 0, total, 1)
    with np.errstate(divide="ignore"):  # the probability of a word that is not in the cache is 0
        costs = -np.logaddexp(np.log(1 - weight) - np.asarray(model_nats, np.float64), np.log(weight) + np.log(cache_probability))
    costs[:1] = model_nats[:1]
    return np.asarray(costs)
