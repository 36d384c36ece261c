"""Reading prompts and generating texts, in graph. Shapes are [rows], one row for each text."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from lstm_lm.generation import logits, loops, text_history
from lstm_lm.generation.decoding_loop import DecodingLoop, Generated
from lstm_lm.generation.logits import Prepared
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.random_numbers import row_keys
from lstm_lm.generation.row_padding import RowPadding, row_counts
from lstm_lm.generation.text_history import ends_sentence
from lstm_lm.model import losses
from lstm_lm.model.language_model import LayerState
from lstm_lm.model.mixture import Predictor


class Texts(NamedTuple):
    """Texts that can be continued.

    Attributes:
        last: int32 [rows], the last word of each text.
        state: float32 [layers, 2, rows, hidden], the state before the last word.
        history: int32 [rows, longest], the whole texts, `last` included, as in `generation.text_history`. Only the options that look
            back use it: without them, it may have no columns.
    """

    last: tf.Tensor
    state: tf.Tensor
    history: tf.Tensor


@dataclass(frozen=True)
class Extras:
    """What a call may ask for besides the options.

    Attributes:
        bias_ids: int32 [rows, any], words whose logits get a bias; 0 for none.
        bias_values: float32 [rows, any], what is added to them.
        top: int32 scalar: return log probabilities, those of this many most probable words too; below 0, none at all.
    """

    bias_ids: tf.Tensor
    bias_values: tf.Tensor
    top: tf.Tensor

    @classmethod
    def none(cls, rows: tf.Tensor) -> "Extras":
        """No bias, and no log probabilities."""
        return cls(tf.zeros([rows, 0], tf.int32), tf.zeros([rows, 0]), tf.constant(-1))


def prefill(model: Predictor, prompts: tf.Tensor, lengths: tf.Tensor, prepared: Prepared | None = None) -> Texts:
    """Read prompts up to their last word. The state of a row does not depend on the other rows, to the last bit.

    Args:
        model: of any shape.
        prompts: int32 [rows, longest], ids, padded at the end.
        lengths: int32 [rows], words of each prompt, at least 1.
        prepared: `inputs` and `row_counts` as `logits.prepare` returns them, or None.
    Returns:
        The prompts, ready for `generate` or `beam_search`.
    """
    if prepared is None:
        counts, inputs = row_counts(model.step_matrices, model.shape.hidden_size, tf.shape(prompts)[0]), None
    else:
        counts, inputs = prepared["row_counts"], logits.inputs(model, prepared)
    padding, weights = RowPadding(tf.shape(prompts)[0], counts), model.step_weights()
    words, limits = padding.pad(prompts), padding.pad(lengths)

    def body(t: tf.Tensor, states: list[LayerState]) -> tuple[tf.Tensor, list[LayerState]]:
        _, after = model.step(words[:, t], states, weights, inputs)
        reads = (t < limits - 1)[:, tf.newaxis]
        return t + 1, tf.nest.map_structure(lambda new, old: tf.where(reads, new, old), after, states)

    steps = tf.reduce_max(tf.concat([lengths, [0]], axis=0)) - 1  # there may be no rows
    states = model.states(model.initial_state(tf.shape(words)[0]))
    _, states = tf.while_loop(lambda t, _: t < steps, body, (0, states), parallel_iterations=1)
    last = tf.gather(prompts, lengths - 1, axis=1, batch_dims=1)
    return Texts(last, model.state(tf.nest.map_structure(padding.strip, states)), text_history.align_right(prompts, lengths))


def score(model: Predictor, ids: tf.Tensor) -> tf.Tensor:
    """Score texts word by word, from the zero state.

    Args:
        model: of any shape.
        ids: int32 [rows, longest], padded with -1 at the end.
    Returns:
        float32 [rows, longest], -ln P(word | the words before it); NaN for the first word and for the padding.
    """
    rows, longest = tf.shape(ids)[0], tf.shape(ids)[1]
    weights = model.step_weights()
    nats = tf.TensorArray(tf.float32, size=tf.maximum(longest, 1), element_shape=tf.TensorShape([None])).write(0, tf.fill([rows], np.nan))

    def body(t: tf.Tensor, states: list[LayerState], nats: tf.TensorArray) -> tuple[tf.Tensor, list[LayerState], tf.TensorArray]:
        hidden, states = model.step(tf.maximum(ids[:, t - 1], 0), states, weights)
        target = ids[:, t]
        scored = losses.nats(model.logits(hidden), tf.maximum(target, 0))
        return t + 1, states, nats.write(t, tf.where(target < 0, np.nan, scored))

    start = 1, model.states(model.initial_state(rows)), nats
    _, _, nats = tf.while_loop(lambda t, *_: t < longest, body, start, parallel_iterations=1)
    return tf.transpose(nats.stack())[:, :longest]


@dataclass(frozen=True)
class Generation:
    """Generates words with one model.

    Attributes:
        model: of any shape.
        prepared: as `logits.prepare` returns it.
        ends: the ids of words that end a sentence.
    """

    model: Predictor
    prepared: Prepared
    ends: Sequence[int] = ()

    def generate(
        self,
        texts: Texts,
        keys: tf.Tensor,
        positions: tf.Tensor,
        options: OptionTensors,
        extras: Extras,
        run: Callable[[str], Generated] | None = None,
    ) -> tuple[Generated, tf.Tensor]:
        """Generate up to `max_words` words in every row. The words of a row do not depend on the other rows, to the last bit.

        Args:
            texts: from `prefill` or another `generate`.
            keys: int64 [rows], of the random numbers.
            positions: int32 [rows], how many words were generated after the prompt before this call.
            options: vectors, those that apply to words.
            extras: what else is asked for.
            run: runs a loop by its name, in place of `run_loop`.
        Returns:
            (what was generated, `words` as long as the largest `max_words`; history int32 [rows, longest + words])
        """

        def run_lazily(name: str) -> Generated:
            # Without inlining, TensorFlow optimizes a loop when it first runs, not all of them at once.
            loop = partial(self.run_loop, name, texts, keys, positions, options, extras)
            generated: Generated = tf.function(loop, autograph=False, experimental_attributes={"_noinline": True})()
            return generated

        if not self.ends:
            options = options.replace(stop_at_sentence_end=tf.zeros_like(options.stop_at_sentence_end))
        needs_general = tf.logical_or(tf.size(extras.bias_ids) > 0, extras.top >= 0)
        generated = loops.switch(options, needs_general, run or run_lazily)
        return generated, text_history.join(texts.history, generated.words)

    def run_loop(self, name: str, texts: Texts, keys: tf.Tensor, positions: tf.Tensor, options: OptionTensors, extras: Extras) -> Generated:
        """Generate with one of `loops.LOOPS`, which must be able to do what is asked for; see `generate`."""
        ended = tf.logical_and(options.stop_at_sentence_end & (positions > 0), ends_sentence(texts.last, self.ends))
        loop = DecodingLoop(self.model, self.prepared, options, self.ends, row_keys(options.seed, keys), extras)
        return loop.run(loops.LOOPS[name].features, texts.last, texts.state, texts.history, positions, ended)
