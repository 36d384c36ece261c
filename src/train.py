"""Stage `train`: data/batches to models/: weights, SavedModel, history and samples; one MLflow run."""

from lstm_lm.config import loading
from lstm_lm.jobs import train
from lstm_lm.ui import program


def main() -> None:
    train.run(loading.load())


if __name__ == "__main__":
    program.run(main)
