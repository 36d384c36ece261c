import io

import pytest

from lstm_lm.ui.progress import TrainingProgress, timed
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
    assert first.startswith("step     50/200  epoch 1/2  loss  6.500    8,123 words/s  ")
    assert first.endswith(" left") and second.endswith(" left")
    assert validation == "epoch 1/2: validation loss 5.500, perplexity 244.7"
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
    assert f" {results}" in last_bar and "50% " in last_bar
    assert last_bar.rstrip().endswith(" left")
    assert len(last_bar.rstrip()) <= width
    assert "epoch 1/2: validation loss 5.500, perplexity 244.7" in " ".join(printed.split())


def test_a_dumb_terminal_gets_plain_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    assert "\x1b" not in show_training(Tty())


def test_timed_records_the_seconds_of_a_phase() -> None:
    seconds: dict[str, float] = {}
    with timed(seconds, "MLflow"):
        pass
    assert 0 <= seconds["MLflow"] < 1
