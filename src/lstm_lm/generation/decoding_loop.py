"""The loop over words, in graph: one word of every row in each step."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import tensorflow as tf

from lstm_lm.generation import logits, penalties, text_history
from lstm_lm.generation.draw import log_softmax
from lstm_lm.generation.logits import Prepared
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.random_numbers import uniforms
from lstm_lm.generation.row_padding import RowPadding
from lstm_lm.generation.sampling import Draws, Filters, Sampler
from lstm_lm.generation.text_history import ends_sentence
from lstm_lm.model.graph_order import after
from lstm_lm.model.language_model import LayerState
from lstm_lm.model.mixture import Predictor

if TYPE_CHECKING:
    from lstm_lm.generation.decoding import Extras

WORDS_PER_BLOCK = 32  # whose first random numbers are made together, which costs as much as making those of one word

LoopVariables = tuple[Any, ...]
SampleFunction = Callable[[tf.Tensor, Draws], tf.Tensor]


class Generated(NamedTuple):
    """The result of a loop.

    Attributes:
        words: int32 [rows, words], never `<unk>`: 0 means no word, after the end of a text.
        last: int32 [rows], the last word of each text.
        state: float32 [layers, 2, rows, hidden], the state before the last word.
        log_probabilities: float32 [rows, words], of the words under the model alone, at temperature 1. No columns if not asked for.
        top_words: int32 [rows, words, top], the most probable words under the model alone, `<unk>` left out.
        top_log_probabilities: float32 [rows, words, top].
    """

    words: tf.Tensor
    last: tf.Tensor
    state: tf.Tensor
    log_probabilities: tf.Tensor
    top_words: tf.Tensor
    top_log_probabilities: tf.Tensor


@dataclass(frozen=True)
class Features:
    """What a traced loop can do; what is left out costs no time.

    Attributes:
        filters: what is known about the filters; None if all rows are greedy.
        penalty: nothing but a repetition penalty, in all rows.
        general: all of penalties, biases, rows that end at different words, and log probabilities.
    """

    filters: Filters | None
    penalty: bool = False
    general: bool = False


@dataclass(frozen=True)
class DecodingLoop:
    """The constants of a loop.

    Attributes:
        model, prepared, ends, extras: as for `decoding.Generation`.
        options: vectors, one value for each row.
        keys: uint64 [rows], of the random numbers.
    """

    model: Predictor
    prepared: Prepared
    options: OptionTensors
    ends: Sequence[int]
    keys: tf.Tensor
    extras: "Extras"

    def run(
        self, features: Features, last: tf.Tensor, state: tf.Tensor, history: tf.Tensor, positions: tf.Tensor, ended: tf.Tensor
    ) -> Generated:
        """Generate. Inside of the loop, the model's states have the rows that `row_padding` adds.

        Args:
            features: of the loop. They must cover what the options ask for.
            last, state, history: as in `decoding.Texts`.
            positions: int32 [rows], how many words were generated before.
            ended: bool [rows], which texts have come to their end.
        """
        states = tf.nest.map_structure(self._padding.pad, self.model.states(state))
        sample = self._sampler(features)
        count = tf.reduce_max(tf.concat([self.options.max_words, [0]], axis=0))
        if features.general:
            # Without columns, keeping the history costs nothing.
            past = tf.cond(self.options.looks_back(), lambda: text_history.reserve(history, count), lambda: history[:, :0])
            return self._run_general(sample, count, last, states, past, positions, ended)
        past = text_history.reserve(history, count) if features.penalty else history[:, :0]
        return self._run_uniform(sample, features.filters is None, count, last, states, past, positions)

    @cached_property
    def _padding(self) -> RowPadding:
        return RowPadding(tf.shape(self.keys)[0], self.prepared["row_counts"])

    def _state(self, states: list[LayerState]) -> tf.Tensor:
        return self.model.state(tf.nest.map_structure(self._padding.strip, states))

    def _sampler(self, features: Features) -> SampleFunction:
        if features.filters is None:
            return lambda logits, _: tf.argmax(logits, axis=1, output_type=tf.int32)
        return Sampler(self.options, logits.columns(self.model), features.filters)

    def _run_uniform(
        self,
        sample: SampleFunction,
        is_greedy: bool,
        count: tf.Tensor,
        last: tf.Tensor,
        states: list[LayerState],
        past: tf.Tensor,
        positions: tf.Tensor,
    ) -> Generated:
        """Generate as many words in every row. Those that a row does not need are dropped; its state is that after all of them."""
        step, penalty = self._step(), self.options.repetition_penalty
        has_past = past.shape[1] is None

        def body(t: tf.Tensor, draws: tf.Tensor, *variables: Any) -> LoopVariables:
            word, states, past, generated = variables
            drawn, next_t = self._draws(draws, t, positions), t + 1
            others = [next_t] if is_greedy else [next_t, drawn.first, drawn.positions]
            scores, _, states = step(after(others, word), states)
            if has_past:
                scores = penalties.apply_repetition_penalty(scores, past, penalty)
            word = tf.ensure_shape(sample(scores, drawn), last.shape)
            past = text_history.append(past, word) if has_past else past
            return next_t, draws, word, after(word, states), past, generated.write(next_t, word)

        # One more word than asked for, because an empty array cannot be stacked.
        generated = tf.TensorArray(tf.int32, size=count + 1, element_shape=last.shape).write(0, last)
        word, states, _, generated = self._loop(body, lambda *_: True, count, positions, (last, states, past, generated))
        rows = tf.shape(last)[0]
        nothing = tf.zeros([rows, 0]), tf.zeros([rows, 0, 0], tf.int32), tf.zeros([rows, 0, 0])
        words = tf.transpose(generated.stack()[1:])
        words = tf.where(tf.range(count) < self.options.max_words[:, tf.newaxis], words, 0)
        return Generated(words, word, self._state(states), *nothing)

    def _run_general(
        self,
        sample: SampleFunction,
        count: tf.Tensor,
        last: tf.Tensor,
        states: list[LayerState],
        past: tf.Tensor,
        positions: tf.Tensor,
        ended: tf.Tensor,
    ) -> Generated:
        step, options, rows = self._step(), self.options, tf.shape(last)[0]
        sharpness = options.sharpness

        def body(t: tf.Tensor, draws: tf.Tensor, *variables: Any) -> LoopVariables:
            last, states, past, ended, outputs = variables
            active = tf.logical_not(tf.logical_or(ended, t >= options.max_words))
            drawn, next_t = self._draws(draws, t, positions), t + 1
            plain, hidden, stepped = step(after((drawn.first, drawn.positions, next_t, active), last), states)
            scores = penalties.apply(self._with_bias(plain, sharpness), past, options)
            word = tf.where(active, sample(scores, drawn), 0)
            outputs = [output.write(next_t, new) for output, new in zip(outputs, (word, *self._judge(plain, hidden, word)), strict=True)]
            is_active = self._padding.pad(active)[:, tf.newaxis]
            states = tf.nest.map_structure(lambda new, old: tf.where(is_active, new, old), after(word, stepped), states)
            ends_here = tf.logical_and(options.stop_at_sentence_end, ends_sentence(word, self.ends))
            past = text_history.append(past, tf.where(active, word, text_history.NO_WORD))
            return next_t, draws, tf.where(active, word, last), states, past, tf.logical_or(ended, ends_here), outputs

        def any_active(t: tf.Tensor, _: tf.Tensor, *variables: Any) -> tf.Tensor:
            return tf.reduce_any(tf.logical_not(tf.logical_or(variables[3], t >= options.max_words)))

        top = tf.maximum(self.extras.top, 0)
        shapes = (tf.int32, [rows]), (tf.float32, [rows]), (tf.int32, [rows, top]), (tf.float32, [rows, top])
        outputs = [_zeros(dtype, count + 1, shape) for dtype, shape in shapes]
        last, states, _, _, outputs = self._loop(body, any_active, count, positions, (last, states, past, ended, outputs))
        words, log_probabilities, top_words, top_log_probabilities = [output.stack()[1:] for output in outputs]
        judged = tf.where(self.extras.top >= 0, count, 0)
        return Generated(
            tf.transpose(words),
            last,
            self._state(states),
            tf.transpose(log_probabilities[:judged]),
            tf.transpose(top_words[:judged], [1, 0, 2]),
            tf.transpose(top_log_probabilities[:judged], [1, 0, 2]),
        )

    def _loop(
        self,
        body: Callable[..., LoopVariables],
        goes_on: Callable[..., Any],
        count: tf.Tensor,
        positions: tf.Tensor,
        variables: LoopVariables,
    ) -> LoopVariables:
        """Run `body` for each word, with the random numbers of a block of words at a time.

        Args:
            body: (number of the word, random numbers of the block, variables) -> the same for the next word.
            goes_on: whether there is a next word; same arguments.
            count: int32 scalar, words at most.
            positions: int32 [rows], as for `run`.
            variables: at the start.
        Returns:
            The variables at the end.
        """

        def block(t: tf.Tensor, *variables: Any) -> LoopVariables:
            end = tf.minimum(t + WORDS_PER_BLOCK, count)
            places = positions + tf.range(t, t + WORDS_PER_BLOCK)[:, tf.newaxis]  # [words, rows]
            start = t, uniforms(self.keys, places), *variables

            def inside(t: tf.Tensor, *loop: Any) -> tf.Tensor:
                return tf.logical_and(t < end, goes_on(t, *loop))

            t, _, *variables = tf.while_loop(inside, body, start, parallel_iterations=1)
            return t, *variables

        def outside(t: tf.Tensor, *variables: Any) -> tf.Tensor:
            return tf.logical_and(t < count, goes_on(t, None, *variables))

        _, *variables = tf.while_loop(outside, block, (0, *variables), parallel_iterations=1)
        return tuple(variables)

    def _draws(self, numbers: tf.Tensor, t: tf.Tensor, positions: tf.Tensor) -> Draws:
        return Draws(numbers[t % WORDS_PER_BLOCK], self.keys, positions + t)

    def _step(self) -> Callable[[tf.Tensor, list[LayerState]], tuple[tf.Tensor, tf.Tensor, list[LayerState]]]:
        """One step of the model, with the table of the first layer's inputs if it was prepared.

        Returns:
            A function from (words int32 [rows], states with added rows) to (logits as `logits.logits` returns them; the softmax's input
            float32 [rows, output_size] and next states, both with added rows).
        """
        weights, inputs, padding = self.model.step_weights(), logits.inputs(self.model, self.prepared), self._padding
        sharpness = padding.pad(self.options.sharpness)

        def step(words: tf.Tensor, states: list[LayerState]) -> tuple[tf.Tensor, tf.Tensor, list[LayerState]]:
            hidden, states = self.model.step(padding.pad(words), states, weights, inputs)
            return padding.strip(logits.logits(self.model, self.prepared, hidden, sharpness)), hidden, states

        return step

    def _with_bias(self, scores: tf.Tensor, sharpness: tf.Tensor) -> tf.Tensor:
        ids, values = self.extras.bias_ids, self.extras.bias_values * sharpness[:, tf.newaxis]
        return tf.cond(tf.size(ids) > 0, lambda: penalties.add_bias(scores, ids, values), lambda: scores)

    def _judge(self, scores: tf.Tensor, hidden: tf.Tensor, word: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """The log probability of the words under the model alone, and the most probable words with theirs."""
        top = tf.maximum(self.extras.top, 0)

        def judged() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            unknown = self._padding.strip(logits.unknown_logits(self.model, self.prepared, hidden))
            plain = scores / self.options.sharpness[:, tf.newaxis]
            log_probabilities = log_softmax(tf.concat([unknown[:, tf.newaxis], plain[:, 1:]], axis=1))
            values, words = tf.math.top_k(log_probabilities[:, 1:], top)
            log_probability = tf.gather(log_probabilities, word, axis=1, batch_dims=1)
            return tf.where(word > 0, log_probability, 0.0), words + 1, values

        def nothing() -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            rows = tf.shape(word)[0]
            return tf.zeros([rows]), tf.zeros([rows, top], tf.int32), tf.zeros([rows, top])

        log_probability, words, values = tf.cond(self.extras.top >= 0, judged, nothing)
        return log_probability, words, values


def _zeros(dtype: tf.DType, size: tf.Tensor, shape: Sequence[Any]) -> tf.TensorArray:
    """An array of zeros, because a loop may end before it has written all."""
    element_shape = tf.TensorShape([None] * len(shape))
    return tf.TensorArray(dtype, size=size, element_shape=element_shape).unstack(tf.zeros([size, *shape], dtype))
