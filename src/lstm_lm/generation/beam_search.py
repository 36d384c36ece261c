"""Beam search: the most probable texts. Nothing is sampled, so the same prompts give the same texts."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import tensorflow as tf

from lstm_lm.generation import penalties, text_history
from lstm_lm.generation.decoding import Texts
from lstm_lm.generation.draw import most_probable
from lstm_lm.generation.logits import BLOCKED, block_unknown
from lstm_lm.generation.option_tensors import OptionTensors
from lstm_lm.generation.options import by_name
from lstm_lm.generation.text_history import ends_sentence
from lstm_lm.model.graph_order import transpose_once
from lstm_lm.model.language_model import LanguageModel, LayerState
from lstm_lm.model.mixture import Predictor

KEPT = 1e30  # above every score


def beam_search(model: Predictor, texts: Texts, options: OptionTensors, ends: Sequence[int] = ()) -> tf.Tensor:
    """Find the most probable texts.

    At each step, the `beam_width` hypotheses of each row with the largest log probability are kept. This is the model's own log
    probability, `<unk>` included, which is not generated, and after the repetition penalty. Temperature, top_k, top_p and min_p have no
    effect. With `stop_at_sentence_end`, a hypothesis that has come to its end keeps its place until the search ends (Sutskever et al.
    2014). Then hypotheses of different lengths are compared by their log probability per word.

    Args:
        model: of any shape.
        texts: from `prefill`.
        options: all of them, vectors [rows]. `samples` is how many texts to return for each row, at most `beam_width`. These two and
            `max_words` must be the same in all rows.
        ends: the ids of words that end a sentence.
    Returns:
        words int32 [rows * samples, max_words]: 0 means no word, after the end of a text; the best text of each row first.
    Raises:
        tf.errors.InvalidArgumentError: rows differ in what must be the same.
    """
    count, width, samples = (_same_in_all_rows(options, name) for name in ("max_words", "beam_width", "samples"))
    options = options.map(lambda values: tf.repeat(values, width)).replace(max_words=count, beam_width=width, samples=samples)
    # No hypothesis can contribute more words than this to the best of all.
    candidates = tf.minimum(width, model.shape.vocabulary_size)
    search = BeamSearch(model, options, ends, _softmax(model), tf.shape(texts.last)[0], candidates)

    def goes_on(t: tf.Tensor, beams: Beams) -> tf.Tensor:
        return tf.logical_and(t < count, tf.logical_not(tf.reduce_all(beams.ended)))

    steps, beams = tf.while_loop(goes_on, search.step, (0, search.start(texts)), parallel_iterations=1)
    words = text_history.release(beams.history, count, steps)[:, tf.shape(texts.history)[1] :]
    return search.best(words, beams, tf.minimum(samples, width))


def _same_in_all_rows(options: OptionTensors, name: str) -> tf.Tensor:
    """The value of an option as a scalar. Without any row, its default: nothing is generated then."""
    values = tf.concat([getattr(options, name), [by_name()[name].default]], axis=0)
    message = f"{name}: must be the same for all prompts of a beam search"
    with tf.control_dependencies([tf.debugging.assert_equal(values[:-1], values[0], message)]):
        return tf.identity(values[0])


def _softmax(model: Predictor) -> Callable[[tf.Tensor], tf.Tensor]:
    """A function from the output of the last layer to logits, with the weights transposed once. That of `<unk>` is not blocked."""
    if not isinstance(model, LanguageModel) or model.tails:
        return model.logits
    transposed = transpose_once(model.softmax_weights)
    return lambda hidden: tf.matmul(hidden, transposed) + model.softmax_bias


class Beams(NamedTuple):
    """The hypotheses between two steps; those of a row are neighbors.

    Attributes:
        last: int32 [rows * width], the last words.
        states: list of (h, c), float32 [rows * width, hidden] each.
        history: int32 [rows * width, longest], the texts, as in `generation.text_history`.
        scores: float32 [rows, width], log probabilities; below BLOCKED / 2 where there is no hypothesis.
        lengths: float32 [rows, width], words generated.
        ended: bool [rows, width], which have come to their end.
    """

    last: tf.Tensor
    states: list[LayerState]
    history: tf.Tensor
    scores: tf.Tensor
    lengths: tf.Tensor
    ended: tf.Tensor


@dataclass(frozen=True)
class BeamSearch:
    """The constants of a beam search and its steps.

    Attributes:
        model, ends: as for `beam_search`.
        options: vectors [rows * width], one value for each hypothesis; max_words, beam_width and samples are scalars.
        logits_of: from the last layer's output to logits.
        rows: int32 scalar, number of prompts.
        candidates: int32 scalar, words considered for each hypothesis.
    """

    model: Predictor
    options: OptionTensors
    ends: Sequence[int]
    logits_of: Callable[[tf.Tensor], tf.Tensor]
    rows: tf.Tensor
    candidates: tf.Tensor

    def start(self, texts: Texts) -> Beams:
        """One hypothesis for each row; the other places are empty."""
        width = self.options.beam_width
        scores = tf.one_hot(tf.zeros([self.rows], tf.int32), width, on_value=0.0, off_value=BLOCKED)  # [rows, width]
        return Beams(
            tf.repeat(texts.last, width),
            self.model.states(tf.repeat(texts.state, width, axis=2)),
            tf.repeat(text_history.reserve(texts.history, self.options.max_words), width, axis=0),
            scores,
            tf.zeros_like(scores),
            tf.zeros_like(scores, tf.bool),
        )

    def step(self, t: tf.Tensor, beams: Beams) -> tuple[tf.Tensor, Beams]:
        """Extend every hypothesis by its most probable words and keep the best of all."""
        hidden, states = self.model.step(beams.last, beams.states)
        values, words = self._most_probable(hidden, beams.history)
        # A hypothesis that has ended can only continue in one way, as it is.
        is_first, over = tf.range(self.candidates) == 0, beams.ended[:, :, tf.newaxis]
        after = tf.where(over, tf.where(is_first, 0.0, BLOCKED), values) + beams.scores[:, :, tf.newaxis]  # [rows, width, candidates]
        rank = tf.where(tf.logical_and(over, is_first), KEPT, after)
        at = tf.math.top_k(self._flat(rank), self.options.beam_width).indices  # [rows, width]
        parent = at // self.candidates
        scores = tf.gather(self._flat(after), at, axis=1, batch_dims=1)
        had_ended = tf.gather(beams.ended, parent, axis=1, batch_dims=1)
        word = tf.where(had_ended, 0, tf.gather(self._flat(words), at, axis=1, batch_dims=1))
        lengths = tf.gather(beams.lengths, parent, axis=1, batch_dims=1) + tf.cast(word > 0, tf.float32)
        stop = tf.reshape(self.options.stop_at_sentence_end, tf.shape(word))
        ends_here = tf.logical_and(stop, ends_sentence(word, self.ends))
        # Empty places do not end, because an end would keep them.
        ended = tf.logical_and(tf.logical_or(had_ended, ends_here), scores > BLOCKED / 2)
        place, word = self._places(parent), tf.reshape(word, [-1])
        states = tf.nest.map_structure(lambda x: tf.gather(x, place), states)
        return t + 1, Beams(word, states, text_history.append(tf.gather(beams.history, place), word), scores, lengths, ended)

    def best(self, words: tf.Tensor, beams: Beams, count: tf.Tensor) -> tf.Tensor:
        """Pick the best hypotheses of each row.

        Args:
            words: int32 [rows * width, words], generated.
            beams: after the last step.
            count: int32 scalar, how many. If there are fewer, the last one is repeated.
        Returns:
            int32 [rows * count, words]
        """
        order = tf.math.top_k(beams.scores / tf.maximum(beams.lengths, 1.0), self.options.beam_width).indices  # [rows, width]
        hypotheses = tf.reduce_sum(tf.cast(beams.scores > BLOCKED / 2, tf.int32), axis=1, keepdims=True)
        ranks = tf.minimum(tf.range(count)[tf.newaxis], hypotheses - 1)
        return tf.gather(words, self._places(tf.gather(order, ranks, axis=1, batch_dims=1)))

    def _most_probable(self, hidden: tf.Tensor, past: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """(log probabilities float32 [rows, width, candidates], falling; words int32 [rows, width, candidates])."""
        logits = self.logits_of(hidden)  # [rows * width, vocabulary or more]
        logits = penalties.apply_repetition_penalty(logits, past, self.options.repetition_penalty)
        total = tf.reduce_logsumexp(logits, axis=1, keepdims=True)
        logits += block_unknown(tf.shape(logits)[1])
        logits = penalties.block_repeated_ngrams(logits, past, self.options.no_repeat_ngram)
        values, words = most_probable(logits, self.candidates)
        shape = [self.rows, self.options.beam_width, self.candidates]
        return tf.reshape(values - total, shape), tf.reshape(words, shape)

    def _flat(self, numbers: tf.Tensor) -> tf.Tensor:
        """[rows, width, candidates] -> [rows, width * candidates]."""
        return tf.reshape(numbers, [self.rows, self.options.beam_width * self.candidates])

    def _places(self, in_row: tf.Tensor) -> tf.Tensor:
        """Indices within each row, int32 [rows, any], as indices of all hypotheses, int32 [rows * any]."""
        return tf.reshape(in_row + self.options.beam_width * tf.range(self.rows)[:, tf.newaxis], [-1])
