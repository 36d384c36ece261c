"""Dropout masks and the other regularization of one training step."""

from dataclasses import dataclass

import tensorflow as tf

from lstm_lm.model import losses
from lstm_lm.model.losses import Sample

SAMPLE_SEED = 0x5A3  # separates these random numbers from those of dropout
SITES = ("input", "layer", "words", "recurrent")  # where dropout applies; each site has different random numbers


@dataclass(frozen=True)
class Regularization:
    """Methods that keep the model from memorizing the training text. Each is off at 0. Merity et al. 2018 (AWD-LSTM) combine them.

    Attributes:
        dropout_words: fraction of the vocabulary whose embedding is 0 for a window (Gal & Ghahramani 2016).
        dropout_input, dropout_hidden, dropout_output: fraction of units set to 0, while the others are scaled up, of the embedding's
            output, between LSTM layers, and of the last layer's output (Zaremba et al. 2014).
        dropout_recurrent: fraction of the recurrent weights set to 0 for a window (DropConnect, Wan et al. 2013).
        locked: one mask for all words of a row's window (variational dropout, Gal & Ghahramani 2016), not one a word.
        activation: factor of the mean square of the last layer's output after dropout, added to the loss (Merity et al. 2017).
        temporal: factor of the mean square of its change from one word to the next, before dropout, also added to the loss.
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
class DropoutMasks:
    """The Regularization of one step. The masks depend only on the seed and the step, so that a step can be repeated exactly.

    Attributes:
        rates: Regularization.
        seed: of the training.
        step: int32 scalar tensor, the optimizer's step.
    """

    rates: Regularization
    seed: int
    step: tf.Tensor

    def drop_words(self, x: tf.Tensor, ids: tf.Tensor, vocabulary_size: int) -> tf.Tensor:
        """Drop whole words: the same words are 0 wherever they occur.

        Args:
            x: float32 [batch, time, embedding].
            ids: int32 [batch, time].
        """
        rate = self.rates.dropout_words
        return x * tf.gather(self._mask([vocabulary_size], rate, "words"), ids)[..., tf.newaxis] if rate else x

    def drop_input(self, x: tf.Tensor) -> tf.Tensor:
        """Drop units of the embedding's output, float32 [batch, time, embedding]."""
        return self._drop(x, self.rates.dropout_input, "input")

    def drop_recurrent(self, weights: tf.Tensor, layer: int) -> tf.Tensor:
        """Drop recurrent weights, float32 [hidden, 4 hidden]."""
        rate = self.rates.dropout_recurrent
        return weights * self._mask(weights.shape, rate, "recurrent", layer) if rate else weights

    def drop_output(self, x: tf.Tensor, layer: int, last: bool) -> tf.Tensor:
        """Drop units of a layer's output.

        Args:
            x: float32 [batch, time, hidden].
            last: whether the layer is the last one.
        """
        return self._drop(x, self.rates.dropout_output if last else self.rates.dropout_hidden, "layer", layer)

    def penalty(self, dropped: tf.Tensor, outputs: tf.Tensor) -> tf.Tensor:
        """Compute the penalty on the last layer's outputs that is added to the loss.

        Args:
            dropped, outputs: after and before dropout, float32 [batch, time, hidden].
        Returns:
            float32 scalar.
        """
        penalty = tf.constant(0.0)
        if self.rates.activation:
            penalty += self.rates.activation * tf.reduce_mean(tf.square(dropped))
        if self.rates.temporal and outputs.shape[1] > 1:
            penalty += self.rates.temporal * tf.reduce_mean(tf.square(outputs[:, 1:] - outputs[:, :-1]))
        return penalty

    def _drop(self, x: tf.Tensor, rate: float, site: str, layer: int = 0) -> tf.Tensor:
        if not rate:
            return x
        batch, time, units = x.shape
        return x * self._mask([batch, 1 if self.rates.locked else time, units], rate, site, layer)

    def _mask(self, shape: list[int] | tf.TensorShape, rate: float, site: str, layer: int = 0) -> tf.Tensor:
        """Return 0 with probability `rate`, else 1 / (1 - rate); every site and layer of the model has different random numbers."""
        place = SITES.index(site) + len(SITES) * layer
        uniforms = tf.random.stateless_uniform(shape, seed=tf.stack([(self.seed + 1_000_003 * place) % 2**31, self.step]))
        return tf.cast(uniforms >= rate, tf.float32) / (1 - rate)


@dataclass(frozen=True)
class SampledSoftmax:
    """Train with `losses.sampled_softmax_cross_entropy`, on a new sample in each step.

    Attributes:
        words: size of the sample.
        seed: of the training.
        step: int32 scalar tensor, the optimizer's step.
    """

    words: int
    seed: int
    step: tf.Tensor

    def draw(self, vocabulary_size: int) -> Sample:
        """Draw the sample of this step."""
        return losses.log_uniform_sample(self.words, vocabulary_size, tf.stack([tf.constant(self.seed ^ SAMPLE_SEED), self.step]))
