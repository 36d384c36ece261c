"""The whole text as ids, on disk: made by the stage vocab, read by the stage batching.

An id below the vocabulary's size is that of a known word. The others are those of the unknown words, which are still told apart here:
they go on by falling count in the training text, ties alphabetical, as in the vocabulary.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lstm_lm import arrays
from lstm_lm.vocabulary import UNKNOWN, UNKNOWN_ID

IDS = "text.npy"  # int32 [words], all documents one after the other
LENGTHS = "lengths.npy"  # int32 [ids], characters of each id's word
ABOUT = "text.json"


@dataclass(frozen=True)
class Text:
    """The words of all documents.

    Attributes:
        ids: int32 [words], memory-mapped.
        documents: {name: number of words}, in their order in `ids`.
    """

    ids: np.ndarray
    documents: dict

    def part(self, spans):
        """The `Part` that holds some spans, a list of splits.Span."""
        starts = dict(zip(self.documents, np.cumsum([0, *self.documents.values()]).tolist(), strict=False))
        return Part(self.ids, [(span.document, starts[span.document] + span.start, starts[span.document] + span.stop) for span in spans])


@dataclass(frozen=True)
class Part:
    """Some spans of a text, one after the other.

    Attributes:
        ids: int32 [words] of the whole text.
        ranges: [(document's name, start, stop), ...]: where in `ids` each span lies.
    """

    ids: np.ndarray
    ranges: list

    def __len__(self):
        """Words."""
        return sum(stop - start for _, start, stop in self.ranges)

    def blocks(self, size=arrays.BLOCK):
        """Yield the ids in order, at most `size` at a time, none of two spans."""
        for _, start, stop in self.ranges:
            yield from arrays.blocks(self.ids, start, stop, size)

    def counts(self, ids):
        """How often each of the ids 0 to `ids` - 1 occurs: int64 [ids]."""
        counts = np.zeros(ids, np.int64)
        for block in self.blocks():
            counts += np.bincount(block, minlength=ids)
        return counts

    def known(self, vocabulary_size, size=arrays.BLOCK):
        """As `blocks`, with the id of `<unk>` for every unknown word."""
        for block in self.blocks(size):
            yield np.where(block < vocabulary_size, block, UNKNOWN_ID)


def number(files, numbering, folder):
    """Write the text of some files to `folder` by provisional numbers, those of `numbering`.

    Args:
        files: [(document's name, path), ...]
        numbering: tokenizing.Numbering
        folder: where the text is going to be completed by `finish`.
    Returns:
        Text
    """
    words = [0] * len(files)
    with arrays.Writer(folder / IDS) as ids:
        for numbers, counts in numbering.of([path for _, path in files]):
            ids.append(numbers)
            for place, count in counts:
                words[place] += count
    return Text(arrays.load(folder / IDS), {name: count for (name, _), count in zip(files, words, strict=True)})


def finish(text, folder, order, lengths, vocabulary_size):
    """Put ids in the place of the provisional numbers and complete the folder.

    Args:
        text: what `number` wrote to `folder`.
        order: int [words], the numbers in order of their ids, from id 1 on.
        lengths: int [words], characters of the words, by their numbers.
        vocabulary_size: number of ids of known words, `<unk>` included.
    """
    ids = np.empty(len(order), np.int32)
    ids[order] = np.arange(1, len(order) + 1, dtype=np.int32)
    arrays.replace_values(folder / IDS, ids)
    arrays.save(folder / LENGTHS, np.concatenate([[len(UNKNOWN)], lengths[order]]))
    about = {"vocabulary_size": vocabulary_size, "documents": text.documents}
    (folder / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(folder):
    """(Text, lengths: int32 [ids], vocabulary_size) of a folder that `finish` completed."""
    folder = Path(folder)
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    return Text(arrays.load(folder / IDS), about["documents"]), np.load(folder / LENGTHS), about["vocabulary_size"]
