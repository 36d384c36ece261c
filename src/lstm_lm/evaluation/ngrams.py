"""n-grams counted with sorted keys, and the language models made of these counts, which are the baselines. NumPy only.

A text is a list of documents, int [words] each. No n-gram crosses the border of two documents.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import numpy as np

from lstm_lm.model.ngram_trie import NgramTrie

BYTES_PER_WORD = 200  # of training text, about: what counted n-grams take
MAX_TRAINING_WORDS = 20_000_000
FALLBACK_DISCOUNTS = (0.5, 1.0, 1.5)  # where the counts of counts give none, as in KenLM (Heafield et al. 2013)


class NgramModel(Protocol):
    """A language model made of counts."""

    def nats(self, documents: Sequence[np.ndarray]) -> list[np.ndarray]: ...


class Unigram:
    """Words without any context, with add-one smoothing (Laplace): P(w) = (count of w + 1) / (words + vocabulary).

    Args:
        documents: the training text.
        vocabulary_size: all ids are below it.
    """

    def __init__(self, documents: Sequence[np.ndarray], vocabulary_size: int) -> None:
        counts = np.zeros(vocabulary_size, np.int64)
        for document in documents:
            counts += np.bincount(document, minlength=vocabulary_size)
        self.probabilities = (counts + 1) / (counts.sum() + vocabulary_size)  # float64 [vocabulary]

    def nats(self, documents: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Score documents, as `KneserNey.nats`."""
        costs = -np.log(self.probabilities)
        return [costs[document[1:]] for document in documents]


class KneserNey:
    """Interpolated modified Kneser-Ney smoothing, with three discounts per order (Chen & Goodman 1999; Heafield et al. 2013).

    With c(hw) the count of word w after the context h, of k - 1 words, and c(h) the sum of those of all words:

        P_k(w | h) = max(c(hw) - D(c(hw)), 0) / c(h) + g(h) P_{k-1}(w | h without its first word),  P_0 = 1 / vocabulary

    g(h) is what the discounts took, so that the sum is 1. At the highest order c counts occurrences. Below it, c counts how many
    different words precede hw, where the beginning of a document counts as one more word. A context that nothing follows in the
    training text is shortened. D(1), D(2) and D(3 and more) come from the counts of counts of the order. Where these give no number in
    (0, count], as in tiny texts, `FALLBACK_DISCOUNTS` replace them. So no word has probability 0.

    Args:
        documents: the training text.
        vocabulary_size: all ids are below it.
        order: longest n-gram, at least 1.

    Raises:
        ValueError: there are no words.
    """

    def __init__(self, documents: Sequence[np.ndarray], vocabulary_size: int, order: int) -> None:
        self.table = table = NgramTable(documents, vocabulary_size, order)
        if not len(table.words):
            raise ValueError("there are no words")
        self.discounts: list[np.ndarray] = []
        self.probabilities_with_context: list[np.ndarray] = []  # float64 [n-grams] for each order
        self.backoffs: list[np.ndarray] = []  # float64 [contexts] for each order
        context_counts = [1, *map(len, table.keys)]  # the empty context, then the n-grams of each order
        counts = [_predecessor_counts(table, k) for k in range(1, order)] + [table.counts[-1]]
        for k, count in enumerate(counts):
            contexts = table.keys[k] // vocabulary_size
            discounts = _discounts(count)
            subtracted = discounts[np.minimum(count, 3)]
            totals = np.bincount(contexts, count, minlength=context_counts[k])
            left_over = np.bincount(contexts, subtracted, minlength=context_counts[k])
            self.discounts.append(discounts[1:])
            self.probabilities_with_context.append((count - subtracted) / totals[contexts])
            # A context that nothing follows leaves everything to the shorter one.
            self.backoffs.append(np.where(totals > 0, left_over / np.maximum(totals, 1), 1.0))

    def nats(self, documents: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Score every word but each document's first, with a shorter context at the beginning of a document.

        Args:
            documents: int [words] each.
        Returns:
            float64 [words - 1] for each document: nats per word.
        """
        if not documents:
            return []
        words, depth = concatenate(documents)
        probability = np.full(len(words), 1 / self.table.vocabulary_size)
        contexts = np.zeros(len(words), np.int64)  # the index of each word's context, -1 for an unknown one
        orders = zip(self.table.find(words, depth), self.probabilities_with_context, self.backoffs, strict=True)
        for ngrams, probabilities, backoffs in orders:
            is_known = contexts >= 0
            probability[is_known] *= backoffs[contexts[is_known]]
            probability[ngrams >= 0] += probabilities[ngrams[ngrams >= 0]]
            contexts = np.concatenate([[-1], ngrams[:-1]])[: len(words)]
            contexts[depth == 0] = -1  # the word before belongs to another document
        costs = -np.log(probability)
        return [part[1:] for part in np.split(costs, np.cumsum([len(document) for document in documents])[:-1])]

    def probabilities(self, context: Sequence[int] | np.ndarray) -> np.ndarray:
        """Compute the probability of every word after a context.

        Args:
            context: int [any number of words].
        Returns:
            float64 [vocabulary]
        """
        context, size = np.asarray(context, np.int64), self.table.vocabulary_size
        probability = np.full(size, 1 / size)
        orders = zip(self.table.keys, self.probabilities_with_context, self.backoffs, strict=True)
        for k, (keys, probabilities, backoffs) in enumerate(orders):
            index = self.table.index(context[len(context) - k :]) if k <= len(context) else -1
            if index < 0:
                break
            first, last = np.searchsorted(keys, [index * size, (index + 1) * size])
            probability *= backoffs[index]
            probability[keys[first:last] - index * size] += probabilities[first:last]
        return probability

    def trie(self) -> NgramTrie:
        """Return what takes part in probabilities, for models of two words and more."""
        size, table = self.table.vocabulary_size, self.table
        words = table.keys[0]
        backoffs = np.ones(size + 1)
        backoffs[words + 1] = self.backoffs[1]
        unigram = np.full(size, self.backoffs[0][0] / size)
        unigram[words] += self.probabilities_with_context[0]
        keys = []
        first = 1  # the number of the first context of this length
        for k, of_order in enumerate(table.keys[1:]):
            prefixes, last = np.divmod(of_order, size)
            keys.append((first + (words[prefixes] if k == 0 else prefixes)) * size + last)
            first += size if k == 0 else len(table.keys[k])
        prefixes, last = np.divmod(np.concatenate(keys), size)
        backoffs = np.concatenate([backoffs, *self.backoffs[2:]])
        return NgramTrie(
            table.order,
            unigram.astype(np.float32),
            np.searchsorted(prefixes, np.arange(len(backoffs) + 1)).astype(np.int32),
            last.astype(np.int32),
            np.concatenate(self.probabilities_with_context[1:]).astype(np.float32),
            backoffs.astype(np.float32),
        )


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Return D(0), D(1), D(2), D(3 and more) of counts, int64: float64 [4] (Chen & Goodman 1999, equation 17)."""
    n = np.bincount(np.minimum(counts, 5), minlength=6)[:5].astype(np.float64)  # n[i]: how many n-grams have count i
    if n[1:].all():
        y = n[1] / (n[1] + 2 * n[2])
        discounts = [i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3)]
        if all(0 < discount <= i for i, discount in zip((1, 2, 3), discounts, strict=True)):
            return np.array([0, *discounts])
    return np.array([0, *FALLBACK_DISCOUNTS])


def _predecessor_counts(table: "NgramTable", k: int) -> np.ndarray:
    """Count the different words before each n-gram of k words; the beginning of a document counts as one: int64 [n-grams]."""
    counts = np.bincount(table.suffixes[k], minlength=len(table.keys[k - 1]))
    counts[np.unique(table.beginnings[k - 1])] += 1
    return counts


class NgramTable:
    """All n-grams of some documents up to an order, indexed from 0 for each order.

    An n-gram's key is the index of the n-gram of all its words but the last, times the vocabulary size, plus the last word. Its index is
    the place of its key among the sorted keys. Keys are exact: no two n-grams have the same key.

    Args:
        documents: int [words] each, ids below vocabulary_size.
        vocabulary_size: number of ids.
        order: longest n-gram.

    Attributes:
        vocabulary_size, order: as above.
        words, depth: as of `concatenate`.
        keys: int64 [n-grams], sorted. This and the following are lists with one array per order.
        counts: int64 [n-grams].
        suffixes: int64 [n-grams], the index of the n-gram of all words but the first.
        beginnings: int64, the indices of the n-grams with which documents begin.
    """

    def __init__(self, documents: Sequence[np.ndarray], vocabulary_size: int, order: int) -> None:
        self.vocabulary_size, self.order = vocabulary_size, order
        self.words, self.depth = concatenate(documents)
        self.keys: list[np.ndarray] = []
        self.counts: list[np.ndarray] = []
        self.suffixes: list[np.ndarray] = []
        self.beginnings: list[np.ndarray] = []
        shorter = np.zeros(len(self.words), np.int64)  # the index of the n-gram, one word shorter, that ends at each word
        for k in range(1, order + 1):
            ends = np.flatnonzero(self.depth >= k - 1)
            prefixes = shorter[ends - 1] if k > 1 else 0
            keys, first, indices, counts = np.unique(
                prefixes * vocabulary_size + self.words[ends], return_index=True, return_inverse=True, return_counts=True
            )
            self.keys.append(keys)
            self.counts.append(counts)
            self.suffixes.append(shorter[ends[first]])
            self.beginnings.append(indices[self.depth[ends] == k - 1])
            shorter = np.full(len(self.words), -1)
            shorter[ends] = indices

    def find(self, words: np.ndarray, depth: np.ndarray) -> Iterator[np.ndarray]:
        """Look up the n-grams of another text.

        Args:
            words, depth: as of `concatenate`; ids below vocabulary_size.
        Yields:
            for each order k from 1: int64 [words], the index of the k words that end there, -1 where the table does not have them
        """
        shorter = np.zeros(len(words), np.int64)
        for k, keys in enumerate(self.keys, 1):
            ends = np.flatnonzero(depth >= k - 1)
            ends = ends[shorter[ends - 1] >= 0] if k > 1 else ends
            wanted = (shorter[ends - 1] if k > 1 else 0) * self.vocabulary_size + words[ends]
            places = np.searchsorted(keys, wanted)
            hits = np.flatnonzero(places < len(keys))
            hits = hits[keys[places[hits]] == wanted[hits]]
            indices = np.full(len(words), -1)
            indices[ends[hits]] = places[hits]
            yield indices
            shorter = indices

    def index(self, words: Sequence[int] | np.ndarray) -> int:
        """Return the index of one n-gram, int [words]; -1 if the table does not have it, 0 for no words."""
        index = 0
        for word, keys in zip(words, self.keys, strict=False):
            key = index * self.vocabulary_size + word
            place = int(np.searchsorted(keys, key))
            if place == len(keys) or keys[place] != key:
                return -1
            index = place
        return index


def concatenate(documents: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Concatenate documents.

    Returns:
        (all words, int64 [words]; depth: int64 [words], how many words of the same document precede each)
    """
    words = np.concatenate([np.zeros(0, np.int64), *documents]).astype(np.int64)
    depth = np.concatenate([np.zeros(0, np.int64), *(np.arange(len(document)) for document in documents)]).astype(np.int64)
    return words, depth
