"""A language model and n-grams as one, with one fixed weight (Mikolov et al. 2011).

P(w) = (1 - weight) P_model(w) + weight P_n-grams(w)
"""

from collections.abc import Sequence

import tensorflow as tf

from lstm_lm.model.dropout import DropoutMasks
from lstm_lm.model.ensemble import Ensemble, Model
from lstm_lm.model.graph_order import after
from lstm_lm.model.language_model import LanguageModel, LayerState, StepWeights
from lstm_lm.model.ngram_trie import NgramTrie
from lstm_lm.model.shape import Shape

TRIE_ARRAYS = ("unigram", "starts", "words", "probabilities", "backoffs")


class Ngrams(tf.Module):
    """An `NgramTrie` in the graph.

    Args:
        trie: the n-grams and their probabilities.
    """

    def __init__(self, trie: NgramTrie) -> None:
        super().__init__(name="ngrams")
        self.order, self.vocabulary_size = trie.order, trie.vocabulary_size
        self.unigram, self.starts, self.words, self.probabilities, self.backoffs, self.keys = (
            tf.Variable(getattr(trie, name), trainable=False, name=name) for name in (*TRIE_ARRAYS, "keys")
        )

    @property
    def trie(self) -> NgramTrie:
        """The n-grams as arrays."""
        return NgramTrie(self.order, *(getattr(self, name).numpy() for name in TRIE_ARRAYS))

    def __call__(self, contexts: tf.Tensor, columns: int) -> tf.Tensor:
        """Compute the probabilities of all next words. A row does not depend on the others, to the last bit.

        Args:
            contexts: int64 [rows, order - 1], the last words, the latest one last: their ids plus 1, or 0 where the text had not begun.
            columns: of the result, at least the number of words.
        Returns:
            float32 [rows, columns], 0 in columns that are no words
        """
        # Gathering from a variable itself would make TensorFlow copy it whenever it is read.
        unigram, starts, words, probabilities, backoffs = (getattr(self, name).read_value() for name in TRIE_ARRAYS)
        if columns > self.vocabulary_size:
            unigram = tf.concat([unigram, tf.zeros([columns - self.vocabulary_size])], axis=0)
        total = unigram[tf.newaxis]
        # One length of contexts after the other, so that the memory does not grow with the order.
        for numbers in self._numbers(contexts):
            # The successors of all rows' contexts, one row after the other.
            first, stop = tf.gather(starts, numbers), tf.gather(starts, numbers + 1)
            splits, places = tf.raw_ops.RaggedRange(starts=first, limits=stop, deltas=1, Tsplits=tf.int64)
            values = tf.gather(words, places), tf.gather(probabilities, places)
            of_context = tf.raw_ops.RaggedBincount(splits=splits, values=values[0], size=columns, weights=values[1])
            total = total * tf.gather(backoffs, numbers)[:, tf.newaxis] + of_context
        return total

    def _numbers(self, contexts: tf.Tensor) -> list[tf.Tensor]:
        """The numbers of the contexts of 1 to order - 1 words, 0 for those that the trie does not have: int64 [rows] each."""
        keys, numbers = self.keys.read_value(), [contexts[:, -1]]
        for words in range(2, self.order):
            number = contexts[:, -words]
            for word in range(words - 1, 0, -1):
                key = number * self.vocabulary_size + contexts[:, -word] - 1
                place = tf.raw_ops.LowerBound(sorted_inputs=tf.reshape(keys, [1, -1]), values=key[tf.newaxis], out_type=tf.int64)[0]
                number = tf.where(tf.equal(tf.gather(keys, place), key), place + 1 + self.vocabulary_size, 0)
            numbers.append(number)
        return numbers


class Mixture(tf.Module):
    """A language model or an ensemble, and n-grams. It is called as a LanguageModel is.

    The state has one more layer, which holds the last words' ids plus 1: zeros are a text that has not begun. The softmax's input has
    one more column for each word of the n-grams' longest context.

    Args:
        base: trained.
        ngrams: of the same vocabulary. The state must have room for all but one of the words of their longest context.
        weight: of the n-grams, in (0, 1).
    """

    states = staticmethod(LanguageModel.states)
    state = staticmethod(LanguageModel.state)

    def __init__(self, base: Model, ngrams: Ngrams, weight: float) -> None:
        super().__init__(name="mixture")
        self.base, self.ngrams, self.weight = base, ngrams, weight

    @property
    def shape(self) -> Shape:
        """That of the language model."""
        return self.base.shape

    @property
    def members(self) -> tuple[LanguageModel, ...]:
        """The language models."""
        return self.base.members

    @property
    def weights(self) -> dict[str, tf.Variable]:
        """Those of the language model: the n-grams are not trained."""
        return self.base.weights

    @property
    def parameter_count(self) -> int:
        """Number of weights."""
        return self.base.parameter_count

    @property
    def step_matrices(self) -> list[tf.Variable]:
        """The matrices that `step` multiplies by."""
        return self.base.step_matrices

    def step_weights(self) -> list[StepWeights]:
        """As of the language model."""
        return self.base.step_weights()

    def initial_state(self, batch_size: int | tf.Tensor) -> tf.Tensor:
        """Return the zero state, float32 [layers + 1, 2, batch, hidden]."""
        return tf.zeros([self.shape.state_layers + 1, 2, batch_size, self.shape.hidden_size])

    def __call__(self, ids: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Compute the log probabilities of the next words: the inference view.

        Args:
            ids: int32 [batch, time].
            state: float32 [layers + 1, 2, batch, hidden].
        Returns:
            (float32 [batch, time, vocabulary], next state)
        """
        hidden, state = self.encode(ids, state)
        return self.logits(hidden), state

    def encode(self, ids: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Run the inference view up to the softmax's input.

        Args:
            ids, state: as for the call.
        Returns:
            (float32 [batch, time, width], next state)
        """
        hidden, next_state = self.base.encode(ids, state[:-1])
        contexts, last = self._read(ids, state[-1:])
        return tf.concat([hidden, contexts], axis=-1), tf.concat([next_state, last], axis=0)

    def training_encode(
        self, ids: tf.Tensor, state: tf.Tensor, masks: DropoutMasks | None = None, dtype: tf.DType = tf.float32
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Run the training view up to the softmax's input.

        Args:
            ids, state: as for the call, the sizes of ids known while tracing.
            masks, dtype: as for LanguageModel.training_encode.
        Returns:
            (float32 [batch, time, width]; next state; penalty)
        """
        hidden, next_state, penalty = self.base.training_encode(ids, state[:-1], masks, dtype)
        contexts, last = self._read(ids, state[-1:])
        return tf.concat([hidden, contexts], axis=-1), tf.concat([next_state, last], axis=0), penalty

    def _read(self, ids: tf.Tensor, state: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Find the last words before each prediction.

        Args:
            ids: int32 [batch, time].
            state: float32 [1, 2, batch, hidden], the layer of the words before.
        Returns:
            (float32 [batch, time, order - 1], the next state of this layer)
        """
        kept, time = self.ngrams.order - 2, tf.shape(ids)[1]
        words = tf.concat([state[0, 0, :, :kept], tf.cast(ids + 1, tf.float32)], axis=1)  # [batch, kept + time]
        contexts = tf.stack([words[:, i : i + time] for i in range(kept + 1)], axis=-1)
        last = tf.concat([words[:, time:], state[0, 0, :, kept:]], axis=1)
        return contexts, tf.stack([last, state[0, 1]])[tf.newaxis]

    def step(
        self,
        words: tf.Tensor,
        states: list[LayerState],
        weights: Sequence[StepWeights] | None = None,
        inputs: Sequence[tf.Tensor] | None = None,
    ) -> tuple[tf.Tensor, list[LayerState]]:
        """Run the inference view over one word a row, for loops.

        Args:
            words, states, weights, inputs: as for LanguageModel.step.
        Returns:
            (float32 [batch, width], the softmax's input; next states)
        """
        kept, (past, unused) = self.ngrams.order - 2, states[-1]
        with tf.name_scope("ngrams"):
            context = tf.concat([past[:, :kept], tf.cast(words + 1, tf.float32)[:, tf.newaxis]], axis=1)  # [batch, order - 1]
            past = tf.concat([context[:, 1:], past[:, kept:]], axis=1)
        hidden, next_states = self.base.step(after((context, past), words), states[:-1], weights, inputs)
        return tf.concat([hidden, context], axis=1), [*next_states, (past, unused)]

    def split_hidden(self, hidden: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Split the softmax's input, float32 [..., width], into that of the language model and the last words, [..., order - 1]."""
        words = self.ngrams.order - 1
        return hidden[..., :-words], hidden[..., -words:]

    def logits(self, hidden: tf.Tensor) -> tf.Tensor:
        """Compute the log probabilities of the mixture.

        Args:
            hidden: float32 [..., width].
        Returns:
            float32 [..., vocabulary]
        """
        own, contexts = self.split_hidden(hidden)
        scores = self.base.logits(own)
        return self.mix(scores if isinstance(self.base, Ensemble) else tf.nn.log_softmax(scores), contexts)

    def mix(self, log_probabilities: tf.Tensor, contexts: tf.Tensor) -> tf.Tensor:
        """Mix the probabilities of the language model with those of the n-grams.

        Args:
            log_probabilities: float32 [..., columns] of the language model; there may be columns that are no words.
            contexts: float32 [..., order - 1], the last words, as `split_hidden` returns them.
        Returns:
            float32 [..., columns], log probabilities
        """
        with tf.name_scope("ngrams"):
            columns = log_probabilities.shape[-1]
            probabilities = self.ngrams(tf.reshape(tf.cast(contexts, tf.int64), [-1, self.ngrams.order - 1]), columns)
            probabilities = tf.reshape(probabilities, tf.shape(log_probabilities))
            return tf.math.log((1 - self.weight) * tf.exp(log_probabilities) + self.weight * probabilities)


Predictor = Model | Mixture


def state_spec(model: Predictor, batch_size: int | None) -> tf.TensorSpec:
    """The type of a model's state: float32 [layers, 2, batch, hidden]."""
    layers, _, _, hidden = model.initial_state(1).shape
    return tf.TensorSpec([layers, 2, batch_size, hidden], tf.float32, "state")
