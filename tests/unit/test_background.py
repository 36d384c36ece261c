import threading
import time
from collections.abc import Callable

import pytest

from lstm_lm_serving import background
from lstm_lm_serving.background import Background


def wait(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def occupied(work: Background) -> threading.Event:
    """Keep the thread busy until the event is set."""
    has_begun, may_end = threading.Event(), threading.Event()

    def occupy() -> None:
        has_begun.set()
        may_end.wait(30)

    work.put(0, occupy)
    assert has_begun.wait(30)
    return may_end


def test_small_work_comes_first_and_equal_work_in_its_order() -> None:
    work, done = Background(), list[str]()
    may_go_on = occupied(work)
    for cost, name in ((5, "large"), (1, "small"), (1, "small too"), (0.5, "smallest")):
        work.put(cost, lambda name=name: done.append(name))  # type: ignore[misc]
    may_go_on.set()
    wait(lambda: len(done) == 4)
    assert done == ["smallest", "small", "small too", "large"]


def test_what_waits_is_forgotten_and_new_work_is_done() -> None:
    work, done = Background(), list[str]()
    may_go_on = occupied(work)
    work.put(1, lambda: done.append("forgotten"))
    work.clear()
    may_go_on.set()
    work.put(2, lambda: done.append("new"))
    wait(lambda: bool(done))
    assert done == ["new"]


def test_an_idle_thread_ends_and_another_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background, "IDLE_SECONDS", 0.02)
    work, threads = Background(), list[threading.Thread]()
    for count in (1, 2):
        work.put(0, lambda: threads.append(threading.current_thread()))
        wait(lambda count=count: len(threads) == count)  # type: ignore[misc]
        wait(lambda: work._thread is None)
        threads[-1].join(30)
        assert not threads[-1].is_alive()
    assert threads[0] is not threads[1]
