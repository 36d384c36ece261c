"""The words of a passage as they stand in the text: data/vocab has no names for unknown words."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from lstm_lm.evaluation.details.passage import Stretch, WrittenToken
from lstm_lm.text.splits import Span
from lstm_lm.text.tokenization.symbols import UNKNOWN
from lstm_lm.text.tokenization.tokenizer import Tokenizer

MAX_BYTES = 2**22  # of a document that is tokenized for its passage: takes seconds


def is_readable(document: Path) -> bool:
    """Whether a document of data/raw is short enough."""
    return document.is_file() and document.stat().st_size <= MAX_BYTES


def read_passage(
    document: Path, tokenizer: Tokenizer, span: Span, stretch: Stretch, words: Sequence[str], ids: np.ndarray
) -> list[WrittenToken]:
    """Read the tokens of a passage.

    Args:
        document: its file in data/raw.
        tokenizer: of the text.
        span: the held-out part of the document.
        stretch: the passage in that part.
        words: the vocabulary, in the order of the ids.
        ids: int [words], of the whole part.
    Returns:
        Its tokens as they are written. Unknown ones are `<unk>`, if the document is too long to be tokenized again.
    """
    known = [words[i] for i in ids[stretch.start - 1 : stretch.stop]]  # with the token before the passage
    tokens = known
    if is_readable(document):
        begin = span.start + stretch.start
        tokens = tokenizer.tokenize(document.read_bytes().decode("utf-8"))[begin - 1 : begin - 1 + len(known)]
        if len(tokens) != len(known) or any(word not in (token, UNKNOWN) for token, word in zip(tokens, known, strict=True)):
            raise ValueError(f"{document} is not the text whose ids are in data/vocab")
    return [_written(tokenizer, token, previous) for previous, token in pairwise(tokens)]


def _written(tokenizer: Tokenizer, token: str, previous: str) -> WrittenToken:
    text = tokenizer.detokenize([token], previous)
    if tokenizer.unit == "char" or not text.startswith(" "):
        return WrittenToken(text, space_before=False)
    return WrittenToken(text[1:], space_before=True)
