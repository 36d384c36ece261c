"""Command `report`: draw the reports of the last run again."""

from pathlib import Path


def report() -> None:
    """Draw reports/report.html and reports/model_card.md again from what the last run left in models/ and reports/, in a few seconds."""
    from lstm_lm.config import loading
    from lstm_lm.io import dvc_lock
    from lstm_lm.ui import evaluation_messages
    from lstm_lm.ui.report import card, draw, inputs

    folder = Path()
    files = inputs.load(folder)
    draw.draw(files)
    card.write(files, loading.load().tracking.registered_model)
    for path in (draw.FILE, card.FILE):
        evaluation_messages.show_report(path, dvc_lock.is_recorded(folder, path))
