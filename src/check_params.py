"""Can the pipeline begin? Asked by `make repro` before DVC, which removes a stage's outputs before it runs the stage."""

from lstm_lm.config import loading
from lstm_lm.tracking import store
from lstm_lm.ui import console


def main():
    store.probe(loading.load().tracking)


if __name__ == "__main__":
    console.run(main)
