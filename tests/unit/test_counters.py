import threading

import pytest

from lstm_lm_serving import counters
from lstm_lm_serving.counters import Counters


def test_no_count_is_lost_between_threads() -> None:
    counted = Counters()

    def work() -> None:
        for _ in range(2_000):
            counted.add(accepted=1, prompt_words=3)
            counted.add_chunk(0.001, words=5, steps=2)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    values = counted.values()
    assert (values["accepted"], values["prompt_words"], values["words"], values["steps"]) == (8_000, 24_000, 40_000, 16_000)
    assert values["busy_seconds"] == pytest.approx(8)


def test_the_rate_is_that_of_the_last_seconds_of_work() -> None:
    counted = Counters()
    assert counted.values()["words_per_second"] == 0
    for _ in range(10):
        counted.add_chunk(1.0, words=100, steps=10)
    assert counted.values()["words_per_second"] == pytest.approx(100)
    for _ in range(int(counters.WINDOW_SECONDS)):
        counted.add_chunk(1.0, words=7, steps=1)
    assert counted.values()["words_per_second"] == pytest.approx(7)
    assert len(counted._chunks) <= counters.WINDOW_SECONDS + 1  # what is older is forgotten


def test_an_unknown_counter_is_an_error() -> None:
    with pytest.raises(KeyError):
        Counters().add(nonsense=1)
