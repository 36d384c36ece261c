"""Stage `download`: text from `download.source` to data/raw."""

from lstm_lm.config import loading
from lstm_lm.jobs import download
from lstm_lm.ui import program


def main() -> None:
    download.run(loading.load())


if __name__ == "__main__":
    program.run(main)
