"""Slow, obvious versions of the fast code, in plain NumPy and Python.

They cover the model, generation, the vocabulary, the description of held-out splits and Kneser-Ney n-grams.
"""

import functools
import json
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np

from lstm_lm.data.dataset import Document, HeldOut

PROSE = """\
"Well!" thought Alice to herself, "after such a fall as this, I shall think nothing of tumbling down stairs! How brave they'll all
think me at home!" (Which was very likely true.)

Down, down, down--would the fall never come to an end? "I must be getting somewhere near the centre of the earth; let me see: that would
be 4,000 miles down, I think..." -- and so on [1865], at 10:30. 'Tis so: "('Curiouser', she cried.)" It cost $3.50, or 5% & more?!
"""


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def lstm_step(x, h, c, kernel, recurrent, bias):
    """Run one LSTM step: (next h, next c). The gates are ordered i, f, g, o."""
    i, f, g, o = np.split(x @ kernel + h @ recurrent + bias, 4, axis=-1)
    c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(c), c


def log_softmax(logits):
    shifted = logits - logits.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


class PlainModel:
    """The language model in float64.

    Args:
        weights: {name: array}. Without a `softmax`, the embedding is also the softmax matrix.
        layers: number of LSTM layers.
    """

    def __init__(self, weights, layers):
        self.weights = {name: np.asarray(value, np.float64) for name, value in weights.items()}
        self.layers = layers

    @classmethod
    def load(cls, folder):
        with np.load(Path(folder) / "weights.npz") as saved:
            return cls.of_shape(dict(saved), json.loads((Path(folder) / "config.json").read_text())["shape"])

    @classmethod
    def from_model(cls, model):
        if hasattr(model, "ngrams"):  # those of `conftest.make_tiny_model`
            counted = PlainKneserNey(tiny_documents(), 12, model.ngrams.order)
            return PlainMixture(cls.from_model(model.base), lambda text: [counted.probability(w, text) for w in range(12)], model.weight)
        return cls.of_shape({name: variable.numpy() for name, variable in model.weights.items()}, vars(model.shape))

    @classmethod
    def of_shape(cls, weights, shape):
        """The model, or the PlainEnsemble, of a shape of config.json."""
        if shape["members"] == 1:
            return cls(weights, shape["layers"])
        prefixes = [f"member_{i}/" for i in range(shape["members"])]
        parts = [{name.removeprefix(prefix): weights[name] for name in weights if name.startswith(prefix)} for prefix in prefixes]
        return PlainEnsemble([cls(part, shape["layers"]) for part in parts])

    def initial_state(self, batch):
        hidden = self.weights["lstm_0_recurrent"].shape[0]
        return np.zeros([self.layers, 2, batch, hidden])

    def hidden(self, ids, state):
        """Read one word per row: int [batch], state -> (softmax input [batch, output], next state)."""
        weights, state = self.weights, state.copy()
        x = weights["embedding"][ids]
        for layer in range(self.layers):
            names = (f"lstm_{layer}_kernel", f"lstm_{layer}_recurrent", f"lstm_{layer}_bias")
            x, h = self.mogrified(x, state[layer, 0], layer)
            state[layer] = lstm_step(x, h, state[layer, 1], *[weights[name] for name in names])
            x = state[layer, 0]
        return (x @ weights["projection"] if "projection" in weights else x), state

    def mogrified(self, x, h, layer):
        """Let a layer's input and last output scale each other, in as many rounds as there are weights for."""
        i = 0
        while f"lstm_{layer}_mogrifier_{i}_left" in self.weights:
            product = self.weights[f"lstm_{layer}_mogrifier_{i}_left"] @ self.weights[f"lstm_{layer}_mogrifier_{i}_right"]
            if i % 2:
                h = 2 * sigmoid(x @ product) * h
            else:
                x = 2 * sigmoid(h @ product) * x
            i += 1
        return x, h

    def step(self, ids, state):
        """Read one word per row: int [batch], state -> (logits [batch, vocabulary], next state)."""
        x, state = self.hidden(ids, state)
        if "tail_0" in self.weights:
            return self.adaptive_log_probabilities(x), state
        return x @ self.weights.get("softmax", self.weights["embedding"]).T + self.weights["softmax_bias"], state

    def adaptive_log_probabilities(self, x):
        """Return the log probabilities of an adaptive softmax: [batch, vocabulary]."""
        weights = self.weights
        tails = sum(name.endswith("_projection") for name in weights)
        head = log_softmax(x @ weights["softmax"].T + weights["softmax_bias"])
        frequent = head.shape[1] - tails
        parts = [head[:, :frequent]]
        for i in range(tails):
            tail = log_softmax(x @ weights[f"tail_{i}_projection"] @ weights[f"tail_{i}"].T + weights[f"tail_{i}_bias"])
            parts.append(head[:, frequent + i : frequent + i + 1] + tail)
        return np.concatenate(parts, axis=1)

    def nats(self, document):
        """Return the nats of each word but the first, from the zero state: int [words] -> float64 [words - 1]."""
        state, nats = self.initial_state(1), []
        for word, target in pairwise(document):
            logits, state = self.step(np.array([word]), state)
            nats.append(-log_softmax(logits)[0, target])
        return np.array(nats)


class PlainEnsemble(PlainModel):
    """Several PlainModels whose probabilities are averaged. Their states lie one after the other."""

    def __init__(self, models):
        self.models = models

    def initial_state(self, batch):
        return np.concatenate([model.initial_state(batch) for model in self.models])

    def step(self, ids, state):
        """Read one word per row: int [batch], state -> (log probabilities [batch, vocabulary], next state)."""
        states = np.split(state, len(self.models))
        logits, states = zip(*[model.step(ids, own) for model, own in zip(self.models, states, strict=True)], strict=True)
        return np.log(np.mean([np.exp(log_softmax(scores)) for scores in logits], axis=0)), np.concatenate(states)


class PlainMixture(PlainModel):
    """A PlainModel whose probabilities are mixed with those of n-grams. The state is (that of the model, the words of each row).

    Args:
        base: a PlainModel.
        probabilities: from a tuple of ids, all words so far, to the probabilities of the next one, [vocabulary].
        weight: of the n-grams.
    """

    def __init__(self, base, probabilities, weight):
        self.base, self.probabilities, self.weight = base, functools.cache(probabilities), weight

    def initial_state(self, batch):
        return self.base.initial_state(batch), [()] * batch

    def step(self, ids, state):
        """Read one word per row: int [batch], state -> (log probabilities [batch, vocabulary], next state)."""
        logits, state_of_base = self.base.step(ids, state[0])
        texts = [(*text, int(word)) for text, word in zip(state[1], ids, strict=True)]
        ngrams = np.array([self.probabilities(text) for text in texts])
        return np.log((1 - self.weight) * np.exp(log_softmax(logits)) + self.weight * ngrams), (state_of_base, texts)


def tiny_documents():
    """Documents of some of 12 words, in which n-grams repeat."""
    rng = np.random.default_rng(3)
    return [np.minimum(rng.geometric(0.3, length) - 1, 9) for length in (300, 2, 1, 40)]


def distribution(logits, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0, typical_p=1.0):
    """Return the distribution that the next word is sampled from, computed by sorting: float64 [vocabulary]."""
    order = np.argsort(-logits, kind="stable")
    p = np.exp((logits[order] - logits.max()) / temperature, dtype=np.float64)
    if top_k:
        p[top_k:] = 0
    p /= p.sum()
    cumulative_before = np.cumsum(p) - p
    if top_p < 1:
        p[cumulative_before >= top_p - 1e-7] = 0
    p[p < min_p * p.max()] = 0
    if typical_p < 1:
        p /= p.sum()
        surprisal = -np.log(p, where=p > 0, out=np.full(len(p), np.inf))
        distance = abs(surprisal - np.sum(p[p > 0] * surprisal[p > 0]))
        nearest = np.argsort(distance, kind="stable")
        p[nearest[np.cumsum(p[nearest]) - p[nearest] >= typical_p - 1e-7]] = 0
    result = np.zeros(len(logits))
    result[order] = p / p.sum()
    return result


def apply_repetition_penalty(logits, text, penalty):
    """Return logits [vocabulary] after the repetition penalty for the words of a text, a list of ids."""
    logits = np.array(logits)
    for word in set(text) - {0}:
        logits[word] = logits[word] / penalty if logits[word] > 0 else logits[word] * penalty
    return logits


def block_repeated_ngrams(logits, text, size):
    """Return logits [vocabulary] with -inf for `<unk>` and for each word that would repeat an n-gram of `size` words of the text.

    If that would block every word, only `<unk>` is blocked. A size of 0 blocks no n-grams.
    """
    logits = np.array(logits)
    logits[0] = -np.inf
    blocked, tail = logits.copy(), text[len(text) - size + 1 :]
    for start in range(len(text) - size + 1) if size else ():
        if text[start : start + size - 1] == tail:
            blocked[text[start + size - 1]] = -np.inf
    return blocked if blocked.max() > -np.inf else logits


def greedy(model, prompt, count, penalty=1.0, size=0):
    """Generate the most probable word `count` times with a PlainModel. Return a list of ids."""
    state, text = model.initial_state(1), list(prompt)
    for word in prompt[:-1]:
        _, state = model.step(np.array([word]), state)
    for _ in range(count):
        logits, state = model.step(np.array(text[-1:]), state)
        text.append(int(block_repeated_ngrams(apply_repetition_penalty(logits[0], text, penalty), text, size).argmax()))
    return text[len(prompt) :]


def beam_search(model, prompt, count, width, penalty=1.0, size=0, ends=()):
    """Run a beam search with a PlainModel.

    Args:
        model: a PlainModel.
        prompt: list of ids.
        count: most words of a text.
        width: of the beam.
        penalty: repetition penalty.
        size: size of the n-grams that must not repeat. 0 allows all.
        ends: ids that end a text.

    Returns:
        [(log probability, ids), ...], by descending log probability per word.
    """
    state = model.initial_state(1)
    for word in prompt[:-1]:
        _, state = model.step(np.array([word]), state)
    beam = [(0.0, [], state)]
    for _ in range(count):
        candidates, finished = [], [(score, words, state) for score, words, state in beam if words and words[-1] in ends]
        for score, words, before in beam:
            if words and words[-1] in ends:
                continue
            text = [*prompt, *words]
            logits, after = model.step(np.array(text[-1:]), before)
            log_probabilities = log_softmax(apply_repetition_penalty(logits[0], text, penalty))
            allowed = block_repeated_ngrams(log_probabilities, text, size) > -np.inf
            candidates += [(score + log_probabilities[word], [*words, word], after) for word in np.flatnonzero(allowed).tolist()]
        candidates.sort(key=lambda hypothesis: -hypothesis[0])
        beam = finished + candidates[: width - len(finished)]
    beam.sort(key=lambda hypothesis: -hypothesis[0] / max(len(hypothesis[1]), 1))
    return [(score, words) for score, words, _ in beam]


def all_texts(model, prompt, count, ends=()):
    """Return all texts of `count` words, or fewer if they end: [(log probability, ids), ...], by descending log probability per word."""
    state = model.initial_state(1)
    for word in prompt[:-1]:
        _, state = model.step(np.array([word]), state)

    def continuations(last, state, remaining):
        if remaining == 0 or (remaining < count and last in ends):
            return [(0.0, [])]
        logits, state = model.step(np.array([last]), state)
        scores = log_softmax(logits)[0]
        return [
            (scores[word] + score, [word, *words])
            for word in range(1, len(scores))
            for score, words in continuations(word, state, remaining - 1)
        ]

    return sorted(continuations(prompt[-1], state, count), key=lambda text: -text[0] / len(text[1]))


def vocabulary(words, min_count, max_size):
    """Return the vocabulary of a list of training words: [(word, count), ...], `<unk>` first."""
    counts = Counter(words)
    counts.pop("<unk>", None)
    kept = [(word, count) for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if count >= min_count][:max_size]
    return [("<unk>", counts.total() - sum(count for _, count in kept)), *kept]


def held_out(names, words, ids):
    """Describe a held-out split from the name, words and ids of each document or span: (dataset.HeldOut, its ids as int32 [words])."""
    documents, start = [], 0
    for name, document in zip(names, ids, strict=True):
        documents.append(Document(name, start, len(document)))
        start += len(document)
    unknown_types = {word for text, encoded in zip(words, ids, strict=True) for word, i in zip(text, encoded, strict=True) if i == 0}
    description = HeldOut(
        documents=documents,
        scored_words=sum(max(len(document) - 1, 0) for document in ids),
        unknown_words=sum(int(np.count_nonzero(document[1:] == 0)) for document in ids),
        unknown_types=len(unknown_types),
        characters=sum(len(word) + 1 for text in words for word in text[1:]),
    )
    return description, np.concatenate([np.asarray(document, np.int32) for document in ids])


class PlainKneserNey:
    """Interpolated modified Kneser-Ney computed from its formula with dictionaries of tuples.

    Args:
        documents: list of lists of ids.
        vocabulary_size: number of words, including those that do not occur.
        order: words in the longest n-gram.
        fallback: discounts for n-grams that occur once, twice, and three or more times, if they cannot be estimated.
    """

    def __init__(self, documents, vocabulary_size, order, fallback=(0.5, 1.0, 1.5)):
        self.vocabulary_size, self.order = vocabulary_size, order
        occurrences, predecessors = Counter(), {}
        for document in documents:
            for k in range(1, order + 1):
                for start in range(len(document) - k + 1):
                    ngram = tuple(int(word) for word in document[start : start + k])
                    occurrences[ngram] += 1
                    predecessors.setdefault(ngram, set()).add(int(document[start - 1]) if start else "beginning")
        self.counts = {ngram: occurrences[ngram] if len(ngram) == order else len(predecessors[ngram]) for ngram in occurrences}
        self.discounts = [
            self._discounts([count for ngram, count in self.counts.items() if len(ngram) == k], fallback) for k in range(1, order + 1)
        ]
        self.continuations = {}
        for ngram in self.counts:
            self.continuations.setdefault(ngram[:-1], []).append(ngram)

    @staticmethod
    def _discounts(counts, fallback):
        n1, n2, n3, n4 = (sum(count == i for count in counts) for i in (1, 2, 3, 4))
        if n1 and n2 and n3 and n4:
            y = n1 / (n1 + 2 * n2)
            discounts = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2, 3 - 4 * y * n4 / n3
            if all(0 < discount <= maximum for discount, maximum in zip(discounts, (1, 2, 3), strict=True)):
                return discounts
        return fallback

    def probability(self, word, context):
        """Return the probability of a word after a context, a tuple of ids of any length."""
        context = context[max(0, len(context) - self.order + 1) :]
        backoff = 1 / self.vocabulary_size if not context else self.probability(word, context[1:])
        ngrams = self.continuations.get(context, [])
        if not ngrams:
            return backoff
        discounts = self.discounts[len(context)]
        total = sum(self.counts[ngram] for ngram in ngrams)
        discounted_mass = {ngram: discounts[min(self.counts[ngram], 3) - 1] for ngram in ngrams}
        ngram = (*context, word)
        discounted = (self.counts[ngram] - discounted_mass[ngram]) / total if ngram in discounted_mass else 0.0
        return discounted + sum(discounted_mass.values()) / total * backoff

    def nats(self, document):
        words = [int(word) for word in document]
        return np.array([-np.log(self.probability(words[i], tuple(words[:i]))) for i in range(1, len(words))])
