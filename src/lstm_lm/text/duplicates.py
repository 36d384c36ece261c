"""Documents that are in a text twice, so that held-out text would also be training text: exactly, or nearly."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from lstm_lm.io import arrays
from lstm_lm.io.globs import compile_pattern
from lstm_lm.text.encoded import Ids, Range, Text
from lstm_lm.text.splits import Spans

HELD_OUT = ("validation", "test")
SHINGLE = 8  # words in a row: independent texts share few such sequences
MIN_FRACTION = 0.5  # of a held-out span's shingles that are in the training text
MIN_SHINGLES = 20  # of a span, to judge it
SAMPLE = 2**22  # shingles of the whole text that are compared, about
BLOCK = 2**18  # words
# Odd numbers: products with them, modulo 2**64, keep different words different.
FACTORS = np.array([pow(0x9E3779B97F4A7C15, k + 1, 2**64) for k in range(SHINGLE)], np.uint64)

Hashes = npt.NDArray[np.uint64]


class NearDuplicate(NamedTuple):
    """A held-out span that is largely in the training text, too.

    Attributes:
        document: of the span.
        fraction: of its word sequences that are in the training text.
        origin: the training document that has most of them.
    """

    document: str
    fraction: float
    origin: str


def find_copies(digests: Mapping[str, str], validation: float | Sequence[str], test: float | Sequence[str]) -> dict[str, str]:
    """Find documents to leave out because another one has the same bytes, which is kept.

    Kept are the first document by name and, if patterns hold out documents, the held-out ones: one in each split.

    Args:
        digests: {document: its digest}, in order of name.
        validation: a fraction, or a list of patterns of document names.
        test: the same.
    Returns:
        {document to leave out: the document that is kept}
    """
    fractions_or_patterns = dict(zip(HELD_OUT, (validation, test), strict=True))
    held_out = {name: split for split, patterns in fractions_or_patterns.items() for name in _matches(patterns, split, digests)}
    groups: dict[str, list[str]] = {}
    for name, digest in digests.items():
        groups.setdefault(digest, []).append(name)
    copies = {}
    for names in groups.values():
        kept: dict[str, str] = {}
        for name in sorted(names, key=lambda name: name not in held_out):
            split = held_out.get(name) or next(iter(kept), "")
            if split in kept:
                copies[name] = kept[split]
            else:
                kept[split] = name
    return copies


def _matches(patterns: float | Sequence[str], split: str, names: Mapping[str, str]) -> list[str]:
    if isinstance(patterns, float):
        return []
    # A pattern that matches nothing is reported when the text is split.
    return [name for pattern in patterns for name in compile_pattern(pattern, f"vocab.{split}").match_files(names)]


def find_near_duplicates(text: Text, spans: Spans) -> list[NearDuplicate]:
    """Find held-out spans that are largely in the training text.

    Sequences of SHINGLE words are compared by their hashes; of a large text only a sample, which the words determine (Broder 1997).

    Args:
        text: in words.
        spans: its splits.
    Returns:
        The largest fraction first.
    """
    sampled_bits = (len(text.ids) // SAMPLE).bit_length()
    ranges = [each for split in HELD_OUT for each in text.part(spans[split]).ranges]
    found = [np.concatenate([np.empty(0, np.uint64), *_shingles(text.ids, each, sampled_bits)]) for each in ranges]
    counts = np.array([len(hashes) for hashes in found])
    if not counts.sum():
        return []
    distinct, places = np.unique(np.concatenate(found), return_inverse=True)
    train = text.part(spans["train"]).ranges
    origins = np.full(len(distinct), -1, np.int32)  # the training range that each hash was seen in first
    for index, each in enumerate(train):
        for hashes in _shingles(text.ids, each, sampled_bits):
            at = np.minimum(np.searchsorted(distinct, hashes), len(distinct) - 1)
            seen = at[distinct[at] == hashes]
            origins[seen[origins[seen] < 0]] = index
    near = []
    for each, of_span in zip(ranges, np.split(origins[places], np.cumsum(counts)[:-1]), strict=True):
        seen = of_span[of_span >= 0]
        if len(of_span) >= MIN_SHINGLES and len(seen) >= MIN_FRACTION * len(of_span):
            near.append(NearDuplicate(each.document, len(seen) / len(of_span), train[int(np.bincount(seen).argmax())].document))
    return sorted(near, key=lambda duplicate: -duplicate.fraction)


def _shingles(ids: Ids, where: Range, sampled_bits: int) -> Iterator[Hashes]:
    """Yield the hashes of the word sequences of a range, of one in 2**sampled_bits of them, a block at a time."""
    for start in range(where.start, where.stop - SHINGLE + 1, BLOCK):
        words = np.asarray(ids[start : min(start + BLOCK + SHINGLE - 1, where.stop)]).view(np.uint32)
        places = len(words) - SHINGLE + 1
        if sampled_bits:
            anchors = words[:places] * FACTORS[0].astype(np.uint32)
            anchors += words[1 : places + 1] * FACTORS[1].astype(np.uint32)
            chosen = np.flatnonzero(anchors < 2 ** (32 - sampled_bits))
        else:
            chosen = np.arange(places)
        hashes: Hashes = sum((words[chosen + k].astype(np.uint64) + np.uint64(1)) * FACTORS[k] for k in range(SHINGLE))
        arrays.release(ids)
        yield hashes
