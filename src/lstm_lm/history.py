"""What a training tells while it runs, and two who listen: the terminal, and the CSV files."""

import csv
import sys
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from lstm_lm.console import duration

NAMES = ("history.csv", "samples.csv")  # of the files of Files


@dataclass(frozen=True)
class Row:
    """One line of the history. Means are over the steps since the row before.

    Attributes:
        step: optimiser steps so far. words_seen: training words so far. epoch: 1 for the first.
        loss: mean, nats per word. learning_rate: of this step. gradient_norm: mean, before clipping.
        words_per_second: of training alone, without validation and samples.
        validation_loss: nats per word, at a validation (the end of an epoch is one), else None. validation_perplexity: its exponential.
    """

    step: int
    words_seen: int
    epoch: int
    loss: float
    learning_rate: float
    gradient_norm: float
    words_per_second: float
    validation_loss: float | None = None
    validation_perplexity: float | None = None


@dataclass(frozen=True)
class Sample:
    """What the model wrote at a step. temperature 0 is greedy."""

    step: int
    prompt: str
    temperature: float
    text: str


class Observer:
    """Told what happens in a training; every method may be left out."""

    def started(self, total_steps, epochs):
        """Before the first step."""

    def resumed(self, step, rows, samples):
        """After `started`, if the training goes on from a checkpoint: its step, and all that was told up to it."""

    def warm(self, seconds, step):
        """After the first call into TensorFlow of this process: what it took, tracing included, and the step it came to."""

    def stepped(self, step):
        """After every call, of one step or several."""

    def row(self, row):
        """A Row: every `status_every` steps and at each epoch's end."""

    def samples(self, samples):
        """A list of Sample: every `sample_every` steps and at the end."""

    def close(self):
        """After the last step, and also when the training was cut short."""


class Files(Observer):
    """history.csv and samples.csv, written as the training goes on."""

    def __init__(self, folder):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._files, self._writers = [], []
        for name, kind in zip(NAMES, (Row, Sample), strict=True):
            file = (folder / name).open("w", newline="", encoding="utf-8")
            writer = csv.DictWriter(file, [field.name for field in fields(kind)], lineterminator="\n")
            writer.writeheader()
            file.flush()
            self._files.append(file)
            self._writers.append(writer)

    def resumed(self, step, rows, samples):
        self._write(0, rows)
        self._write(1, samples)

    def row(self, row):
        self._write(0, [row])

    def samples(self, samples):
        self._write(1, samples)

    def _write(self, which, records):
        # None becomes an empty cell.
        self._writers[which].writerows(asdict(record) for record in records)
        self._files[which].flush()

    def close(self):
        for file in self._files:
            file.close()


class Terminal(Observer):
    """A bar with loss, words/s and time left; plain lines when the output is not a terminal.

    Args:
        stream: where to, or None for stdout.
        startup: {what: seconds} of what came before the training.
    """

    def __init__(self, stream=None, startup=None):
        self.stream = stream or sys.stdout
        self.startup = startup or {}
        self.bar = None

    def started(self, total_steps, epochs):
        self.total, self.epochs, self.began, self.first = total_steps, epochs, time.monotonic(), 0
        if self.stream.isatty():
            from tqdm import tqdm

            shape = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} steps, {remaining} left{postfix}"
            self.bar = tqdm(total=total_steps, file=self.stream, bar_format=shape, dynamic_ncols=True, mininterval=0.5)

    def resumed(self, step, rows, samples):
        self.first = step
        if self.bar:
            # Done elsewhere: it counts as progress, not as speed.
            self.bar.initial = self.bar.n = step
            self.bar.refresh()

    def warm(self, seconds, step):
        # Tracing is done once: it says nothing about the time that is left.
        self.began, self.first = time.monotonic(), step
        if self.bar:
            self.bar.initial, self.bar.start_t = step, self.bar._time()
        spent = {**self.startup, "tracing and first step": seconds}
        parts = ", ".join(f"{what} {taken:.1f} s" for what, taken in spent.items())
        self._say(f"under way after {sum(spent.values()):.1f} s: {parts}")

    def stepped(self, step):
        if self.bar:
            self.bar.update(step - self.bar.n)

    def row(self, row):
        if self.bar:
            self.bar.set_postfix_str(
                f"epoch {row.epoch}/{self.epochs}, loss {row.loss:.3f}, {row.words_per_second:,.0f} words/s", refresh=False
            )
        else:
            left = (time.monotonic() - self.began) / max(1, row.step - self.first) * (self.total - row.step)
            self._say(
                f"step {row.step:>6,}/{self.total:,}  epoch {row.epoch}/{self.epochs}  loss {row.loss:6.3f}  "
                f"{row.words_per_second:>7,.0f} words/s  {duration(left)} left"
            )
        if row.validation_loss is not None:
            self._say(
                f"epoch {row.epoch}/{self.epochs}: validation loss {row.validation_loss:.3f}, perplexity {row.validation_perplexity:.1f}"
            )

    def samples(self, samples):
        for sample in samples:
            how = "greedy " if sample.temperature == 0 else f"T={sample.temperature:<5g}"
            text = sample.text.replace("\n", " / ")  # as verse is quoted in a line
            self._say(f"  {how}  {text}")

    def _say(self, line):
        if self.bar:
            self.bar.write(line, file=self.stream)
        else:
            print(line, file=self.stream, flush=True)

    def close(self):
        if self.bar:
            self.bar.close()
