import pytest
import tensorflow as tf

from lstm_lm.ui import graph_picture


@pytest.fixture
def functions(tiny_text_model):
    made = tiny_text_model(layers=2)
    window = tf.TensorSpec([3, 4], tf.int32)
    training = tf.function(lambda ids, targets: made.model.training_loss(ids, targets, made.model.initial_state(3))[0])
    return made, training.get_concrete_function(window, window), made.step.get_concrete_function()


def test_both_graphs_read_the_same_variables_at_the_same_places(functions):
    made, training, inference = functions
    expected = {
        "embedding": {"embedding"},
        "lstm_0": {"lstm_0_kernel", "lstm_0_recurrent", "lstm_0_bias"},
        "lstm_1": {"lstm_1_kernel", "lstm_1_recurrent", "lstm_1_bias"},
        "projection": {"projection"},
        "softmax": {"embedding", "softmax_bias"},
    }
    for function in (training, inference):
        assert {block.name: set(block.variables) for block in graph_picture.blocks(function)} == expected
    assert graph_picture.blocks(training)[0].output == (3, 4, 5)
    assert graph_picture.blocks(inference)[0].output == (1, 5)  # one word a row: [batch, embedding]
    assert set(made.model.weights) == set().union(*expected.values())


def test_the_picture_is_a_png(functions, tmp_path):
    made, training, inference = functions
    graph_picture.draw(training, inference, made.model.weights, tmp_path / "graph.png")
    assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")
