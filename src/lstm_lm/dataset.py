"""The folder data/batches: memory-mapped arrays of ids and what is known about each split."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

HELD_OUT = ("validation", "test")


@dataclass(frozen=True)
class HeldOut:
    """One held-out split, as it is scored: every word but each document's first, in order.

    Attributes:
        documents: [{"name", "start", "words"}, ...]: where each document lies in the split's array of ids.
        scored: number of words that are scored.
        unknown: how many of those are `<unk>`.
        unknown_types: distinct words of the split that map to `<unk>`.
        characters: of the scored words, with one space a word.
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


def held_out(names, words, ids):
    """Gather one held-out split.

    Args:
        names: names of its documents or spans.
        words: for each, its words.
        ids: for each, the ids of its words, int32.
    Returns:
        (HeldOut, int32 [words])
    """
    starts = np.cumsum([0, *[len(document) for document in ids]])
    documents = [
        {"name": name, "start": int(start), "words": len(document)} for name, start, document in zip(names, starts, ids, strict=False)
    ]
    unknown_types = {word for text, coded in zip(words, ids, strict=True) for word, i in zip(text, coded, strict=True) if i == 0}
    about = HeldOut(
        documents=documents,
        scored=sum(max(len(document) - 1, 0) for document in ids),
        unknown=sum(int(np.count_nonzero(document[1:] == 0)) for document in ids),
        unknown_types=len(unknown_types),
        characters=sum(len(word) + 1 for text in words for word in text[1:]),
    )
    return about, np.concatenate([np.asarray(document, np.int32) for document in ids])


def save(batches, folder):
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "train.npy", batches.train)
    for name in HELD_OUT:
        np.save(folder / f"{name}.npy", batches.ids[name])
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
    ids = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in HELD_OUT}
    return Batches(**about, train=np.load(folder / "train.npy", mmap_mode="r"), held_out=held, ids=ids)
