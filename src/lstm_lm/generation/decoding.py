"""The loops that read prompts and generate texts, in graph. Shapes are [rows], one row for each text."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import tensorflow as tf

from lstm_lm.generation import penalties, text_history
from lstm_lm.generation.logits import LogitsFunction, adaptive_softmax, block_unknown, plain_softmax, transposed_softmax
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.sampling import sample_next_token
from lstm_lm.generation.text_history import ends_sentence
from lstm_lm.model.language_model import LanguageModel, LayerState

MIN_TEMPERATURE = 1e-4  # anything smaller is greedy too, and would only overflow
MIN_ROWS_TO_TRANSPOSE = 8  # products with fewer rows read the softmax weights faster as they are

LoopVariables = tuple[Any, ...]


class Texts(NamedTuple):
    """Texts that can be continued.

    Attributes:
        last: int32 [rows], the last word of each text.
        state: float32 [layers, 2, rows, hidden], the state before the last word.
        history: int32 [rows, longest], the whole texts, `last` included, as in `generation.text_history`.
    """

    last: tf.Tensor
    state: tf.Tensor
    history: tf.Tensor


def prefill(model: LanguageModel, prompts: tf.Tensor, lengths: tf.Tensor) -> Texts:
    """Read prompts up to their last word.

    Args:
        model: of any shape.
        prompts: int32 [rows, longest], ids, padded at the end.
        lengths: int32 [rows], words of each prompt, at least 1.
    Returns:
        The prompts, ready for `generate` or `beam_search`.
    """

    def body(t: tf.Tensor, states: list[LayerState]) -> tuple[tf.Tensor, list[LayerState]]:
        _, after = model.step(prompts[:, t], states)
        reads = (t < lengths - 1)[:, tf.newaxis]
        return t + 1, tf.nest.map_structure(lambda new, old: tf.where(reads, new, old), after, states)

    steps = tf.reduce_max(tf.concat([lengths, [0]], axis=0)) - 1  # there may be no rows
    states = model.states(model.initial_state(tf.shape(prompts)[0]))
    _, states = tf.while_loop(lambda t, _: t < steps, body, (0, states), parallel_iterations=1)
    last = tf.gather(prompts, lengths - 1, axis=1, batch_dims=1)
    return Texts(last, model.state(states), text_history.align_right(prompts, lengths))


def generate(
    model: LanguageModel,
    texts: Texts,
    ended: tf.Tensor,
    uniforms: tf.Tensor,
    options: OptionTensors,
    ends: Sequence[int] = (),
) -> tuple[tf.Tensor, Texts]:
    """Generate some words in every row. The words of a row do not depend on the other rows.

    Args:
        model: of any shape.
        texts: from `prefill` or another `generate`.
        ended: bool [rows], which texts have come to their end; without effect unless `options.stop_at_sentence_end`.
        uniforms: float32 [rows, words, UNIFORMS_PER_WORD] in [0, 1), the random numbers of these words.
        options: those that apply to words.
        ends: the ids of words that end a sentence.
    Returns:
        (words int32 [rows, words], never `<unk>`: 0 means no word, after the end of a text; the longer texts)
    """
    greedy = options.temperature <= 0.0
    sharpness = tf.where(greedy, 1.0, 1 / tf.maximum(options.temperature, MIN_TEMPERATURE))
    if not ends:
        options = options.replace(stop_at_sentence_end=tf.constant(False))
    loop = DecodingLoop(model, uniforms, options, ends, greedy, sharpness)
    forbidden = block_unknown(model.shape.vocabulary_size)
    if model.tails:
        adaptive = adaptive_softmax(model, sharpness, forbidden)
        words, longer = tf.cond(
            options.looks_back(), lambda: loop.generate_with_history(texts, ended, adaptive), lambda: loop.generate(texts, adaptive)
        )
        return words, longer
    weights, bias = model.softmax_weights, model.softmax_bias * sharpness + forbidden
    words, longer = tf.cond(
        options.looks_back(),
        lambda: loop.generate_with_history(texts, ended, transposed_softmax(weights, bias)),
        lambda: tf.cond(
            tf.shape(texts.last)[0] < MIN_ROWS_TO_TRANSPOSE,
            lambda: loop.generate(texts, plain_softmax(weights, bias)),
            lambda: loop.generate(texts, transposed_softmax(weights, bias)),
        ),
    )
    return words, longer


@dataclass(frozen=True)
class DecodingLoop:
    """The constants of a decoding loop, with two forms of the loop.

    Attributes:
        model, uniforms, options, ends: as for `generate`.
        greedy: bool scalar, whether the temperature is 0.
        sharpness: float32 scalar, 1 / temperature; 1 if greedy.
    """

    model: LanguageModel
    uniforms: tf.Tensor
    options: OptionTensors
    ends: Sequence[int]
    greedy: tf.Tensor
    sharpness: tf.Tensor

    def generate(self, texts: Texts, logits_of: LogitsFunction) -> tuple[tf.Tensor, Texts]:
        """Generate without any option that looks back at the text. This form is for speed: nothing in it handles the history."""
        count = tf.shape(self.uniforms)[1]

        def body(t: tf.Tensor, last: tf.Tensor, states: list[LayerState], generated: tf.TensorArray) -> LoopVariables:
            hidden, states = self.model.step(last, states)
            word = self._sample(logits_of(hidden * self.sharpness), t, last)
            return t + 1, word, states, generated.write(t + 1, word)

        # One more word than asked for, because an empty array cannot be stacked.
        generated = tf.TensorArray(tf.int32, size=count + 1, element_shape=texts.last.shape).write(0, texts.last)
        start = 0, texts.last, self.model.states(texts.state), generated
        _, word, states, generated = tf.while_loop(lambda t, *_: t < count, body, start, parallel_iterations=1)
        words = tf.transpose(generated.stack()[1:])
        return words, Texts(word, self.model.state(states), tf.concat([texts.history, words], axis=1))

    def generate_with_history(self, texts: Texts, ended: tf.Tensor, logits_of: LogitsFunction) -> tuple[tf.Tensor, Texts]:
        """Generate with the options that look back at the text."""
        count, stop = tf.shape(self.uniforms)[1], self.options.stop_at_sentence_end

        def body(t: tf.Tensor, last: tf.Tensor, states: list[LayerState], past: tf.Tensor, ended: tf.Tensor) -> LoopVariables:
            hidden, states = self.model.step(last, states)
            logits = penalties.apply(logits_of(hidden * self.sharpness), past, self.options)
            word = tf.where(ended, 0, self._sample(logits, t, last))
            ends_here = tf.logical_and(stop, ends_sentence(word, self.ends))
            return t + 1, tf.where(ended, last, word), states, text_history.append(past, word), tf.logical_or(ended, ends_here)

        def goes_on(t: tf.Tensor, *loop: tf.Tensor) -> tf.Tensor:
            return tf.logical_and(t < count, tf.logical_not(tf.reduce_all(loop[-1])))

        start = 0, texts.last, self.model.states(texts.state), text_history.reserve(texts.history, count), tf.logical_and(ended, stop)
        steps, last, states, past, _ = tf.while_loop(goes_on, body, start, parallel_iterations=1)
        past = text_history.release(past, count, steps)
        return past[:, tf.shape(texts.history)[1] :], Texts(last, self.model.state(states), past)

    def _sample(self, logits: tf.Tensor, t: tf.Tensor, last: tf.Tensor) -> tf.Tensor:
        return tf.ensure_shape(sample_next_token(logits, self.uniforms[:, t], self.greedy, self.options), last.shape)
