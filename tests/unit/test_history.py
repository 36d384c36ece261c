import pandas as pd

from lstm_lm.events import Row, Sample
from lstm_lm.training.history import HistoryFiles

ROW = Row(step=50, words_seen=5600, epoch=1, loss=6.5, learning_rate=0.003, gradient_norm=0.4, words_per_second=8123.4)
LAST_ROW = Row(
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


def test_rows_and_samples_are_saved_immediately(tmp_path):
    files = HistoryFiles(tmp_path / "models")
    files.row(ROW)
    assert len(pd.read_csv(tmp_path / "models/history.csv")) == 1
    files.row(LAST_ROW)
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
