from types import SimpleNamespace

import pytest

from lstm_lm_serving import scheduling


def request(service, turn):
    return SimpleNamespace(service=service, turn=turn)


@pytest.mark.parametrize(
    ("demands", "slots", "expected"),
    [
        ([], 8, []),
        ([3], 8, [3]),
        ([256, 1], 64, [63, 1]),
        ([256, 256, 2], 64, [31, 31, 2]),
        ([9, 9, 9], 8, [3, 3, 2]),
        ([1, 1, 1, 1], 2, [1, 1, 0, 0]),
        ([0, 5, 0], 3, [0, 3, 0]),
    ],
)
def test_slots_are_shared_evenly(demands, slots, expected):
    assert scheduling.shares(demands, slots) == expected


def test_a_short_request_comes_before_long_ones_and_equals_take_turns():
    new, short, long, longer = request(0, 9), request(100, 5), request(1000, 1), request(1020, 2)
    assert scheduling.order([longer, long, new, short], 3) == [short, new, long]


def test_chunks_are_short_while_others_wait_and_end_with_the_rows():
    assert scheduling.chunk_steps(0.001, 0.0005, [100, 90], others_wait=False) == 12
    assert scheduling.chunk_steps(0.001, 0.0005, [100, 90], others_wait=True) == 6
    assert scheduling.chunk_steps(0.001, 0.002, [100, 90], others_wait=True) == 10
    assert scheduling.chunk_steps(0.001, 0.0005, [100, 8], others_wait=False) == 8
    assert scheduling.chunk_steps(0.001, 0.0005, [100, 1], others_wait=False) == 6
    assert scheduling.chunk_steps(0.001, 0.0005, [3, 1], others_wait=False) == 1
    assert scheduling.chunk_steps(1.0, 0.0005, [100], others_wait=False) == scheduling.MIN_STEPS
    assert scheduling.chunk_steps(1.0, 0.0005, [100], others_wait=True) == 1
    assert scheduling.chunk_steps(1e-9, 0.0, [1000], others_wait=False) == scheduling.MAX_STEPS
