"""Subwords by byte pair encoding (Sennrich et al. 2016), learnt by sentencepiece (Kudo & Richardson 2018).

A pre-token starts as its characters. Among all neighbours that form a subword, the pair with the best rank is merged, the leftmost of
several, until no two neighbours form a subword.
"""

import io
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

SPACE = "\u2581"  # the space before a word, as it is written in subwords
MAX_LENGTH = 64  # characters of a pre-token that are merged together; a longer one is split first


class Merge(NamedTuple):
    """Two subwords that form a third one, by their ids."""

    left: int
    right: int
    rank: int
    merged: int


def learn(pretokens: Iterable[str], counts: Iterable[int], size: int) -> list[str]:
    """Learn subwords.

    Args:
        pretokens: what text consists of; mostly words with the space before them.
        counts: how often each occurs in the training text.
        size: how many subwords, characters included. There are fewer if there is too little text, and more if it has more characters.
    Returns:
        The subwords in the order of their ranks. The characters, which no merge is needed for, come last.
    """
    processor = train(pretokens, counts, size)
    return [processor.id_to_piece(i) for i in range(1, processor.get_piece_size())]


def train(pretokens: Iterable[str], counts: Iterable[int], size: int) -> Any:
    """Learn subwords as `learn` does.

    Returns:
        sentencepiece.SentencePieceProcessor, whose id 0 is the unknown token.
    """
    import sentencepiece

    counted = [
        f"{chunk}\t{count}"
        for pretoken, count in zip(pretokens, counts, strict=True)
        for chunk in chunks(pretoken)
        if count and chunk.strip(f" {SPACE}")
    ]
    characters = {character for line in counted for character in line.rpartition("\t")[0]} | {" "}
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(counted),
        input_format="tsv",
        model_writer=model,
        model_type="bpe",
        vocab_size=max(size, len(characters)) + 1,
        hard_vocab_limit=False,
        character_coverage=1.0,
        # The text is split and normalised already.
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_by_unicode_script=False,
        split_by_number=False,
        max_sentencepiece_length=MAX_LENGTH,
        shuffle_input_sentence=False,
        num_threads=1,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        unk_piece="\ue003",
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def chunks(pretoken: str) -> list[str]:
    """Split a pre-token into parts of at most MAX_LENGTH characters."""
    return [pretoken[start : start + MAX_LENGTH] for start in range(0, len(pretoken), MAX_LENGTH)]


def split(pretoken: str, ranks: dict[str, int]) -> list[str]:
    """Split a pre-token into its subwords.

    Args:
        pretoken: its spaces are written SPACE in the subwords.
        ranks: {subword: rank}
    Returns:
        The subwords; a character that is none stays as it is.
    """
    return [subword for chunk in chunks(pretoken.replace(" ", SPACE)) for subword in _merge(list(chunk), ranks)]


def _merge(parts: list[str], ranks: dict[str, int]) -> list[str]:
    while True:
        candidates = ((ranks[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in ranks)
        best = min(candidates, default=None)
        if best is None:
            return parts
        _, i = best
        parts[i : i + 2] = [parts[i] + parts[i + 1]]


def merges(ids: dict[str, int]) -> Sequence[Merge]:
    """All pairs of subwords that form a subword.

    Args:
        ids: {subword: its id}, the subwords in the order of their ranks.
    """
    return [
        Merge(ids[subword[:at]], ids[subword[at:]], rank, i)
        for rank, (subword, i) in enumerate(ids.items())
        for at in range(1, len(subword))
        if subword[:at] in ids and subword[at:] in ids
    ]
