import numpy as np
import pytest
import tensorflow as tf

from lstm_lm.model.dropout import DropoutMasks, Regularization


def masks(seed=7, step=3, **rates):
    return DropoutMasks(Regularization(**rates), seed, tf.constant(step))


@pytest.mark.parametrize("locked", [True, False])
def test_a_dropout_mask_depends_on_seed_step_and_site(locked):
    x = tf.ones([4, 9, 500])
    rates = {"dropout_input": 0.4, "dropout_output": 0.4, "locked": locked}
    dropped = masks(**rates).drop_input(x).numpy()
    assert np.mean(dropped == 0) == pytest.approx(0.4, abs=0.03)
    assert set(np.unique(dropped)) == {0, np.float32(1 / (1 - np.float32(0.4)))}
    assert (dropped == masks(**rates).drop_input(x).numpy()).all()
    others = (
        masks(seed=8, **rates).drop_input(x),
        masks(step=4, **rates).drop_input(x),
        masks(**rates).drop_output(x, 0, last=True),
        masks(**rates).drop_output(x, 1, last=True),
    )
    assert all((dropped != other.numpy()).any() for other in others)
    assert (dropped == dropped[:, :1]).all() == locked
    assert (dropped[0] != dropped[1]).any()


def test_each_rate_applies_only_to_its_own_site():
    x, square = tf.ones([3, 4, 200]), tf.ones([50, 200])
    for rates, changed in (
        ({}, ""),
        ({"dropout_words": 0.5}, "words"),
        ({"dropout_input": 0.5}, "input"),
        ({"dropout_hidden": 0.5}, "between"),
        ({"dropout_output": 0.5}, "output"),
        ({"dropout_recurrent": 0.5}, "recurrent"),
    ):
        step_masks = masks(**rates)
        after = {
            "words": (step_masks.drop_words(x, tf.zeros([3, 4], tf.int32) + tf.range(4), 20), x),
            "input": (step_masks.drop_input(x), x),
            "between": (step_masks.drop_output(x, 0, last=False), x),
            "output": (step_masks.drop_output(x, 1, last=True), x),
            "recurrent": (step_masks.drop_recurrent(square, 0), square),
        }
        assert [site for site, (y, before) in after.items() if y is not before] == ([changed] if changed else [])


def test_a_dropped_word_is_dropped_wherever_it_occurs():
    ids = tf.constant(np.random.default_rng(0).integers(0, 50, [8, 30]), tf.int32)
    kept = masks(dropout_words=0.3).drop_words(tf.ones([8, 30, 4]), ids, 50).numpy()
    assert (kept == kept[:, :, :1]).all()
    by_word = {word: np.unique(kept[ids.numpy() == word]) for word in np.unique(ids)}
    assert all(len(values) == 1 for values in by_word.values())
    assert 0.15 < np.mean([values[0] == 0 for values in by_word.values()]) < 0.45


def test_the_activation_penalty_matches_its_formula():
    rng = np.random.default_rng(0)
    dropped, outputs = (tf.constant(rng.normal(size=[3, 5, 4]), tf.float32) for _ in range(2))
    penalty = masks(activation=2.0, temporal=3.0).penalty(dropped, outputs)
    change = np.diff(outputs.numpy(), axis=1)
    assert float(penalty) == pytest.approx(2 * np.mean(dropped.numpy() ** 2) + 3 * np.mean(change**2), rel=1e-5)
    assert float(masks().penalty(dropped, outputs)) == 0
    assert float(masks(temporal=3.0).penalty(dropped[:, :1], outputs[:, :1])) == 0  # a single word has no temporal change
