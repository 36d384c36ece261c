"""The border to MLflow: whatever a store, a driver or the network raises becomes one line, and no call waits for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from lstm_lm.errors import UserError
from lstm_lm.io.addresses import mask, mask_secrets
from lstm_lm.tracking.faults import Fault, explain, is_of_store

T = TypeVar("T")

START_SECONDS = 60  # how long a store may take to be opened and tried


class StoreError(UserError):
    """A store failed.

    Attributes:
        fault: what that means.
        reason: in a few words.
    """

    def __init__(self, line: str, fault: Fault, reason: str) -> None:
        super().__init__(line)
        self.fault, self.reason = fault, reason


@dataclass(frozen=True)
class Place:
    """A store, for messages.

    Attributes:
        address: with its secrets.
        kind: in words.
        setting: where the user changes it.
    """

    address: str
    kind: str = "tracking store"
    setting: str = "params.yaml: tracking.uri, or MLFLOW_TRACKING_URI"

    def error(self, error: BaseException) -> StoreError:
        """Return the one line for what a call to the store raised."""
        fault, reason = explain(error)
        reason = mask_secrets(reason, [self.address])
        if fault is Fault.OUTAGE:
            return self.outage(reason)
        shown = mask(self.address)
        return StoreError(f"the {self.kind} {shown} cannot be used: {reason} (see {self.setting})", fault, reason)

    def outage(self, reason: str) -> StoreError:
        """Return the error of a store that does not answer."""
        shown = mask(self.address)
        if self.address.startswith("http"):
            return StoreError(f"no MLflow server answers at {shown}: {reason}: start it, or change {self.setting}", Fault.OUTAGE, reason)
        return StoreError(f"the {self.kind} {shown} does not answer: {reason} (see {self.setting})", Fault.OUTAGE, reason)


@contextmanager
def guarded(place: Place) -> Iterator[None]:
    """Turn what MLflow, SQLAlchemy, a driver or the network raises in the block into a `StoreError` of one line."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        raise place.error(error) from None


@contextmanager
def guarded_command() -> Iterator[None]:
    """Turn an error that a store's libraries raise in a command into a `StoreError`. Any other exception is a bug, and stays one."""
    try:
        yield
    except UserError:  # it is in our own words already, even if a store's exception was the reason
        raise
    except Exception as error:
        if not is_of_store(error):
            raise
        from lstm_lm.config import loading
        from lstm_lm.tracking import address

        raise Place(address.uri(loading.load().tracking)).error(error) from None


def bounded(work: Callable[[], T], place: Place, seconds: float = START_SECONDS) -> T:
    """Call a function in a thread of its own, because not every driver knows a time limit.

    Raises:
        StoreError: it failed, or has not ended in time.
    """
    outcome: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            with guarded(place):
                outcome.append(work())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if thread.is_alive():
        raise place.outage(f"no answer within {seconds:g} s")
    if raised:
        raise raised[0]
    return outcome[0]
