"""Stage `batching`: data/vocab to data/batches: streams of word ids for training and for scoring."""

from lstm_lm.config import loading
from lstm_lm.jobs import batching
from lstm_lm.ui import program


def main() -> None:
    batching.run(loading.load())


if __name__ == "__main__":
    program.run(main)
