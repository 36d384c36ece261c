"""What a word is, and words <-> ids."""

import csv
from functools import cached_property
from pathlib import Path

import numpy as np

from lstm_lm.text.tokenization.rules import UNKNOWN

UNKNOWN_ID = 0


class Vocabulary:
    """Words and their ids: id 0 is `<unk>`, then by falling count, ties alphabetical."""

    def __init__(self, words):
        """words: list of str, words[0] is `<unk>`, none twice."""
        self.words = list(words)
        if not self.words or self.words[0] != UNKNOWN or len(set(self.words)) != len(self.words):
            raise ValueError(f"a vocabulary starts with {UNKNOWN} and holds no word twice")

    def __len__(self):
        return len(self.words)

    @cached_property
    def _ids(self):
        return {word: i for i, word in enumerate(self.words)}

    def encode(self, words):
        """List of words -> ids, int32 [len(words)]; a word that is not in the vocabulary becomes 0."""
        return np.array([self._ids.get(word, UNKNOWN_ID) for word in words], np.int32)

    @classmethod
    def build(cls, words, counts, min_count, max_size, unknown_is_a_word=False, may_be_kept=None):
        """The vocabulary of a count.

        Args:
            words: list of bytes, words in UTF-8, none twice.
            counts: int [words], how often each occurs in the training text.
            min_count: words seen less often are left out.
            max_size: most words kept besides `<unk>`, or None.
            unknown_is_a_word: whether a word that is spelt `<unk>` is the token that stands for unknown words, as in texts that were
                prepared with it. Else it is one of the unknown words, which is counted for nothing.
            may_be_kept: bool [words], or None: all may.
        Returns:
            (Vocabulary; kept counts: int64 [len(vocabulary)], the first that of all words left out; order: int64 [words], the
            places of the kept words, then those of the others, both by falling count, ties alphabetical; without that of `<unk>`,
            if it is a word)
        """
        # UTF-8 sorts as its characters do.
        alphabetical = np.array(sorted(range(len(words)), key=words.__getitem__), np.int64)
        order = alphabetical[np.argsort(-counts[alphabetical], kind="stable")]
        spelt = np.array([word == UNKNOWN.encode() for word in words], bool)
        candidates = order[(counts[order] >= min_count) & ~spelt[order] & (may_be_kept is None or may_be_kept[order])]
        kept = candidates[:max_size]
        is_kept = np.zeros(len(words), bool)
        is_kept[kept] = True
        unknown = int(counts[~spelt | unknown_is_a_word].sum() - counts[kept].sum())
        order = np.concatenate([kept, order[~is_kept[order] & ~(spelt[order] & unknown_is_a_word)]])
        return cls([UNKNOWN, *[words[i].decode() for i in kept]]), np.array([unknown, *counts[kept]], np.int64), order

    def save(self, path, counts):
        """Write `id,word,count` as CSV."""
        _write_csv(path, ("id", "word", "count"), zip(range(len(self)), self.words, counts, strict=True))

    @classmethod
    def load(cls, path):
        return cls(load_counts(path)[0])


def tokens(path):
    """The lines of a file with one token a line. Not by `splitlines`: a token may be a character at which that would cut."""
    return Path(path).read_bytes().decode("utf-8").split("\n")[:-1]


def load_counts(path):
    """What `Vocabulary.save` wrote: (words, list of str; int64 [words], their occurrences in the training text)."""
    csv.field_size_limit(2**31 - 1)  # a word may be of any length
    with Path(path).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["word"] for row in rows], np.array([int(row["count"]) for row in rows], np.int64)


def coverage(counts, points=60):
    """Share of the training text that the n most frequent words make up.

    Args:
        counts: int [words], occurrences of all words of the text.
        points: about how many sizes to report, evenly spread on a logarithmic scale.
    Returns:
        (sizes: int [about points], shares: float [about points])
    """
    falling = np.sort(counts)[::-1]
    sizes = np.unique(np.geomspace(1, len(falling), points).astype(int))
    return sizes, (np.cumsum(falling)[sizes - 1] / falling.sum()).round(6)


def save_coverage(path, counts):
    """Write `coverage` as CSV: vocabulary_size,coverage."""
    sizes, shares = coverage(counts)
    _write_csv(path, ("vocabulary_size", "coverage"), zip(sizes.tolist(), shares.tolist(), strict=True))


def _write_csv(path, columns, rows):
    with Path(path).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
