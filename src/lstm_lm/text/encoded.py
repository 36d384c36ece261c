"""The whole text as ids, on disk: made by the stage vocab, read by the stage batching.

An id below the vocabulary's size is that of a known word. The others are those of the unknown words, which are still told apart here:
they go on by falling count in the training text, ties alphabetical, as in the vocabulary.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from lstm_lm.io import arrays
from lstm_lm.io.arrays import Writer
from lstm_lm.text.splits import SPLITS, Span
from lstm_lm.text.tokenization.rules import UNKNOWN
from lstm_lm.text.tokenization.vocabulary import UNKNOWN_ID

IDS = "text.npy"  # int32 [words], all documents one after the other
LENGTHS = "lengths.npy"  # int32 [ids], characters of each id's word
TOUCHES = "touches.npy"  # int32 [ids], LEFT and RIGHT: without the space that else stands there; no file: none is
LEFT, RIGHT = 1, 2
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

    def blocks_without_unknown(self, vocabulary_size, size=arrays.BLOCK):
        """Like `blocks`, with every unknown word replaced by `<unk>`."""
        for block in self.blocks(size):
            yield replace_unknown(block, vocabulary_size)


def replace_unknown(ids, vocabulary_size):
    """Replace the ids of all unknown words, those from `vocabulary_size` on, by the id of `<unk>`."""
    return np.where(ids < vocabulary_size, ids, UNKNOWN_ID)


@dataclass(frozen=True)
class Characters:
    """How many characters text is.

    Attributes:
        lengths: int32 [ids], characters of each id's word.
        touches: int32 [ids], LEFT where it stands without a space before it, RIGHT after it.
    """

    lengths: np.ndarray
    touches: np.ndarray

    def of(self, ids, after):
        """Characters of each of some ids, with the space before it: int32 [words].

        Args:
            ids: int32 [words].
            after: the id before the first.
        """
        before = np.concatenate([[after], ids[:-1]])
        spaces = (self.touches[ids] & LEFT == 0) & (self.touches[before] & RIGHT == 0)
        return self.lengths[ids] + spaces.astype(np.int32)


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
    with Writer(folder / IDS) as ids:
        for numbers, counts in numbering.of([path for _, path in files]):
            ids.append(numbers)
            for place, count in counts:
                words[place] += count
    return Text(arrays.load(folder / IDS), {name: count for (name, _), count in zip(files, words, strict=True)})


def cut(text, parts, folder, numbers):
    """Put the tokens of words in the place of the words.

    Args:
        text: what `number` wrote to `folder`; its words are numbered.
        parts: {split: list of splits.Span}, of words.
        folder: where the text is going to be completed by `finish`.
        numbers: list of int32 [tokens], by the words' numbers: the numbers of the tokens each is cut into, at least one.
    Returns:
        (Text of the tokens; the same parts in tokens)

        A held-out span begins with the last token of its first word: as the first token of a span is not scored, what is scored is the
        same text whatever words are cut into.
    """
    sizes = np.array([len(tokens) for tokens in numbers], np.int64)
    flat = np.concatenate([np.zeros(0, np.int32), *numbers])
    starts = np.cumsum(sizes) - sizes  # in `flat`
    documents = dict(zip(text.documents, np.cumsum([0, *text.documents.values()]).tolist(), strict=False))
    places = {*documents.values(), len(text.ids)}  # words whose tokens have to be found again
    for split, spans in parts.items():
        for span in spans:
            places |= {documents[span.document] + at for at in (_first_end(span, split), span.stop)}
    places = np.array(sorted(places))
    found, words_done, tokens_done = {}, 0, 0
    with Writer(folder / f"cut-{IDS}") as ids:
        for words in arrays.blocks(text.ids, size=arrays.BLOCK // 8):
            ends = np.concatenate([[0], np.cumsum(sizes[words])])
            here = places[(places >= words_done) & (places < words_done + len(words))]
            found |= dict(zip(here.tolist(), (tokens_done + ends[here - words_done]).tolist(), strict=True))
            repeated = np.repeat(starts[words] - ends[:-1], sizes[words])
            ids.append(flat[repeated + np.arange(len(repeated))])
            words_done += len(words)
            tokens_done += len(repeated)
    found[words_done] = tokens_done
    (folder / f"cut-{IDS}").replace(folder / IDS)

    def tokens(document, word):
        return found[documents[document] + word] - found[documents[document]]

    lengths = {name: tokens(name, words) for name, words in text.documents.items()}
    cut_parts = {
        split: [
            Span(span.document, tokens(span.document, _first_end(span, split)) - (split != SPLITS[0]), tokens(span.document, span.stop))
            for span in spans
        ]
        for split, spans in parts.items()
    }
    return Text(arrays.load(folder / IDS), lengths), cut_parts


def _first_end(span, split):
    """Where the first word of a held-out span ends, or a training span begins."""
    return span.start + (split != SPLITS[0])


def finish(text, folder, order, lengths, vocabulary_size, touches=None):
    """Put ids in the place of the provisional numbers and complete the folder.

    Args:
        text: what `number` wrote to `folder`.
        order: int [words], the numbers in order of their ids, from id 1 on; one that is not there gets the id of `<unk>`.
        lengths: int [words], characters of the words, by their numbers.
        vocabulary_size: number of ids of known words, `<unk>` included.
        touches: int [words], by their numbers, LEFT and RIGHT; None: spaces are everywhere.
    """
    ids = np.full(len(lengths), UNKNOWN_ID, np.int32)
    ids[order] = np.arange(1, len(order) + 1, dtype=np.int32)
    arrays.replace_values(folder / IDS, ids)
    arrays.save(folder / LENGTHS, np.concatenate([[len(UNKNOWN)], lengths[order]]))
    if touches is not None:
        arrays.save(folder / TOUCHES, np.concatenate([[0], touches[order]]))
    about = {"vocabulary_size": vocabulary_size, "documents": text.documents}
    (folder / ABOUT).write_text(json.dumps(about, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(folder):
    """(Text, Characters, vocabulary_size) of a folder that `finish` completed."""
    folder = Path(folder)
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    lengths = np.load(folder / LENGTHS)
    touches = np.load(folder / TOUCHES) if (folder / TOUCHES).exists() else np.zeros(len(lengths), np.int32)
    return Text(arrays.load(folder / IDS), about["documents"]), Characters(lengths, touches), about["vocabulary_size"]
