"""The text so far of each row, as ids: int32 [rows, longest], the words at the right, NO_WORD at the left of shorter texts."""

from collections.abc import Sequence

import tensorflow as tf

NO_WORD = -1


def align_right(prompts: tf.Tensor, lengths: tf.Tensor) -> tf.Tensor:
    """Make a history of prompts.

    Args:
        prompts: int32 [rows, longest], ids, padded at the end.
        lengths: int32 [rows], number of words of each prompt.
    Returns:
        int32 [rows, longest], padded with NO_WORD on the left.
    """
    longest = tf.shape(prompts)[1]
    place = tf.range(longest)[tf.newaxis] - (longest - lengths)[:, tf.newaxis]  # [rows, longest]
    return tf.where(place < 0, NO_WORD, tf.gather(prompts, tf.maximum(place, 0), axis=1, batch_dims=1))


def reserve(history: tf.Tensor, count: tf.Tensor) -> tf.Tensor:
    """Make room for `count` words. A loop then keeps the shape of the history: `append` moves the text to the left."""
    return tf.concat([tf.fill([tf.shape(history)[0], count], NO_WORD), history], axis=1)


def append(history: tf.Tensor, word: tf.Tensor) -> tf.Tensor:
    """Append a word to each row, int32 [rows], in place of the leftmost entry. A history without columns stays as it is."""
    return tf.concat([history, word[:, tf.newaxis]], axis=1)[:, 1:]


def release(history: tf.Tensor, count: tf.Tensor, steps: tf.Tensor) -> tf.Tensor:
    """Remove the room that is left when a loop ended after `steps` of `count` words, and pad the end with 0 in its place."""
    return tf.concat([history[:, count - steps :], tf.zeros([tf.shape(history)[0], count - steps], tf.int32)], axis=1)


def join(history: tf.Tensor, words: tf.Tensor) -> tf.Tensor:
    """Add generated words, int32 [rows, words], 0 after the end of a text, to a history, which stays aligned on the right."""
    missing = tf.reduce_sum(tf.cast(words == 0, tf.int32), axis=1, keepdims=True)  # [rows, 1]
    joined = tf.concat([history, words], axis=1)
    place = tf.range(tf.shape(joined)[1])[tf.newaxis] - missing
    return tf.where(place < 0, NO_WORD, tf.gather(joined, tf.maximum(place, 0), axis=1, batch_dims=1))


def ends_sentence(words: tf.Tensor, ends: Sequence[int]) -> tf.Tensor:
    """Whether words, int32 [any], are among the ids `ends`: bool [any]."""
    if not ends:
        return tf.zeros_like(words, tf.bool)
    return tf.reduce_any(words[..., tf.newaxis] == tf.constant(ends), axis=-1)
