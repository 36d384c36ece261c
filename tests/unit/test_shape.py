import pytest

from lstm_lm.model.shape import MIN_TAIL_WIDTH, Shape, count_parameters, tail_clusters


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"layers": 2, "projection_size": None, "tie_weights": False},
        {"tie_weights": False},
        {"layers": 2, "mogrifier_rounds": 3, "mogrifier_rank": 4},
        {"embedding_size": 7, "projection_size": None},
        {"projection_size": None, "tie_weights": False, "adaptive_cutoffs": (4, 8)},
    ],
)
def test_a_shape_counts_the_parameters_of_its_model(tiny_model, changes):
    model = tiny_model(**changes)
    assert count_parameters(model.shape) == model.parameter_count


def test_a_shape_read_from_json_equals_the_original():
    shape = Shape(12, 5, 5, 1, None, False, (4, 8))
    assert Shape(12, 5, 5, 1, None, False, [4, 8]) == shape


def test_rarer_words_have_narrower_vectors():
    assert tail_clusters(1000, (100, 400), 256) == [(100, 400, 64), (400, 1000, 16)]
    assert tail_clusters(1000, (100,), 8) == [(100, 1000, MIN_TAIL_WIDTH)]
    assert tail_clusters(1000, (), 8) == []
