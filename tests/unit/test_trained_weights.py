import numpy as np
import pytest

from lstm_lm.errors import SettingError
from lstm_lm.export import trained_weights
from lstm_lm.export.text_model import TextModel, save_vocabulary
from lstm_lm.export.trained_weights import TrainedWeights
from lstm_lm.export.weights import save_weights
from lstm_lm.model.initializer import Initializer
from lstm_lm.model.language_model import LanguageModel
from lstm_lm.model.shape import Shape
from lstm_lm.text.tokenization.tokenizer import Tokenizer

OLD = ["<unk>", "the", "and", "king", "thou", "art", "to"]
NEW = ["<unk>", "thou", "queen", "the", "king", "ghost", "and", "art", "to"]


def model_of(words, seed=1, **shape):
    tied = {"projection_size": 5, "tie_weights": True} if not shape else {}
    values = {"embedding_size": 5, "hidden_size": 7, "layers": 1, **tied, **shape}
    return LanguageModel(Shape(vocabulary_size=len(words), **values), Initializer("uniform", 1.0, seed))


def weights_of(model, words):
    return TrainedWeights(words, {name: variable.numpy() for name, variable in model.weights.items()})


UNTIED = {"projection_size": None, "tie_weights": False, "layers": 2}


@pytest.mark.parametrize("shape", [{}, UNTIED], ids=["tied", "untied"])
def test_each_word_gets_its_own_weights_and_new_words_keep_their_initial_ones(shape):
    old, new = model_of(OLD, 1, **shape), model_of(NEW, 2, **shape)
    old.softmax_bias.assign(np.arange(len(OLD)))
    initial = weights_of(new, NEW).arrays
    assert trained_weights.copy_into(new, NEW, weights_of(old, OLD)) == len(OLD)
    for name, variable in new.weights.items():
        trained, copied = old.weights[name].numpy(), variable.numpy()
        if name not in ("embedding", "softmax", "softmax_bias"):
            np.testing.assert_array_equal(copied, trained)
            continue
        for i, word in enumerate(NEW):
            np.testing.assert_array_equal(copied[i], trained[OLD.index(word)] if word in OLD else initial[name][i])


def test_the_logits_of_known_words_are_those_of_the_trained_model():
    old, new = model_of(OLD), model_of(NEW, 2)
    trained_weights.copy_into(new, NEW, weights_of(old, OLD))
    text = ["the", "king", "and", "thou"]
    logits, _ = old(np.array([[OLD.index(word) for word in text]], np.int32), old.initial_state(1))
    of_new, _ = new(np.array([[NEW.index(word) for word in text]], np.int32), new.initial_state(1))
    np.testing.assert_allclose(of_new.numpy()[..., [NEW.index(word) for word in OLD]], logits.numpy(), rtol=1e-5, atol=1e-6)


def test_with_an_adaptive_softmax_words_keep_their_weights_within_their_cluster():
    shape = {"projection_size": None, "tie_weights": False}
    old = model_of(OLD, 1, **shape, adaptive_cutoffs=(3, 5))
    new = model_of(NEW, 2, **shape, adaptive_cutoffs=(4, 6))
    initial = weights_of(new, NEW).arrays
    trained_weights.copy_into(new, NEW, weights_of(old, OLD))
    head, old_head = new.weights["softmax"].numpy(), old.weights["softmax"].numpy()
    np.testing.assert_array_equal(head[NEW.index("the")], old_head[OLD.index("the")])
    np.testing.assert_array_equal(head[NEW.index("thou")], initial["softmax"][NEW.index("thou")])  # it was in a tail
    np.testing.assert_array_equal(head[4:], old_head[3:])  # the clusters themselves
    tail, old_tail = new.weights["tail_1"].numpy(), old.weights["tail_1"].numpy()  # and, art, to; there art, to
    np.testing.assert_array_equal(tail[1:], old_tail)
    np.testing.assert_array_equal(tail[0], initial["tail_1"][0])


@pytest.mark.slow
def test_weights_are_read_from_a_weights_folder_and_from_a_saved_model(tmp_path):
    shape = {
        "projection_size": None,
        "tie_weights": False,
        "layers": 2,
        "adaptive_cutoffs": (3, 5),
        "mogrifier_rounds": 3,
        "mogrifier_rank": 2,
    }
    model = model_of(OLD, **shape)
    save_weights(model, OLD, tmp_path / "weights", {})
    TextModel(model, Tokenizer(True, "-'"), save_vocabulary(OLD, tmp_path / "vocabulary.txt")).save(str(tmp_path / "saved_model"))
    expected = weights_of(model, OLD)
    for folder in ("weights", "saved_model"):
        read = trained_weights.read(tmp_path / folder, folder)
        assert read.words == OLD
        assert read.arrays.keys() == expected.arrays.keys()
        assert all((read.arrays[name] == array).all() for name, array in expected.arrays.items())


@pytest.mark.parametrize(
    ("shape", "problem"),
    [
        ({"projection_size": 5, "tie_weights": True, "hidden_size": 8}, "has model.hidden_size 7, but here it is 8"),
        ({"projection_size": 5, "tie_weights": True, "layers": 2}, "has model.layers 1, but here it is 2"),
        ({"projection_size": 5, "tie_weights": False}, "has model.tie_weights True, but here it is False"),
        ({"projection_size": 5, "tie_weights": True, "mogrifier_rounds": 2}, "has model.mogrifier_rounds 0, but here it is 2"),
        ({"projection_size": 6, "embedding_size": 6, "tie_weights": True}, "has model.embedding_size 5, but here it is 6"),
    ],
)
def test_other_layers_are_refused_by_name(shape, problem):
    with pytest.raises(SettingError, match=problem):
        trained_weights.copy_into(model_of(NEW, **shape), NEW, weights_of(model_of(OLD), OLD))


def test_a_model_that_knows_none_of_the_words_is_refused():
    with pytest.raises(SettingError, match="knows no word of this vocabulary"):
        trained_weights.copy_into(model_of(["<unk>", "a", "b"]), ["<unk>", "a", "b"], weights_of(model_of(OLD), OLD))


@pytest.mark.parametrize("broken", ["empty", "no vocabulary", "not a zip"])
def test_a_folder_without_weights_is_one_line(tmp_path, broken):
    if broken != "empty":
        save_weights(model_of(OLD), OLD, tmp_path, {})
        (tmp_path / "vocabulary.txt").unlink()
    if broken == "not a zip":
        (tmp_path / "vocabulary.txt").write_text("a\n")
        (tmp_path / "weights.npz").write_bytes(b"PK nothing")
    with pytest.raises(SettingError, match=r"^params.yaml: train.init_from: mine: must be a folder like models/weights.*") as error:
        trained_weights.read(tmp_path, "mine")
    assert "\n" not in str(error.value)
