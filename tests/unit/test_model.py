import numpy as np
import pytest
import tensorflow as tf

from conftest import PROJECT
from lstm_lm.config import loading
from lstm_lm.model.dropout import Noise, Regularization
from lstm_lm.model.language_model import Initializer, LanguageModel
from lstm_lm.model.shape import Shape
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
    hidden, trained_state, _ = model.training_encode(IDS[:1], model.initial_state(1))
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
        fast, *_ = model.training_loss(IDS, TARGETS, model.initial_state(2))
        logits, _ = model(IDS, model.initial_state(2))
        slow = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(labels=TARGETS, logits=logits))
    np.testing.assert_allclose(fast, slow, rtol=1e-5)
    for name, variable in model.weights.items():
        ours, theirs = (tf.convert_to_tensor(tape.gradient(loss, variable)) for loss in (fast, slow))
        np.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=1e-6, err_msg=name)


def test_windows_with_carried_state_cost_what_one_long_pass_costs(tiny_model):
    model = tiny_model()
    ids = tf.constant(np.random.default_rng(0).integers(0, 12, [2, 21]), tf.int32)
    whole, last, _ = model.training_loss(ids[:, :20], ids[:, 1:], model.initial_state(2))
    state, parts = model.initial_state(2), []
    for start in range(0, 20, 5):
        part, state, _ = model.training_loss(ids[:, start : start + 5], ids[:, start + 1 : start + 6], state)
        parts.append(part)
    np.testing.assert_allclose(np.mean(parts), whole, rtol=1e-5)
    np.testing.assert_allclose(state, last, rtol=1e-4, atol=1e-6)


def test_the_first_loss_of_the_default_initialiser_is_ln_v():
    vocabulary = 2000
    default = loading.load(PROJECT / "params.yaml").model
    sizes = default.embedding_size, default.hidden_size, default.layers, default.projection_size, default.tie_weights
    model = LanguageModel(Shape(vocabulary, *sizes), Initializer(default.initializer, default.initializer_scale, 1))
    ids = tf.constant(np.random.default_rng(0).integers(0, vocabulary, [4, 11]), tf.int32)
    loss, *_ = model.training_loss(ids[:, :-1], ids[:, 1:], model.initial_state(4))
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


def noise(seed=7, step=3, **rates):
    return Noise(Regularization(**rates), seed, tf.constant(step))


@pytest.mark.parametrize("locked", [True, False])
def test_dropout_is_fixed_by_seed_step_and_site(locked):
    x = tf.ones([4, 9, 500])
    rates = {"dropout_input": 0.4, "dropout_output": 0.4, "locked": locked}
    dropped = noise(**rates).on_input(x).numpy()
    assert np.mean(dropped == 0) == pytest.approx(0.4, abs=0.03)
    assert set(np.unique(dropped)) == {0, np.float32(1 / (1 - np.float32(0.4)))}
    assert (dropped == noise(**rates).on_input(x).numpy()).all()
    others = (
        noise(seed=8, **rates).on_input(x),
        noise(step=4, **rates).on_input(x),
        noise(**rates).on_layer(x, 0, last=True),
        noise(**rates).on_layer(x, 1, last=True),
    )
    assert all((dropped != other.numpy()).any() for other in others)
    assert (dropped == dropped[:, :1]).all() == locked
    assert (dropped[0] != dropped[1]).any()


def test_each_dropout_is_where_its_name_says():
    x, square = tf.ones([3, 4, 200]), tf.ones([50, 200])
    for rates, changed in (
        ({}, ""),
        ({"dropout_words": 0.5}, "words"),
        ({"dropout_input": 0.5}, "input"),
        ({"dropout_hidden": 0.5}, "between"),
        ({"dropout_output": 0.5}, "output"),
        ({"dropout_recurrent": 0.5}, "recurrent"),
    ):
        step = noise(**rates)
        after = {
            "words": (step.on_words(x, tf.zeros([3, 4], tf.int32) + tf.range(4), 20), x),
            "input": (step.on_input(x), x),
            "between": (step.on_layer(x, 0, last=False), x),
            "output": (step.on_layer(x, 1, last=True), x),
            "recurrent": (step.on_recurrent(square, 0), square),
        }
        assert [place for place, (y, before) in after.items() if y is not before] == ([changed] if changed else [])


def test_a_word_that_is_left_out_is_left_out_wherever_it_occurs():
    ids = tf.constant(np.random.default_rng(0).integers(0, 50, [8, 30]), tf.int32)
    kept = noise(dropout_words=0.3).on_words(tf.ones([8, 30, 4]), ids, 50).numpy()
    assert (kept == kept[:, :, :1]).all()
    by_word = {word: np.unique(kept[ids.numpy() == word]) for word in np.unique(ids)}
    assert all(len(values) == 1 for values in by_word.values())
    assert 0.15 < np.mean([values[0] == 0 for values in by_word.values()]) < 0.45


def test_activation_regularisation_is_as_written():
    draw = np.random.default_rng(0)
    dropped, raw = (tf.constant(draw.normal(size=[3, 5, 4]), tf.float32) for _ in range(2))
    penalty = noise(activation=2.0, temporal=3.0).penalty(dropped, raw)
    change = np.diff(raw.numpy(), axis=1)
    assert float(penalty) == pytest.approx(2 * np.mean(dropped.numpy() ** 2) + 3 * np.mean(change**2), rel=1e-5)
    assert float(noise().penalty(dropped, raw)) == 0
    assert float(noise(temporal=3.0).penalty(dropped[:, :1], raw[:, :1])) == 0  # there is no change in one word


def test_dropped_recurrent_weights_are_those_of_the_plain_model_without_them(tiny_model):
    model = tiny_model()
    step = noise(dropout_recurrent=0.5)
    hidden, _, _ = model.training_encode(IDS, model.initial_state(2), step)
    masked = step.on_recurrent(model.recurrents[0], 0).numpy()
    assert 0.2 < np.mean(masked == 0) < 0.8
    model.recurrents[0].assign(masked)
    plain, state = PlainModel.of(model), PlainModel.of(model).initial_state(2)
    for t in range(IDS.shape[1]):
        expected, state = plain.hidden(IDS.numpy()[:, t], state)
        np.testing.assert_allclose(hidden[:, t], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("cutoffs", [(), (4, 8)])
def test_before_the_first_step_words_have_their_shares_of_the_training_text(cutoffs):
    counts = np.array([50, 400, 200, 100, 40, 30, 20, 10, 5, 3, 2, 0])
    shape = Shape(12, 5, 5, 1, None, not cutoffs, cutoffs)
    model = LanguageModel(shape, Initializer("uniform", 1e-6, 1))
    model.start_from_unigram(counts)
    logits, _ = model(IDS, model.initial_state(2))
    np.testing.assert_allclose(tf.nn.softmax(logits[0, 0]), (counts + 1) / (counts + 1).sum(), rtol=1e-4)
