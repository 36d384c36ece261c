from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from matplotlib import pyplot as plt
from PIL import Image
from test_trainer import make

from conftest import TINY_VOCABULARY, make_tiny_model
from lstm_lm.export.text_model import TextModel, save_vocabulary
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm.ui import graph_picture

pytestmark = pytest.mark.slow  # tracing takes seconds

Functions = tuple[Any, Any, Any]
TIED = {"layers": 2}
UNTIED = {"projection_size": None, "tie_weights": False}
ADAPTIVE = {"layers": 2, "projection_size": None, "tie_weights": False, "adaptive_cutoffs": (5, 9)}


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Functions]:
    """A function that returns a model, and concrete functions of its training and inference; keyword arguments change its shape."""
    words = save_vocabulary(TINY_VOCABULARY, tmp_path_factory.mktemp("words") / "vocabulary.txt")
    window = tf.TensorSpec([3, 4], tf.int32)

    def trace(**shape: Any) -> Functions:
        model = make_tiny_model(**shape)
        text_model = TextModel(model, Tokenizer(True, "-'"), words)
        training = tf.function(lambda ids, targets: model.training_loss(ids, targets, model.initial_state(3))[0])
        return model, training.get_concrete_function(window, window), text_model.step.get_concrete_function()

    return trace


@pytest.fixture(scope="module")
def functions(traced: Callable[..., Functions]) -> Functions:
    """Those of a model of two layers."""
    return traced(**TIED)


@pytest.fixture(autouse=True)
def closed_figures() -> Iterator[None]:
    yield
    plt.close("all")


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


def test_tied_weights_are_counted_once(functions: Functions) -> None:
    model, *graphs = functions
    first, embedding, _, lstm_1, _, softmax, last = graph_picture.rows(*graphs, model.weights)
    assert first == graph_picture.Row(["token ids  [3, 4]"], ["token ids  [1, 1]"])
    assert embedding.training == ["embedding → [3, 4, 5]", "60 parameters"]  # 12 words, 5 units
    assert embedding.inference == ["embedding → [1, 5]", "60 parameters"]
    assert lstm_1.training[1] == lstm_1.inference[1] == "420 parameters"  # (7 inputs + 7 states + 1) * 4 gates * 7 units
    assert softmax.training == softmax.inference == ["softmax", "12 parameters", "+ those of embedding"]
    assert (softmax.variables, softmax.shared) == (["softmax_bias"], ["embedding"])
    assert last.inference == ["probabilities  [1, 12]"]


@pytest.mark.parametrize("shape", [TIED, UNTIED, ADAPTIVE])
def test_each_parameter_is_counted_in_one_block(traced: Callable[..., Functions], shape: dict[str, Any]) -> None:
    model, *graphs = traced(**shape)
    table = graph_picture.rows(*graphs, model.weights)
    assert [name for row in table for name in row.variables] == list(model.weights)
    for lines in ([row.training for row in table], [row.inference for row in table]):
        counts = [int(line[1].removesuffix(" parameters").replace(",", "")) for line in lines if line[1:] and "parameters" in line[1]]
        assert sum(counts) == model.parameter_count


@pytest.mark.parametrize("shape", [TIED, UNTIED, ADAPTIVE])
def test_texts_do_not_overlap(traced: Callable[..., Functions], shape: dict[str, Any]) -> None:
    model, *graphs = traced(**shape)
    # As large as models get, without their weights.
    large = {name: tf.TensorSpec([267_735, 1024][: len(weights.shape)]) for name, weights in model.weights.items()}
    for variables in (model.weights, large):
        figure = graph_picture.compose(*graphs, variables)
        figure.canvas.draw()
        texts = [text for text in figure.axes[0].texts if text.get_text()]
        assert f"{sum(int(np.prod(each.shape)) for each in variables.values()):,} parameters, each counted once" in [
            text.get_text() for text in texts
        ]
        boxes = {text: text.get_window_extent() for text in texts}
        for (text, box), (other, other_box) in combinations(boxes.items(), 2):
            assert not box.overlaps(other_box), f"{text.get_text()!r} and {other.get_text()!r}"
        for text, box in boxes.items():
            assert figure.bbox.x0 < box.x0 and box.x1 < figure.bbox.x1 and figure.bbox.y0 < box.y0 and box.y1 < figure.bbox.y1, text


def test_of_an_ensemble_one_member_is_drawn(tmp_path: Path) -> None:
    model = make_tiny_model(layers=2, members=3)
    words = save_vocabulary(TINY_VOCABULARY, tmp_path / "vocabulary.txt")
    inference = TextModel(model, Tokenizer(True, "-'"), words).step.get_concrete_function()
    training = make(model).functions.train_step.get_concrete_function()
    names = ["embedding", "lstm_0", "lstm_1", "projection", "softmax"]
    for function in (training, inference):
        assert [block.name for block in graph_picture.blocks(function)] == names
    table = graph_picture.rows(training, inference, model.members[0].weights)
    assert [name for row in table for name in row.variables] == list(model.members[0].weights)
    figure = graph_picture.compose(training, inference, model.members[0].weights, graph_picture.Parts(3))
    texts = [text.get_text() for text in figure.axes[0].texts]
    assert f"{model.parameter_count // 3:,} parameters in each of 3 models" in texts
    assert {"1 of 3 models", "the probabilities of 3 models are averaged"} <= set(texts)


@pytest.mark.parametrize(
    ("members", "note"),
    [(1, "its probabilities and those of n-grams are averaged"), (2, "the probabilities of 2 models and n-grams are averaged")],
)
def test_ngrams_are_named_in_the_picture(tmp_path: Path, members: int, note: str) -> None:
    model = make_tiny_model(members=members, ngrams=3)
    words = save_vocabulary(TINY_VOCABULARY, tmp_path / "vocabulary.txt")
    inference = TextModel(model, Tokenizer(True, "-'"), words).step.get_concrete_function()
    training = make(model.base).functions.train_step.get_concrete_function()
    parts = graph_picture.Parts(members, has_ngrams=True)
    figure = graph_picture.compose(training, inference, model.members[0].weights, parts)
    assert note in [text.get_text() for text in figure.axes[0].texts]


def test_the_picture_is_a_small_png_of_twice_the_resolution(functions: Functions, tmp_path: Path) -> None:
    model, *graphs = functions
    for name in ("graph.png", "again.png"):
        graph_picture.draw(*graphs, model.weights, tmp_path / name)
    assert (tmp_path / "graph.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    assert (tmp_path / "graph.png").stat().st_size < 100_000
    with Image.open(tmp_path / "graph.png") as picture:
        assert picture.format == "PNG"
        assert picture.width == 1980
