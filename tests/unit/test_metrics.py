import math

import numpy as np
import pytest

from lstm_lm.data.dataset import HeldOut
from lstm_lm.evaluation.metrics import metrics_from_sums, split_metrics


def test_metrics_match_an_example_computed_by_hand():
    # Four scored words with 10 characters, two of them unknown. The split has three distinct unknown words.
    held_out = HeldOut(documents=[], scored_words=4, unknown_words=2, unknown_types=3, characters=10)
    metrics = split_metrics([np.array([math.log(2), math.log(4)]), np.array([math.log(8), math.log(16)])], held_out)
    assert metrics["loss"] == pytest.approx(math.log(2) * 2.5)
    assert metrics["perplexity"] == pytest.approx(2**2.5)
    assert metrics["oov_rate"] == 0.5
    assert metrics["adjusted_perplexity"] == pytest.approx((2**10 * 3**2) ** (1 / 4))
    assert metrics["bits_per_character"] == pytest.approx((10 + 2 * math.log2(3)) / 10)
    assert metrics["words"] == 4


def test_a_uniform_guess_has_the_same_adjusted_metrics_with_or_without_unknown_words():
    # 8 equally probable words, or a certain <unk> that replaces 8 words, have the same adjusted metrics.
    known = split_metrics([np.full(5, math.log(8))], HeldOut([], 5, 0, 0, 20))
    unknown = split_metrics([np.zeros(5)], HeldOut([], 5, 5, 8, 20))
    assert known["adjusted_perplexity"] == pytest.approx(unknown["adjusted_perplexity"])
    assert known["bits_per_character"] == pytest.approx(unknown["bits_per_character"])


def test_a_missing_score_is_an_error():
    with pytest.raises(ValueError, match="3 costs for 4 scored words"):
        split_metrics([np.zeros(3)], HeldOut([], 4, 0, 0, 9))


def test_metrics_from_sums_take_arrays_too():
    metrics = metrics_from_sums(np.array([4.0, 6000.0]), np.array([2, 4]), np.array([0, 1]), np.array([8, 10]), 3)
    np.testing.assert_allclose(metrics["loss"], [2, 1500])
    np.testing.assert_allclose(metrics["perplexity"], [math.exp(2), math.inf])
    np.testing.assert_allclose(metrics["bits_per_character"], [4 / math.log(2) / 8, (6000 + math.log(3)) / math.log(2) / 10])
