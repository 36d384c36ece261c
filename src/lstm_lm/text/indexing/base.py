"""What every indexer does: it numbers the distinct words of a text in the order in which they first occur."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


class IndexedBlock(NamedTuple):
    """The next words of some files.

    Attributes:
        indices: int32 [words], of each word.
        counts: (position of a file, how many of the words are its), in order; a file may occur twice, or with no words.
    """

    indices: npt.NDArray[np.int32]
    counts: list[tuple[int, int]]


class TokenIndexer(ABC):
    """Indexes the words of files.

    Attributes:
        words: the distinct words so far, in UTF-8; a word's index is its position.
    """

    words: list[bytes]

    @abstractmethod
    def index_files(self, files: Sequence[Path]) -> Iterator[IndexedBlock]:
        """Index the words of files of UTF-8 text, each a document, in order."""

    @abstractmethod
    def pretokens(self) -> list[str]:
        """The pre-token of each distinct word (see Tokenizer.pretokens)."""

    def word_lengths(self) -> npt.NDArray[np.int32]:
        """Characters of each distinct word: int32 [words]."""
        return np.fromiter((len(word) if word.isascii() else len(word.decode()) for word in self.words), np.int32, len(self.words))
