"""Command `check`: can the pipeline start?"""


def check() -> None:
    """Check params.yaml, data/own and the tracking store, send what it missed, repair what a killed dvc left. `make repro` starts so."""
    from lstm_lm import paths
    from lstm_lm.config import loading, standard_corpora
    from lstm_lm.errors import UserError
    from lstm_lm.io import dvc_cache, dvc_records
    from lstm_lm.text.sources import local
    from lstm_lm.tracking import sender, store
    from lstm_lm.tracking.queued_run import resend_in_background
    from lstm_lm.ui import terminal

    settings = loading.load()
    root = paths.project_root()
    dvc_records.repair(root, terminal.warning)
    dvc_cache.repair(root, terminal.warning)
    local.check_readable()
    if line := standard_corpora.missing_text_line(settings.download.source):
        raise UserError(line)
    store.probe(settings.tracking)
    resend_in_background(settings.tracking, None).join(sender.END_SECONDS)
