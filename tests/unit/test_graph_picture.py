from pathlib import Path
from typing import Any

import pytest
import tensorflow as tf

from conftest import TINY_VOCABULARY, make_tiny_model
from lstm_lm.export.text_model import TextModel, save_vocabulary
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.ui import graph_picture

pytestmark = pytest.mark.slow  # tracing takes seconds

Functions = tuple[Any, Any, Any]


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> Functions:
    """A model of two layers, and concrete functions of its training and inference."""
    words = save_vocabulary(TINY_VOCABULARY, tmp_path_factory.mktemp("words") / "vocabulary.txt")
    model = make_tiny_model(layers=2)
    text_model = TextModel(model, Tokenizer(True, "-'"), words)
    window = tf.TensorSpec([3, 4], tf.int32)
    training = tf.function(lambda ids, targets: model.training_loss(ids, targets, model.initial_state(3))[0])
    return model, training.get_concrete_function(window, window), text_model.step.get_concrete_function()


def test_both_graphs_use_the_same_variables_in_the_same_blocks(functions: Functions) -> None:
    model, training, inference = functions
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
    assert graph_picture.blocks(inference)[0].output == (1, 5)  # inference reads one word: [batch, embedding]
    assert set(model.weights) == set().union(*expected.values())


def test_the_picture_is_a_png(functions: Functions, tmp_path: Path) -> None:
    model, training, inference = functions
    graph_picture.draw(training, inference, model.weights, tmp_path / "graph.png")
    assert (tmp_path / "graph.png").read_bytes().startswith(b"\x89PNG")
