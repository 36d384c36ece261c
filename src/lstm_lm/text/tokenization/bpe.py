"""Subwords by byte pair encoding (Sennrich et al. 2016), learnt by sentencepiece (Kudo & Richardson 2018).

A piece of text starts as its characters. Of all neighbours that make up a subword those with the first rank are put together, of several
the leftmost, until no two neighbours make up one.
"""

from itertools import pairwise

SPACE = "\u2581"  # stands for the space before a word
LONGEST = 64  # characters of a piece that are looked at together


def learn(pieces, counts, size):
    """Learn subwords.

    Args:
        pieces: list of str, what text is made of, a word with the space before it for the most part.
        counts: how often each occurs in the training text.
        size: how many subwords, characters included. There may be fewer, if there is too little text, and more, if it has more characters.
    Returns:
        list of str: subwords in the order of their ranks; the characters, which nothing has to be put together for, are the last.
    """
    processor = train(pieces, counts, size)
    return [processor.id_to_piece(i) for i in range(1, processor.get_piece_size())]


def train(pieces, counts, size):
    """As `learn`: sentencepiece's processor with those subwords, its id 0 the unknown one."""
    import io

    import sentencepiece

    counted = [
        f"{chunk}\t{count}"
        for piece, count in zip(pieces, counts, strict=True)
        for chunk in chunks(piece)
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
        # The pieces are cut and normalised already.
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_by_unicode_script=False,
        split_by_number=False,
        max_sentencepiece_length=LONGEST,
        shuffle_input_sentence=False,
        num_threads=1,
        bos_id=-1,
        eos_id=-1,
        pad_id=-1,
        unk_piece="\ue003",
        minloglevel=2,
    )
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def chunks(piece):
    """A piece in parts of at most LONGEST characters."""
    return [piece[start : start + LONGEST] for start in range(0, len(piece), LONGEST)]


def cut(piece, ranks):
    """A piece -> the subwords it is made of, a list of str; a character that is not among them stays as it is.

    Args:
        piece: str; a space is written SPACE in the subwords.
        ranks: {subword: rank}
    """
    subwords = []
    for chunk in chunks(piece.replace(" ", SPACE)):
        parts = list(chunk)
        while True:
            found = min(((ranks[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in ranks), default=None)
            if found is None:
                break
            parts[found[1] : found[1] + 2] = ["".join(parts[found[1] : found[1] + 2])]
        subwords += parts
    return subwords


def merges(ids):
    """The pairs of subwords that make up a subword.

    Args:
        ids: {subword: its id}, the subwords in order of their ranks.
    Returns:
        [(id of the left one, id of the right one, rank, id of what they make up), ...]
    """
    return [
        (ids[subword[:at]], ids[subword[at:]], rank, i)
        for rank, (subword, i) in enumerate(ids.items())
        for at in range(1, len(subword))
        if subword[:at] in ids and subword[at:] in ids
    ]
