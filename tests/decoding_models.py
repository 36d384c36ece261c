"""Prompts, options and traced functions for the tests of the decoding loop and of beam search."""

import functools

import numpy as np
import tensorflow as tf

from lstm_lm.generation import decoding, logits, option_tensors, options
from lstm_lm.generation.beam_search import beam_search
from lstm_lm.generation.decoding import Extras, Generation, Texts
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.generation.sampling import Draws
from lstm_lm.generation.text_history import NO_WORD
from lstm_lm.model.mixture import state_spec

ENDS = [4, 9]
PROMPTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9], [0, 1]]
# Sets of options that depend on the text so far.
LOOKING_BACK = [
    {"repetition_penalty": 1.5},
    {"repetition_penalty": 1.2, "no_repeat_ngram": 3, "temperature": 1.1, "top_k": 6, "min_p": 0.1},
    {"no_repeat_ngram": 1, "temperature": 1.0},
    {"stop_at_sentence_end": True, "temperature": 1.0, "top_p": 0.9},
    {"stop_at_sentence_end": True, "no_repeat_ngram": 2},
]
GRAPH = functools.partial(tf.function, autograph=False)


def logits_of_many_words(words=3000, seed=0):
    """Return logits of enough words to take the code path for large vocabularies. Some are equal."""
    return np.random.default_rng(seed).normal(0, 2, words).round(2).astype(np.float32)


def random_draws(rows, first=None, seed=8):
    """Return the random numbers of one word, with the first one of each row as given."""
    rng = np.random.default_rng(seed)
    keys = tf.constant(rng.integers(0, 2**63, rows).astype(np.uint64))
    first = rng.uniform(size=rows) if first is None else first
    return Draws(tf.constant(np.asarray(first), tf.float32), keys, tf.zeros([rows], tf.int32))


def align_right(texts):
    """Return lists of ids as `text_history.align_right` returns them."""
    longest = max(map(len, texts))
    return tf.constant([[NO_WORD] * (longest - len(text)) + text for text in texts])


def align_left(texts):
    """Return lists of ids as `prefill` takes them: (ids, lengths)."""
    lengths = [len(text) for text in texts]
    return tf.constant([text + [0] * (max(lengths) - len(text)) for text in texts]), tf.constant(lengths)


def option_values(count, **values):
    """Return tensors of options for `count` rows. A list has one value for each row. The default temperature is 0."""
    values = {"temperature": 0.0, **values}
    rows = [GenerationOptions(**{name: v[i] if isinstance(v, list) else v for name, v in values.items()}) for i in range(count)]
    return option_vectors(rows)


def option_vectors(rows):
    """Return tensors of options, from the options of each row."""
    table = {row.name: option_tensors.DTYPES[row.type] for row in options.options()}
    return {name: tf.constant([getattr(row, name) for row in rows], dtype) for name, dtype in table.items()}


def texts_spec(model):
    row, history = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, None], tf.int32)
    return Texts(row, state_spec(model, None), history)


@functools.cache
def prefill_in_graph(model):
    """Trace `prefill` once for any number of rows, because tracing takes longer than reading the prompts."""
    signature = [tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)]
    return GRAPH(functools.partial(decoding.prefill, model), input_signature=signature)


@functools.cache
def generate_in_graph(model, with_input_table):
    """Trace `generate` once for any number of rows and words.

    No argument has a default: the cache would take a call that leaves it out for another one, and trace again.
    """

    def generate(texts, keys, positions, options, extras):
        prepared = logits.prepare(model, None if with_input_table else tf.shape(texts.last)[0])
        return Generation(model, prepared, ENDS).generate(texts, keys, positions, OptionTensors(**options), Extras(*extras))

    row = tf.TensorSpec([None], tf.int32)
    extras = [tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None, None], tf.float32), tf.TensorSpec([], tf.int32)]
    return GRAPH(generate, input_signature=[texts_spec(model), tf.TensorSpec([None], tf.int64), row, option_tensors.specs(), extras])


@functools.cache
def search_in_graph(model):
    """Trace beam search once for any number of rows and words."""

    def search(texts, options):
        return beam_search(model, texts, OptionTensors(**options), ENDS)

    return GRAPH(search, input_signature=[texts_spec(model), option_tensors.specs()])


def no_extras(rows):
    """Return the tensors of `Extras` that ask for nothing."""
    return [tf.zeros([rows, 0], tf.int32), tf.zeros([rows, 0]), tf.constant(-1)]


def generate(model, prompts, max_words, keys=None, pieces=None, with_input_table=False, **options):
    """Generate with the decoding loop.

    Args:
        prompts: lists of ids.
        max_words: int.
        keys: keys of the random numbers, one for each prompt.
        pieces: numbers of words to generate in each call, instead of all in one call.
        with_input_table: whether it is prepared for many calls, with the table of the first layer's inputs.
        options: as for `option_values`.

    Returns:
        int [prompts, max_words]
    """
    rows = len(prompts)
    keys = tf.constant(keys or list(range(rows)), tf.int64)
    texts, loop = prefill_in_graph(model)(*align_left(prompts)), generate_in_graph(model, with_input_table)
    parts, start, looks_back = [], 0, options.keys() & {"repetition_penalty", "no_repeat_ngram"}
    for count in pieces or [max_words]:
        # Only options that look back need the history.
        history = texts.history if looks_back else texts.history[:, :0]
        positions = tf.fill([rows], start)
        values = option_values(rows, max_words=count, **options)
        generated, history = loop(texts._replace(history=history), keys, positions, values, no_extras(rows))
        assert generated.log_probabilities.shape == (rows, 0)
        texts = Texts(generated.last, generated.state, history)
        parts.append(generated.words.numpy())
        start += count
    return np.concatenate(parts, axis=1)
