"""A text of words -> the same text of characters or subwords."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from lstm_lm.io import arrays
from lstm_lm.text.encoded import IDS_FILE, Ids, Text
from lstm_lm.text.splits import SPLITS, Span

BLOCK_WORDS = arrays.BLOCK // 8  # a word has several tokens


class TokenTable:
    """The tokens of each word, by the word's index."""

    def __init__(self, tokens_of_words: Sequence[Ids]) -> None:
        """tokens_of_words: int32 [tokens] for each word, at least one token."""
        self.sizes = np.array([len(tokens) for tokens in tokens_of_words], np.int64)
        self._tokens = np.concatenate([np.zeros(0, np.int32), *tokens_of_words])
        self._starts = np.cumsum(self.sizes) - self.sizes

    def expand(self, words: Ids) -> Ids:
        """The tokens of words, one word after the other. words: int32 [words]."""
        sizes = self.sizes[words]
        first_tokens = np.cumsum(sizes) - sizes  # of each word, among those returned
        offsets = np.repeat(self._starts[words] - first_tokens, sizes)
        return self._tokens[offsets + np.arange(len(offsets))]


def retokenize(
    text: Text, parts: dict[str, list[Span]], folder: Path, tokens_of_words: Sequence[Ids]
) -> tuple[Text, dict[str, list[Span]]]:
    """Replace words by their tokens.

    A held-out span starts with the last token of its first word. The first token of a span is not scored, so that the text that is scored
    is the same whatever the tokens are.

    Args:
        text: what `encoded.index_tokens` wrote to `folder`.
        parts: {split: spans of words}.
        folder: its ids are replaced.
        tokens_of_words: int32 [tokens] for each word, by the word's index: the indices of its tokens, at least one.
    Returns:
        (the text of tokens; the same parts as spans of tokens)
    """
    starts = text.starts()

    def first_word_end(split: str, span: Span) -> int:
        """Where the first word of a held-out span ends, or a training span starts."""
        return span.start if split == SPLITS[0] else span.start + 1

    positions = {*starts.values(), len(text.ids)}
    for split, spans in parts.items():
        for span in spans:
            positions |= {starts[span.document] + word for word in (first_word_end(split, span), span.stop)}
    token_at = _replace_words(text.ids, TokenTable(tokens_of_words), np.array(sorted(positions)), folder)

    def token_position(document: str, word: int) -> int:
        """The position of a word in its document, in tokens."""
        start = starts[document]
        return token_at[start + word] - token_at[start]

    token_parts = {}
    for split, spans in parts.items():
        before = 0 if split == SPLITS[0] else 1  # tokens of the first word that stay in the span
        token_parts[split] = [
            Span(
                span.document,
                token_position(span.document, first_word_end(split, span)) - before,
                token_position(span.document, span.stop),
            )
            for span in spans
        ]
    documents = {name: token_position(name, words) for name, words in text.documents.items()}
    return Text(arrays.load(folder / IDS_FILE), documents), token_parts


def _replace_words(ids: Ids, table: TokenTable, positions: npt.NDArray[np.int64], folder: Path) -> dict[int, int]:
    """Replace the words in the file of ids by their tokens.

    Args:
        ids: int32 [words], the file as it is.
        table: the words' tokens.
        positions: int64, positions of words, sorted; the number of words is one too.
        folder: of the file.
    Returns:
        {position of a word: position of its first token}, for `positions`.
    """
    token_at: dict[int, int] = {}
    words_done = tokens_done = 0
    new_file = folder / f"retokenized-{IDS_FILE}"
    with arrays.Writer(new_file) as writer:
        for words in arrays.blocks(ids, size=BLOCK_WORDS):
            first_tokens = tokens_done + np.concatenate([[0], np.cumsum(table.sizes[words])])
            here = positions[(positions >= words_done) & (positions < words_done + len(words))]
            token_at |= dict(zip(here.tolist(), first_tokens[here - words_done].tolist(), strict=True))
            writer.append(table.expand(words))
            words_done += len(words)
            tokens_done = int(first_tokens[-1])
    token_at[words_done] = tokens_done
    new_file.replace(folder / IDS_FILE)
    return token_at
