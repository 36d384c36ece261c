"""Command `check`: can the pipeline start?"""


def check() -> None:
    """Check params.yaml, and whether the tracking server responds. `make repro` does this before DVC removes any output."""
    from lstm_lm.config import loading
    from lstm_lm.tracking import store

    store.probe(loading.load().tracking)
