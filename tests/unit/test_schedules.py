import pytest

from lstm_lm.training.schedules import learning_rate


def test_learning_rates_follow_their_schedule():
    assert [learning_rate(step, 100, 1.0, "constant", 0) for step in (1, 50, 100)] == [1, 1, 1]
    assert [learning_rate(step, 100, 1.0, "constant", 4) for step in (1, 2, 4, 5)] == [0.25, 0.5, 1, 1]
    cosine = [learning_rate(step, 100, 2.0, "cosine", 20) for step in range(1, 101)]
    assert max(cosine) == cosine[19] == 2.0
    assert cosine[59] == pytest.approx(1.0)
    assert cosine[99] == pytest.approx(0.0)
    short = [learning_rate(step, 40, 1.0, "cosine", 300) for step in range(1, 41)]
    assert short[9] == max(short) == 1.0  # warm-up takes at most a quarter of training
    assert short[39] == pytest.approx(0.0)
    assert learning_rate(1, 3, 1.0, "constant", 100) == 1.0
