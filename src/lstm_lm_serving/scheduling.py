"""Which rows are in the batch, and for how many words."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lstm_lm_serving.requests import Request

SHORT_SECONDS = 0.006  # of a chunk while texts wait for which there is room
LONG_SECONDS = 0.012  # of a chunk otherwise: a text that arrives waits so long
# The longer no text has arrived, the longer a chunk may be, as fewer calls take less time: so much of the time since then, at most so long.
QUIET_SHARE, LONGEST_SECONDS = 0.5, 0.05
# A chunk takes at least so many times what its call takes besides the steps: while texts wait, and otherwise.
MIN_CALLS_WAITING, MIN_CALLS = 5, 12
MIN_STEPS, MAX_STEPS = 3, 256  # fewer only while texts wait, or if no row needs more
SERVICE_UNIT = 128  # words


def order(requests: Iterable[Request], count: int) -> list[Request]:
    """Return the requests whose turn it is: those first that have had the least, so that short ones never wait behind long ones.

    Of those that have had about as much, the one that waits longest comes first.

    Args:
        requests: in any order.
        count: of requests to return at most.
    """
    return heapq.nsmallest(count, requests, key=lambda request: ((request.service // SERVICE_UNIT).bit_length(), request.turn))


def shares(demands: Sequence[int], slots: int) -> list[int]:
    """Share slots evenly: each in turn gets one more, until it has as many as it asks for.

    Args:
        demands: slots that each one could use.
        slots: to share.
    """
    granted = [0] * len(demands)
    hungry = [place for place, demand in enumerate(demands) if demand > 0]
    while slots > 0 and hungry:
        portion = max(slots // len(hungry), 1)
        for place in hungry[:slots]:
            more = min(portion, demands[place] - granted[place])
            granted[place] += more
            slots -= more
        hungry = [place for place in hungry if granted[place] < demands[place]]
    return granted


def chunk_steps(step_seconds: float, call_seconds: float, words_left: Sequence[int], others_wait: bool, quiet_seconds: float) -> int:
    """Return how many words to generate in the next call.

    Args:
        step_seconds: of one step of the batch.
        call_seconds: of a call besides its steps.
        words_left: of each row.
        others_wait: there are texts that can join the batch after this call.
        quiet_seconds: since a text arrived.
    """
    seconds, calls = (SHORT_SECONDS, MIN_CALLS_WAITING) if others_wait else (LONG_SECONDS, MIN_CALLS)
    seconds = max(seconds, calls * call_seconds)
    fewest, most = 1 if others_wait else MIN_STEPS, max(words_left)
    usual = min(max(int(seconds / step_seconds), fewest), MAX_STEPS, most)
    least = min(words_left)
    if least < usual:
        # A row that is complete is not kept waiting for the others, but calls of very few steps would cost more than they bring.
        return max(least, usual // 2, 1)
    longer = 0.0 if others_wait else min(QUIET_SHARE * quiet_seconds, LONGEST_SECONDS)
    return max(usual, min(int(longer / step_seconds), MAX_STEPS, least))
