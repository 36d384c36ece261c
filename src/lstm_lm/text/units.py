"""The tokens of a text whose unit is a character or a subword."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from lstm_lm.text.encoded import NO_SPACE_AFTER, NO_SPACE_BEFORE, Characters, Ids
from lstm_lm.text.tokenization import bpe
from lstm_lm.text.tokenization.symbols import NEWLINE_TOKEN, UNKNOWN
from lstm_lm.text.tokenization.tokenizer import Tokenizer


def learn_subwords(tokenizer: Tokenizer, pretokens: list[str], counts: npt.NDArray[np.int64], size: int | None) -> Tokenizer:
    """The tokenizer with subwords learnt from the training text, if its unit is the subword; else as it is.

    Args:
        tokenizer: without subwords.
        pretokens: the text's distinct pre-tokens.
        counts: int64 [pretokens], occurrences of each in the training text.
        size: number of subwords.
    """
    if tokenizer.unit != "subword":
        return tokenizer
    if size is None:
        raise ValueError("the number of subwords is missing")
    # A subword that looks like a special token would be taken for it.
    can_be_split = np.array([not (pretoken == "\n" or UNKNOWN in pretoken or NEWLINE_TOKEN in pretoken) for pretoken in pretokens], bool)
    usable = [pretokens[i] for i in np.flatnonzero(can_be_split)]
    return replace(tokenizer, subwords=tuple(bpe.learn(usable, counts[can_be_split].tolist(), size)))


def split_pretokens(tokenizer: Tokenizer, pretokens: list[str]) -> tuple[list[str], list[Ids]]:
    """Split all pre-tokens of a text into tokens.

    Returns:
        (the distinct tokens, with all subwords of the tokenizer among them; for each pre-token int32 [tokens], the indices of its tokens)
    """
    indices = {token: index for index, token in enumerate(tokenizer.subwords)}
    tokens_of_pretokens = [
        np.array([indices.setdefault(token, len(indices)) for token in tokenizer.split_pretoken(pretoken)], np.int32)
        for pretoken in pretokens
    ]
    return list(indices), tokens_of_pretokens


def allowed_in_vocabulary(tokenizer: Tokenizer, tokens: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which tokens a vocabulary may hold: bool [tokens]. Of subwords, only those that were learnt, and the newline."""
    allowed = {*tokenizer.subwords, NEWLINE_TOKEN}
    return np.array([tokenizer.unit != "subword" or token in allowed for token in tokens], bool)


def characters(tokenizer: Tokenizer, tokens: Sequence[str]) -> Characters:
    """How many characters tokens take in a text, by their indices."""
    rows = np.array([tokenizer.spacing(token) for token in tokens], np.int32).reshape(-1, 3)
    lengths, no_space_before, no_space_after = rows.T
    return Characters(lengths.copy(), no_space_before * NO_SPACE_BEFORE + no_space_after * NO_SPACE_AFTER)
