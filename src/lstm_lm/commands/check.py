"""Command `check`: can the pipeline start?"""


def check() -> None:
    """Check params.yaml and the tracking server, and repair what a killed dvc left. `make repro` does this before it runs DVC."""
    from lstm_lm import paths
    from lstm_lm.config import loading
    from lstm_lm.io import dvc_cache, dvc_records
    from lstm_lm.tracking import store
    from lstm_lm.ui import terminal

    settings = loading.load()
    root = paths.project_root()
    dvc_records.repair(root, terminal.warning)
    dvc_cache.repair(root, terminal.warning)
    store.probe(settings.tracking)
