"""Stage `vocab`: data/raw to data/vocab: the tokenizer, the vocabulary, the splits, and the text as ids."""

from lstm_lm.config import loading
from lstm_lm.jobs import vocab
from lstm_lm.ui import program


def main() -> None:
    vocab.run(loading.load())


if __name__ == "__main__":
    program.run(main)
