"""The training loop: windows with carried state, schedule, validation, best weights, early stopping, checkpoints."""

import contextlib
import itertools
import math
import time
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, NoReturn

import numpy as np
import tensorflow as tf

from lstm_lm.data import windows
from lstm_lm.data.dataset import Batches
from lstm_lm.evaluation import scoring
from lstm_lm.events import Row, Sample
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.io import arrays
from lstm_lm.model.ensemble import Model
from lstm_lm.training.feed import Window, prepare_ahead, stack_windows
from lstm_lm.training.progress import Best, Diverged, Progress, Result, Stopped
from lstm_lm.training.schedules import learning_rate
from lstm_lm.training.step_functions import StepFunctions
from lstm_lm.training.training_config import Hooks, TrainingConfig

CALL_SECONDS = 0.1  # for one call into TensorFlow: an interruption waits this long
MAX_STEPS_PER_CALL = 32  # more steps gain nothing
MAX_EXPONENT = 700  # of e, within float64

Weights = dict[str, np.ndarray]


class Trainer:
    """Trains a language model, or all members of an ensemble in the same steps.

    Args:
        model: its weights are changed.
        batches: training and validation text.
        config: how to train.
        hooks: what takes part without changing the training.

    Attributes:
        functions: the graphs.
        progress: where the training stands.
        state: float32 [layers, 2, batch, hidden], carried from window to window.
        best_weights: by validation loss; empty before the first validation.
    """

    def __init__(self, model: Model, batches: Batches, config: TrainingConfig, hooks: Hooks | None = None) -> None:
        self.model = model
        self.batches = batches
        self.config = config
        self.hooks = hooks or Hooks()
        self.functions = StepFunctions(model, config, batches)
        self.progress = Progress()
        self.state = model.initial_state(batches.batch_size)
        self.best_weights: Weights = {}
        self._last_row_weights = 0, self._weights()  # and their step
        self._steps_per_call = config.steps_per_call or 1
        self._warm = False
        self._started = 0.0  # time.perf_counter() at which an uninterrupted training would have started
        self._epoch_steps = [self._count_steps(epoch) for epoch in range(1, (config.train.epochs or 0) + 1)]
        self._total_steps = sum(self._epoch_steps)

    def limit_steps(self, steps: int) -> None:
        """Set the number of steps, at least 1, in place of that of `train.epochs`. The last epoch may be shorter."""
        self._epoch_steps, left = [], steps
        while left > 0:
            self._epoch_steps.append(min(left, self._count_steps(len(self._epoch_steps) + 1)))
            left -= self._epoch_steps[-1]
        self._total_steps = steps

    @property
    def total_steps(self) -> int:
        """Steps of the whole training."""
        return self._total_steps

    @property
    def epoch_length(self) -> int:
        """Steps of the first epoch."""
        return self._count_steps(1)

    @property
    def _epochs(self) -> int:
        """How many epochs there are; the last one may be shorter."""
        return len(self._epoch_steps)

    def _count_steps(self, epoch: int) -> int:
        settings, batches = self.config.train, self.batches
        return windows.steps_per_epoch(batches.train, batches.recipe, batches.sequence_length, settings.seed, epoch, settings.short_windows)

    def run(self) -> Result:
        """Train to the end, from the beginning or from what `restore` was given. Leaves the best weights by validation loss in the model.

        Raises:
            Stopped: it was asked to stop; the checkpoint is of the last step.
            Diverged: the model has the last good weights: the best ones by validation, or before the first validation those of the
                last row of the history (or the initial ones).
        """
        progress = self.progress
        for observer in self.hooks.observers:
            observer.started(self._total_steps, self._epochs)
            if progress.step:
                observer.resumed(progress.step, [Row(**row) for row in progress.rows], [Sample(**sample) for sample in progress.samples])
        self._started = time.perf_counter() - progress.seconds
        stopped_early = progress.position == 0 and progress.epoch > 1 and self._is_out_of_patience(progress.epoch - 1)
        while progress.epoch <= self._epochs and not stopped_early:
            self._train_epoch()
            stopped_early = self._end_epoch()
        if self.hooks.checkpoints is not None and self.config.train.schedule == "constant":
            self.hooks.checkpoints.save(*self.snapshot())  # a training with more epochs resumes from here: its learning rates are the same
        self._assign(self.best_weights)
        assert progress.best is not None
        best = progress.best
        if self.functions.averages:  # samples of that step, if any, are of the weights themselves
            progress.sampled_steps = [step for step in progress.sampled_steps if step != best.step]
        self._sample(best.step)
        return Result(progress.step, best.step, best.epoch, best.loss, time.perf_counter() - self._started, stopped_early)

    def _train_epoch(self) -> None:
        """Train on the rest of the current epoch's windows."""
        progress, settings, reporting = self.progress, self.config.train, self.config.reporting
        for ids, targets in prepare_ahead(self._calls(progress.epoch, progress.position, progress.step)):
            # A short window's loss is the mean of fewer words, so its update is smaller by as much.
            fraction = ids.shape[2] / self.batches.sequence_length
            self._call(ids, targets, [fraction * self._rate(progress.step + 1 + i) for i in range(len(ids))])
            if progress.position < self._epoch_steps[progress.epoch - 1]:
                if settings.validate_every and progress.step % settings.validate_every == 0:
                    self._validate()
                elif progress.step % reporting.status_every == 0:
                    self._report()
            if progress.step % reporting.sample_every == 0:
                self._sample(progress.step)
            self._checkpoint_or_stop()

    def _calls(self, epoch: int, position: int, step: int) -> Iterator[Window]:
        """Yield the windows of an epoch from a position on, stacked for calls: (inputs, targets), int32 [steps, batch, time]."""
        settings, reporting, batches = self.config.train, self.config.reporting, self.batches
        all_windows = itertools.islice(self.windows(epoch), self._epoch_steps[epoch - 1])
        intervals = [every for every in (reporting.status_every, reporting.sample_every, settings.validate_every) if every]
        return stack_windows(all_windows, position, step, intervals, lambda: self._steps_per_call, batches.train)

    def windows(self, epoch: int) -> Iterator[Window]:
        """Yield the windows of an epoch: (inputs, targets), int32 [batch, time]."""
        settings, batches = self.config.train, self.batches
        yield from windows.epoch_windows(
            batches.train, batches.recipe, batches.sequence_length, settings.seed, epoch, settings.short_windows
        )

    def _call(self, ids: np.ndarray, targets: np.ndarray, rates: list[float]) -> None:
        """Take the steps of one call into TensorFlow."""
        progress, functions = self.progress, self.functions
        start = time.perf_counter()
        train = functions.train_steps if ids.shape[2] == self.batches.sequence_length else functions.train_short_steps
        results = train(ids, targets, self.state, tf.constant(progress.step + 1), tf.constant(rates, tf.float32))
        *results, self.state, steps_taken = results
        losses, norms, is_good, steps_taken = (value.numpy() for value in (*results, steps_taken))
        seconds = time.perf_counter() - start
        if not is_good:
            self._diverge(progress.step + int(steps_taken), float(losses[steps_taken - 1]), float(norms[steps_taken - 1]))
        progress.row_seconds += seconds
        progress.losses += losses.tolist()
        progress.norms += norms.tolist()
        progress.step += len(rates)
        progress.position += len(rates)
        progress.words += ids.size
        if not self._warm:
            self._warm = True
            for observer in self.hooks.observers:
                observer.warm(seconds, progress.step)
        elif self.config.steps_per_call is None:
            self._steps_per_call = min(MAX_STEPS_PER_CALL, max(1, int(CALL_SECONDS * len(rates) / seconds)))
        for observer in self.hooks.observers:
            observer.stepped(progress.step)

    def _rate(self, step: int) -> float:
        settings = self.config.train
        return learning_rate(step, self._total_steps, settings.learning_rate, settings.schedule, settings.warmup_steps)

    def validation_loss(self) -> float:
        """Return the model's loss on the validation split in nats per word, by the protocol of `evaluation.scoring`."""
        return scoring.mean_nats(self.validation_nats(), self.batches.held_out["validation"].scored_words)

    def validation_nats(self) -> list[np.ndarray]:
        """Return what the words of the validation split cost: float32 [words - 1] for each document."""
        arrays.release(self.batches.train)
        documents = self.batches.documents("validation")
        nats = scoring.score(self.functions.score, self.model.initial_state, documents, self.batches.vocabulary_size)
        arrays.release(self.batches.ids["validation"])
        return nats

    def _validate(self) -> None:
        """Score the weights, or their averages if there are any, report the loss and keep the best weights."""
        progress = self.progress
        with self._averaged_weights():
            loss = self.validation_loss()
            if not math.isfinite(loss):
                self._diverge(progress.step, loss, progress.norms[-1])
            if progress.best is None or loss < progress.best.loss:
                progress.best = Best(loss, progress.step, progress.epoch)
                self.best_weights = self._weights()
        self._report(loss)

    def _end_epoch(self) -> bool:
        """Validate, and start the next epoch from the zero state. Returns whether the patience has run out."""
        progress = self.progress
        self._validate()
        stopped_early = self._is_out_of_patience(progress.epoch) and progress.epoch < self._epochs
        progress.epoch += 1
        progress.position = 0
        self.state = self.model.initial_state(self.batches.batch_size)
        return stopped_early

    def _is_out_of_patience(self, epoch: int) -> bool:
        """Whether the patience has run out at the end of an epoch."""
        best, patience = self.progress.best, self.config.train.patience
        return best is not None and patience is not None and epoch - best.epoch >= patience

    @contextlib.contextmanager
    def _averaged_weights(self) -> Iterator[None]:
        """Give the model its averaged weights, if the training keeps any, while the block runs."""
        if not self.functions.averages:
            yield
            return
        weights = self._weights()
        self._assign(self._averages())
        try:
            yield
        except Diverged:  # the last good weights are in place
            raise
        else:
            self._assign(weights)

    def _diverge(self, step: int, loss: float, norm: float) -> NoReturn:
        best = self.progress.best
        kept_step, weights = (best.step, self.best_weights) if best else self._last_row_weights
        self._assign(weights)
        raise Diverged(step, self.progress.epoch, loss, norm, kept_step)

    def _weights(self) -> Weights:
        return {name: variable.numpy() for name, variable in self.model.weights.items()}

    def _averages(self) -> Weights:
        averages = self.functions.averages
        return {name: variable.numpy() for name, variable in zip(self.model.weights, averages, strict=True)} if averages else {}

    def _assign(self, weights: Weights) -> None:
        for name, variable in self.model.weights.items():
            variable.assign(weights[name])

    def _checkpoint_or_stop(self) -> None:
        """Take a checkpoint if it is due, and stop if that is asked for."""
        checkpoints, stop_request = self.hooks.checkpoints, self.hooks.stop_request
        stop = stop_request is not None and stop_request.reason is not None
        if checkpoints is not None and (stop or checkpoints.is_due()):
            checkpoints.save(*self.snapshot())
        if stop:
            raise Stopped(self.progress.step)

    def snapshot(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Return the (arrays, facts) from which `restore` resumes, in another process too."""
        self.progress.seconds = time.perf_counter() - self._started
        optimizer = self.functions.optimizer
        arrays = {f"weights/{name}": value for name, value in self._weights().items()}
        for moment, variables in (("m", optimizer.m), ("v", optimizer.v)):
            arrays |= {f"{moment}/{name}": variable.numpy() for name, variable in zip(self.model.weights, variables, strict=True)}
        arrays |= {f"best/{name}": value for name, value in self.best_weights.items()}
        arrays |= {f"average/{name}": value for name, value in self._averages().items()}
        return {**arrays, "state": np.asarray(self.state)}, {**asdict(self.progress), "precision": self.config.precision}

    def restore(self, arrays: dict[str, np.ndarray], facts: dict[str, Any]) -> None:
        """Take over what `snapshot` returned.

        Raises:
            ValueError: it is from a training in another precision, which would continue differently.
        """
        facts = dict(facts)
        if (precision := facts.pop("precision")) != self.config.precision:
            raise ValueError(f"a checkpoint in {precision} cannot be resumed in {self.config.precision}")
        self.progress = Progress.from_dict(facts)
        optimizer, averages = self.functions.optimizer, self.functions.averages
        for (name, weights), m, v in zip(self.model.weights.items(), optimizer.m, optimizer.v, strict=True):
            weights.assign(arrays[f"weights/{name}"])
            m.assign(arrays[f"m/{name}"])
            v.assign(arrays[f"v/{name}"])
        for name, average in zip(self.model.weights if averages else (), averages, strict=True):
            average.assign(arrays[f"average/{name}"])
        self.best_weights = {name: arrays[f"best/{name}"] for name in self.model.weights} if self.progress.best else {}
        self._last_row_weights = self.progress.step, self._weights()
        self.state = tf.constant(arrays["state"])

    def _report(self, validation_loss: float | None = None) -> None:
        """Report the means and the speed since the last row."""
        progress = self.progress
        steps = len(progress.losses)
        row = Row(
            step=progress.step,
            words_seen=progress.words,
            epoch=progress.epoch,
            loss=math.fsum(progress.losses) / steps,
            learning_rate=self._rate(progress.step),
            gradient_norm=math.fsum(progress.norms) / steps,
            words_per_second=(progress.words - progress.row_words) / progress.row_seconds,
            validation_loss=validation_loss,
            validation_perplexity=None if validation_loss is None else math.exp(min(validation_loss, MAX_EXPONENT)),
        )
        progress.losses, progress.norms, progress.row_seconds, progress.row_words = [], [], 0.0, progress.words
        # Kept at each row, not at each step: the step before a divergence may have caused it.
        self._last_row_weights = progress.step, self._weights()
        progress.rows.append(asdict(row))
        for observer in self.hooks.observers:
            observer.row(row)

    def _sample(self, step: int) -> None:
        """Report a greedy text for each prompt, as the book does, and a sampled one."""
        if self.hooks.generate is None or step in self.progress.sampled_steps:
            return
        self.progress.sampled_steps.append(step)
        reporting = self.config.reporting
        samples = []
        for temperature in (0.0, reporting.sample_temperature):
            options = GenerationOptions(max_words=reporting.sample_words, temperature=temperature, seed=self.config.train.seed)
            texts = self.hooks.generate(reporting.prime_texts, options)
            samples += [Sample(step, prompt, temperature, text) for prompt, text in zip(reporting.prime_texts, texts, strict=True)]
        self.progress.samples += [asdict(sample) for sample in samples]
        for observer in self.hooks.observers:
            observer.samples(samples)
