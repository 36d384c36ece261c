"""Choosing the next word, and the loop that writes a text, in graph. Shapes are [rows], one row a text."""

import math

import tensorflow as tf

LEAST_TEMPERATURE = 1e-4
NEVER = -1e30  # the logit of a word that may not be written; finite, so that no NaN can come of it
TRIES = 16  # draws of a word within top_p; the chance that none of them is within is far below that of a rounding error
ROWS = 8  # from so many on it pays to turn the softmax weights over once: products with few rows read them faster then
MOST_SUM = 1e20  # of exponentials, and 1 / the least: far from where float32 ends
GROUP = 16  # words; the k most probable words are in the k groups with the most probable words


def choose(logits, uniform, greedy, top_k, top_p):
    """Choose a word for every row.

    Args:
        logits: float32 [rows, vocabulary], divided by the temperature.
        uniform: float32 [rows, TRIES] in [0, 1), the randomness.
        greedy: bool scalar; take the most probable word.
        top_k: int32 scalar; only the k most probable words, 0: all.
        top_p: float32 scalar in (0, 1]; only the most probable words that together reach this share of what top_k
            left (Holtzman et al. 2020), 1: all.
    Returns:
        int32 [rows]
    """

    def sampled():
        return tf.cond(top_k > 0, lambda: _within_top_k(logits, uniform[:, 0], top_k, top_p), from_all)

    def from_all():
        exps, blocks, sums = _exponentials(logits)
        word = _draw(blocks, sums, uniform[:, 0])
        return tf.cond(top_p < 1.0, lambda: _within_top_p(exps, tf.reduce_sum(sums, axis=1), word, uniform, top_p), lambda: word)

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
        exps: float32 [rows, words], the distribution, not normalised. total: float32 [rows], their sum.
        word: int32 [rows], drawn from it.
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


def _within_top_k(logits, uniform, top_k, top_p):
    """int32 [rows]: drawn from the k most probable words, or the most probable of these that reach top_p of their sum."""
    k = tf.minimum(top_k, logits.shape[1])
    values, words = most_probable(logits, k)  # [rows, k], falling
    exps = tf.exp(values - values[:, :1])
    # A word stays while those before it have not reached top_p, so that there is always one.
    before = tf.cumsum(exps, axis=1, exclusive=True)
    stays = tf.logical_or(before < top_p * tf.reduce_sum(exps, axis=1, keepdims=True), top_p >= 1.0)
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


def write(model, last, state, noise, temperature, top_k, top_p):
    """Write some words in every row. A row's words do not depend on the other rows.

    Args:
        model: LanguageModel.
        last, state: of `prime`, or of another `write`, which this one then goes on from.
        noise: float32 [rows, words, TRIES] in [0, 1): `noise` of these words.
        temperature: float32 scalar, 0 is greedy: always the most probable word.
        top_k, top_p: as `choose`.
    Returns:
        (words int32 [rows, words], never id 0 (`<unk>`); last words [rows]; state)
    """
    count = tf.shape(noise)[1]
    greedy = temperature <= 0.0
    # Any smaller temperature is greedy too; it would only overflow.
    sharpness = tf.where(greedy, 1.0, 1 / tf.maximum(temperature, LEAST_TEMPERATURE))
    forbidden = tf.one_hot(0, model.shape.vocabulary_size, on_value=NEVER, off_value=0.0)

    def loop(logits_of):
        def body(t, last, states, written):
            hidden, states = model.step(last, states)
            word = tf.ensure_shape(choose(logits_of(hidden * sharpness), noise[:, t], greedy, top_k, top_p), last.shape)
            return t + 1, word, states, written.write(t + 1, word)

        # One more than are asked for: an empty array cannot be stacked.
        written = tf.TensorArray(tf.int32, size=count + 1, element_shape=last.shape).write(0, last)
        start = 0, last, model.states(state), written
        _, word, states, written = tf.while_loop(lambda t, *_: t < count, body, start, parallel_iterations=1)
        return tf.transpose(written.stack()[1:]), word, model.state(states)

    if model.tails:  # log probabilities, which are sharpened only after they were made
        return loop(lambda hidden: model.logits(hidden / sharpness) * sharpness + forbidden)
    bias = model.softmax_bias * sharpness + forbidden
    return tf.cond(
        tf.shape(last)[0] < ROWS,
        lambda: loop(lambda hidden: tf.matmul(hidden, model.softmax_weights, transpose_b=True) + bias),
        lambda: loop(by_turned_weights(model.softmax_weights, bias)),
    )


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
