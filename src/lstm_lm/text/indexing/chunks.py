"""The fast indexer, for words that are runs of characters between separators: it runs in blocks and on several cores.

NumPy splits the bytes of a block into chunks at the separators, and pyarrow finds the distinct chunks. Only those are looked at in Python.
"""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_lm.text.indexing.base import IndexedBlock, TokenIndexer
from lstm_lm.text.indexing.blocks import read_blocks
from lstm_lm.text.indexing.distinct import KEY_BYTES, distinct_chunks
from lstm_lm.text.indexing.separators import SIGMA, SPACE, Separators
from lstm_lm.text.tokenization import normalization
from lstm_lm.text.tokenization.tokenizer import Tokenizer

BLOCK_BYTES = 4 * 2**20
MAX_THREADS = 4  # that split text; one thread indexes what they find
NO_WORD = -1


class Chunks(NamedTuple):
    """A block of text, split at the separators.

    Attributes:
        places: int32 [chunks], the place of each among the distinct ones.
        distinct: the distinct chunks.
        ends: int64 [parts], the number of chunks up to the end of each part of the block.
    """

    places: npt.NDArray[np.int32]
    distinct: list[bytes]
    ends: npt.NDArray[np.int64]


class ChunkIndexer(TokenIndexer):
    """Indexes the words of a tokenizer with `plain_words`, as the tokenizer itself splits them."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.words = []
        self._tokenizer = tokenizer
        self._separators = Separators(tokenizer)
        self._kept = tokenizer.keep_punctuation.encode()
        # Of chunks. Most are words; others differ from their word in case, or have no word in them.
        self._indices: dict[bytes, int] = {}

    def index_files(self, files: Sequence[Path], threads: int | None = None, block_bytes: int = BLOCK_BYTES) -> Iterator[IndexedBlock]:
        """Index the words of files of UTF-8 text, each a document.

        Args:
            files: the files, in order.
            threads: how many blocks are split at a time; None: as many as there are cores.
            block_bytes: bytes of a block; more where there is no place to split it.
        Yields:
            The blocks in order.
        """
        threads = threads or min(available_cores(), MAX_THREADS)
        waiting: deque[tuple[list[int], Future[Chunks]]] = deque()
        with ThreadPoolExecutor(threads) as pool:
            for parts in read_blocks(files, self._separators.last_split, block_bytes):
                waiting.append(([part.file for part in parts], pool.submit(self._split, [part.content for part in parts])))
                if len(waiting) > threads:
                    yield self._index(*waiting.popleft())
            while waiting:
                yield self._index(*waiting.popleft())

    def pretokens(self) -> list[str]:
        """The pre-token of each distinct word."""
        return [f" {word.decode()}" for word in self.words]

    def _split(self, parts: list[bytes]) -> Chunks:
        """Split the parts of a block, none of which ends inside a word, into chunks."""
        # Sigma is the only letter whose lower case depends on the characters around it, so that it is decided before these are blanked.
        if self._tokenizer.lowercase and any(SIGMA.encode() in part for part in parts):
            parts = [self._tokenizer.normalize(part.decode()).encode() for part in parts]
        text, may_change = self._separators.blank(parts, padding=KEY_BYTES)
        if may_change:
            # A mark may belong to the separator before it.
            decoded = [part.decode() for part in parts]
            if not all(map(normalization.is_normalized, decoded)):
                parts = [self._tokenizer.normalize(part).encode() for part in decoded]
                text, _ = self._separators.blank(parts, padding=KEY_BYTES)
        is_space = np.frombuffer(text, np.uint8) == SPACE
        edges = np.flatnonzero(is_space[:-1] != is_space[1:]) + 1  # the text starts and ends with a space
        starts, stops = edges[::2], edges[1::2]
        part_ends = np.cumsum([len(part) + 1 for part in parts])
        places, distinct = distinct_chunks(text, starts, stops)
        return Chunks(places, distinct, np.searchsorted(starts, part_ends))

    def _index(self, files: list[int], split: Future[Chunks]) -> IndexedBlock:
        """Index the words of a block. files: the position of each part's file; split: the result of `_split`."""
        chunks = split.result()
        known = map(self._indices.get, chunks.distinct)
        of_distinct = np.array(
            [self._add(chunk) if index is None else index for chunk, index in zip(chunks.distinct, known, strict=True)], np.int32
        )
        indices = of_distinct[chunks.places]
        ends = chunks.ends
        if len(of_distinct) and of_distinct.min() == NO_WORD:
            without_word = np.flatnonzero(indices == NO_WORD)
            ends = ends - np.searchsorted(without_word, ends)
            indices = np.delete(indices, without_word)
        counts = np.diff(ends, prepend=0).tolist()
        return IndexedBlock(indices, list(zip(files, counts, strict=True)))

    def _add(self, chunk: bytes) -> int:
        """Index a chunk that has not occurred before this block."""
        word = self._word(chunk)
        if word is None:
            index = NO_WORD
        else:
            index = self._indices.setdefault(word, len(self.words))
            if index == len(self.words):
                self.words.append(word)
        self._indices[chunk] = index
        return index

    def _word(self, chunk: bytes) -> bytes | None:
        """The word in a chunk, which has no separators in it; None: there is none."""
        if chunk.isascii():
            return chunk if chunk.isalnum() or chunk.strip(self._kept) else None
        text = normalization.normalize_assigned(chunk.decode(), lowercase=self._tokenizer.lowercase)
        if not text.isalpha():
            words = self._tokenizer.split_words(text)
            if not words:
                return None
            [text] = words
        return text.encode()


def available_cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
