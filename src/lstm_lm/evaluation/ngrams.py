"""n-grams of texts, counted with sorted keys, and the language models that are made of such counts: what a neural one has to beat.

NumPy only. A text is a list of documents, int [words] each; no n-gram goes across the border of two of them.
"""

import numpy as np

FALLBACK = (0.5, 1.0, 1.5)  # discounts where the counts of counts give none, as in KenLM (Heafield et al. 2013)


class Unigram:
    """Words without any context, add-one smoothed (Laplace): P(w) = (count of w + 1) / (words + vocabulary)."""

    def __init__(self, documents, vocabulary_size):
        """documents: the training text. vocabulary_size: ids are below it."""
        counts = np.zeros(vocabulary_size, np.int64)
        for document in documents:
            counts += np.bincount(document, minlength=vocabulary_size)
        self.probabilities = (counts + 1) / (counts.sum() + vocabulary_size)  # float64 [vocabulary]

    def nats(self, documents):
        """As `KneserNey.nats`."""
        costs = -np.log(self.probabilities)
        return [costs[document[1:]] for document in documents]


class KneserNey:
    """Interpolated Kneser-Ney with three discounts a level, "modified" (Chen & Goodman 1999; Heafield et al. 2013).

    With c(hw) the count of word w after the context h, of k - 1 words, and c(h) the sum of those of all words:

        P_k(w | h) = max(c(hw) - D(c(hw)), 0) / c(h) + g(h) P_{k-1}(w | h without its first word),  P_0 = 1 / vocabulary

    g(h) is what the discounts took, so that the sum is 1. At the highest level c counts occurrences; below, how many different
    words come before hw, and the beginning of a document is one more such word. A context that the training text does not go on
    from is shortened. D(1), D(2), D(3 and more) come from the counts of counts of the level; where these give no number in
    (0, count], as in tiny texts, `FALLBACK` takes their place. So no word has probability 0.
    """

    def __init__(self, documents, vocabulary_size, order):
        """
        Args:
            documents: the training text.
            vocabulary_size: ids are below it.
            order: longest n-gram, at least 1.
        Raises:
            ValueError: there are no words.
        """
        self.table = table = Table(documents, vocabulary_size, order)
        if not len(table.words):
            raise ValueError("there are no words")
        self.discounts, self.shares, self.backoffs = [], [], []
        sizes = [1, *map(len, table.keys)]  # of contexts: the empty one, then the n-grams of each level
        counts = [_predecessors(table, k) for k in range(1, order)] + [table.counts[-1]]
        for k, count in enumerate(counts):
            contexts = table.keys[k] // vocabulary_size
            discounts = _discounts(count)
            taken = discounts[np.minimum(count, 3)]
            totals = np.bincount(contexts, count, minlength=sizes[k])
            free = np.bincount(contexts, taken, minlength=sizes[k])
            self.discounts.append(discounts[1:])
            self.shares.append((count - taken) / totals[contexts])  # float64 [n-grams]
            # A context that nothing comes after leaves everything to the shorter one.
            self.backoffs.append(np.where(totals > 0, free / np.maximum(totals, 1), 1.0))  # float64 [contexts]

    def nats(self, documents):
        """What each word costs, from a shorter context at the beginning of a document.

        Args:
            documents: list of int [words].
        Returns:
            list of float64 [words - 1], one array a document; its first word is not scored.
        """
        words, depth = concatenated(documents)
        probability = np.full(len(words), 1 / self.table.vocabulary_size)
        contexts = np.zeros(len(words), np.int64)  # the number of each word's context, -1 for one that is not known
        for found, shares, backoffs in zip(self.table.find(words, depth), self.shares, self.backoffs, strict=True):
            known = contexts >= 0
            probability[known] *= backoffs[contexts[known]]
            probability[found >= 0] += shares[found[found >= 0]]
            contexts = np.concatenate([[-1], found[:-1]])[: len(words)]
            contexts[depth == 0] = -1  # what is before is of another document
        costs = -np.log(probability)
        return [part[1:] for part in np.split(costs, np.cumsum([len(document) for document in documents])[:-1])] if documents else []

    def probabilities(self, context):
        """Of every word after a context, int [any number of words]: float64 [vocabulary]."""
        context, size = np.asarray(context, np.int64), self.table.vocabulary_size
        probability = np.full(size, 1 / size)
        for k, (keys, shares, backoffs) in enumerate(zip(self.table.keys, self.shares, self.backoffs, strict=True)):
            number = self.table.number(context[len(context) - k :]) if k <= len(context) else -1
            if number < 0:
                break
            first, last = np.searchsorted(keys, [number * size, (number + 1) * size])
            probability *= backoffs[number]
            probability[keys[first:last] - number * size] += shares[first:last]
        return probability


def _discounts(counts):
    """D(0), D(1), D(2), D(3 and more) of counts, int64: float64 [4] (Chen & Goodman 1999, equation 17)."""
    n = np.bincount(np.minimum(counts, 5), minlength=6)[:5].astype(np.float64)  # n[i]: how many n-grams have count i
    if n[1:].all():
        y = n[1] / (n[1] + 2 * n[2])
        found = [i - (i + 1) * y * n[i + 1] / n[i] for i in (1, 2, 3)]
        if all(0 < discount <= i for i, discount in zip((1, 2, 3), found, strict=True)):
            return np.array([0, *found])
    return np.array([0, *FALLBACK])


def _predecessors(table, k):
    """How many different words come before each n-gram of k words, the beginning of a document being one: int64 [n-grams]."""
    count = np.bincount(table.suffixes[k], minlength=len(table.keys[k - 1]))
    count[np.unique(table.beginnings[k - 1])] += 1
    return count


class Table:
    """All n-grams of some documents, up to an order, numbered from 0 at each level.

    An n-gram's key is the number of the n-gram of all its words but the last, times the vocabulary's size, plus the last word; its
    number is its key's place among the sorted keys. Keys are exact: two n-grams never share one.

    Attributes:
        vocabulary_size, order.
        words, depth: of `concatenated`.
        keys: int64 [n-grams], sorted; counts: int64 [n-grams]; suffixes: int64 [n-grams], the number of the n-gram of all words but
            the first; beginnings: int64, the numbers of those that documents begin with. Each a list, of one array a level.
    """

    def __init__(self, documents, vocabulary_size, order):
        """documents: list of int [words], ids below vocabulary_size. order: longest n-gram."""
        self.vocabulary_size, self.order = vocabulary_size, order
        self.words, self.depth = concatenated(documents)
        self.keys, self.counts, self.suffixes, self.beginnings = [], [], [], []
        before = np.zeros(len(self.words), np.int64)  # the number of the n-gram, one word shorter, that ends at each word
        for k in range(1, order + 1):
            ends = np.flatnonzero(self.depth >= k - 1)
            prefixes = before[ends - 1] if k > 1 else 0
            keys, first, numbers, counts = np.unique(
                prefixes * vocabulary_size + self.words[ends], return_index=True, return_inverse=True, return_counts=True
            )
            self.keys.append(keys)
            self.counts.append(counts)
            self.suffixes.append(before[ends[first]])
            self.beginnings.append(numbers[self.depth[ends] == k - 1])
            before = np.full(len(self.words), -1)
            before[ends] = numbers

    def find(self, words, depth):
        """Look up the n-grams of another text.

        Args:
            words, depth: of `concatenated`; ids below vocabulary_size.
        Yields:
            for each level k, from 1 on: int64 [words], the number of the k words that end there, -1 where they are no n-gram of the table
        """
        before = np.zeros(len(words), np.int64)
        for k, keys in enumerate(self.keys, 1):
            ends = np.flatnonzero(depth >= k - 1)
            ends = ends[before[ends - 1] >= 0] if k > 1 else ends
            wanted = (before[ends - 1] if k > 1 else 0) * self.vocabulary_size + words[ends]
            at = np.searchsorted(keys, wanted)
            there = np.flatnonzero(at < len(keys))
            there = there[keys[at[there]] == wanted[there]]
            found = np.full(len(words), -1)
            found[ends[there]] = at[there]
            yield found
            before = found

    def number(self, words):
        """The number of one n-gram, int [words]; -1 if the table has none; 0 for no words."""
        number = 0
        for word, keys in zip(words, self.keys, strict=False):
            key = number * self.vocabulary_size + word
            at = int(np.searchsorted(keys, key))
            if at == len(keys) or keys[at] != key:
                return -1
            number = at
        return number


def concatenated(documents):
    """(all words, int64 [words]; depth: int64 [words], how many words of its own document are before each)"""
    words = np.concatenate([np.zeros(0, np.int64), *documents]).astype(np.int64)
    depth = np.concatenate([np.zeros(0, np.int64), *(np.arange(len(document)) for document in documents)]).astype(np.int64)
    return words, depth
