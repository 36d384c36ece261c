"""Training progress: a live bar on a terminal, plain lines anywhere else.

A long training prints no more lines than a short one: the rest is in models/history.csv and models/samples.csv.
"""

import contextlib
import math
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from lstm_lm.events import Observer, Row, Sample
from lstm_lm.ui import terminal
from lstm_lm.ui.time_left import TimeLeft
from lstm_lm.wording import duration, unit_name

if TYPE_CHECKING:
    from rich.progress import Progress

MIN_BAR = 10  # characters of a bar that is still readable
REFRESHES_PER_SECOND = 2  # more would take time from training where there are few cores
MAX_VALIDATIONS, MAX_SAMPLINGS, MAX_ROWS = 40, 20, 100  # that are printed


@contextlib.contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Record how long the block takes, in seconds, as `seconds[name]`."""
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start


class Thinned:
    """Selects steps of a training for printing: at most `most` of them, spread evenly."""

    def __init__(self, total: int, most: int) -> None:
        """Store the number of steps of the training and of those to select."""
        self._interval = max(1.0, total / most)
        self._next = 0.0

    def is_due(self, step: int) -> bool:
        """Whether this step, later than those before, is one of them."""
        if step < self._next:
            return False
        self._next = (step // self._interval + 1) * self._interval
        return True


class TrainingProgress(Observer):
    """Shows loss, speed and time left while a model is trained, and marks the best validation."""

    def __init__(self, stream: IO[str] | None = None, startup: Mapping[str, float] | None = None, unit: str = "word") -> None:
        """Store where to print.

        Args:
            stream: where to, or None for stdout.
            startup: {phase: seconds} of what came before the training.
            unit: `vocab.unit`, what a token is.
        """
        self.stream = stream or sys.stdout
        self.startup = dict(startup or {})
        self.unit = unit_name(unit)
        self.bar: Bar | None = None
        self.total = self.epochs = self.step = 0
        self.best_loss, self.best = math.inf, ""
        self.left = TimeLeft(0)
        self.validations = self.samplings = self.rows = Thinned(0, 1)

    def started(self, total_steps: int, epochs: int) -> None:
        self.total, self.epochs = total_steps, epochs
        self.left = TimeLeft(total_steps)
        self.left.start(0)
        self.validations, self.samplings, self.rows = (Thinned(total_steps, most) for most in (MAX_VALIDATIONS, MAX_SAMPLINGS, MAX_ROWS))
        screen = terminal.console(self.stream)
        if screen.is_terminal and not screen.is_dumb_terminal:
            self.bar = Bar(self.stream, total_steps)

    def resumed(self, step: int, rows: Sequence[Row], samples: Sequence[Sample]) -> None:
        self.step = step
        self.left.start(step)
        for row in rows:
            self._is_best(row)
        if self.bar:
            self.bar.update(step)

    def warm(self, seconds: float, step: int) -> None:
        # Tracing happens once, so its time is not used to estimate the time left.
        self.left.start(step)
        phases = {**self.startup, "tracing and first step": seconds}
        listed = ", ".join(f"{phase} {taken:.1f}" for phase, taken in phases.items())
        self._line(f"started in {sum(phases.values()):.1f} s ({listed})")

    def stepped(self, step: int) -> None:
        self.step = step
        self.left.stepped(step)
        if self.bar:
            self.bar.update(step, self.left.seconds())

    def row(self, row: Row) -> None:
        left, speed = self.left.seconds(), f"{row.words_per_second:,.0f} {self.unit}/s"
        if self.bar:
            self.bar.show([f"epoch {row.epoch}/{self.epochs}", f"loss {row.loss:.3f}", speed], row.step, left)
        elif self.rows.is_due(row.step):
            shown = "" if left is None else f"  {duration(left)} left"
            self._line(
                f"step {row.step:>6,}/{self.total:,}  epoch {row.epoch}/{self.epochs}  loss {row.loss:6.3f}  "
                f"{speed:>{len(self.unit) + 10}}{shown}"
            )
        if row.validation_loss is not None:
            mark = ", the best so far" if self._is_best(row) else f" (best so far: {self.best})"
            if self.validations.is_due(row.step) or row.step == self.total:
                self._line(
                    f"epoch {row.epoch}/{self.epochs}: validation loss {row.validation_loss:.3f}, "
                    f"perplexity {terminal.perplexity(row.validation_perplexity)}{mark}"
                )

    def samples(self, samples: Sequence[Sample]) -> None:
        is_last = samples[0].step < self.step or samples[0].step == self.total  # those of the best weights come at the end
        if not (self.samplings.is_due(samples[0].step) or is_last):
            return
        for sample in samples:
            label = "greedy " if sample.temperature == 0 else f"T={sample.temperature:<5g}"
            text = sample.text.replace("\n", " / ")  # as verse is quoted within a line
            self._line(text, f"  {label}  ")

    def close(self) -> None:
        if self.bar:
            self.bar.close()
            self.bar = None

    def _is_best(self, row: Row) -> bool:
        """Note the best validation so far. Returns whether it is this one."""
        if row.validation_loss is None or row.validation_loss >= self.best_loss:
            return False
        self.best_loss, self.best = row.validation_loss, f"{terminal.perplexity(row.validation_perplexity)}, epoch {row.epoch}"
        return True

    def _line(self, text: str, label: str = "") -> None:
        if self.bar:
            self.bar.print(text, label)
        else:
            print(f"{label}{text}", file=self.stream, flush=True)


class Bar:
    """One line at the bottom of the terminal that is redrawn while the training runs."""

    def __init__(self, stream: IO[str], total_steps: int) -> None:
        """Show an empty bar of `total_steps` steps."""
        self.total = total_steps
        self._results: list[str] = []  # in their order on the line
        self._screen = terminal.console(stream)
        self._progress = self._make_progress()
        self._task = self._progress.add_task("", total=total_steps, text="")
        self._progress.start()

    def _make_progress(self) -> "Progress":
        from rich.progress import BarColumn, Progress, TextColumn
        from rich.table import Column

        whole = Column(no_wrap=True)  # a number is never broken across lines
        return Progress(
            TextColumn("{task.percentage:3.0f}%", table_column=whole),
            BarColumn(bar_width=None, table_column=Column(min_width=MIN_BAR, ratio=1)),
            TextColumn("{task.fields[text]}", table_column=whole, markup=False),
            console=self._screen,
            refresh_per_second=REFRESHES_PER_SECOND,
            expand=True,
        )

    def show(self, results: list[str], step: int, seconds_left: float | None) -> None:
        """Show new results at once: lines that are printed before the next refresh would repeat the old ones."""
        self._results = results
        self.update(step, seconds_left)
        self._progress.refresh()

    def update(self, step: int, seconds_left: float | None = None) -> None:
        """Show a step; `seconds_left` is unknown before the first steps have been timed."""
        self._progress.update(self._task, completed=step, text=self._text(step, seconds_left))

    def _text(self, step: int, seconds_left: float | None) -> str:
        """Return the text that fits next to the bar. A narrow window omits the number of steps first, then words/s, then the epoch."""
        left = f"{duration(seconds_left)} left" if seconds_left is not None else ""
        steps = f"{step:,}/{self.total:,} steps"
        variants = [[steps, *self._results, left], [*self._results, left], [*self._results[:2], left], [*self._results[1:2], left], [left]]
        lines = ["  ".join(filter(None, parts)) for parts in variants]
        space = self._screen.width - MIN_BAR - len("100%") - 2
        return next((line for line in lines if len(line) <= space), "")

    def print(self, text: str, label: str = "") -> None:
        """Print a line above the bar; further lines of a long text start under its first letter."""
        self._screen.print(terminal.hanging(label, text))

    def close(self) -> None:
        """Draw the bar a last time and leave it on the screen."""
        self._progress.stop()
