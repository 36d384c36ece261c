import io
import math
from dataclasses import replace

import pytest

from lstm_lm.ui.progress import MAX_ROWS, MAX_SAMPLINGS, MAX_VALIDATIONS, MIN_BAR, TrainingProgress, timed
from lstm_lm.ui.time_left import TimeLeft
from training_events import LAST_ROW, ROW, SAMPLES


class Tty(io.StringIO):
    """A stream that claims to be a terminal."""

    def isatty(self) -> bool:
        return True


def show_training(stream: io.StringIO, startup: dict[str, float] | None = None) -> str:
    """Report a short training run and return the output."""
    progress = TrainingProgress(stream, startup)
    progress.started(200, 2)
    progress.warm(1.5, 10)
    progress.stepped(50)
    progress.row(ROW)
    progress.row(LAST_ROW)
    progress.stepped(100)
    progress.samples(SAMPLES)
    progress.close()
    return stream.getvalue()


def test_output_without_a_terminal_is_plain_lines() -> None:
    printed = show_training(io.StringIO(), {"TensorFlow": 3.0})
    assert "\r" not in printed and "\x1b" not in printed
    started, first, second, validation, *samples = printed.splitlines()
    assert started == "started in 4.5 s (TensorFlow 3.0, tracing and first step 1.5)"
    assert first == "step     50/200  epoch 1/2  loss  6.500    8,123 words/s"  # too early for an estimate of the time left
    assert second == "step    100/200  epoch 1/2  loss  6.000    8,000 words/s"
    assert validation == "epoch 1/2: validation loss 5.500, perplexity 244.7, the best so far"
    assert samples == ["  greedy   to be the king", '  T=0.8    to be, "so" / to say']


@pytest.mark.parametrize(
    ("width", "results"),
    [
        (100, "100/200 steps  epoch 1/2  loss 6.000  8,000 words/s  "),
        (60, "epoch 1/2  loss 6.000  "),
        (40, "loss 6.000  "),
    ],
)
def test_the_progress_bar_fits_into_one_line_of_a_terminal(width: int, results: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    printed = show_training(Tty())
    last_bar = printed.split("\x1b[2K")[-1].splitlines()[0]  # the bar that stays on the screen
    assert f" {results.rstrip()}" in last_bar and "50% " in last_bar
    assert "left" not in last_bar  # too early for an estimate
    assert len(last_bar.rstrip()) <= width
    assert last_bar.index(f" {results.rstrip()}") - last_bar.index("% ") - 2 >= MIN_BAR
    assert "epoch 1/2: validation loss 5.500, perplexity 244.7" in " ".join(printed.split())


def test_the_time_left_is_shown_once_it_is_known() -> None:
    progress = TrainingProgress(stream := io.StringIO(), unit="char")
    progress.started(1000, 1)
    progress.warm(1.5, 1)
    progress.left = TimeLeft(1000, iter(range(0, 1000, 2)).__next__)  # two seconds for each call
    progress.left.start(1)
    for step in range(2, 11):
        progress.stepped(step)
    progress.row(replace(ROW, step=10))
    assert stream.getvalue().splitlines()[-1] == "step     10/1,000  epoch 1/1  loss  6.500    8,123 characters/s  33 min 0 s left"


def test_a_long_training_prints_few_lines_and_marks_the_best() -> None:
    progress = TrainingProgress(stream := io.StringIO())
    progress.started(400 * 50, 400)
    for epoch in range(1, 401):
        loss = 5 + abs(epoch - 209) / 100  # the best epoch is 209, which is not printed
        row = replace(LAST_ROW, step=epoch * 50, epoch=epoch, validation_loss=loss, validation_perplexity=round(math.exp(loss), 1))
        progress.stepped(epoch * 50)
        progress.row(row)
        progress.samples([replace(sample, step=epoch * 50) for sample in SAMPLES])
    progress.samples([replace(sample, step=209 * 50) for sample in SAMPLES])  # of the best weights
    lines = stream.getvalue().splitlines()
    validations = [line for line in lines if line.startswith("epoch ")]
    assert len(validations) <= MAX_VALIDATIONS + 1
    assert [line for line in lines if line.startswith("step ")][1:] != []
    assert len([line for line in lines if line.startswith("step ")]) <= MAX_ROWS + 1
    assert lines[-2:] == ["  greedy   to be the king", '  T=0.8    to be, "so" / to say']
    assert len([line for line in lines if line.startswith("  greedy")]) <= MAX_SAMPLINGS + 2
    assert validations[0] == "epoch 1/400: validation loss 7.080, perplexity 1188.0, the best so far"
    assert validations[-1] == "epoch 400/400: validation loss 6.910, perplexity 1002.2 (best so far: 148.4, epoch 209)"


def test_a_resumed_training_knows_the_best_validation_so_far() -> None:
    progress = TrainingProgress(stream := io.StringIO())
    progress.started(200, 2)
    progress.resumed(100, [ROW, LAST_ROW], SAMPLES)
    progress.stepped(200)
    progress.row(replace(LAST_ROW, step=200, epoch=2, validation_loss=5.6, validation_perplexity=270.4))
    assert stream.getvalue().splitlines()[-1] == "epoch 2/2: validation loss 5.600, perplexity 270.4 (best so far: 244.7, epoch 1)"


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in show_training(Tty())


def test_timed_records_the_seconds_of_a_phase() -> None:
    seconds: dict[str, float] = {}
    with timed(seconds, "MLflow"):
        pass
    assert 0 <= seconds["MLflow"] < 1
