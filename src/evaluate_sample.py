"""Stage `evaluate-sample`: metrics and samples of the exported SavedModel, and the MLflow model."""

from lstm_lm.config import loading
from lstm_lm.jobs import evaluate_sample
from lstm_lm.ui import program


def main() -> None:
    evaluate_sample.run(loading.load())


if __name__ == "__main__":
    program.run(main)
