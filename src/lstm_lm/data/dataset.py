"""The folder data/batches: memory-mapped arrays of ids and a description of each split."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic

from lstm_lm.io import arrays, atomic
from lstm_lm.io.arrays import Blocks, Int32Array

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
