import numpy as np
import pytest
import tensorflow as tf
from test_trainer import SOME, batches, make, settings

from conftest import PROJECT, make_tiny_model
from lstm_lm.config import keys, loading
from lstm_lm.errors import SettingError
from lstm_lm.evaluation import neural_cache
from lstm_lm.export import trained_weights, weights
from lstm_lm.export.trained_weights import TrainedWeights
from lstm_lm.jobs.train import check_members_differ
from lstm_lm.model import ensemble
from lstm_lm.model.initializer import Initializer
from lstm_lm.model.shape import Shape, count_parameters
from plain import PlainModel, log_softmax

SHAPE = Shape(12, 5, 7, 2, 5, True, members=3)
WORDS = ["<unk>", *"abcdefghijk"]
IDS = tf.constant([[1, 2, 3, 4], [5, 6, 7, 8]])


def values(model):
    return {name: variable.numpy() for name, variable in model.weights.items()}


def assert_same(one, other):
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def test_the_probabilities_are_the_mean_of_those_of_the_members(ensemble_model):
    """By hand: each member is run alone, from its own part of the state."""
    state = tf.random.stateless_normal(ensemble_model.initial_state(2).shape, seed=[1, 2])
    scores, after = ensemble_model(IDS, state)
    alone = [member(IDS, own) for member, own in zip(ensemble_model.members, tf.split(state, 3), strict=True)]
    mean = np.mean([tf.nn.softmax(logits) for logits, _ in alone], axis=0)
    np.testing.assert_allclose(np.exp(scores), mean, rtol=1e-5)
    np.testing.assert_array_equal(after, np.concatenate([own for _, own in alone]))


def test_it_scores_as_the_plain_ensemble_does(ensemble_model):
    plain, state, total = PlainModel.from_model(ensemble_model), None, []
    state = plain.initial_state(2)
    for t in range(IDS.shape[1]):
        scores, state = plain.step(IDS.numpy()[:, t], state)
        total.append(scores)
    scores, after = ensemble_model(IDS, ensemble_model.initial_state(2))
    np.testing.assert_allclose(scores, np.stack(total, axis=1), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(after, state, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(log_softmax(scores.numpy()), scores, atol=1e-6)  # they are normalized


def test_scores_far_apart_do_not_overflow():
    scores = [tf.constant([[-300.0, 0.0, -1e30]]), tf.constant([[0.0, -300.0, -1e30]])]
    np.testing.assert_allclose(ensemble.mean_log_probabilities(scores), [[np.log(0.5), np.log(0.5), -1e30]], rtol=1e-6)


def test_the_members_are_the_models_of_the_following_seeds():
    together = ensemble.build(SHAPE, Initializer("uniform", 0.1, 2**31 - 2))
    for member, seed in zip(together.members, (2**31 - 2, 2**31 - 1, 0), strict=True):
        assert_same(values(member), values(ensemble.build(SHAPE.member, Initializer("uniform", 0.1, seed))))
    assert together.parameter_count == count_parameters(SHAPE) == 3 * count_parameters(SHAPE.member)


@pytest.mark.slow
def test_members_trained_together_have_the_weights_of_models_trained_alone():
    """With dropout and resets of the state, and where clipping depends on the norm of each one's own gradient."""
    seed, changes = 4, {"state_reset": 0.3, "epochs": 1, "clip_norm": 0.1}
    together = make_tiny_model(scale=0.1, seed=seed, members=2)
    trainer = make(together, sections=settings(seed=seed, **changes), regularization=SOME)
    trainer.run()
    losses = []
    for i, member in enumerate(together.members):
        model = make_tiny_model(scale=0.1, seed=seed + i)
        alone = make(model, sections=settings(seed=seed + i, **changes), regularization=SOME)
        alone.run()
        losses.append([row["loss"] for row in alone.progress.rows])
        for name, array in values(model).items():
            np.testing.assert_allclose(values(member)[name], array, rtol=1e-5, atol=1e-6, err_msg=name)
    np.testing.assert_allclose([row["loss"] for row in trainer.progress.rows], np.mean(losses, axis=0), rtol=1e-5)


def test_one_member_with_a_bad_loss_stops_the_training():
    model = make_tiny_model(scale=0.1, members=2)
    model.members[1].softmax_bias.assign(np.full(12, np.nan, np.float32))
    functions = make(model).functions
    before = values(model)
    data = batches()
    ids, targets = data.train[:, :5], data.train[:, 1:6]
    loss, norm, is_good, _ = functions.train_step(ids, targets, model.initial_state(4), tf.constant(1), tf.constant(0.1))
    assert not is_good and np.isnan(loss) and np.isnan(norm)
    assert_same(values(model), before)


def test_the_loss_that_stops_the_training_is_reported_not_the_mean():
    model = make_tiny_model(scale=0.1, members=2)
    model.members[1].softmax_bias.assign([0, *[-300] * 11])
    data = batches()
    functions = make(model, data, settings(max_loss=200)).functions
    loss, _, is_good, _ = functions.train_step(
        data.train[:, :5], data.train[:, 1:6], model.initial_state(4), tf.constant(1), tf.constant(0.1)
    )
    assert not is_good and loss > 250


def test_members_from_the_same_weights_need_something_random():
    params = loading.read(PROJECT / "params.yaml")
    off = {name: 0.0 for name in keys.flatten_sections(params) if name.startswith("model.dropout_")} | {"model.ensemble_size": 3}
    same = loading.check(keys.with_changes(params, {**off, "train.state_reset": 0.0}))
    check_members_differ(same, 3)
    for trained in (1, 2):
        with pytest.raises(SettingError, match=r"^params.yaml: model.ensemble_size: 3: models that start from the weights of"):
            check_members_differ(same, trained)
    check_members_differ(loading.check(keys.with_changes(params, off)), 1)  # the state is reset at random


def test_the_neural_cache_of_equal_members_is_that_of_one():
    """The outputs of all members side by side are not more similar than those of one."""
    single = make_tiny_model(scale=1.0, seed=3)
    together = make_tiny_model(scale=1.0, seed=3, members=4)
    for member in together.members:
        for name, variable in member.weights.items():
            variable.assign(single.weights[name])
    text = [np.random.default_rng(1).integers(0, 12, 60).astype(np.int32)]
    np.testing.assert_allclose(
        neural_cache.score(together, text, 20, 0.8, 0.3)[0], neural_cache.score(single, text, 20, 0.8, 0.3)[0], rtol=1e-4
    )


def test_saved_weights_are_loaded_again(ensemble_model, tmp_path):
    weights.save_weights(ensemble_model, WORDS, tmp_path, {})
    assert_same(values(weights.load_weights(tmp_path)), values(ensemble_model))


@pytest.mark.parametrize(("ours", "theirs", "expected"), [(3, 2, [0, 1, 0]), (2, 1, [0, 0]), (1, 3, [0]), (2, 3, [0, 1])])
def test_members_start_from_the_trained_members_in_turn(ours, theirs, expected):
    trained, model = make_tiny_model(seed=1, members=theirs), make_tiny_model(seed=50, members=ours)
    trained_weights.copy_into(model, WORDS, TrainedWeights(WORDS, values(trained)))
    for member, source in zip(model.members, expected, strict=True):
        assert_same(values(member), values(trained.members[source]))
