"""Prompts, options and traced functions for the tests of the decoding loop and of beam search."""

import functools

import numpy as np
import tensorflow as tf

from lstm_lm.generation import decoding, option_tensors
from lstm_lm.generation.beam_search import beam_search
from lstm_lm.generation.decoding import Texts
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.generation.random_numbers import UNIFORMS_PER_WORD, uniforms
from lstm_lm.generation.text_history import NO_WORD, ends_sentence

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


def align_right(texts):
    """Return lists of ids as `text_history.align_right` returns them."""
    longest = max(map(len, texts))
    return tf.constant([[NO_WORD] * (longest - len(text)) + text for text in texts])


def align_left(texts):
    """Return lists of ids as `prefill` takes them: (ids, lengths)."""
    lengths = [len(text) for text in texts]
    return tf.constant([text + [0] * (max(lengths) - len(text)) for text in texts]), tf.constant(lengths)


def option_values(**values):
    """Return tensors of options. The default temperature is 0."""
    return option_tensors.tensors(GenerationOptions(**{"temperature": 0.0, **values}))


def texts_spec(model):
    row, history = tf.TensorSpec([None], tf.int32), tf.TensorSpec([None, None], tf.int32)
    return Texts(row, tf.TensorSpec([model.shape.layers, 2, None, model.shape.hidden_size], tf.float32), history)


@functools.cache
def prefill_in_graph(model):
    """Trace `prefill` once for any number of rows, because tracing takes longer than reading the prompts."""
    signature = [tf.TensorSpec([None, None], tf.int32), tf.TensorSpec([None], tf.int32)]
    return GRAPH(functools.partial(decoding.prefill, model), input_signature=signature)


@functools.cache
def generate_in_graph(model):
    """Trace `generate` once for any number of rows and words."""

    def generate(texts, ended, numbers, options):
        return decoding.generate(model, texts, ended, numbers, OptionTensors(**options), ENDS)

    numbers = tf.TensorSpec([None, None, UNIFORMS_PER_WORD], tf.float32)
    return GRAPH(generate, input_signature=[texts_spec(model), tf.TensorSpec([None], tf.bool), numbers, option_tensors.specs()])


@functools.cache
def search_in_graph(model):
    """Trace beam search once for any number of rows and words."""

    def search(texts, options):
        return beam_search(model, texts, OptionTensors(**options), ENDS)

    return GRAPH(search, input_signature=[texts_spec(model), option_tensors.specs()])


def generate(model, prompts, max_words, keys=None, pieces=None, seed=1, **options):
    """Generate with the decoding loop.

    Args:
        prompts: lists of ids.
        keys: keys of the random numbers, one for each prompt.
        pieces: numbers of words to generate in each call, instead of all in one call.
        options: as for `option_values`.

    Returns:
        int [prompts, max_words]
    """
    keys = tf.constant(keys or list(range(len(prompts))), tf.int32)
    texts = prefill_in_graph(model)(*align_left(prompts))
    generated, start = [], 0
    for count in pieces or [max_words]:
        numbers = uniforms(keys, tf.constant(seed), tf.constant(start), tf.constant(count))
        ended = tf.logical_and(start > 0, ends_sentence(texts.last, ENDS))
        words, texts = generate_in_graph(model)(texts, ended, numbers, option_values(**options))
        generated.append(words.numpy())
        start += count
    generated = np.concatenate(generated, axis=1)
    np.testing.assert_array_equal(texts.history[:, -start:] if start else np.zeros([len(prompts), 0]), generated)
    return generated
