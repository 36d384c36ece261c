"""Streams of word ids -> windows for truncated backpropagation through time. NumPy only; shapes are [batch, time]."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import Protocol

import numpy as np
import numpy.typing as npt

from lstm_lm.io.arrays import Int32Array

Window = tuple[Int32Array, Int32Array]  # inputs and targets, int32 [batch, time] each


class HasShape(Protocol):
    """An array, or blocks of one."""

    @property
    def shape(self) -> tuple[int, ...]: ...


class TextTooShort(ValueError):
    """The training text does not fill one batch."""


def check_length(words: int, batch_size: int, sequence_length: int) -> None:
    """Check that a training text fills at least one batch.

    Args:
        words: words of the training text.
        batch_size: rows of a batch.
        sequence_length: words a row; one more word is needed for the targets.
    Raises:
        TextTooShort: it does not.
    """
    needed = batch_size * (sequence_length + 1)
    if words < needed:
        raise TextTooShort(f"the training text has {words:,} words, fewer than one batch of {needed:,}")


def stream(ids: Int32Array, batch_size: int) -> Int32Array:
    """Split a text into parallel contiguous streams.

    Args:
        ids: int32 [words], the training text.
        batch_size: number of streams.
    Returns:
        int32 [batch_size, words // batch_size]: row r + 1 starts where row r ends. At most batch_size - 1 words at the
        end are dropped, none is repeated.
    Raises:
        ValueError: there are fewer than two words a row.
    """
    length = len(ids) // batch_size
    if length < 2:
        raise ValueError(f"{len(ids)} words are too few for {batch_size} rows")
    return np.ascontiguousarray(ids[: batch_size * length].reshape(batch_size, length))


def stream_windows(
    streams: Int32Array, sequence_length: int, short_probability: float = 0.0, rng: np.random.Generator | None = None
) -> Iterator[Window]:
    """Yield windows over the streams: each starts where the previous one ended, targets are the next words.

    Args:
        streams: int32 [batch, words].
        sequence_length: words a window.
        short_probability: of a window to have half of the words only, so that the edges, over which no gradient flows, are
            elsewhere in every epoch (Merity et al. 2018).
        rng: chooses the short windows; None if there are none.
    Yields:
        (inputs, targets), int32 [batch, sequence_length or `short_length`] each. A shorter tail is dropped.
    """
    edges = stream_edges(streams.shape[1], sequence_length, short_probability, rng)
    for start, stop in pairwise(edges.tolist()):
        yield streams[:, start:stop], streams[:, start + 1 : stop + 1]


def stream_edges(
    words: int, sequence_length: int, short_probability: float = 0.0, rng: np.random.Generator | None = None
) -> npt.NDArray[np.int64]:
    """Return where the windows of `stream_windows` start and end.

    Args:
        words: of a stream.
        sequence_length, short_probability, rng: as for `stream_windows`.
    Returns:
        int64 [windows + 1]
    """
    if not short_probability:
        return np.arange((words - 1) // sequence_length + 1) * sequence_length
    if rng is None:
        raise ValueError("short windows need a random number generator")
    short = short_length(sequence_length)
    uniforms = rng.random((words - 1) // short + 1)  # enough if all windows were short
    lengths = np.where(uniforms < short_probability, short, sequence_length)
    edges = np.concatenate([[0], np.cumsum(lengths)])
    return edges[edges < words]


def short_length(sequence_length: int) -> int:
    """Return the number of words of a short window."""
    return max(1, sequence_length // 2)


def cookbook(ids: Int32Array, batch_size: int, sequence_length: int) -> Int32Array:
    """Make the chunks of the TensorFlow Machine Learning Cookbook, ch. 9.3.

    The text is split into nearly equal pieces, and each is repeated to fill its chunk (`np.resize`).

    Args:
        ids: int32 [words].
        batch_size, sequence_length: of a chunk.
    Returns:
        int32 [chunks, batch_size, sequence_length], chunks = words // (batch_size * sequence_length) + 1.
    Raises:
        ValueError: there are no words.
    """
    if not len(ids):
        raise ValueError("there are no words")
    pieces = np.array_split(ids, len(ids) // (batch_size * sequence_length) + 1)
    return np.stack([np.resize(piece, [batch_size, sequence_length]) for piece in pieces])


def stream_blocks(blocks: Iterable[Int32Array], words: int, batch_size: int) -> tuple[tuple[int, ...], Iterator[Int32Array]]:
    """Split a text into streams as `stream` does, for a text too long for memory.

    Args:
        blocks: int32 arrays, the text in order.
        words: number of words in them.
        batch_size: number of streams.
    Returns:
        (shape of the streams, iterator of their values in order: int32 arrays)
    """
    length = words // batch_size
    return (batch_size, length), _first_values(blocks, batch_size * length)


def cookbook_blocks(
    blocks: Iterable[Int32Array], words: int, batch_size: int, sequence_length: int
) -> tuple[tuple[int, ...], Iterator[Int32Array]]:
    """Make chunks as `cookbook` does, for a text too long for memory; arguments and results as for `stream_blocks`."""
    pieces = words // (batch_size * sequence_length) + 1
    return (pieces, batch_size, sequence_length), _chunks(blocks, words, pieces, batch_size * sequence_length)


def _first_values(blocks: Iterable[Int32Array], count: int) -> Iterator[Int32Array]:
    """Yield the first `count` values."""
    for block in blocks:
        yield block[:count]
        count -= min(len(block), count)


def _chunks(blocks: Iterable[Int32Array], words: int, pieces: int, size: int) -> Iterator[Int32Array]:
    """Split a text into pieces and repeat each to `size` values, as `np.array_split` and `np.resize` do.

    The first words % pieces of the pieces are one word longer than the others.
    """
    length, longer_pieces = divmod(words, pieces)
    repeated, done = np.arange(size), 0
    held, words_held = [], 0
    for block in blocks:
        held.append(block)
        words_held += len(block)
        if words_held < length + (done < longer_pieces):
            continue
        rest = np.concatenate(held)
        for width, last in ((length + 1, longer_pieces), (length, pieces)):
            count = min(last - done, len(rest) // width) if width else 0
            if count > 0:
                yield rest[: count * width].reshape(count, width)[:, repeated % width]  # [count, size]
                rest, done = rest[count * width :], done + count
            if done < last:
                break
        held, words_held = [rest], len(rest)
    if not length:  # pieces without words, which np.resize fills with zeros
        yield np.zeros([pieces - longer_pieces, size], np.int32)


def cookbook_windows(chunks: Int32Array, order: Sequence[int] | npt.NDArray[np.int64]) -> Iterator[Window]:
    """Yield the book's epoch: chunks in a shuffled order, targets rolled within each row.

    Its known flaws are kept: a row's last target is the row's own first word, and the state that the training loop
    carries from one chunk to the next belongs to other text.

    Args:
        chunks: int32 [chunks, batch, time].
        order: a permutation of the chunks' indices.
    Yields:
        (inputs, targets), int32 [batch, time] each.
    """
    for i in order:
        yield chunks[i], np.roll(chunks[i], -1, axis=1)


def epoch_windows(
    train: Int32Array, recipe: str, sequence_length: int, seed: int, epoch: int, short_probability: float = 0.0
) -> Iterator[Window]:
    """Return the windows of one epoch, in order.

    Args:
        train: the array that `stream` or `cookbook` made.
        recipe: "stream" or "cookbook".
        sequence_length: words a window.
        seed, epoch: the training's seed and the epoch's number determine the cookbook's shuffle and which windows are short.
        short_probability: as for `stream_windows`; the cookbook's chunks all have one length.
    Returns:
        iterator of (inputs, targets), int32 [batch, time] each.
    """
    rng = np.random.default_rng([seed, epoch])
    if recipe == "stream":
        return stream_windows(train, sequence_length, short_probability, rng)
    return cookbook_windows(train, rng.permutation(len(train)))


def steps_per_epoch(
    train: HasShape, recipe: str, sequence_length: int, seed: int = 0, epoch: int = 1, short_probability: float = 0.0
) -> int:
    """Return the number of windows of `epoch_windows`, with the same arguments. Only the shape of `train` matters."""
    if recipe == "stream":
        return len(stream_edges(train.shape[1], sequence_length, short_probability, np.random.default_rng([seed, epoch]))) - 1
    return train.shape[0]
