"""The whole text as ids, on disk: written by the stage vocab, read by the stage batching.

Ids below the vocabulary's size are those of known words. Unknown words have ids too, from there on: by falling count in the training
text, ties alphabetical, as in the vocabulary.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_lm.io import arrays
from lstm_lm.text.indexing.base import TokenIndexer
from lstm_lm.text.splits import Span
from lstm_lm.text.tokenization.symbols import UNKNOWN
from lstm_lm.text.tokenization.vocabulary import UNKNOWN_ID

IDS_FILE = "text.npy"  # int32 [words], all documents one after the other
LENGTHS_FILE = "lengths.npy"  # int32 [ids], characters of each id's word
SPACING_FILE = "spacing.npy"  # int32 [ids], NO_SPACE_BEFORE and NO_SPACE_AFTER; no file: every word has spaces around it
DOCUMENTS_FILE = "text.json"  # the vocabulary's size, the documents with their numbers of words, and digests of the held-out splits
NO_SPACE_BEFORE, NO_SPACE_AFTER = 1, 2  # flags
DOCUMENT_START, TOKEN_END = b"\xfe", b"\xff"  # in what is digested: bytes that UTF-8 does not use

Ids = npt.NDArray[np.int32]


class Range(NamedTuple):
    """Where a span of a document lies in the ids of the text: from `start` to below `stop`."""

    document: str
    start: int
    stop: int


@dataclass(frozen=True)
class Text:
    """The words of all documents.

    Attributes:
        ids: int32 [words], memory-mapped.
        documents: {name: number of words}, in their order in `ids`.
    """

    ids: Ids
    documents: dict[str, int]

    def starts(self) -> dict[str, int]:
        """Where each document starts in `ids`."""
        return dict(zip(self.documents, np.cumsum([0, *self.documents.values()]).tolist(), strict=False))

    def part(self, spans: Sequence[Span]) -> "Part":
        """The part of the text that consists of some spans."""
        starts = self.starts()
        return Part(
            self.ids, [Range(span.document, starts[span.document] + span.start, starts[span.document] + span.stop) for span in spans]
        )


@dataclass(frozen=True)
class Part:
    """Some spans of a text, one after the other.

    Attributes:
        ids: int32 [words], the ids of the whole text.
        ranges: where each span lies in `ids`.
    """

    ids: Ids
    ranges: list[Range]

    def __len__(self) -> int:
        """The number of words."""
        return sum(stop - start for _, start, stop in self.ranges)

    def blocks(self, size: int = arrays.BLOCK) -> Iterator[Ids]:
        """Yield the ids in order, at most `size` at a time; no block holds words of two spans."""
        for _, start, stop in self.ranges:
            yield from arrays.blocks(self.ids, start, stop, size)

    def blocks_without_unknown(self, vocabulary_size: int, size: int = arrays.BLOCK) -> Iterator[Ids]:
        """Like `blocks`, with every unknown word replaced by `<unk>`."""
        for block in self.blocks(size):
            yield replace_unknown(block, vocabulary_size)

    def documents_without_unknown(self, vocabulary_size: int) -> list[Ids]:
        """The ids of each span, int32 [words], with every unknown word replaced by `<unk>`."""
        return [replace_unknown(self.ids[start:stop], vocabulary_size) for _, start, stop in self.ranges]

    def counts(self, size: int) -> npt.NDArray[np.int64]:
        """How often each of the ids 0 to `size` - 1 occurs: int64 [size]."""
        counts = np.zeros(size, np.int64)
        for block in self.blocks():
            counts += np.bincount(block, minlength=size)
        return counts


def replace_unknown(ids: Ids, vocabulary_size: int) -> Ids:
    """Replace the ids of all unknown words, those from `vocabulary_size` on, by the id of `<unk>`."""
    known: Ids = np.where(ids < vocabulary_size, ids, UNKNOWN_ID)
    return known


@dataclass(frozen=True)
class Characters:
    """How many characters words take in a text.

    Attributes:
        lengths: int32 [ids], characters of each id's word.
        spacing: int32 [ids], the flags NO_SPACE_BEFORE and NO_SPACE_AFTER of each id's word.
    """

    lengths: Ids
    spacing: Ids

    def count(self, ids: Ids, previous: int) -> Ids:
        """Characters of each word, the space before it included: int32 [words].

        Args:
            ids: int32 [words].
            previous: the id before the first.
        """
        before = np.concatenate([[previous], ids[:-1]])
        has_space = (self.spacing[ids] & NO_SPACE_BEFORE == 0) & (self.spacing[before] & NO_SPACE_AFTER == 0)
        characters: Ids = self.lengths[ids] + has_space.astype(np.int32)
        return characters


class EncodedText(NamedTuple):
    """What `load` returns."""

    text: Text
    characters: Characters
    vocabulary_size: int


def index_tokens(files: Sequence[tuple[str, Path]], indexer: TokenIndexer, folder: Path) -> Text:
    """Write the text of some files to a folder, as the indexer's indices, which `finish` replaces by ids.

    Args:
        files: [(document's name, path), ...]
        indexer: its words are those of the files.
        folder: the folder that `finish` completes.
    """
    words = [0] * len(files)
    with arrays.Writer(folder / IDS_FILE) as writer:
        for block in indexer.index_files([path for _, path in files]):
            writer.append(block.indices)
            for file, count in block.counts:
                words[file] += count
    return Text(arrays.load(folder / IDS_FILE), {name: count for (name, _), count in zip(files, words, strict=True)})


def finish(
    text: Text,
    folder: Path,
    order: npt.NDArray[np.int64],
    characters: Characters,
    vocabulary_size: int,
    digests: Mapping[str, str],
) -> None:
    """Replace indices by ids, and complete the folder.

    Args:
        text: what `index_tokens` or `retokenize` wrote to `folder`.
        folder: is completed.
        order: int64, the words' indices in the order of their ids from id 1 on; a word that is missing gets the id of `<unk>`.
        characters: of the words, by their indices.
        vocabulary_size: number of ids of known words, `<unk>` included.
        digests: {held-out split: its `digest_part`}.
    """
    ids = np.full(len(characters.lengths), UNKNOWN_ID, np.int32)
    ids[order] = np.arange(1, len(order) + 1, dtype=np.int32)
    arrays.replace_values(folder / IDS_FILE, ids)
    arrays.save(folder / LENGTHS_FILE, np.concatenate([[len(UNKNOWN)], characters.lengths[order]]))
    if characters.spacing.any():
        arrays.save(folder / SPACING_FILE, np.concatenate([[0], characters.spacing[order]]))
    contents = {"vocabulary_size": vocabulary_size, "documents": text.documents, "digests": dict(digests)}
    (folder / DOCUMENTS_FILE).write_text(json.dumps(contents, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def digest_part(part: Part, tokens: Sequence[bytes]) -> str:
    """The sha256 of the tokens of some spans: the same for the same text in the same tokens, whichever of them are known to a model.

    Args:
        part: of the text, as `index_tokens` or `retokenize` wrote it.
        tokens: the distinct tokens in UTF-8, by index.
    """
    sha256 = hashlib.sha256()
    ended = [token + TOKEN_END for token in tokens]
    for _, start, stop in part.ranges:
        sha256.update(DOCUMENT_START)
        for block in arrays.blocks(part.ids, start, stop):
            sha256.update(b"".join([ended[index] for index in block.tolist()]))
    return sha256.hexdigest()


def digest_of_test_text(folder: Path | str) -> str | None:
    """Return the `digest_part` of the test text of a folder that `finish` completed."""
    contents = json.loads((Path(folder) / DOCUMENTS_FILE).read_text(encoding="utf-8"))
    digest: str | None = contents.get("digests", {}).get("test")
    return digest


def load(folder: Path | str) -> EncodedText:
    """Read a folder that `finish` completed."""
    folder = Path(folder)
    contents = json.loads((folder / DOCUMENTS_FILE).read_text(encoding="utf-8"))
    lengths = np.load(folder / LENGTHS_FILE)
    spacing = np.load(folder / SPACING_FILE) if (folder / SPACING_FILE).exists() else np.zeros(len(lengths), np.int32)
    return EncodedText(
        Text(arrays.load(folder / IDS_FILE), contents["documents"]), Characters(lengths, spacing), contents["vocabulary_size"]
    )
