import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lstm_lm.evaluation.ngram_mixture import best_weight, mix


def test_a_hand_computed_example():
    """The model gives two words 1/2 and 1/10, the n-grams 1/4 and 1/2; the second document has no words."""
    model, ngrams = [-np.log([1 / 2, 1 / 10]), np.zeros(0)], [-np.log([1 / 4, 1 / 2]), np.zeros(0)]
    first, second = mix(model, ngrams, 0.2)
    np.testing.assert_allclose(np.exp(-first), [0.8 / 2 + 0.2 / 4, 0.8 / 10 + 0.2 / 2])
    assert not len(second)
    for weight, alone in ((0.0, model), (1.0, ngrams)):
        np.testing.assert_allclose(mix(model, ngrams, weight)[0], alone[0])


def test_a_word_that_one_of_them_finds_impossible_costs_no_more_than_the_other_asks():
    [costs] = mix([np.array([np.inf, 900.0])], [np.array([1.0, 1.0])], 0.5)
    np.testing.assert_allclose(costs, 1 + np.log(2))


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.2, 3.0))
def test_no_other_weight_is_better(seed, scale):
    rng = np.random.default_rng(seed)
    model, ngrams = ([rng.exponential(factor, 40), rng.exponential(factor, 3)] for factor in (1.0, scale))
    weight = best_weight(model, ngrams)
    least = np.concatenate(mix(model, ngrams, weight)).mean()
    costs = [np.concatenate(mix(model, ngrams, other)).mean() for other in np.linspace(0, 1, 101)]
    assert least <= min(costs) + 1e-5


@pytest.mark.parametrize(("shift", "expected"), [(1.0, 0.0), (-1.0, 1.0)])
def test_what_is_worse_for_every_word_gets_no_weight(shift, expected):
    model = [np.random.default_rng(1).exponential(1, 50) + 2]
    assert best_weight(model, [model[0] + shift]) == pytest.approx(expected, abs=1e-3)


def test_without_words_there_is_nothing_to_mix():
    assert best_weight([], []) == 0.0
    assert mix([], [], 0.5) == []
