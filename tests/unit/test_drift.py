import math
import time
from collections.abc import Callable

import pytest

from lstm_lm.serving.app import drift
from lstm_lm.serving.app.drift import Drift
from lstm_lm_serving.errors import Refused
from lstm_lm_serving.texts import Score


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def score(text: str) -> Score:
    """Every word but the first costs 3 bits."""
    if text == "wrong":
        raise Refused("wrong")
    words = text.split()
    return Score(tuple(words), (1,) * len(words), (None, *[3 * math.log(2)] * (len(words) - 1)))


def test_a_few_prompts_are_scored_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    watched = Drift(score)
    assert watched.recent_bits() is None
    watched.offer(["one two three"])
    watched.offer(["four five"])  # a moment later: not taken
    wait(lambda: watched.words > 0)
    assert (watched.words, watched.bits) == (2, pytest.approx(6))
    assert watched.recent_bits() == pytest.approx(3)
    monkeypatch.setattr(drift, "INTERVAL", 0.0)
    watched._next = 0.0
    watched.offer(["wrong"])  # does not end the thread
    wait(watched._prompts.empty)
    watched.offer(["a " * 10_000])  # cut
    wait(lambda: watched.words > 2)
    assert watched.words == 2 + drift.MAX_CHARACTERS // 2 - 1
    watched.close()
