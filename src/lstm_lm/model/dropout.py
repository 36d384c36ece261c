"""Dropout masks and the other regularization of one training step."""

from dataclasses import dataclass

import tensorflow as tf

from lstm_lm.model import losses

SAMPLE_SEED = 0x5A3  # tells these random numbers from those of dropout


SITES = ("input", "layer", "words", "recurrent")  # of dropout: each has random numbers of its own


@dataclass(frozen=True)
class Regularization:
    """What keeps a training from learning its text by heart. Each is off at 0. For what AWD-LSTM makes of them see Merity et al. 2018.

    Attributes:
        dropout_words: share of the vocabulary whose embedding is 0 for a window (Gal & Ghahramani 2016).
        dropout_input, dropout_hidden, dropout_output: share of units set to 0, while the others are scaled up, of the embedding's output,
            between LSTM layers, and of the last layer's output (Zaremba et al. 2014).
        dropout_recurrent: share of the recurrent weights set to 0 for a window (DropConnect, Wan et al. 2013).
        locked: one mask for all words of a row's window (variational dropout, Gal & Ghahramani 2016), not one a word.
        activation: times the mean square of the last layer's output after dropout, is added to the loss (Merity et al. 2017).
        temporal: times the mean square of its change from one word to the next, before dropout, likewise.
    """

    dropout_words: float = 0.0
    dropout_input: float = 0.0
    dropout_hidden: float = 0.0
    dropout_output: float = 0.0
    dropout_recurrent: float = 0.0
    locked: bool = True
    activation: float = 0.0
    temporal: float = 0.0


@dataclass(frozen=True)
class Noise:
    """The Regularization of one step. Its masks depend only on the seed and the step, so that a step can be repeated exactly.

    Attributes:
        rates: Regularization.
        seed: int.
        step: int32 scalar tensor, the optimiser's step.
    """

    rates: Regularization
    seed: int
    step: tf.Tensor

    def on_words(self, x, ids, vocabulary_size):
        """x: float32 [batch, time, embedding], of int32 [batch, time]: the same words are 0 wherever they occur."""
        rate = self.rates.dropout_words
        return x * tf.gather(self._mask([vocabulary_size], rate, "words"), ids)[..., tf.newaxis] if rate else x

    def on_input(self, x):
        """x: float32 [batch, time, embedding]."""
        return self._drop(x, self.rates.dropout_input, "input")

    def on_recurrent(self, weights, layer):
        """weights: float32 [hidden, 4 hidden]."""
        rate = self.rates.dropout_recurrent
        return weights * self._mask(weights.shape, rate, "recurrent", layer) if rate else weights

    def on_layer(self, x, layer, last):
        """x: float32 [batch, time, hidden], what a layer gives; last: whether it is the last one."""
        return self._drop(x, self.rates.dropout_output if last else self.rates.dropout_hidden, "layer", layer)

    def penalty(self, dropped, raw):
        """What the last layer's outputs, after and before dropout, float32 [batch, time, hidden], add to the loss: float32 scalar."""
        penalty = tf.constant(0.0)
        if self.rates.activation:
            penalty += self.rates.activation * tf.reduce_mean(tf.square(dropped))
        if self.rates.temporal and raw.shape[1] > 1:
            penalty += self.rates.temporal * tf.reduce_mean(tf.square(raw[:, 1:] - raw[:, :-1]))
        return penalty

    def _drop(self, x, rate, *site):
        if not rate:
            return x
        batch, time, units = x.shape
        return x * self._mask([batch, 1 if self.rates.locked else time, units], rate, *site)

    def _mask(self, shape, rate, site, layer=0):
        """0 for a share of `rate`, else 1 / (1 - rate); other numbers for every site and layer of the model."""
        place = SITES.index(site) + len(SITES) * layer
        draws = tf.random.stateless_uniform(shape, seed=tf.stack([(self.seed + 1_000_003 * place) % 2**31, self.step]))
        return tf.cast(draws >= rate, tf.float32) / (1 - rate)


@dataclass(frozen=True)
class SampledSoftmax:
    """Train with `losses.sampled_softmax_cross_entropy`, its sample drawn anew in each step.

    Attributes:
        words: size of the sample.
        seed: int.
        step: int32 scalar tensor, the optimiser's step.
    """

    words: int
    seed: int
    step: tf.Tensor

    def draw(self, vocabulary_size):
        """As `losses.log_uniform`."""
        return losses.log_uniform(self.words, vocabulary_size, tf.stack([tf.constant(self.seed ^ SAMPLE_SEED), self.step]))
