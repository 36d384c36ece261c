"""Descriptions of the held-out splits: what is scored, and how many characters and unknown words that has."""

import numpy as np
import numpy.typing as npt

from lstm_lm.data.dataset import Document, HeldOut
from lstm_lm.io import arrays
from lstm_lm.io.arrays import Int32Array
from lstm_lm.text.encoded import Characters, Part


def describe_held_out(part: Part, characters: Characters, vocabulary_size: int) -> HeldOut:
    """Describe a held-out split.

    Args:
        part: its text.
        characters: how many characters each word has.
        vocabulary_size: ids from here on are unknown words.
    """
    documents: list[Document] = []
    scored, unknown, character_count = 0, 0, 0
    is_present = np.zeros(max(len(characters.lengths) - vocabulary_size, 0), bool)
    start = 0
    for name, begin, end in part.ranges:
        documents.append(Document(name, start, end - begin))
        start += end - begin
        for block in arrays.blocks(part.ids, begin, begin + 1):  # the first word is not scored, but is one of the split's
            is_present[block[block >= vocabulary_size] - vocabulary_size] = True
            previous = int(block[0])
        for block in arrays.blocks(part.ids, begin + 1, end):
            unknown_ids = block[block >= vocabulary_size]
            is_present[unknown_ids - vocabulary_size] = True
            scored += len(block)
            unknown += len(unknown_ids)
            character_count += int(characters.count(block, previous).sum())
            previous = int(block[-1])
    return HeldOut(documents, scored, unknown, int(np.count_nonzero(is_present)), character_count)


def describe_scored_words(part: Part, characters: Characters, vocabulary_size: int) -> tuple[list[npt.NDArray[np.bool_]], list[Int32Array]]:
    """Return for each scored word what `describe_held_out` adds up, with the same arguments.

    Returns:
        (which are `<unk>`, bool [words - 1]; characters with their space, int32 [words - 1]), one array a document.
    """
    documents = [part.ids[begin:end] for _, begin, end in part.ranges if end > begin]
    return [ids[1:] >= vocabulary_size for ids in documents], [characters.count(ids[1:], ids[0]) for ids in documents]
