"""Choosing the next word, and the loops that write a text, in graph. Shapes are [rows], one row a text.

What is asked of a word comes in this order, which is that of Hugging Face's transformers, so that settings mean the same in both:

    logits -> repetition penalty -> no repeated n-gram -> temperature -> top_k -> top_p, of what top_k left -> min_p

`<unk>` (id 0) is never written, so that 0 stands for no word after a text's end.
"""

import math
from typing import NamedTuple

import tensorflow as tf

LEAST_TEMPERATURE = 1e-4
MOST_PENALTY = 100.0
NEVER = -1e30  # the logit of a word that may not be written; finite, so that no NaN can come of it
KEPT = 1e30  # above every score
NO_WORD = -1  # what a text is padded with on its left
TRIES = 16  # draws of a word within top_p; the chance that none of them is within is far below that of a rounding error
ROWS = 8  # from so many on it pays to turn the softmax weights over once: products with few rows read them faster then
MOST_SUM = 1e20  # of exponentials, and 1 / the least: far from where float32 ends
GROUP = 16  # words; the k most probable words are in the k groups with the most probable words


class Settings(NamedTuple):
    """How words are chosen; all scalars.

    Attributes:
        temperature: float32; 0 is greedy: always the most probable word.
        top_k: int32; among the k most probable words, 0: all.
        top_p: float32 in (0, 1]; among the most probable words that together reach this share of what top_k left (Holtzman et al. 2020),
            1: all.
        min_p: float32 in [0, 1]; among the words that are at least this times as probable as the most probable one, after the temperature
            (Nguyen et al. 2024), 0: all.
        repetition_penalty: float32; as `discourage`, 1: none.
        no_repeat_ngram: int32; as `without_repeats`, 0: off.
        stop: bool; a text ends with the first word written that is an end of a sentence.
    """

    temperature: tf.Tensor
    top_k: tf.Tensor
    top_p: tf.Tensor
    min_p: tf.Tensor
    repetition_penalty: tf.Tensor
    no_repeat_ngram: tf.Tensor
    stop: tf.Tensor


def choose(logits, uniform, greedy, top_k, top_p, min_p):
    """Choose a word for every row.

    Args:
        logits: float32 [rows, vocabulary], divided by the temperature.
        uniform: float32 [rows, TRIES] in [0, 1), the randomness.
        greedy: bool scalar; take the most probable word.
        top_k, top_p, min_p: as in `Settings`.
    Returns:
        int32 [rows]
    """
    limited = tf.logical_or(top_p < 1.0, min_p > 0.0)

    def sampled():
        return tf.cond(top_k > 0, lambda: _within_top_k(logits, uniform[:, 0], top_k, top_p, min_p), from_all)

    def from_all():
        exps, blocks, sums = _exponentials(logits)
        word = _draw(blocks, sums, uniform[:, 0])
        return tf.cond(limited, lambda: within(exps, tf.reduce_sum(sums, axis=1), word), lambda: word)

    def within(exps, total, word):
        def likely():
            # Not by drawing again, as top_p: at a high temperature, which min_p is for, few words of many may be left.
            left = tf.where(exps >= min_p * tf.reduce_max(exps, axis=1, keepdims=True), exps, 0.0)
            return left, draw(left, uniform[:, 0])

        # Both keep the most probable words only: whichever keeps fewer decides, and top_p is a share of all.
        left, word = tf.cond(min_p > 0.0, likely, lambda: (exps, word))
        return _within_top_p(left, total, word, uniform, tf.where(top_p < 1.0, top_p, 2.0))  # 2: rounding must not make it less than all

    return tf.cond(greedy, lambda: tf.argmax(logits, axis=1, output_type=tf.int32), sampled)


def draw(weights, uniform):
    """Draw from a distribution: where its cumulative sum passes `uniform` of the total.

    In two steps, since a cumulative sum is slow: of blocks of about sqrt(words) words, then within one block.

    Args:
        weights: float32 [rows, words], at least 0, not normalised.
        uniform: float32 [rows] in [0, 1).
    Returns:
        int32 [rows], an index whose weight is above 0.
    """
    return _draw(*_blocks(weights), uniform)


def _draw(blocks, sums, uniform):
    block, rest = _inverse_cdf(sums, uniform)
    word, _ = _inverse_cdf(tf.gather(blocks, block, axis=1, batch_dims=1), rest)
    return block * blocks.shape[2] + word


def _exponentials(logits):
    """exp of [rows, words], each row up to a factor of its own, and its `_blocks`.

    The factor is 1, which saves two passes over the logits, but for rows whose sum would be too large or too small: theirs makes the
    largest exponential 1.
    """
    exps = tf.exp(logits)
    blocks, sums = _blocks(exps)
    total = tf.reduce_sum(sums, axis=1, keepdims=True)
    fits = tf.logical_and(total > 1 / MOST_SUM, total < MOST_SUM)

    def shifted():
        exps = tf.exp(logits - tf.where(fits, 0.0, tf.reduce_max(logits, axis=1, keepdims=True)))
        return exps, *_blocks(exps)

    return tf.cond(tf.reduce_all(fits), lambda: (exps, blocks, sums), shifted)


def _blocks(weights):
    """[rows, words] -> ([rows, blocks, size], padded with 0; sums [rows, blocks])"""
    blocks = _grouped(weights, _block_size(weights.shape[1]), 0.0)
    return blocks, tf.reduce_sum(blocks, axis=2)


def _block_size(words):
    """About sqrt(words), of whole groups if there are some."""
    root = math.sqrt(words)
    return GROUP * round(root / GROUP) if root >= GROUP else math.ceil(root)


def _grouped(numbers, size, padding):
    """[rows, words] -> [rows, groups, size] of neighbours, padded at the end."""
    words = numbers.shape[1]
    groups = -(-words // size)
    if groups * size > words:  # not tf.pad, which is several times slower
        numbers = tf.concat([numbers, tf.fill([tf.shape(numbers)[0], groups * size - words], padding)], axis=1)
    return tf.reshape(numbers, [-1, groups, size])


def _inverse_cdf(weights, uniform):
    """(index at which the cumulative sum passes `uniform` of the total, int32 [rows]; how far into it, float32 [rows] in [0, 1])."""
    cumulative = tf.cumsum(weights, axis=1)  # [rows, words]
    total = cumulative[:, -1:]
    bound = uniform[:, tf.newaxis] * total
    # How many the bound has passed. Rounding may put it on the total itself: the last one that has any weight is then the answer.
    passed = tf.raw_ops.UpperBound(sorted_inputs=cumulative, values=bound)
    index = tf.minimum(passed, tf.raw_ops.LowerBound(sorted_inputs=cumulative, values=total))  # [rows, 1]
    weight = tf.gather(weights, index, axis=1, batch_dims=1)
    before = tf.gather(cumulative, index, axis=1, batch_dims=1) - weight
    return index[:, 0], tf.clip_by_value((bound - before) / weight, 0.0, 1.0)[:, 0]


def _within_top_p(exps, total, word, uniform, top_p):
    """Draw again until the word is within top_p, without sorting (by rejection, as FlashInfer does: Ye et al. 2025).

    A word is within if those that are more probable do not reach top_p without it. One that is not shows that none which is
    less probable is either: they are left out of the next draw, so that a few draws do.

    Args:
        exps: float32 [rows, words], the distribution, not normalised, but for unlikely words, which may be 0.
        total: float32 [rows], the sum of the distribution.
        word: int32 [rows], drawn from `exps`.
        uniform: float32 [rows, TRIES]; the first of them has been used for `word`.
        top_p: float32 scalar.
    Returns:
        int32 [rows]
    """
    enough = tf.maximum(top_p * total, 1e-30)  # [rows]

    def more_probable(exps, word):
        """Those that are, the others 0."""
        more = exps - tf.gather(exps, word, axis=1, batch_dims=1)[:, tf.newaxis]
        return tf.raw_ops.ReluGrad(gradients=exps, features=more)  # exps where more > 0, in one pass

    def left(rows, more):
        """The rows that have to be drawn again, and what from."""
        out = tf.where(tf.reduce_sum(more, axis=1) >= tf.gather(enough, rows))[:, 0]
        return tf.gather(rows, out), tf.gather(more, out)

    def body(t, word, rows, rest):
        again = draw(rest, tf.gather(uniform[:, t], rows))
        return t + 1, tf.tensor_scatter_nd_update(word, rows[:, tf.newaxis], again), *left(rows, more_probable(rest, again))

    start = 1, word, *left(tf.range(tf.shape(word)[0]), more_probable(exps, word))
    shapes = tf.TensorShape([]), word.shape, tf.TensorShape([None]), tf.TensorShape([None, exps.shape[1]])
    _, word, rows, rest = tf.while_loop(lambda t, word, rows, rest: tf.logical_and(t < TRIES, tf.size(rows) > 0), body, start, shapes)
    # The most probable word always is within.
    return tf.tensor_scatter_nd_update(word, rows[:, tf.newaxis], tf.argmax(rest, axis=1, output_type=tf.int32))


def _within_top_k(logits, uniform, top_k, top_p, min_p):
    """int32 [rows]: drawn from the k most probable words, or the most probable of these that reach top_p of their sum, and min_p."""
    k = tf.minimum(top_k, logits.shape[1])
    values, words = most_probable(logits, k)  # [rows, k], falling
    exps = tf.exp(values - values[:, :1])
    # A word stays while those before it have not reached top_p, so that there is always one.
    before = tf.cumsum(exps, axis=1, exclusive=True)
    stays = tf.logical_or(before < top_p * tf.reduce_sum(exps, axis=1, keepdims=True), top_p >= 1.0)
    stays = tf.logical_and(stays, exps >= min_p)
    index, _ = _inverse_cdf(exps * tf.cast(stays, tf.float32), uniform)
    return tf.gather(words, index, axis=1, batch_dims=1)


def most_probable(logits, k):
    """`tf.math.top_k` in two steps: of groups by their largest, then of what is in these.

    Args:
        logits: float32 [rows, words].
        k: int32 scalar, at most the number of words.
    Returns:
        (values float32 [rows, k], falling; their indices int32 [rows, k])
    """

    def by_groups():
        groups = _grouped(logits, GROUP, logits.dtype.min)  # [rows, groups, GROUP]
        which = tf.math.top_k(tf.reduce_max(groups, axis=2), k).indices  # [rows, k]
        found = tf.reshape(tf.gather(groups, which, axis=1, batch_dims=1), [-1, k * GROUP])
        values, at = tf.math.top_k(found, k)
        return values, tf.gather(which, at // GROUP, axis=1, batch_dims=1) * GROUP + at % GROUP

    return tf.cond(k * GROUP * 2 < logits.shape[1], by_groups, lambda: tuple(tf.math.top_k(logits, k)))


def discourage(logits, text, penalty):
    """Make the words of a text less probable (the repetition penalty of Keskar et al. 2019, "CTRL").

    A word that is in the text, once or often, has its logit divided by the penalty, or multiplied if it is negative, as the libraries do
    it. It is in the nature of the method that the effect depends on where a model's logits have their zero; those of an adaptive
    softmax are log probabilities, which are never positive.

    Args:
        logits: float32 [rows, words], before the temperature, or after: it changes nothing.
        text: int32 [rows, longest], ids, padded with NO_WORD. `<unk>` stands for many words and is left alone.
        penalty: float32 scalar, above 1: less probable, 1: no change.
    Returns:
        float32 [rows, words]
    """
    penalty = tf.clip_by_value(penalty, 1 / MOST_PENALTY, MOST_PENALTY)
    ids = tf.maximum(text, 0)
    found = tf.gather(logits, ids, axis=1, batch_dims=1)  # [rows, longest]
    changed = tf.where(found > 0.0, found / penalty, found * penalty)
    return _replaced(logits, ids, tf.where(ids > 0, changed, found))


def without_repeats(logits, text, size):
    """Forbid every word with which an n-gram of the text would come a second time (Paulus et al. 2018, for n = 3).

    Where that leaves no word at all, the row may write any but `<unk>`.

    Args:
        logits: float32 [rows, words], that of `<unk>` NEVER.
        text: int32 [rows, longest], ids, padded with NO_WORD on the left.
        size: int32 scalar, the n-gram's words, at least 1: with 1, no word comes twice.
    Returns:
        float32 [rows, words]
    """
    width = tf.shape(text)[1]

    def longer(same, follows):
        """`follows` of `same` + 1."""
        before = tf.concat([tf.fill([tf.shape(text)[0], same + 1], NO_WORD), text[:, : width - 1 - same]], axis=1)  # [rows, longest]
        follows = tf.logical_and(follows, before == text[:, width - 1 - same, tf.newaxis])
        return same + 1, tf.logical_and(follows, before != NO_WORD)

    # Whether each word of the text follows on as many words as it now ends with: it would be the n-gram's last one again.
    start = 0, text != NO_WORD
    _, follows = tf.while_loop(lambda same, follows: tf.logical_and(same < size - 1, tf.reduce_any(follows)), longer, start)
    left = _replaced(logits, tf.where(follows, text, 0), tf.fill(tf.shape(text), NEVER))
    return tf.where(tf.reduce_max(left, axis=1, keepdims=True) > NEVER / 2, left, logits)


def _replaced(logits, ids, numbers):
    """[rows, words] with others in the places `ids` [rows, any]; where an id comes twice, its number is the same."""
    rows = tf.broadcast_to(tf.range(tf.shape(ids)[0])[:, tf.newaxis], tf.shape(ids))
    return tf.tensor_scatter_nd_update(logits, tf.stack([rows, ids], axis=2), numbers)


def _allowed(logits, text, settings):
    """Logits after what depends on the text so far."""
    penalty, size = settings.repetition_penalty, settings.no_repeat_ngram
    logits = tf.cond(penalty == 1.0, lambda: logits, lambda: discourage(logits, text, penalty))
    return tf.cond(size > 0, lambda: without_repeats(logits, text, size), lambda: logits)


def is_end(words, ends):
    """Whether words, int32 [any], are among the ids of the list `ends`: bool [any]."""
    if not ends:
        return tf.zeros_like(words, tf.bool)
    return tf.reduce_any(words[..., tf.newaxis] == tf.constant(ends), axis=-1)


def prime(model, prompts, lengths):
    """Read prompts up to their last word.

    Args:
        model: LanguageModel.
        prompts: int32 [rows, longest], ids, padded at the end.
        lengths: int32 [rows], words of each prompt, at least 1.
    Returns:
        (last words int32 [rows], state float32 [layers, 2, rows, hidden]), of which `write` goes on.
    """

    def body(t, states):
        _, after = model.step(prompts[:, t], states)
        reads = (t < lengths - 1)[:, tf.newaxis]
        return t + 1, tf.nest.map_structure(lambda new, old: tf.where(reads, new, old), after, states)

    steps = tf.reduce_max(tf.concat([lengths, [0]], axis=0)) - 1  # there may be no rows
    states = model.states(model.initial_state(tf.shape(prompts)[0]))
    _, states = tf.while_loop(lambda t, _: t < steps, body, (0, states), parallel_iterations=1)
    return tf.gather(prompts, lengths - 1, axis=1, batch_dims=1), model.state(states)


def text_of(prompts, lengths):
    """The arguments of `prime` -> int32 [rows, longest]: the words at the right, NO_WORD at the left."""
    longest = tf.shape(prompts)[1]
    place = tf.range(longest)[tf.newaxis] - (longest - lengths)[:, tf.newaxis]  # [rows, longest]
    return tf.where(place < 0, NO_WORD, tf.gather(prompts, tf.maximum(place, 0), axis=1, batch_dims=1))


def write(model, last, state, text, ended, noise, settings, ends=()):
    """Write some words in every row. A row's words do not depend on the other rows.

    Args:
        model: LanguageModel.
        last, state: of `prime`, or of another `write`, which this one then goes on from.
        text: int32 [rows, longest], the text so far, `last` included: of `text_of`, or of the other `write`.
        ended: bool [rows], whose text has come to its end; of no effect unless `settings.stop`.
        noise: float32 [rows, words, TRIES] in [0, 1): `noise` of these words.
        settings: Settings.
        ends: list of int, the ids of words that end a sentence.
    Returns:
        (words int32 [rows, words], never `<unk>`: 0 is none, after a text's end; last words [rows]; state; text [rows, longest + words])
    """
    count, rows = tf.shape(noise)[1], tf.shape(last)[0]
    greedy = settings.temperature <= 0.0
    # Any smaller temperature is greedy too; it would only overflow.
    sharpness = tf.where(greedy, 1.0, 1 / tf.maximum(settings.temperature, LEAST_TEMPERATURE))
    forbidden = tf.one_hot(0, model.shape.vocabulary_size, on_value=NEVER, off_value=0.0)
    limits = settings.top_k, settings.top_p, settings.min_p

    def loop(logits_of):
        def body(t, last, states, written):
            hidden, states = model.step(last, states)
            word = tf.ensure_shape(choose(logits_of(hidden * sharpness), noise[:, t], greedy, *limits), last.shape)
            return t + 1, word, states, written.write(t + 1, word)

        # One more than are asked for: an empty array cannot be stacked.
        written = tf.TensorArray(tf.int32, size=count + 1, element_shape=last.shape).write(0, last)
        start = 0, last, model.states(state), written
        _, word, states, written = tf.while_loop(lambda t, *_: t < count, body, start, parallel_iterations=1)
        words = tf.transpose(written.stack()[1:])
        return words, word, model.state(states), tf.concat([text, words], axis=1)

    def watching(logits_of):
        """The loop that looks back at the text. The other one is for speed: it has none of this in it."""

        def body(t, last, states, text, ended):
            hidden, states = model.step(last, states)
            logits = _allowed(logits_of(hidden * sharpness), text, settings)
            word = tf.where(ended, 0, tf.ensure_shape(choose(logits, noise[:, t], greedy, *limits), last.shape))
            ends_here = tf.logical_and(settings.stop, is_end(word, ends))
            return t + 1, tf.where(ended, last, word), states, _longer(text, word), tf.logical_or(ended, ends_here)

        start = 0, last, model.states(state), _with_room(text, count), tf.logical_and(ended, settings.stop)
        steps, word, states, after, _ = tf.while_loop(
            lambda t, *loop: tf.logical_and(t < count, tf.logical_not(tf.reduce_all(loop[-1]))), body, start, parallel_iterations=1
        )
        after = _without_room(after, count, steps)
        return after[:, tf.shape(text)[1] :], word, model.state(states), after

    watches = tf.logical_or(settings.repetition_penalty != 1.0, settings.no_repeat_ngram > 0)
    if ends:
        watches = tf.logical_or(watches, settings.stop)
    if model.tails:  # log probabilities, which are sharpened only after they were made
        of_tails = lambda hidden: model.logits(hidden / sharpness) * sharpness + forbidden  # noqa: E731
        return tf.cond(watches, lambda: watching(of_tails), lambda: loop(of_tails))
    bias = model.softmax_bias * sharpness + forbidden
    turned = lambda: by_turned_weights(model.softmax_weights, bias)  # noqa: E731
    return tf.cond(
        watches,
        lambda: watching(turned()),
        lambda: tf.cond(
            rows < ROWS,
            lambda: loop(lambda hidden: tf.matmul(hidden, model.softmax_weights, transpose_b=True) + bias),
            lambda: loop(turned()),
        ),
    )


def _with_room(text, count):
    """A text for a loop that moves it to the left by a word a step."""
    return tf.concat([tf.fill([tf.shape(text)[0], count], NO_WORD), text], axis=1)


def _longer(text, word):
    return tf.concat([text[:, 1:], word[:, tf.newaxis]], axis=1)


def _without_room(text, count, steps):
    """The text after so many steps of `count`, as long as if they all had been done."""
    return tf.concat([text[:, count - steps :], tf.zeros([tf.shape(text)[0], count - steps], tf.int32)], axis=1)


def beam_search(model, last, state, text, count, width, best, settings, ends=()):
    """The most probable texts that a beam search finds. Nothing is drawn: the same prompts give the same texts.

    Step by step the `width` hypotheses of each row with the largest log probability are kept. That is the model's own, `<unk>` included,
    which is not written, and after the repetition penalty; temperature, top_k, top_p and min_p are of no effect. With
    `settings.stop`, a hypothesis that has come to its end keeps its place to the last (Sutskever et al. 2014), and at the last those
    of different lengths are compared by their log probability per word.

    Args:
        model, last, state, text, ends: as `write`.
        count: int32 scalar, words to write.
        width: int32 scalar, at least 1; 1 is greedy.
        best: int32 scalar, how many texts of each row, at most `width`.
        settings: Settings.
    Returns:
        words int32 [rows * best, count], 0: none, after a text's end; the best of each row first.
    """
    rows, vocabulary = tf.shape(last)[0], model.shape.vocabulary_size
    each = tf.minimum(width, vocabulary)  # of the best of all hypotheses' words, no hypothesis has more
    logits_of = model.logits if model.tails else by_turned_weights(model.softmax_weights, model.softmax_bias)

    def words_of(hidden, text):
        """(log probabilities float32 [rows, width, each], falling; words int32 [rows, width, each])"""
        logits = logits_of(hidden)  # [rows * width, vocabulary]
        penalty, size = settings.repetition_penalty, settings.no_repeat_ngram
        logits = tf.cond(penalty == 1.0, lambda: logits, lambda: discourage(logits, text, penalty))
        total = tf.reduce_logsumexp(logits, axis=1, keepdims=True)
        logits += tf.one_hot(0, tf.shape(logits)[1], on_value=NEVER, off_value=0.0)
        logits = tf.cond(size > 0, lambda: without_repeats(logits, text, size), lambda: logits)
        values, words = most_probable(logits, each)
        return tf.reshape(values - total, [rows, width, each]), tf.reshape(words, [rows, width, each])

    def body(t, last, states, text, scores, lengths, ended):
        hidden, states = model.step(last, states)
        values, words = words_of(hidden, text)
        # What has ended has one way to go on, as it is.
        first, over = tf.range(each) == 0, ended[:, :, tf.newaxis]
        after = tf.where(over, tf.where(first, 0.0, NEVER), values) + scores[:, :, tf.newaxis]  # [rows, width, each]
        rank = tf.where(tf.logical_and(over, first), KEPT, after)
        at = tf.math.top_k(tf.reshape(rank, [rows, width * each]), width).indices  # [rows, width]

        def chosen(numbers):
            return tf.gather(tf.reshape(numbers, [rows, width * each]), at, axis=1, batch_dims=1)

        parent = at // each
        scores, was_over = chosen(after), tf.gather(ended, parent, axis=1, batch_dims=1)
        word = tf.where(was_over, 0, chosen(words))
        lengths = tf.gather(lengths, parent, axis=1, batch_dims=1) + tf.cast(word > 0, tf.float32)
        ends_here = tf.logical_and(settings.stop, is_end(word, ends))
        # Places for which there was no hypothesis do not end: an end would keep them.
        ended = tf.logical_and(tf.logical_or(was_over, ends_here), scores > NEVER / 2)
        place = tf.reshape(parent + width * tf.range(rows)[:, tf.newaxis], [-1])
        word = tf.reshape(word, [-1])
        states = tf.nest.map_structure(lambda x: tf.gather(x, place), states)
        return t + 1, word, states, _longer(tf.gather(text, place), word), scores, lengths, ended

    # One hypothesis of each row to start with; the other places are empty.
    scores = tf.one_hot(tf.zeros([rows], tf.int32), width, on_value=0.0, off_value=NEVER)  # [rows, width]
    start = (
        0,
        tf.repeat(last, width),
        model.states(tf.repeat(state, width, axis=2)),
        tf.repeat(_with_room(text, count), width, axis=0),
        scores,
        tf.zeros_like(scores),
        tf.zeros_like(scores, tf.bool),
    )
    steps, _, _, after, scores, lengths, _ = tf.while_loop(
        lambda t, *loop: tf.logical_and(t < count, tf.logical_not(tf.reduce_all(loop[-1]))), body, start, parallel_iterations=1
    )
    after = _without_room(after, count, steps)[:, tf.shape(text)[1] :]
    order = tf.math.top_k(scores / tf.maximum(lengths, 1.0), width).indices  # [rows, width]
    # If there are fewer than are asked for, the last one again.
    there = tf.reduce_sum(tf.cast(scores > NEVER / 2, tf.int32), axis=1, keepdims=True)
    which = tf.gather(order, tf.minimum(tf.range(best)[tf.newaxis], there - 1), axis=1, batch_dims=1)  # [rows, best]
    return tf.gather(after, tf.reshape(which + width * tf.range(rows)[:, tf.newaxis], [-1]))


def by_turned_weights(weights, bias):
    """hidden -> logits, with the weights turned over once, and as many words that are never written as make whole blocks."""
    words, width = weights.shape
    whole = words
    while whole % _block_size(whole):  # more words may make the blocks larger
        whole += 1
    missing = whole - words
    # In halves, since TensorFlow's optimiser would move a single transposition into every product.
    halves = tf.transpose(weights[:, : width // 2]), tf.transpose(weights[:, width // 2 :])
    turned = tf.concat([*halves, bias[tf.newaxis]], axis=0)  # [width + 1, vocabulary]
    never = tf.concat([tf.zeros([width, missing]), tf.fill([1, missing], NEVER)], axis=0)
    turned = tf.concat([turned, never], axis=1)  # [width + 1, vocabulary + missing]
    return lambda hidden: tf.matmul(tf.concat([hidden, tf.ones([tf.shape(hidden)[0], 1])], axis=1), turned)


def noise(keys, seed, start, count):
    """The randomness of `write`: it depends on the row's key, the seed and the position, on nothing else.

    Args:
        keys: int32 [rows]: rows with equal keys get equal numbers.
        seed: int32 scalar.
        start: int32 scalar, the position of the first word: how many the row has been given before.
        count: int32 scalar, words.
    Returns:
        float32 [rows, count, TRIES] in [0, 1).
    """

    def row(key):
        return tf.random.stateless_uniform([start + count, TRIES], seed=tf.stack([seed, key]))[start:]

    # One row more than asked for: map_fn cannot stack none.
    rows = tf.map_fn(row, tf.concat([keys, [0]], axis=0), fn_output_signature=tf.TensorSpec([None, TRIES], tf.float32))
    return rows[:-1]
