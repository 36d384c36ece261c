"""Training progress in the terminal."""

import sys
import time

from lstm_lm.events import Observer
from lstm_lm.ui.console import duration


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
