"""Choosing the next word, and the loop that writes a text, in graph. Shapes are [rows], one row a text."""

import tensorflow as tf

LEAST_TEMPERATURE = 1e-4
NEVER = -1e30  # the logit of a word that may not be written; finite, so that no NaN can come of it


def choose(logits, uniform, temperature, top_k, top_p):
    """Choose a word for every row.

    Args:
        logits: float32 [rows, vocabulary].
        uniform: float32 [rows] in [0, 1), the randomness.
        temperature: float32 scalar; 0 is greedy: the most probable word.
        top_k: int32 scalar; only the k most probable words, 0: all.
        top_p: float32 scalar in (0, 1]; only the most probable words that together reach this share of what top_k
            left (Holtzman et al. 2020), 1: all.
    Returns:
        int32 [rows]
    """

    def greedy():
        return tf.argmax(logits, axis=1, output_type=tf.int32)

    def sampled():
        # Any smaller temperature is greedy too; it would only overflow.
        scaled = (logits - tf.reduce_max(logits, axis=1, keepdims=True)) / tf.maximum(temperature, LEAST_TEMPERATURE)
        limited = tf.logical_or(top_k > 0, top_p < 1.0)
        return tf.cond(limited, lambda: _from_the_top(scaled, uniform, top_k, top_p), lambda: _inverse_cdf(tf.nn.softmax(scaled), uniform))

    return tf.cond(temperature > 0.0, sampled, greedy)


def _inverse_cdf(probabilities, uniform):
    """The word at which the cumulative probability passes `uniform` of the total."""
    cumulative = tf.cumsum(probabilities, axis=1)  # [rows, words]
    below = cumulative <= uniform[:, tf.newaxis] * cumulative[:, -1:]
    # Rounding may put the bound on the total itself: the last word that has any probability is then the answer.
    last = tf.reduce_sum(tf.cast(cumulative < cumulative[:, -1:], tf.int32), axis=1)
    return tf.minimum(tf.reduce_sum(tf.cast(below, tf.int32), axis=1), last)


def _from_the_top(logits, uniform, top_k, top_p):
    size = tf.shape(logits)[1]
    k = tf.where(top_k > 0, tf.minimum(top_k, size), size)
    values, words = tf.math.top_k(logits, k)  # [rows, k], falling
    probabilities = tf.nn.softmax(values)
    # A word stays while those before it have not reached top_p, so that there is always one.
    before = tf.cumsum(probabilities, axis=1, exclusive=True)
    probabilities = tf.where(tf.logical_or(before < top_p, top_p >= 1.0), probabilities, 0.0)
    return tf.gather(words, _inverse_cdf(probabilities, uniform), axis=1, batch_dims=1)


def generate(model, prompts, lengths, noise, max_words, temperature, top_k, top_p):
    """Continue each prompt by `max_words` words.

    All rows advance together, one word a step: a row is fed its prompt first, then its own words. A row's words do not
    depend on the other rows.

    Args:
        model: LanguageModel.
        prompts: int32 [rows, longest], ids, padded at the end.
        lengths: int32 [rows], words of each prompt, at least 1.
        noise: float32 [rows, max_words] in [0, 1), one number for each word to be written.
        max_words: int32 scalar.
        temperature, top_k, top_p: as `choose`.
    Returns:
        int32 [rows, max_words], never id 0 (`<unk>`).
    """
    rows = tf.shape(prompts)[0]
    longest = tf.shape(prompts)[1]
    forbidden = tf.one_hot(0, model.shape.vocabulary_size, on_value=NEVER, off_value=0.0)
    steps = tf.where(max_words > 0, tf.reduce_max(lengths) + max_words - 1, 0)
    first = tf.reduce_min(lengths) - 1  # no row writes a word before this step, so no logits are needed
    blank = tf.zeros([rows, max_words], tf.int32)

    def body(t, fed, state, written):
        hidden, state = model.encode(fed[:, tf.newaxis], state)

        def write():
            position = t - (lengths - 1)  # [rows], which of its words each row writes now
            active = tf.logical_and(position >= 0, position < max_words)
            at = tf.clip_by_value(position, 0, max_words - 1)
            word = choose(model.logits(hidden[:, 0]) + forbidden, tf.gather(noise, at, axis=1, batch_dims=1), temperature, top_k, top_p)
            cells = tf.stack([tf.range(rows), at], axis=1)
            kept = tf.where(active, word, tf.gather_nd(written, cells))
            return word, tf.tensor_scatter_nd_update(written, cells, kept)

        word, written = tf.cond(t >= first, write, lambda: (fed, written))
        upcoming = prompts[:, tf.minimum(t + 1, longest - 1)]
        return t + 1, tf.where(t + 1 < lengths, upcoming, word), state, written

    start = (0, prompts[:, 0], model.initial_state(rows), blank)
    invariants = (
        tf.TensorShape([]),
        tf.TensorShape([None]),
        tf.TensorShape([model.shape.layers, 2, None, model.shape.hidden_size]),
        tf.TensorShape([None, None]),
    )
    return tf.while_loop(lambda t, *_: t < steps, body, start, shape_invariants=invariants)[3]


def noise(keys, seed, max_words):
    """The randomness of `generate`: it depends on the row's key, the seed and the position, on nothing else.

    Args:
        keys: int32 [rows]: rows with equal keys get equal numbers.
        seed: int32 scalar.
        max_words: int32 scalar; more words have the same beginning.
    Returns:
        float32 [rows, max_words] in [0, 1).
    """

    def row(key):
        return tf.random.stateless_uniform([max_words], seed=tf.stack([seed, key]))

    # One row more than asked for: map_fn cannot stack none.
    rows = tf.map_fn(row, tf.concat([keys, [0]], axis=0), fn_output_signature=tf.TensorSpec([None], tf.float32))
    return rows[:-1]
