"""What the stage `evaluate-sample` reads of what the stages before it made of the text."""

from dataclasses import dataclass

import numpy as np

from lstm_lm.data import dataset
from lstm_lm.data.dataset import Batches
from lstm_lm.text import encoded, splits
from lstm_lm.text.encoded import Characters, Part
from lstm_lm.text.tokenization.tokenizer import Tokenizer


@dataclass(frozen=True)
class Inputs:
    """What the earlier stages made.

    Attributes:
        batches: the held-out text as it is scored.
        parts: the text of each split, with the ids of unknown words.
        characters: lengths of the words.
        vocabulary_size: number of ids that the model knows.
        unit: `vocab.unit`, what a token is.
    """

    batches: Batches
    parts: dict[str, Part]
    characters: Characters
    vocabulary_size: int
    unit: str

    @classmethod
    def load(cls) -> "Inputs":
        """Load the outputs of the stages `vocab` and `batching`."""
        text, characters, vocabulary_size = encoded.load("data/vocab")
        parts = {name: text.part(spans) for name, spans in splits.load("data/vocab/splits.json").items()}
        unit = Tokenizer.load("data/vocab/tokenizer.json").unit
        return cls(dataset.load("data/batches"), parts, characters, vocabulary_size, unit)

    def held_out_documents(self) -> dict[str, list[np.ndarray]]:
        """Return the documents of the held-out splits."""
        return {split: self.batches.documents(split) for split in dataset.HELD_OUT}

    def documents(self, split: str) -> list[np.ndarray]:
        """Return the documents of any split, with the ids of unknown words."""
        part = self.parts[split]
        return [part.ids[start:stop] for _, start, stop in part.ranges]
