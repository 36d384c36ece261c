import numpy as np

from lstm_lm.text.coverage import coverage, save_coverage


def test_coverage_is_the_fraction_of_tokens_among_the_most_frequent_words(tmp_path):
    sizes, fractions = coverage(np.array([3, 6, 1]))
    assert sizes.tolist() == [1, 2, 3]
    assert fractions.tolist() == [0.6, 0.9, 1.0]
    save_coverage(tmp_path / "coverage.csv", np.array([3, 6, 1]))
    assert (tmp_path / "coverage.csv").read_text() == "vocabulary_size,coverage\n1,0.6\n2,0.9\n3,1.0\n"
