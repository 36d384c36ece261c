"""What a word is, and words <-> ids."""

import csv
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import regex

UNKNOWN = "<unk>"
UNKNOWN_ID = 0


@dataclass(frozen=True)
class Tokenizer:
    """Cuts text into words.

    A word is a run of letters, combining marks, digits and kept punctuation with at least one letter or digit in it.
    Everything else, line ends included, separates words, and so do two or more hyphens in a row, which are a dash.
    The rules are regular expressions that RE2 and Python's `regex` read alike: the SavedModel's graph applies the same ones.
    """

    lowercase: bool
    keep_punctuation: str

    @property
    def rules(self):
        """[(pattern, replacement), ...], applied in order after lower-casing; words are then split at single spaces."""
        # RE2 knows a backslash only before ASCII marks.
        kept = "".join(f"\\{mark}" if mark.isascii() else mark for mark in self.keep_punctuation)
        return [
            ("[\u2018\u2019\u201b]", "'"),
            ("[\u201c\u201d\u201f]", '"'),
            *([("--+", " ")] if "-" in self.keep_punctuation else []),
            (rf"[^\p{{L}}\p{{M}}\p{{N}}{kept}]+", " "),
            # Each run is one match, so that neighbouring ones need not share the space between them.
            (rf"(?:^| )[\p{{M}}{kept}]+(?: [\p{{M}}{kept}]+)*(?: |$)", " "),
        ]

    @cached_property
    def _compiled(self):
        return [(regex.compile(pattern), replacement) for pattern, replacement in self.rules]

    def __call__(self, text):
        """`str` -> list of words."""
        if self.lowercase:
            text = text.lower()
        for pattern, replacement in self._compiled:
            text = pattern.sub(replacement, text)
        return text.split()

    def save(self, path):
        Path(path).write_text(json.dumps(asdict(self)) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, path):
        return cls(**json.loads(Path(path).read_text(encoding="utf-8")))


class Vocabulary:
    """Words and their ids: id 0 is `<unk>`, then by falling count, ties alphabetical."""

    def __init__(self, words):
        """words: list of str, words[0] is `<unk>`, none twice."""
        self.words = list(words)
        self._index = pd.Index(self.words)
        if not self.words or self.words[0] != UNKNOWN or not self._index.is_unique:
            raise ValueError(f"a vocabulary starts with {UNKNOWN} and holds no word twice")

    def __len__(self):
        return len(self.words)

    def encode(self, words):
        """List of words -> ids, int32 [len(words)]; a word that is not in the vocabulary becomes 0."""
        ids = self._index.get_indexer(np.asarray(words, dtype=object)) if len(words) else np.empty(0)
        return np.where(ids < 0, UNKNOWN_ID, ids).astype(np.int32)

    @classmethod
    def build(cls, counts, min_count, max_size):
        """The vocabulary of a count.

        Args:
            counts: pandas Series, index words, values occurrences in the training text.
            min_count: words seen less often are left out.
            max_size: most words kept besides `<unk>`, or None.
        Returns:
            (Vocabulary, kept counts: int array [len(vocabulary)], the first that of all words left out)
        """
        counts = counts.drop(UNKNOWN, errors="ignore")
        order = np.lexsort((counts.index.to_numpy(dtype=str), -counts.to_numpy()))
        kept = counts.iloc[order]
        kept = kept[kept >= min_count][:max_size]
        unknown = int(counts.sum() - kept.sum())
        return cls([UNKNOWN, *kept.index]), np.concatenate([[unknown], kept.to_numpy()]).astype(np.int64)

    def save(self, path, counts):
        """Write `id,word,count` as CSV."""
        table = pd.DataFrame({"id": range(len(self)), "word": self.words, "count": counts})
        table.to_csv(path, index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL)

    @classmethod
    def load(cls, path):
        # Without keep_default_na the words "null" and "nan" would be read as missing values.
        return cls(pd.read_csv(path, dtype={"word": str}, keep_default_na=False, na_filter=False)["word"])


def count_words(documents):
    """Iterable of lists of words -> pandas Series of occurrences by word."""
    return pd.Series(list(chain.from_iterable(documents)), dtype=object).value_counts()


def coverage(counts, points=60):
    """Share of the training text that the n most frequent words make up.

    Args:
        counts: pandas Series of occurrences by word, all words of the text.
        points: about how many sizes to report, evenly spread on a logarithmic scale.
    Returns:
        pandas DataFrame with columns vocabulary_size, coverage.
    """
    falling = np.sort(counts.to_numpy())[::-1]
    sizes = np.unique(np.geomspace(1, len(falling), points).astype(int))
    return pd.DataFrame({"vocabulary_size": sizes, "coverage": (np.cumsum(falling)[sizes - 1] / falling.sum()).round(6)})
