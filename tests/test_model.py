import numpy as np
import pytest
import tensorflow as tf

from conftest import PROJECT
from lstm_lm import params
from lstm_lm.model import Dropout, Initializer, LanguageModel, Shape
from plain import PlainModel

SHAPES = {
    "tied and projected": {},
    "tied": {"hidden_size": 5, "projection_size": None},
    "free": {"projection_size": None, "tie_weights": False},
    "two layers": {"layers": 2},
    "adaptive softmax": {"projection_size": None, "tie_weights": False, "adaptive_cutoffs": (4, 8)},
}
IDS = tf.constant([[1, 2, 3, 4, 0, 5], [6, 7, 8, 9, 10, 11]])
TARGETS = tf.constant([[2, 3, 4, 0, 5, 1], [7, 8, 9, 10, 11, 6]])


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_logits_are_those_of_the_plain_numpy_model(tiny_model, shape):
    model = tiny_model(**shape)
    plain = PlainModel.of(model)
    logits, last = model(IDS, model.initial_state(2))
    state = plain.initial_state(2)
    for t in range(IDS.shape[1]):
        expected, state = plain.step(IDS.numpy()[:, t], state)
        np.testing.assert_allclose(logits[:, t], expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(last, state, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_batch_1_inference_has_the_logits_of_the_training_graph(tiny_model, shape):
    model = tiny_model(**shape)
    hidden, trained_state = model.training_encode(IDS[:1], model.initial_state(1))
    trained = model.logits(hidden)
    state = model.initial_state(1)
    for t in range(IDS.shape[1]):
        logits, state = model(IDS[:1, t : t + 1], state)
        np.testing.assert_allclose(logits[0, 0], trained[0, t], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(state, trained_state, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_training_gradient_is_that_of_the_plain_loss(tiny_model, shape):
    model = tiny_model(**shape)
    with tf.GradientTape(persistent=True) as tape:
        fast, _ = model.training_loss(IDS, TARGETS, model.initial_state(2))
        logits, _ = model(IDS, model.initial_state(2))
        slow = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=TARGETS, logits=logits))
    np.testing.assert_allclose(fast, slow, rtol=1e-5)
    for name, variable in model.weights.items():
        ours, theirs = (tf.convert_to_tensor(tape.gradient(loss, variable)) for loss in (fast, slow))
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6, err_msg=name)


def test_windows_with_carried_state_cost_what_one_long_pass_costs(tiny_model):
    model = tiny_model()
    ids = tf.constant(np.random.default_rng(0).integers(0, 12, [2, 21]), tf.int32)
    whole, last = model.training_loss(ids[:, :20], ids[:, 1:], model.initial_state(2))
    state, parts = model.initial_state(2), []
    for start in range(0, 20, 5):
        part, state = model.training_loss(ids[:, start : start + 5], ids[:, start + 1 : start + 6], state)
        parts.append(part)
    np.testing.assert_allclose(np.mean(parts), whole, rtol=1e-5)
    np.testing.assert_allclose(state, last, rtol=1e-4, atol=1e-6)


def test_the_first_loss_of_the_default_initialiser_is_ln_v():
    vocabulary = 2000
    default = params.load(PROJECT / "params.yaml").model
    sizes = default.embedding_size, default.hidden_size, default.layers, default.projection_size, default.tie_weights
    model = LanguageModel(Shape(vocabulary, *sizes), Initializer(default.initializer, default.initializer_scale, 1))
    ids = tf.constant(np.random.default_rng(0).integers(0, vocabulary, [4, 11]), tf.int32)
    loss, _ = model.training_loss(ids[:, :-1], ids[:, 1:], model.initial_state(4))
    assert float(loss) == pytest.approx(np.log(vocabulary), rel=0.03)


def test_initial_weights_are_of_their_distribution_and_their_seed():
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


def test_every_variable_is_named_once_and_tying_shares_it(tiny_model):
    assert list(tiny_model().weights) == ["embedding", "lstm_0_kernel", "lstm_0_recurrent", "lstm_0_bias", "projection", "softmax_bias"]
    deep = tiny_model(layers=2, tie_weights=False)
    assert {id(variable) for variable in deep.weights.values()} == {id(variable) for variable in deep.variables}
    assert "softmax" in tiny_model(tie_weights=False).weights
    tied = tiny_model()
    assert tied.softmax_weights is tied.embedding


@pytest.mark.parametrize("locked", [True, False])
def test_dropout_is_fixed_by_seed_step_and_site(locked):
    x = tf.ones([4, 9, 500])
    dropped = Dropout(0.4, locked, 7, tf.constant(3))(x, 1).numpy()
    assert np.mean(dropped == 0) == pytest.approx(0.4, abs=0.03)
    assert set(np.unique(dropped)) == {0, np.float32(1 / (1 - np.float32(0.4)))}
    assert (dropped == Dropout(0.4, locked, 7, tf.constant(3))(x, 1).numpy()).all()
    for seed, step, site in ((8, 3, 1), (7, 4, 1), (7, 3, 2)):
        assert (dropped != Dropout(0.4, locked, seed, tf.constant(step))(x, site).numpy()).any()
    assert (dropped == dropped[:, :1]).all() == locked
    assert (dropped[0] != dropped[1]).any()
    assert Dropout(0.0, locked, 7, tf.constant(3))(x, 1) is x
