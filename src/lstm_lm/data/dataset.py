"""The folder data/batches: memory-mapped arrays of ids and a description of each split."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

import numpy as np
import numpy.typing as npt

from lstm_lm.io import arrays, atomic
from lstm_lm.io.arrays import Blocks, Int32Array
from lstm_lm.text.encoded import Characters, Part

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    ArrayT = TypeVar("ArrayT", Int32Array, Int32Array | Blocks, default=Int32Array)
else:
    from typing import TypeVar

    ArrayT = TypeVar("ArrayT")

HELD_OUT = ("validation", "test")


@dataclass(frozen=True)
class Document:
    """A document of a held-out split. start: its first word in the split's array of ids. words: how many it has."""

    name: str
    start: int
    words: int


@dataclass(frozen=True)
class HeldOut:
    """One held-out split, as it is scored: every word but each document's first, in order.

    Attributes:
        documents: where each document lies in the split's array of ids.
        scored_words: number of words that are scored.
        unknown_words: how many of those are `<unk>`.
        unknown_types: distinct words of the split that map to `<unk>`.
        characters: of the scored words, each with the space before it, if there is one.
    """

    documents: list[Document]
    scored_words: int
    unknown_words: int
    unknown_types: int
    characters: int

    def to_json(self) -> dict[str, Any]:
        """Return the entry of batches.json."""
        return {
            "documents": [asdict(document) for document in self.documents],
            "scored": self.scored_words,
            "unknown": self.unknown_words,
            "unknown_types": self.unknown_types,
            "characters": self.characters,
        }

    @classmethod
    def from_json(cls, entry: dict[str, Any]) -> "HeldOut":
        """Read an entry of batches.json."""
        documents = [Document(**document) for document in entry["documents"]]
        return cls(documents, entry["scored"], entry["unknown"], entry["unknown_types"], entry["characters"])


@dataclass(frozen=True)
class Batches(Generic[ArrayT]):
    """What the batching stage makes.

    Attributes:
        recipe, batch_size, sequence_length: how `train` was batched; the cookbook's chunks have their sequence length built in.
        vocabulary_size: number of ids.
        source: where the text is from, as in data/raw/source.json.
        text_digest: of the text itself.
        train: int32, [batch_size, words] for the recipe stream, [chunks, batch_size, sequence_length] for cookbook.
        held_out: description of each held-out split.
        ids: of each held-out split, int32 [words], the documents one after the other.
    """

    recipe: str
    batch_size: int
    sequence_length: int
    vocabulary_size: int
    source: dict[str, Any]
    text_digest: str
    train: ArrayT
    held_out: dict[str, HeldOut]
    ids: dict[str, ArrayT]

    def documents(self: "Batches[Int32Array]", split: str) -> list[Int32Array]:
        """Return the ids of each document of a held-out split, int32 [words] each."""
        ids = self.ids[split]
        return [ids[document.start : document.start + document.words] for document in self.held_out[split].documents]


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


def save(batches: Batches[Int32Array | Blocks], folder: str | Path) -> None:
    """Write a folder that `load` reads."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays.save(folder / "train.npy", batches.train)
    for name in HELD_OUT:
        arrays.save(folder / f"{name}.npy", batches.ids[name])
    description = {
        "recipe": batches.recipe,
        "batch_size": batches.batch_size,
        "sequence_length": batches.sequence_length,
        "vocabulary_size": batches.vocabulary_size,
        "source": batches.source,
        "raw": batches.text_digest,
        **{name: batches.held_out[name].to_json() for name in HELD_OUT},
    }
    atomic.write_json(folder / "batches.json", description)


def load(folder: str | Path) -> Batches[Int32Array]:
    """Read the folder; the arrays stay on disk and are memory-mapped."""
    folder = Path(folder)
    description = json.loads((folder / "batches.json").read_text(encoding="utf-8"))
    held_out = {name: HeldOut.from_json(description.pop(name)) for name in HELD_OUT}
    text_digest = description.pop("raw")
    ids: dict[str, Int32Array] = {name: arrays.load(folder / f"{name}.npy") for name in HELD_OUT}
    train: Int32Array = arrays.load(folder / "train.npy")
    return Batches(**description, text_digest=text_digest, train=train, held_out=held_out, ids=ids)
