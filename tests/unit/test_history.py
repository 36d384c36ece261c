import pandas as pd

from lstm_lm.training.history import HistoryFiles
from training_events import LAST_ROW, ROW, SAMPLES


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
