import threading

import pytest

from lstm_lm_serving.turns import Turns


def test_one_thread_at_a_time_and_the_lowest_cost_first() -> None:
    turns, done, waiting = Turns(), [], threading.Semaphore(0)

    def work(cost: float, name: str) -> None:
        waiting.release()
        with turns.turn(cost):
            done.append(name)

    with turns.turn(0):
        threads = []
        for cost, name in ((5, "most"), (1, "little"), (3, "first of two"), (3, "second of two"), (0, "nothing yet")):
            threads.append(threading.Thread(target=work, args=(cost, name)))
            threads[-1].start()
            waiting.acquire()
            while len(turns._waiting) < len(threads):  # until it waits
                pass
        assert done == []
    for thread in threads:
        thread.join(10)
    assert done == ["nothing yet", "little", "first of two", "second of two", "most"]


def test_a_failure_ends_the_turn() -> None:
    turns = Turns()
    with pytest.raises(KeyError), turns.turn(0):
        raise KeyError
    with turns.turn(0):
        pass
