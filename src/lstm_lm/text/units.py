"""What a token is, where it is not a word: a character, or a subword."""

from dataclasses import replace

import numpy as np

from lstm_lm.text import encoded
from lstm_lm.text.tokenization import bpe
from lstm_lm.text.tokenization.rules import LINE_END, UNKNOWN


def learn(tokenizer, pieces, counts, size):
    """The tokenizer with subwords learnt from the training text, if those are its tokens; else as it is.

    Args:
        tokenizer: vocabulary.Tokenizer
        pieces: list of str, what the tokenizer's `pieces` are. counts: int [pieces], how often each occurs in the training text.
        size: number of subwords.
    """
    if tokenizer.unit != "subword":
        return tokenizer
    # A subword that is spelt like one of these would be taken for it.
    fine = [not (piece == "\n" or UNKNOWN in piece or LINE_END in piece) for piece in pieces]
    learnt = bpe.learn([piece for piece, is_fine in zip(pieces, fine, strict=True) if is_fine], counts[np.array(fine, bool)].tolist(), size)
    return replace(tokenizer, subwords=tuple(learnt))


def cut(tokenizer, pieces):
    """Cut all pieces of a text.

    Returns:
        (tokens: list of str, none twice, all subwords there are among them; list of int32 [tokens]: which ones each piece is)
    """
    numbers = {token: number for number, token in enumerate(tokenizer.subwords)}
    of_pieces = [np.array([numbers.setdefault(token, len(numbers)) for token in tokenizer.cut(piece)], np.int32) for piece in pieces]
    return list(numbers), of_pieces


def may_be_known(tokenizer, tokens):
    """Which tokens a vocabulary may hold: bool [tokens]. With subwords, those and line ends, however rare they are."""
    known = {*tokenizer.subwords, LINE_END}
    return np.array([tokenizer.unit != "subword" or token in known for token in tokens], bool)


def written(tokenizer, tokens):
    """How tokens are written: (int32 [tokens]: characters of each; int32 [tokens]: text.LEFT and text.RIGHT)."""
    about = np.array([tokenizer.written(token) for token in tokens], np.int32).reshape(-1, 3)
    return about[:, 0], about[:, 1] * encoded.LEFT + about[:, 2] * encoded.RIGHT
