import numpy as np
import pytest
import tensorflow as tf

from conftest import PROJECT
from lstm_lm.config import loading
from lstm_lm.model.dropout import DropoutMasks, Regularization
from lstm_lm.model.initializer import Initializer
from lstm_lm.model.language_model import LanguageModel
from lstm_lm.model.shape import Shape
from plain import PlainModel

SHAPES = {
    "tied and projected": {},
    "tied": {"hidden_size": 5, "projection_size": None},
    "untied": {"projection_size": None, "tie_weights": False},
    "two layers": {"layers": 2},
    "mogrifier": {"layers": 2, "mogrifier_rounds": 5, "mogrifier_rank": 3},
    "adaptive softmax": {"projection_size": None, "tie_weights": False, "adaptive_cutoffs": (4, 8)},
}
IDS = tf.constant([[1, 2, 3, 4, 0, 5], [6, 7, 8, 9, 10, 11]])
TARGETS = tf.constant([[2, 3, 4, 0, 5, 1], [7, 8, 9, 10, 11, 6]])


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_logits_match_the_plain_numpy_model(tiny_model, shape):
    model = tiny_model(**shape)
    plain = PlainModel.from_model(model)
    logits, last = model(IDS, model.initial_state(2))
    state = plain.initial_state(2)
    for t in range(IDS.shape[1]):
        expected, state = plain.step(IDS.numpy()[:, t], state)
        np.testing.assert_allclose(logits[:, t], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(last, state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_word_by_word_inference_has_the_logits_of_the_training_graph(tiny_model, shape):
    model = tiny_model(**shape)
    hidden, trained_state, _ = model.training_encode(IDS[:1], model.initial_state(1))
    trained = model.logits(hidden)
    state = model.initial_state(1)
    for t in range(IDS.shape[1]):
        logits, state = model(IDS[:1, t : t + 1], state)
        np.testing.assert_allclose(logits[0, 0], trained[0, t], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state, trained_state, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_training_gradient_matches_the_plain_loss(tiny_model, shape):
    model = tiny_model(**shape)
    with tf.GradientTape(persistent=True) as tape:
        fast, *_ = model.training_loss(IDS, TARGETS, model.initial_state(2))
        logits, _ = model(IDS, model.initial_state(2))
        slow = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=TARGETS, logits=logits))
    np.testing.assert_allclose(fast, slow, rtol=1e-5)
    for name, variable in model.weights.items():
        actual, expected = (tf.convert_to_tensor(tape.gradient(loss, variable)) for loss in (fast, slow))
        np.testing.assert_allclose(actual, expected, rtol=1e-3, atol=1e-6, err_msg=name)


def test_windows_with_carried_state_have_the_loss_of_one_long_pass(tiny_model):
    model = tiny_model()
    ids = tf.constant(np.random.default_rng(0).integers(0, 12, [2, 21]), tf.int32)
    whole, last, _ = model.training_loss(ids[:, :20], ids[:, 1:], model.initial_state(2))
    state, losses = model.initial_state(2), []
    for start in range(0, 20, 5):
        loss, state, _ = model.training_loss(ids[:, start : start + 5], ids[:, start + 1 : start + 6], state)
        losses.append(loss)
    np.testing.assert_allclose(np.mean(losses), whole, rtol=1e-5)
    np.testing.assert_allclose(state, last, rtol=1e-4, atol=1e-6)


def test_the_first_loss_of_the_default_initializer_is_ln_v():
    vocabulary = 2000
    default = loading.load(PROJECT / "params.yaml").model
    sizes = default.embedding_size, default.hidden_size, default.layers, default.projection_size, default.tie_weights
    model = LanguageModel(Shape(vocabulary, *sizes), Initializer(default.initializer, default.initializer_scale, 1))
    ids = tf.constant(np.random.default_rng(0).integers(0, vocabulary, [4, 11]), tf.int32)
    loss, *_ = model.training_loss(ids[:, :-1], ids[:, 1:], model.initial_state(4))
    assert float(loss) == pytest.approx(np.log(vocabulary), rel=0.03)


def test_initial_weights_follow_their_distribution_and_seed():
    def make(distribution, seed):
        return LanguageModel(Shape(400, 50, 60, 1, None, False), Initializer(distribution, 1.0, seed))

    normal, uniform = make("normal", 1), make("uniform", 1)
    assert np.std(normal.embedding) == pytest.approx(1, rel=0.03)
    assert np.std(normal.softmax) == pytest.approx(1, rel=0.03)
    assert np.abs(uniform.embedding).max() <= 1
    assert np.std(uniform.embedding) == pytest.approx(1 / np.sqrt(3), rel=0.03)
    assert (normal.biases[0].numpy().reshape(4, 60) == [[0], [1], [0], [0]]).all()
    assert (make("normal", 1).embedding.numpy() == normal.embedding.numpy()).all()
    assert (make("normal", 2).embedding.numpy() != normal.embedding.numpy()).any()


def test_every_variable_has_one_name_and_tied_weights_are_shared(tiny_model):
    assert list(tiny_model().weights) == ["embedding", "lstm_0_kernel", "lstm_0_recurrent", "lstm_0_bias", "projection", "softmax_bias"]
    deep = tiny_model(layers=2, tie_weights=False)
    assert {id(variable) for variable in deep.weights.values()} == {id(variable) for variable in deep.variables}
    assert "softmax" in tiny_model(tie_weights=False).weights
    tied = tiny_model()
    assert tied.softmax_weights is tied.embedding


def test_dropping_recurrent_weights_equals_the_plain_model_without_them(tiny_model):
    model = tiny_model()
    masks = DropoutMasks(Regularization(dropout_recurrent=0.5), 7, tf.constant(3))
    hidden, _, _ = model.training_encode(IDS, model.initial_state(2), masks)
    dropped = masks.drop_recurrent(model.recurrents[0], 0).numpy()
    assert 0.2 < np.mean(dropped == 0) < 0.8
    model.recurrents[0].assign(dropped)
    plain, state = PlainModel.from_model(model), PlainModel.from_model(model).initial_state(2)
    for t in range(IDS.shape[1]):
        expected, state = plain.hidden(IDS.numpy()[:, t], state)
        np.testing.assert_allclose(hidden[:, t], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cutoffs", [(), (4, 8)])
def test_initial_biases_predict_the_word_frequencies_of_the_training_text(cutoffs):
    counts = np.array([50, 400, 200, 100, 40, 30, 20, 10, 5, 3, 2, 0])
    shape = Shape(12, 5, 5, 1, None, not cutoffs, cutoffs)
    model = LanguageModel(shape, Initializer("uniform", 1e-6, 1))
    model.initialize_bias_from_counts(counts)
    logits, _ = model(IDS, model.initial_state(2))
    np.testing.assert_allclose(tf.nn.softmax(logits[0, 0]), (counts + 1) / (counts + 1).sum(), rtol=1e-4)
