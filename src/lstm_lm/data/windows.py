"""Streams of word ids -> windows for truncated backpropagation through time. NumPy only; shapes are [batch, time]."""

from itertools import pairwise

import numpy as np


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


def stream(ids, batch_size):
    """Cut a text into parallel contiguous streams.

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


def stream_windows(streams, sequence_length, short=0.0, draws=None):
    """Windows over the streams: window k + 1 starts where window k ended, targets are the next words.

    Args:
        streams: int32 [batch, words].
        sequence_length: words a window.
        short: chance of each window to have half of them only, so that the edges, over which no gradient goes, are elsewhere in
            every epoch (Merity et al. 2018).
        draws: numpy.random.Generator, which says which; not used if `short` is 0.
    Yields:
        (inputs, targets), int32 [batch, sequence_length or its half] each. A shorter tail is dropped.
    """
    edges = stream_edges(streams.shape[1], sequence_length, short, draws)
    for start, stop in pairwise(edges.tolist()):
        yield streams[:, start:stop], streams[:, start + 1 : stop + 1]


def stream_edges(words, sequence_length, short=0.0, draws=None):
    """Where the windows of `stream_windows` begin and end: int64 [windows + 1]. words: of a stream."""
    if not short:
        return np.arange((words - 1) // sequence_length + 1) * sequence_length
    # As many draws as there would be windows if all were short.
    lengths = np.where(draws.random((words - 1) // half(sequence_length) + 1) < short, half(sequence_length), sequence_length)
    edges = np.concatenate([[0], np.cumsum(lengths)])
    return edges[edges < words]


def half(sequence_length):
    """Words of a short window."""
    return max(1, sequence_length // 2)


def cookbook(ids, batch_size, sequence_length):
    """The chunks of the TensorFlow Machine Learning Cookbook, ch. 9.3.

    The text is cut into nearly equal pieces, and each is repeated to fill its chunk (`np.resize`).

    Args:
        ids: int32 [words].
    Returns:
        int32 [chunks, batch_size, sequence_length], chunks = words // (batch_size * sequence_length) + 1.
    Raises:
        ValueError: there are no words.
    """
    if not len(ids):
        raise ValueError("there are no words")
    pieces = np.array_split(ids, len(ids) // (batch_size * sequence_length) + 1)
    return np.stack([np.resize(piece, [batch_size, sequence_length]) for piece in pieces])


def stream_blocks(blocks, words, batch_size):
    """As `stream`, of a text that is too long for memory.

    Args:
        blocks: iterable of int32 arrays, the text in order.
        words: number of words in them.
    Returns:
        (shape of what `stream` makes, iterator of its values in order: int32 arrays)
    """
    length = words // batch_size
    return (batch_size, length), _first(blocks, batch_size * length)


def cookbook_blocks(blocks, words, batch_size, sequence_length):
    """As `cookbook`, of a text that is too long for memory; arguments and results as of `stream_blocks`."""
    pieces = words // (batch_size * sequence_length) + 1
    return (pieces, batch_size, sequence_length), _chunks(blocks, words, pieces, batch_size * sequence_length)


def _first(blocks, values):
    """The first so many values of some blocks."""
    for block in blocks:
        yield block[:values]
        values -= min(len(block), values)


def _chunks(blocks, words, pieces, size):
    """Cut a text into pieces as `np.array_split` does, the first words % pieces of them one word longer than the others, and
    repeat each to `size` values as `np.resize` does."""
    length, longer = divmod(words, pieces)
    repeated, made = np.arange(size), 0
    held, words_held = [], 0
    for block in blocks:
        held.append(block)
        words_held += len(block)
        if words_held < length + (made < longer):
            continue
        left = np.concatenate(held)
        for width, until in ((length + 1, longer), (length, pieces)):
            count = min(until - made, len(left) // width) if width else 0
            if count > 0:
                yield left[: count * width].reshape(count, width)[:, repeated % width]  # [count, size]
                left, made = left[count * width :], made + count
            if made < until:
                break
        held, words_held = [left], len(left)
    if not length:  # pieces without words, which np.resize fills with zeros
        yield np.zeros([pieces - longer, size], np.int32)


def cookbook_windows(chunks, order):
    """The book's epoch: chunks in a shuffled order, targets rolled within each row.

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


def epoch(train, recipe, sequence_length, seed, number, short=0.0):
    """The windows of one epoch, in order.

    Args:
        train: the array that `stream` or `cookbook` made.
        recipe: "stream" or "cookbook".
        seed, number: the training's seed and the epoch's number; together they fix the cookbook's shuffle and which windows are short.
        short: as of `stream_windows`; the cookbook's chunks are all of one length.
    Returns:
        iterator of (inputs, targets), int32 [batch, time] each.
    """
    draws = np.random.default_rng([seed, number])
    if recipe == "stream":
        return stream_windows(train, sequence_length, short, draws)
    return cookbook_windows(train, draws.permutation(len(train)))


def steps_per_epoch(train, recipe, sequence_length, seed=0, number=1, short=0.0):
    """Number of windows in an epoch, as `epoch` cuts it. Of `train` only its shape counts."""
    if recipe == "stream":
        return len(stream_edges(train.shape[1], sequence_length, short, np.random.default_rng([seed, number]))) - 1
    return train.shape[0]
