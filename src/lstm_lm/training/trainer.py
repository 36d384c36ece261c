"""The training loop: windows with carried state, schedule, validation, best weights, early stopping, checkpoints."""

import contextlib
import functools
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from itertools import groupby, islice

import numpy as np
import tensorflow as tf

from lstm_lm.data import windows
from lstm_lm.evaluation import scoring
from lstm_lm.events import Row, Sample
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.io import arrays
from lstm_lm.model import losses
from lstm_lm.model.dropout import DropoutMasks, SampledSoftmax
from lstm_lm.training.optimizers import Adam, average, clip, learning_rate, summed

RESET_SEED = 0x5EED  # tells these random numbers from those of dropout
CALL_SECONDS = 0.1  # that one call into TensorFlow may take: so long an interruption waits
MOST_STEPS = 32  # a call; with more there is nothing left to win
RELEASE_BYTES = 2**26  # of training text that have been read are let go, so that a long text needs no more memory than a short one


@dataclass(frozen=True)
class Result:
    """How a training ended: the weights in the model are those of `best_step`."""

    steps: int
    best_step: int
    best_epoch: int
    best_validation_loss: float
    seconds: float
    stopped_early: bool


class Stopped(Exception):
    """The training was asked to stop, and did after a whole step."""

    def __init__(self, step):
        super().__init__(f"stopped after step {step}")
        self.step = step


class Diverged(Exception):
    """A loss or a gradient that no training recovers from; the model has the last good weights, those of `kept_step`."""

    def __init__(self, step, epoch, loss, norm, kept_step):
        super().__init__(f"step {step}: loss {loss:g}, gradient norm {norm:g}")
        self.step, self.epoch, self.loss, self.norm, self.kept_step = step, epoch, loss, norm, kept_step


@dataclass
class Progress:
    """Where a training stands between two steps: with the weights and the optimiser's moments, all that it goes on from.

    Random numbers need no state of their own: they depend on the seed, the epoch and the step alone.

    Attributes:
        step: optimiser steps done. words: seen in them. epoch: 1 for the first. position: windows of this epoch that are done.
        best: (validation loss, step, epoch) of the best weights, or None before the first validation.
        losses, norms, measured, told_words: of the steps since the last row, their seconds, and the words seen until then.
        seconds: of training so far, in all the processes that took part.
        sampled: the steps that have their samples. rows, samples: all that was told, as dicts.
    """

    step: int = 0
    words: int = 0
    epoch: int = 1
    position: int = 0
    best: list | None = None
    losses: list = field(default_factory=list)
    norms: list = field(default_factory=list)
    measured: float = 0.0
    told_words: int = 0
    seconds: float = 0.0
    sampled: list = field(default_factory=list)
    rows: list = field(default_factory=list)
    samples: list = field(default_factory=list)


class Trainer:
    """Trains a LanguageModel on data.

    Args:
        model: LanguageModel; its weights are changed.
        batches: dataset.Batches.
        settings: schema.Train.
        reporting: schema.Reporting.
        regularization: model.Regularization.
        precision: "float32" or "bfloat16", of matrix products.
        write: export.generator.Generator, or None for no samples.
        observers: list of history.Observer.
        checkpoints: checkpoint.Checkpoints, or None to keep none.
        interruption: asked after every call: something with an attribute `reason`, which says why to stop, or is None.
        steps_per_call: steps taken in one call into TensorFlow; None: as many as fit into a tenth of a second, so that Python
            costs little beside small steps too. It does not change what is learnt.
    """

    def __init__(
        self,
        model,
        batches,
        settings,
        reporting,
        regularization,
        precision,
        write=None,
        observers=(),
        checkpoints=None,
        interruption=None,
        steps_per_call=None,
    ):
        self.model = model
        self.batches = batches
        self.settings = settings
        self.reporting = reporting
        self.regularization = regularization
        self.precision = precision
        self.dtype = tf.as_dtype(precision)
        self.write = write
        self.observers = observers
        self.checkpoints = checkpoints
        self.interruption = interruption
        self.steps_per_call = steps_per_call
        self._call_size = steps_per_call or 1
        self._warm = False
        self.progress = Progress()
        self.state = model.initial_state(batches.batch_size)
        self.best_weights = {}
        self.recent = 0, self._weights()
        self.optimizer = Adam(list(model.weights.values()), settings.weight_decay)
        self.averages = [tf.Variable(variable) for variable in model.weights.values()] if settings.ema_decay else []
        # Rows of the embedding that a step does not use stay as they are, and those of a sampled softmax, where all of them are too
        # many to visit in each step.
        self.lazy = bool(settings.sampled_words or model.shape.adaptive_cutoffs)
        # Nothing here is written in the Python that AutoGraph turns into graphs: without it, tracing takes a third of the time.
        graph = functools.partial(tf.function, autograph=False)
        size = [batches.batch_size, batches.sequence_length]
        one, several = tf.TensorSpec(size, tf.int32), tf.TensorSpec([None, *size], tf.int32)
        short = tf.TensorSpec([None, size[0], windows.short_length(size[1])], tf.int32)
        state = tf.TensorSpec(model.initial_state(batches.batch_size).shape, tf.float32)
        step = tf.TensorSpec([], tf.int32)
        self.train_step = graph(self._train_step, input_signature=[one, one, state, step, tf.TensorSpec([])])
        self.train_steps = graph(self._train_steps, input_signature=[several, several, state, step, tf.TensorSpec([None])])
        self.train_short_steps = graph(self._train_steps, input_signature=[short, short, state, step, tf.TensorSpec([None])])
        self._score = graph(
            self._score_window,
            input_signature=[tf.TensorSpec([None, None], tf.int32)] * 2 + [tf.TensorSpec([*state.shape[:2], None, state.shape[3]])],
        )

    def _train_step(self, ids, targets, state, step, rate):
        """One update: (loss in nats per word, gradient norm before clipping, whether these are sound, next state).

        Nothing is updated if they are not: no training goes on from a gradient that is not finite or a loss above max_loss.
        """
        masks = DropoutMasks(self.regularization, self.settings.seed, step)
        if self.settings.state_reset:
            # Scoring and generation start from zero state, which training would otherwise see once an epoch: without this some
            # models take off from there into a state they never leave.
            seed = tf.stack([tf.constant(self.settings.seed ^ RESET_SEED), step])
            kept = tf.random.stateless_uniform([self.batches.batch_size], seed=seed) >= self.settings.state_reset
            state *= tf.cast(kept, tf.float32)[:, tf.newaxis]  # [layers, 2, batch, hidden]
        sampled = SampledSoftmax(self.settings.sampled_words, self.settings.seed, step) if self.settings.sampled_words else None
        variables = list(self.model.weights.values())
        with tf.GradientTape() as tape:
            loss, state, penalty = self.model.training_loss(ids, targets, state, masks, self.dtype, sampled)
            minimised = loss + penalty
        gradients = tape.gradient(minimised, variables)
        gradients = [summed(gradient) if self.lazy else tf.convert_to_tensor(gradient) for gradient in gradients]
        gradients, norm = clip(gradients, self.settings.clip_norm)
        sound = tf.logical_and(tf.math.is_finite(norm), loss <= self.settings.max_loss)  # False for a loss that is not a number

        def update():
            self.optimizer.apply(gradients, rate, step)
            if self.averages:
                average(self.averages, variables, self.settings.ema_decay, step)
            return True

        tf.cond(sound, update, lambda: False)
        return loss, norm, sound, state

    def _train_steps(self, ids, targets, state, first, rates):
        """Several updates, one after the other, up to the first that is not sound.

        Args:
            ids, targets: int32 [steps, batch, time], time that of a whole window or of a short one.
            state: float32 [layers, 2, batch, hidden].
            first: int32 scalar, the step of the first.
            rates: float32 [steps], learning rates.
        Returns:
            (losses, gradient norms: float32 [steps]; whether the last step was sound; next state; int32 scalar, how many were taken)
        """
        steps = tf.shape(ids)[0]
        one_step = self.train_step if ids.shape[2] == self.batches.sequence_length else self._train_step

        def body(i, sound, state, told):
            loss, norm, sound, state = one_step(ids[i], targets[i], state, first + i, rates[i])
            return i + 1, sound, state, [array.write(i, value) for array, value in zip(told, (loss, norm), strict=True)]

        arrays = [tf.TensorArray(tf.float32, steps, element_shape=[]) for _ in range(2)]
        taken, sound, state, told = tf.while_loop(
            lambda i, sound, *_: tf.logical_and(i < steps, sound), body, (0, True, state, arrays), parallel_iterations=1
        )
        return told[0].stack(), told[1].stack(), sound, state, taken

    def _score_window(self, ids, targets, state):
        logits, state = self.model(ids, state)
        return losses.nats(logits, targets), state

    def validation_loss(self):
        """Nats per word of the validation split for the model's weights, by the protocol of `evaluation`."""
        arrays.release(self.batches.train)
        documents = self.batches.documents("validation")
        nats = scoring.score(self._score, self.model.initial_state, documents, self.batches.vocabulary_size)
        arrays.release(self.batches.ids["validation"])
        return scoring.figures(nats, self.batches.held_out["validation"])["loss"]

    def run(self):
        """Train to the end, from the beginning or from what `restore` brought, and leave the best weights by validation loss
        in the model.

        Returns:
            Result
        Raises:
            Stopped: the interruption asked for it; the checkpoint is of the last step.
            Diverged: the model has the last good weights: the best ones by validation, or before there are any those of the
                last row of the history (or the initial ones).
        """
        progress, settings, batches = self.progress, self.settings, self.batches
        cut = batches.train, batches.recipe, batches.sequence_length, settings.seed
        epoch_steps = [windows.steps_per_epoch(*cut, 1 + epoch, settings.short_windows) for epoch in range(settings.epochs)]
        total_steps = sum(epoch_steps)

        def rate_at(step):
            return learning_rate(step, total_steps, settings.learning_rate, settings.schedule, settings.warmup_steps)

        for observer in self.observers:
            observer.started(total_steps, settings.epochs)
            if progress.step:
                observer.resumed(progress.step, [Row(**row) for row in progress.rows], [Sample(**sample) for sample in progress.samples])
        self._began = time.perf_counter() - progress.seconds
        stopped_early = False
        while progress.epoch <= settings.epochs and not stopped_early:
            for ids, targets in _ahead(self._calls(progress.epoch, progress.position, progress.step)):
                # A short window's loss is the mean of fewer words: its update is as much smaller.
                share = ids.shape[2] / batches.sequence_length
                self._call(ids, targets, [share * rate_at(progress.step + 1 + i) for i in range(len(ids))])
                if progress.position < epoch_steps[progress.epoch - 1]:
                    if settings.validate_every and progress.step % settings.validate_every == 0:
                        self._validate(rate_at(progress.step))
                    elif progress.step % self.reporting.status_every == 0:
                        self._report(rate_at(progress.step))
                if progress.step % self.reporting.sample_every == 0:
                    self._sample(progress.step)
                self._pause()
            stopped_early = self._end_epoch(rate_at(progress.step))
        self._assign(self.best_weights)
        loss, step, epoch = progress.best
        if self.averages:  # what that step has samples of, are the weights themselves
            progress.sampled = [each for each in progress.sampled if each != step]
        self._sample(step)
        return Result(progress.step, step, epoch, loss, time.perf_counter() - self._began, stopped_early)

    def _calls(self, epoch, position, step):
        """The windows of an epoch from a position on, as many together as one call takes: (inputs, targets), int32
        [steps, batch, time]. No call goes beyond a step at which there is something to tell."""
        settings, batches = self.settings, self.batches
        parts = windows.epoch_windows(batches.train, batches.recipe, batches.sequence_length, settings.seed, epoch, settings.short_windows)
        parts, read = islice(parts, position, None), 0
        told = [every for every in (self.reporting.status_every, self.reporting.sample_every, settings.validate_every) if every]
        for _, alike in groupby(parts, lambda window: window[0].shape[1]):  # short windows have a graph of their own
            while taken := list(islice(alike, min(self._call_size, *(every - step % every for every in told)))):
                step += len(taken)
                yield tuple(np.stack(part) for part in zip(*taken, strict=True))
                read += sum(ids.nbytes for ids, _ in taken)
                if read > RELEASE_BYTES:
                    arrays.release(batches.train)
                    read = 0

    def _call(self, ids, targets, rates):
        progress = self.progress
        began = time.perf_counter()
        train = self.train_steps if ids.shape[2] == self.batches.sequence_length else self.train_short_steps
        told = train(ids, targets, self.state, tf.constant(progress.step + 1), tf.constant(rates, tf.float32))
        *told, self.state, taken = told
        losses, norms, sound, taken = (value.numpy() for value in (*told, taken))
        seconds = time.perf_counter() - began
        if not sound:
            self._diverge(progress.step + int(taken), float(losses[taken - 1]), float(norms[taken - 1]))
        progress.measured += seconds
        progress.losses += losses.tolist()
        progress.norms += norms.tolist()
        progress.step += len(rates)
        progress.position += len(rates)
        progress.words += ids.size
        if not self._warm:
            self._warm = True
            for observer in self.observers:
                observer.warm(seconds, progress.step)
        elif self.steps_per_call is None:
            self._call_size = min(MOST_STEPS, max(1, int(CALL_SECONDS * len(rates) / seconds)))
        for observer in self.observers:
            observer.stepped(progress.step)

    def _validate(self, rate):
        """Score the weights, or their averages if there are any, tell the result and keep the best weights."""
        progress = self.progress
        with self._averaged():
            validation = self.validation_loss()
            if not math.isfinite(validation):
                self._diverge(progress.step, validation, progress.norms[-1])
            if progress.best is None or validation < progress.best[0]:
                progress.best = [validation, progress.step, progress.epoch]
                self.best_weights = self._weights()
        self._report(rate, validation)

    def _end_epoch(self, rate):
        """Validate, and start the next epoch from zero state. Returns whether patience has run out."""
        progress, patience = self.progress, self.settings.patience
        self._validate(rate)
        out_of_patience = bool(patience) and progress.epoch - progress.best[2] >= patience
        stopped_early = out_of_patience and progress.epoch < self.settings.epochs
        progress.epoch += 1
        progress.position = 0
        self.state = self.model.initial_state(self.batches.batch_size)
        return stopped_early

    @contextlib.contextmanager
    def _averaged(self):
        """While this lasts the model has its averaged weights, if the training keeps any."""
        if not self.averages:
            yield
            return
        weights = self._weights()
        self._assign(self._averages())
        try:
            yield
        except Diverged:  # which has put the last good weights in place
            raise
        else:
            self._assign(weights)

    def _diverge(self, step, loss, norm):
        kept_step, weights = (self.progress.best[1], self.best_weights) if self.progress.best else self.recent
        self._assign(weights)
        raise Diverged(step, self.progress.epoch, loss, norm, kept_step)

    def _weights(self):
        return {name: variable.numpy() for name, variable in self.model.weights.items()}

    def _averages(self):
        return {name: variable.numpy() for name, variable in zip(self.model.weights, self.averages, strict=True)} if self.averages else {}

    def _assign(self, weights):
        for name, variable in self.model.weights.items():
            variable.assign(weights[name])

    def _pause(self):
        """Between two steps: take a checkpoint if it is time, and stop if that is asked for."""
        stop = self.interruption is not None and self.interruption.reason is not None
        if self.checkpoints is not None and (stop or self.checkpoints.is_due()):
            self.checkpoints.save(*self.snapshot())
        if stop:
            raise Stopped(self.progress.step)

    def snapshot(self):
        """(arrays, facts) that `restore` goes on from, in another process too."""
        self.progress.seconds = time.perf_counter() - self._began
        arrays = {f"weights/{name}": value for name, value in self._weights().items()}
        for moment, variables in (("m", self.optimizer.m), ("v", self.optimizer.v)):
            arrays |= {f"{moment}/{name}": variable.numpy() for name, variable in zip(self.model.weights, variables, strict=True)}
        arrays |= {f"best/{name}": value for name, value in self.best_weights.items()}
        arrays |= {f"average/{name}": value for name, value in self._averages().items()}
        return {**arrays, "state": np.asarray(self.state)}, {**asdict(self.progress), "precision": self.precision}

    def restore(self, arrays, facts):
        """Take over what `snapshot` gave.

        Raises:
            ValueError: it is of a training in another precision, which would go on differently.
        """
        facts = dict(facts)
        if (precision := facts.pop("precision")) != self.precision:
            raise ValueError(f"a checkpoint in {precision} cannot go on in {self.precision}")
        self.progress = Progress(**facts)
        for name, weights, m, v in zip(self.model.weights, self.model.weights.values(), self.optimizer.m, self.optimizer.v, strict=True):
            weights.assign(arrays[f"weights/{name}"])
            m.assign(arrays[f"m/{name}"])
            v.assign(arrays[f"v/{name}"])
        for name, average_of_it in zip(self.model.weights if self.averages else (), self.averages, strict=True):
            average_of_it.assign(arrays[f"average/{name}"])
        self.best_weights = {name: arrays[f"best/{name}"] for name in self.model.weights} if self.progress.best else {}
        self.recent = self.progress.step, self._weights()
        self.state = tf.constant(arrays["state"])

    def _report(self, rate, validation_loss=None):
        """Tell the means and the speed since the last row."""
        progress = self.progress
        steps = len(progress.losses)
        row = Row(
            step=progress.step,
            words_seen=progress.words,
            epoch=progress.epoch,
            loss=math.fsum(progress.losses) / steps,
            learning_rate=rate,
            gradient_norm=math.fsum(progress.norms) / steps,
            words_per_second=(progress.words - progress.told_words) / progress.measured,
            validation_loss=validation_loss,
            validation_perplexity=None if validation_loss is None else math.exp(min(validation_loss, 700)),
        )
        progress.losses, progress.norms, progress.measured, progress.told_words = [], [], 0.0, progress.words
        # Not those of the step before a divergence: it is their update that made it.
        self.recent = progress.step, self._weights()
        progress.rows.append(asdict(row))
        for observer in self.observers:
            observer.row(row)

    def _sample(self, step):
        """The book's greedy sample of each prime text, and a sampled one beside it."""
        if self.write is None or step in self.progress.sampled:
            return
        self.progress.sampled.append(step)
        reporting, found = self.reporting, []
        for temperature in (0.0, reporting.sample_temperature):
            options = GenerationOptions(max_words=reporting.sample_words, temperature=temperature, seed=self.settings.seed)
            texts = self.write(reporting.prime_texts, options)
            found += [Sample(step, prompt, temperature, text) for prompt, text in zip(reporting.prime_texts, texts, strict=True)]
        self.progress.samples += [asdict(sample) for sample in found]
        for observer in self.observers:
            observer.samples(found)


def _ahead(iterator):
    """The same items; a thread makes the next one while the one before is used."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, iterator, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, iterator, None)
            yield item
