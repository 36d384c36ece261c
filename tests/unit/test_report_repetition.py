"""How much a text repeats itself."""

import numpy as np
import pytest

from lstm_lm.evaluation.text_statistics import repetition as of_ids
from lstm_lm.ui.report import repetition


def test_the_fraction_is_that_of_the_metric_repetition_4() -> None:
    generator = np.random.default_rng(0)
    for length in (3, 4, 20, 60):
        ids = generator.integers(0, 3, length)
        expected = of_ids([ids], 4) if length >= 4 else 0.0
        assert repetition.repeated_fraction(" ".join(map(str, ids))) == pytest.approx(expected)


def test_all_words_of_a_repeated_ngram_are_marked() -> None:
    assert repetition.repeated_spans("a b c d x a b c\n d") == [(10, 18)]
    assert repetition.repeated_spans("a b") == []
    assert repetition.repeated_spans("a a a a a a") == [(2, 11)]  # overlapping
    assert repetition.repeated_spans("a b c d e f g h a b c d e f g h x a b c d") == [(16, 31), (34, 41)]
