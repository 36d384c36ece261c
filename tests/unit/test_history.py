import io

import pandas as pd

from lstm_lm.events import Row, Sample
from lstm_lm.training.history import Files
from lstm_lm.ui.progress import Terminal

ROW = Row(step=50, words_seen=5600, epoch=1, loss=6.5, learning_rate=0.003, gradient_norm=0.4, words_per_second=8123.4)
LAST = Row(
    step=100,
    words_seen=11200,
    epoch=1,
    loss=6.0,
    learning_rate=0.003,
    gradient_norm=0.4,
    words_per_second=8000.0,
    validation_loss=5.5,
    validation_perplexity=244.7,
)
SAMPLES = [Sample(100, "to be", 0.0, "to be the king"), Sample(100, "to be", 0.8, 'to be, "so"\nto say')]


def test_files_hold_every_row_and_sample_as_soon_as_they_come(tmp_path):
    files = Files(tmp_path / "models")
    files.row(ROW)
    assert len(pd.read_csv(tmp_path / "models/history.csv")) == 1
    files.row(LAST)
    files.samples(SAMPLES)
    files.close()
    history = pd.read_csv(tmp_path / "models/history.csv")
    assert list(history) == [
        "step",
        "words_seen",
        "epoch",
        "loss",
        "learning_rate",
        "gradient_norm",
        "words_per_second",
        "validation_loss",
        "validation_perplexity",
    ]
    assert history.validation_loss.isna().tolist() == [True, False]
    assert pd.read_csv(tmp_path / "models/samples.csv").text.tolist() == [sample.text for sample in SAMPLES]


def test_plain_lines_where_there_is_no_terminal():
    stream = io.StringIO()
    terminal = Terminal(stream)
    terminal.started(200, 2)
    terminal.stepped(50)
    terminal.row(ROW)
    terminal.row(LAST)
    terminal.samples(SAMPLES[:1])
    terminal.close()
    lines = stream.getvalue().splitlines()
    assert "\r" not in stream.getvalue()
    assert lines[0].startswith("step     50/200  epoch 1/2  loss  6.500    8,123 words/s  ")
    assert lines[0].endswith(" left")
    assert lines[2] == "epoch 1/2: validation loss 5.500, perplexity 244.7"
    assert lines[3] == "  greedy   to be the king"


def test_a_bar_on_a_terminal():
    class Tty(io.StringIO):
        def isatty(self):
            return True

    stream = Tty()
    terminal = Terminal(stream)
    terminal.started(200, 2)
    terminal.stepped(50)
    terminal.row(ROW)
    terminal.row(LAST)
    terminal.bar.refresh()
    terminal.close()
    shown = stream.getvalue()
    assert "epoch 1/2, loss 6.000, 8,000 words/s" in shown
    assert "left" in shown
    assert "epoch 1/2: validation loss 5.500, perplexity 244.7\n" in shown
