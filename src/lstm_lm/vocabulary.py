"""What a word is, and words <-> ids."""

import csv
import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
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
    def build(cls, words, counts, min_count, max_size):
        """The vocabulary of a count.

        Args:
            words: list of bytes, words in UTF-8, none twice.
            counts: int [words], how often each occurs in the training text.
            min_count: words seen less often are left out.
            max_size: most words kept besides `<unk>`, or None.
        Returns:
            (Vocabulary; kept counts: int64 [len(vocabulary)], the first that of all words left out; order: int64 [words], the
            places of the kept words, then those of the others, both by falling count, ties alphabetical)

            A word that is spelt `<unk>` is left out, and not counted among those that are.
        """
        # UTF-8 sorts as its characters do.
        alphabetical = np.array(sorted(range(len(words)), key=words.__getitem__), np.int64)
        order = alphabetical[np.argsort(-counts[alphabetical], kind="stable")]
        spelt = np.array([word == UNKNOWN.encode() for word in words], bool)
        candidates = order[(counts[order] >= min_count) & ~spelt[order]]
        kept = candidates[:max_size]
        is_kept = np.zeros(len(words), bool)
        is_kept[kept] = True
        unknown = int(counts[~spelt].sum() - counts[kept].sum())
        order = np.concatenate([kept, order[~is_kept[order]]])
        return cls([UNKNOWN, *[words[i].decode() for i in kept]]), np.array([unknown, *counts[kept]], np.int64), order

    def save(self, path, counts):
        """Write `id,word,count` as CSV."""
        _write_csv(path, ("id", "word", "count"), zip(range(len(self)), self.words, counts, strict=True))

    @classmethod
    def load(cls, path):
        return cls(load_counts(path)[0])


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
