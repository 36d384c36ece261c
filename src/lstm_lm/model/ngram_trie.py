"""The probabilities of an n-gram model as sorted arrays. NumPy only.

A context has a number: 0 for an unknown one, 1 to V for the words alone, by rising id, then those of two words and more, up to one word
fewer than the order. An n-gram has the key

    key = number of the context of all its words but the last x V + last word

Keys rise with the length of the n-grams, so the n-grams of all lengths are in one array, sorted by their keys. The n-gram at place i of it,
if it is itself a context, has the number V + 1 + i. The successors of a context are neighbors.
"""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

MAX_VOCABULARY = 2**24 - 2  # a model's state holds ids as float32, which has whole numbers up to 2**24


@dataclass(frozen=True)
class NgramTrie:
    """n-grams of two words and more, with an interpolated model's probabilities.

    P(w | context) is the n-gram's probability, 0 without one, plus the context's backoff times P(w | context without its first word).
    An unknown context has the backoff 1.

    Attributes:
        order: longest n-gram, at least 2.
        unigram: float32 [vocabulary], P(w) without any context.
        starts: int32 [contexts + 1], the place of the first n-gram of each context, by its number; at the end how many n-grams there are.
        words: int32 [n-grams], the last word of each.
        probabilities: float32 [n-grams], of the last word, without what the shorter context adds.
        backoffs: float32 [contexts], by the number; 1 + vocabulary + n-grams below the order.
    """

    order: int
    unigram: np.ndarray
    starts: np.ndarray
    words: np.ndarray
    probabilities: np.ndarray
    backoffs: np.ndarray

    @property
    def vocabulary_size(self) -> int:
        """All ids are below it."""
        return len(self.unigram)

    @property
    def keys(self) -> np.ndarray:
        """The keys of the n-grams that are contexts, int64, sorted; a key above them at the end."""
        prefixes = np.repeat(np.arange(len(self.backoffs), dtype=np.int64), np.diff(self.starts))
        keys = prefixes * self.vocabulary_size + self.words
        return np.append(keys[: len(self.backoffs) - 1 - self.vocabulary_size], np.iinfo(np.int64).max)

    def save(self, path: Path) -> None:
        """Write one file of arrays."""
        with path.open("wb") as file:
            np.savez(file, **asdict(self))

    @classmethod
    def load(cls, path: Path) -> "NgramTrie":
        """Read what `save` wrote."""
        with np.load(path) as saved:
            return cls(**{**saved, "order": int(saved["order"])})
