"""The neural cache (Grave et al. 2017): words that came lately, where the model was in a state like this one, are likelier again.

With h_t the model's output that predicts word x_{t+1}, and the last `size` pairs (h_i, x_{i+1}) of the document before t in the cache:

    P(w) = (1 - weight) P_model(w) + weight P_cache(w)
    P_cache(w) = sum of exp(theta h_t . h_i) over pairs with x_{i+1} = w / the same sum over all pairs

A document's first prediction has an empty cache, and is the model's alone. Every probability is made before its word is added, and
nothing is learnt: the weights stay as they are.
"""

import numpy as np
import tensorflow as tf

from lstm_lm.model import losses

ROWS = 256  # predictions made together


def score(model, documents, size, theta, weight):
    """The cost of every word but each document's first.

    Args:
        model: LanguageModel.
        documents: list of int32 [words].
        size, theta, weight: as for `nats`.
    Returns:
        list of float64 [words - 1], nats, one array a document.
    """
    ids = tf.TensorSpec([1, None], tf.int32)
    state = tf.TensorSpec([model.shape.layers, 2, 1, model.shape.hidden_size], tf.float32)

    def read(ids, targets, state):
        hidden, state = model.encode(ids, state)
        return hidden[0], losses.nats(model.logits(hidden), targets)[0], state

    read = tf.function(read, input_signature=[ids, ids, state], autograph=False)
    scored = []
    for document in documents:
        hidden, of_model, state = [np.zeros([0, 1])], [np.zeros(0)], model.initial_state(1)
        for start in range(0, len(document) - 1, ROWS):
            words = document[np.newaxis, start : start + ROWS + 1]
            *found, state = read(words[:, :-1], words[:, 1:], state)
            for whole, part in zip((hidden, of_model), found, strict=True):
                whole.append(part.numpy())
        states = np.concatenate(hidden[1:] or hidden)
        scored.append(nats(states, document[1:], np.concatenate(of_model), size, theta, weight))
    return scored


def nats(hidden, words, of_model, size, theta, weight):
    """What each word of one document costs.

    Args:
        hidden: float32 [predictions, width], the softmax's input.
        words: int [predictions], the word that came after each.
        of_model: float [predictions], what each costs by the model alone, in nats.
        size: most pairs in the cache.
        theta: how much likeness counts, at least 0; 0: every pair alike.
        weight: of the cache, in (0, 1).
    Returns:
        float64 [predictions]
    """
    hidden, words = np.asarray(hidden, np.float32), np.asarray(words)
    of_cache = np.zeros(len(words))
    for start in range(0, len(words), ROWS):
        stop, first = min(start + ROWS, len(words)), max(0, start - size)
        at, pair = np.arange(start, stop)[:, np.newaxis], np.arange(first, stop)
        inside = (pair < at) & (pair >= at - size)  # [rows, pairs]
        likeness = np.where(inside, theta * (hidden[start:stop] @ hidden[first:stop].T).astype(np.float64), -np.inf)
        most = likeness.max(axis=1, keepdims=True)
        share = np.exp(likeness - np.where(np.isfinite(most), most, 0))
        total = share.sum(axis=1)
        hits = np.where(words[first:stop] == words[start:stop, np.newaxis], share, 0).sum(axis=1)
        of_cache[start:stop] = hits / np.where(total > 0, total, 1)
    with np.errstate(divide="ignore"):  # a word that is not in the cache
        costs = -np.logaddexp(np.log(1 - weight) - np.asarray(of_model, np.float64), np.log(weight) + np.log(of_cache))
    costs[:1] = of_model[:1]
    return costs
