"""The folder data/batches: memory-mapped arrays of ids and what is known about each split."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lstm_lm.io import arrays

HELD_OUT = ("validation", "test")


@dataclass(frozen=True)
class HeldOut:
    """One held-out split, as it is scored: every word but each document's first, in order.

    Attributes:
        documents: [{"name", "start", "words"}, ...]: where each document lies in the split's array of ids.
        scored: number of words that are scored.
        unknown: how many of those are `<unk>`.
        unknown_types: distinct words of the split that map to `<unk>`.
        characters: of the scored words, with one space a word, or none where it touches the one before it.
    """

    documents: list
    scored: int
    unknown: int
    unknown_types: int
    characters: int


@dataclass(frozen=True)
class Batches:
    """What the batching stage made.

    Attributes:
        recipe, batch_size, sequence_length: how `train` was cut; the cookbook's chunks have their sequence length built in.
        vocabulary_size: number of ids.
        source: where the text is from, a dict; raw: digest of the text itself.
        train: int32, [batch_size, words] for the recipe stream, [chunks, batch_size, sequence_length] for cookbook.
        held_out: {"validation": HeldOut, "test": HeldOut}
        ids: {"validation": int32 [words], "test": int32 [words]}, the documents one after the other.
    """

    recipe: str
    batch_size: int
    sequence_length: int
    vocabulary_size: int
    source: dict
    raw: str
    train: np.ndarray
    held_out: dict
    ids: dict

    def documents(self, split):
        """The ids of each document of a held-out split, a list of int32 [words]."""
        about = self.held_out[split].documents
        return [self.ids[split][document["start"] : document["start"] + document["words"]] for document in about]


def held_out(part, text_characters, vocabulary_size):
    """What is known about a held-out split.

    Args:
        part: text.Part, its words.
        text_characters: text.Characters.
        vocabulary_size: ids from here on are unknown words.
    Returns:
        HeldOut
    """
    documents, scored, unknown, characters = [], 0, 0, 0
    is_there = np.zeros(max(len(text_characters.lengths) - vocabulary_size, 0), bool)
    start = 0
    for name, begin, end in part.ranges:
        documents.append({"name": name, "start": start, "words": end - begin})
        start += end - begin
        for block in arrays.blocks(part.ids, begin, begin + 1):  # the first word is not scored, but is one of the split's
            is_there[block[block >= vocabulary_size] - vocabulary_size] = True
            after = int(block[0])
        for block in arrays.blocks(part.ids, begin + 1, end):
            of_unknown = block[block >= vocabulary_size]
            is_there[of_unknown - vocabulary_size] = True
            scored += len(block)
            unknown += len(of_unknown)
            characters += int(text_characters.count(block, after).sum())
            after = int(block[-1])
    return HeldOut(documents, scored, unknown, int(np.count_nonzero(is_there)), characters)


def scored_words(part, text_characters, vocabulary_size):
    """Of each scored word what `held_out` adds up.

    Args:
        as of `held_out`.
    Returns:
        (list of bool [words - 1], which are `<unk>`; list of int32 [words - 1], characters with their space), one array a document.
    """
    documents = [part.ids[begin:end] for _, begin, end in part.ranges if end > begin]
    return [ids[1:] >= vocabulary_size for ids in documents], [text_characters.count(ids[1:], ids[0]) for ids in documents]


def save(batches, folder):
    """Write a folder. The arrays of `batches` may be `arrays.Blocks`."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays.save(folder / "train.npy", batches.train)
    for name in HELD_OUT:
        arrays.save(folder / f"{name}.npy", batches.ids[name])
    about = {
        "recipe": batches.recipe,
        "batch_size": batches.batch_size,
        "sequence_length": batches.sequence_length,
        "vocabulary_size": batches.vocabulary_size,
        "source": batches.source,
        "raw": batches.raw,
        **{name: asdict(batches.held_out[name]) for name in HELD_OUT},
    }
    (folder / "batches.json").write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(folder):
    """Read the folder; the arrays stay on disk and are memory-mapped."""
    folder = Path(folder)
    about = json.loads((folder / "batches.json").read_text(encoding="utf-8"))
    held = {name: HeldOut(**about.pop(name)) for name in HELD_OUT}
    ids = {name: arrays.load(folder / f"{name}.npy") for name in HELD_OUT}
    return Batches(**about, train=arrays.load(folder / "train.npy"), held_out=held, ids=ids)
