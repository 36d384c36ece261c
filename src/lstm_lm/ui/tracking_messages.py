"""What is printed about the tracking store while it fails, and when it has caught up."""

from typing import TYPE_CHECKING

from lstm_lm.ui import terminal
from lstm_lm.wording import counted

if TYPE_CHECKING:
    from lstm_lm.tracking.sender import Delivery, Left


def warn_failing(reason: str) -> None:
    terminal.warning(f"the tracking store fails ({reason}): what it misses is kept in .tracking, and sent when it answers again")


def warn_unavailable(line: str) -> None:
    terminal.warning(f"{line}: evaluating all the same; what there is to log is kept in .tracking")


def warn_no_reference(line: str, model: str) -> None:
    terminal.warning(f"{line}: evaluating without a comparison with {model}")


def warn_not_kept(run_id: str, reason: str) -> None:
    terminal.warning(f"the end of MLflow run {run_id} could not be kept: {reason}")


def show_delivery(run_id: str, delivery: "Delivery") -> None:
    """Warn about what could not be sent at the end of a process."""
    _warn_refused(run_id, delivery)
    if delivery.pending:
        terminal.warning(
            f"{counted(delivery.pending, 'record')} of MLflow run {run_id} not in the tracking store yet ({delivery.reason}): "
            "kept in .tracking, sent by the next make repro, or now with: make resend"
        )


def show_resent(left: "Left") -> None:
    """Print what became of something that an earlier process had left."""
    delivery = left.delivery
    _warn_refused(left.run_id, delivery)
    if delivery.pending:
        terminal.warning(
            f"MLflow run {left.run_id}, of {left.store}: {counted(delivery.pending, 'record')} still waiting: {delivery.reason} "
            f"(to give them up, remove .tracking/{left.run_id})"
        )
    else:
        end = "" if delivery.refused else ": nothing is missing"
        terminal.print(
            f"MLflow run {left.run_id}: sent {counted(delivery.sent, 'record')} that an earlier process had left in .tracking{end}"
        )


def _warn_refused(run_id: str, delivery: "Delivery") -> None:
    for reason in delivery.refused:
        terminal.warning(f"the tracking store refused a part of MLflow run {run_id}, which is left out ({reason})")
