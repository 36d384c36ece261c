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


def steps(step_seconds, call_seconds, words_left, others_wait=False, quiet_seconds=0.0):
    return scheduling.chunk_steps(step_seconds, call_seconds, words_left, others_wait, quiet_seconds)


def test_chunks_are_short_while_others_wait_and_end_with_the_rows():
    assert steps(0.001, 0.0005, [100, 90]) == 12
    assert steps(0.001, 0.0005, [100, 90], others_wait=True) == 6
    assert steps(0.001, 0.002, [100, 90], others_wait=True) == 10
    assert steps(0.001, 0.0005, [100, 8]) == 8
    assert steps(0.001, 0.0005, [100, 1]) == 6
    assert steps(0.001, 0.0005, [3, 1]) == 1
    assert steps(1.0, 0.0005, [100]) == scheduling.MIN_STEPS
    assert steps(1.0, 0.0005, [100], others_wait=True) == 1
    assert steps(1e-9, 0.0, [1000]) == scheduling.MAX_STEPS


def test_chunks_grow_while_no_text_arrives_but_keep_no_complete_row_waiting():
    assert steps(0.001, 0.0005, [100, 90], quiet_seconds=0.02) == 12
    assert steps(0.001, 0.0005, [100, 90], quiet_seconds=0.06) == 30
    assert steps(0.001, 0.0005, [100, 90], quiet_seconds=9.0) == 50
    assert steps(0.001, 0.0005, [100, 40], quiet_seconds=9.0) == 40
    assert steps(0.001, 0.0005, [100, 8], quiet_seconds=9.0) == 8
    assert steps(0.001, 0.0005, [100, 90], others_wait=True, quiet_seconds=9.0) == 6
    assert steps(1e-9, 0.0, [1000], quiet_seconds=9.0) == scheduling.MAX_STEPS
