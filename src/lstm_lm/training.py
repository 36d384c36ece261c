"""The training loop: windows with carried state, schedule, validation, best weights, early stopping."""

import math
import time
from dataclasses import dataclass

import tensorflow as tf

from lstm_lm import batching, evaluation, losses
from lstm_lm.history import Row, Sample
from lstm_lm.model import Dropout
from lstm_lm.optimizers import Adam, clip, learning_rate

RESET_SEED = 0x5EED  # tells these random numbers from those of dropout


@dataclass(frozen=True)
class Result:
    """How a training ended: the weights in the model are those of `best_step`."""

    steps: int
    best_step: int
    best_epoch: int
    best_validation_loss: float
    seconds: float
    stopped_early: bool


class Trainer:
    """Trains a LanguageModel on data.

    Args:
        model: LanguageModel; its weights are changed.
        batches: dataset.Batches.
        settings: params.Train.
        dropout, locked_dropout: see model.Dropout.
        precision: "float32" or "bfloat16", of matrix products.
        write: export.Generator, or None for no samples.
        observers: list of history.Observer.
    """

    def __init__(self, model, batches, settings, dropout, locked_dropout, precision, write=None, observers=()):
        self.model = model
        self.batches = batches
        self.settings = settings
        self.dropout = dropout
        self.locked_dropout = locked_dropout
        self.dtype = tf.as_dtype(precision)
        self.write = write
        self.observers = observers
        self._sampled = set()  # the steps that have their samples
        self.optimizer = Adam(list(model.weights.values()), settings.weight_decay)
        window = tf.TensorSpec([batches.batch_size, batches.sequence_length], tf.int32)
        state = tf.TensorSpec(model.initial_state(batches.batch_size).shape, tf.float32)
        self.train_step = tf.function(
            self._train_step, input_signature=[window, window, state, tf.TensorSpec([], tf.int32), tf.TensorSpec([])]
        )
        self._score = tf.function(
            self._score_window,
            input_signature=[tf.TensorSpec([None, None], tf.int32)] * 2 + [tf.TensorSpec([*state.shape[:2], None, state.shape[3]])],
        )

    def _train_step(self, ids, targets, state, step, rate):
        """One update: (loss in nats per word, gradient norm before clipping, next state)."""
        dropout = Dropout(self.dropout, self.locked_dropout, self.settings.seed, step)
        if self.settings.state_reset:
            # Scoring and generation start from zero state, which training would otherwise see once an epoch: without this some
            # models take off from there into a state they never leave.
            seed = tf.stack([tf.constant(self.settings.seed ^ RESET_SEED), step])
            kept = tf.random.stateless_uniform([self.batches.batch_size], seed=seed) >= self.settings.state_reset
            state *= tf.cast(kept, tf.float32)[:, tf.newaxis]  # [layers, 2, batch, hidden]
        variables = list(self.model.weights.values())
        with tf.GradientTape() as tape:
            loss, state = self.model.training_loss(ids, targets, state, dropout, self.dtype)
        gradients, norm = clip([tf.convert_to_tensor(gradient) for gradient in tape.gradient(loss, variables)], self.settings.clip_norm)
        self.optimizer.apply(gradients, rate, step)
        return loss, norm, state

    def _score_window(self, ids, targets, state):
        logits, state = self.model(ids, state)
        return losses.nats(logits, targets), state

    def validation_loss(self):
        """Nats per word of the validation split, by the protocol of `evaluation`."""
        documents = self.batches.documents("validation")
        nats = evaluation.score(self._score, self.model.initial_state, documents, self.batches.vocabulary_size)
        return evaluation.figures(nats, self.batches.held_out["validation"])["loss"]

    def run(self):
        """Train to the end and leave the best weights by validation loss in the model.

        Returns:
            Result
        """
        settings, batches = self.settings, self.batches
        epoch_steps = batching.steps_per_epoch(batches.train, batches.recipe, batches.sequence_length)
        total_steps = epoch_steps * settings.epochs
        for observer in self.observers:
            observer.started(total_steps, settings.epochs)
        began = time.perf_counter()
        step, best, best_weights, stopped_early = 0, None, None, False
        meter = _Meter(batches.batch_size * batches.sequence_length)
        for epoch in range(1, settings.epochs + 1):
            state = self.model.initial_state(batches.batch_size)
            for ids, targets in batching.epoch(batches.train, batches.recipe, batches.sequence_length, settings.seed, epoch):
                step += 1
                rate = learning_rate(step, total_steps, settings.learning_rate, settings.schedule, settings.warmup_steps)
                meter.start()
                loss, norm, state = self.train_step(ids, targets, state, tf.constant(step), tf.constant(rate, tf.float32))
                meter.stop(float(loss), float(norm))
                for observer in self.observers:
                    observer.stepped(step)
                if step % settings.status_every == 0 and step % epoch_steps:
                    self._report(meter.row(step, epoch, rate))
                if step % settings.sample_every == 0:
                    self._sample(step)
            validation = self.validation_loss()
            self._report(meter.row(step, epoch, rate, validation))
            if best is None or validation < best[0]:
                best, best_weights = (validation, step, epoch), {name: variable.numpy() for name, variable in self.model.weights.items()}
            elif settings.patience and epoch - best[2] >= settings.patience:
                stopped_early = epoch < settings.epochs
                break
        for name, variable in self.model.weights.items():
            variable.assign(best_weights[name])
        self._sample(best[1])
        return Result(step, best[1], best[2], best[0], time.perf_counter() - began, stopped_early)

    def _report(self, row):
        for observer in self.observers:
            observer.row(row)

    def _sample(self, step):
        """The book's greedy sample of each prime text, and a sampled one beside it."""
        if self.write is None or step in self._sampled:
            return
        self._sampled.add(step)
        settings = self.settings
        found = []
        for temperature in (0.0, settings.sample_temperature):
            texts = self.write(settings.prime_texts, settings.sample_words, temperature=temperature, seed=settings.seed)
            found += [Sample(step, prompt, temperature, text) for prompt, text in zip(settings.prime_texts, texts, strict=True)]
        for observer in self.observers:
            observer.samples(found)


class _Meter:
    """Means and speed since the last row."""

    def __init__(self, words_per_step):
        self.words_per_step = words_per_step
        self.words_seen = 0
        self._clear()

    def _clear(self):
        self.losses, self.norms, self.seconds = [], [], 0.0

    def start(self):
        self._started = time.perf_counter()

    def stop(self, loss, norm):
        self.seconds += time.perf_counter() - self._started
        self.losses.append(loss)
        self.norms.append(norm)
        self.words_seen += self.words_per_step

    def row(self, step, epoch, rate, validation_loss=None):
        steps = len(self.losses)
        row = Row(
            step=step,
            words_seen=self.words_seen,
            epoch=epoch,
            loss=math.fsum(self.losses) / steps,
            learning_rate=rate,
            gradient_norm=math.fsum(self.norms) / steps,
            words_per_second=steps * self.words_per_step / self.seconds,
            validation_loss=validation_loss,
            validation_perplexity=None if validation_loss is None else math.exp(min(validation_loss, 700)),
        )
        self._clear()
        return row
