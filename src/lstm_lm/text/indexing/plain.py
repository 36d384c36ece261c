"""The indexer for all other words: it runs the tokenizer itself, on one core."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lstm_lm.text.indexing.base import IndexedBlock, TokenIndexer
from lstm_lm.text.indexing.blocks import last_white_space, read_blocks
from lstm_lm.text.tokenization.symbols import NEWLINE_TOKEN
from lstm_lm.text.tokenization.tokenizer import Tokenizer

BLOCK_BYTES = 2**20


@dataclass
class Document:
    """The document that is being indexed.

    Attributes:
        file: the position of its file.
        last_word: its last word so far, or what comes before its first.
        ends_with_newline: whether what is indexed so far is empty or ends with a newline.
    """

    file: int
    last_word: str
    ends_with_newline: bool = True


class PlainIndexer(TokenIndexer):
    """Indexes the words of any tokenizer. Where the unit is not the word, it indexes their pre-tokens instead."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.words = []
        self._tokenizer = tokenizer
        self._indices: dict[str, int] = {}

    def index_files(self, files: Sequence[Path], block_bytes: int = BLOCK_BYTES) -> Iterator[IndexedBlock]:
        """Index the words of files of UTF-8 text, each a document.

        Args:
            files: the files, in order. One that does not end with a newline is indexed as if it did.
            block_bytes: bytes of a block; more where there is no white space to split it at.
        Yields:
            The blocks in order.
        """
        document = None
        indices: list[int]
        counts: list[tuple[int, int]]
        for parts in read_blocks(files, last_white_space, block_bytes):
            indices, counts = [], []
            for file, content in parts:
                if document is None or document.file != file:
                    self._end(document, indices, counts)
                    document = Document(file, self._tokenizer.document_start)
                self._append(self._tokenizer.split_words(content.decode()), document, indices, counts)
                if content:
                    document.ends_with_newline = content.endswith(b"\n")
            yield IndexedBlock(np.array(indices, np.int32), counts)
        indices, counts = [], []
        self._end(document, indices, counts)
        if counts:
            yield IndexedBlock(np.array(indices, np.int32), counts)

    def pretokens(self) -> list[str]:
        """The pre-tokens, where the unit is not the word."""
        return [word.decode() for word in self.words]

    def _end(self, document: Document | None, indices: list[int], counts: list[tuple[int, int]]) -> None:
        """Add the newline that a document lacks at its end."""
        if document is not None and self._tokenizer.newlines and not document.ends_with_newline:
            self._append([NEWLINE_TOKEN], document, indices, counts)

    def _append(self, words: list[str], document: Document, indices: list[int], counts: list[tuple[int, int]]) -> None:
        """Add the next words of a document to `indices` and `counts`."""
        pieces = words if self._tokenizer.unit == "word" else self._tokenizer.pretokens(words, document.last_word)
        for piece in pieces:
            index = self._indices.setdefault(piece, len(self.words))
            if index == len(self.words):
                self.words.append(piece.encode())
            indices.append(index)
        counts.append((document.file, len(words)))
        if words:
            document.last_word = words[-1]
