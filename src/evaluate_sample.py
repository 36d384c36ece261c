"""Stage `evaluate-sample`: metrics and samples of the exported SavedModel, and the MLflow model."""

from lstm_lm.config import loading
from lstm_lm.jobs import evaluate_sample
from lstm_lm.ui import console


def main() -> None:
    evaluate_sample.run(loading.load())


if __name__ == "__main__":
    console.run(main)
