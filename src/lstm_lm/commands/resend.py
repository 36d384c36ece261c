"""Command `resend`: send what earlier processes could not send to the tracking store."""

from lstm_lm.errors import UserError


def resend() -> None:
    """Send what trainings and evaluations could not send while the tracking store failed. The next training does that too."""
    from lstm_lm.config import loading
    from lstm_lm.paths import project_root
    from lstm_lm.tracking import sender
    from lstm_lm.ui import terminal, tracking_messages

    settings = loading.load().tracking
    total = waiting = 0
    for left in sender.resend(settings, project_root()):
        tracking_messages.show_resent(left)
        total += 1
        waiting += bool(left.delivery.pending)
    if waiting:
        raise UserError(f"{waiting} of {total} runs could not be sent: see above; what they miss stays in .tracking")
    if not total:
        terminal.print("nothing is waiting to be sent to the tracking store")
