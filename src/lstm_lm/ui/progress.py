"""Training progress: a live bar on a terminal, plain lines anywhere else."""

import contextlib
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, TYPE_CHECKING

from lstm_lm.events import Observer, Row, Sample
from lstm_lm.ui import terminal

if TYPE_CHECKING:
    from rich.progress import Progress

MIN_BAR = 10  # characters of a bar that is still readable
REFRESHES_PER_SECOND = 2  # more would take time from training where there are few cores


@contextlib.contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Record how long the block takes, in seconds, as `seconds[name]`."""
    start = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - start


class TrainingProgress(Observer):
    """Shows loss, words/s and time left while a model is trained."""

    def __init__(self, stream: IO[str] | None = None, startup: Mapping[str, float] | None = None) -> None:
        """Store where to print.

        Args:
            stream: where to, or None for stdout.
            startup: {phase: seconds} of what came before the training.
        """
        self.stream = stream or sys.stdout
        self.startup = dict(startup or {})
        self.bar: Bar | None = None
        self.total = self.epochs = 0
        self.timed_from, self.timed_from_step = time.monotonic(), 0

    def started(self, total_steps: int, epochs: int) -> None:
        self.total, self.epochs = total_steps, epochs
        self.timed_from, self.timed_from_step = time.monotonic(), 0
        screen = terminal.console(self.stream)
        if screen.is_terminal and not screen.is_dumb_terminal:
            self.bar = Bar(self.stream, total_steps)

    def resumed(self, step: int, rows: Sequence[Row], samples: Sequence[Sample]) -> None:
        self.timed_from_step = step
        if self.bar:
            self.bar.update(step)

    def warm(self, seconds: float, step: int) -> None:
        # Tracing happens once, so its time is not used to estimate the time left.
        self.timed_from, self.timed_from_step = time.monotonic(), step
        phases = {**self.startup, "tracing and first step": seconds}
        listed = ", ".join(f"{phase} {taken:.1f}" for phase, taken in phases.items())
        self._line(f"started in {sum(phases.values()):.1f} s ({listed})")

    def stepped(self, step: int) -> None:
        if self.bar:
            left = self._seconds_left(step) if step > self.timed_from_step else None
            self.bar.update(step, left)

    def row(self, row: Row) -> None:
        if self.bar:
            results = [f"epoch {row.epoch}/{self.epochs}", f"loss {row.loss:.3f}", f"{row.words_per_second:,.0f} words/s"]
            self.bar.show(results, row.step, self._seconds_left(row.step))
        else:
            self._line(
                f"step {row.step:>6,}/{self.total:,}  epoch {row.epoch}/{self.epochs}  loss {row.loss:6.3f}  "
                f"{row.words_per_second:>7,.0f} words/s  {terminal.duration(self._seconds_left(row.step))} left"
            )
        if row.validation_loss is not None:
            self._line(
                f"epoch {row.epoch}/{self.epochs}: validation loss {row.validation_loss:.3f}, perplexity {row.validation_perplexity:.1f}"
            )

    def samples(self, samples: Sequence[Sample]) -> None:
        for sample in samples:
            label = "greedy " if sample.temperature == 0 else f"T={sample.temperature:<5g}"
            text = sample.text.replace("\n", " / ")  # as verse is quoted within a line
            self._line(f"  {label}  {text}")

    def close(self) -> None:
        if self.bar:
            self.bar.close()
            self.bar = None

    def _seconds_left(self, step: int) -> float:
        return (time.monotonic() - self.timed_from) / max(1, step - self.timed_from_step) * (self.total - step)

    def _line(self, text: str) -> None:
        if self.bar:
            self.bar.print(text)
        else:
            print(text, file=self.stream, flush=True)


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

    def show(self, results: list[str], step: int, seconds_left: float) -> None:
        """Show new results at once: lines that are printed before the next refresh would repeat the old ones."""
        self._results = results
        self.update(step, seconds_left)
        self._progress.refresh()

    def update(self, step: int, seconds_left: float | None = None) -> None:
        """Show a step; `seconds_left` is unknown before the first steps have been timed."""
        self._progress.update(self._task, completed=step, text=self._text(step, seconds_left))

    def _text(self, step: int, seconds_left: float | None) -> str:
        """Return the text that fits next to the bar. A narrow window omits the number of steps first, then words/s, then the epoch."""
        left = f"{terminal.duration(seconds_left)} left" if seconds_left is not None else ""
        steps = f"{step:,}/{self.total:,} steps"
        variants = [[steps, *self._results, left], [*self._results, left], [*self._results[:2], left], [*self._results[1:2], left], [left]]
        lines = ["  ".join(filter(None, parts)) for parts in variants]
        space = self._screen.width - MIN_BAR - len("100%") - 2
        return next((line for line in lines if len(line) <= space), "")

    def print(self, text: str) -> None:
        """Print a line above the bar."""
        self._screen.print(text)

    def close(self) -> None:
        """Draw the bar a last time and leave it on the screen."""
        self._progress.stop()
