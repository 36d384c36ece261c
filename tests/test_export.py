import json
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from lstm_lm.export import Generator, load_weights, save_weights
from plain import PlainModel, log_softmax

ALONE = """
import json, sys
import tensorflow as tf

assert not any(name.startswith("lstm_lm") for name in sys.modules)
model = tf.saved_model.load(sys.argv[1])
state = model.signatures["initial_state"](batch=tf.constant(2))["state"]
scored = model.signatures["score"](ids=tf.constant([[1, 2, 3], [4, 5, 6]]), targets=tf.constant([[2, 3, 4], [5, 6, 7]]), state=state)
state = model.signatures["initial_state"](batch=tf.constant(1))["state"]
stepped = model.signatures["step"](ids=tf.constant([[3]]), state=state)
def generate(seed):
    prompts, scalars = tf.constant(["Thou art", "to be, or"]), dict(top_k=tf.constant(0), top_p=tf.constant(1.0), seed=tf.constant(seed))
    answer = model.signatures["generate"](prompts=prompts, max_words=tf.constant(8), temperature=tf.constant(1.0), **scalars)
    return [text.decode() for text in answer["texts"].numpy()]
assert generate(1) == generate(1) != generate(2)
print(json.dumps({
    "nats": scored["nats"].numpy().tolist(),
    "state": scored["state"].shape.as_list(),
    "sum": float(tf.reduce_sum(stepped["probabilities"])),
    "shape": stepped["probabilities"].shape.as_list(),
    "texts": generate(1),
}))
"""


@pytest.mark.parametrize("shape", [{}, {"layers": 2, "tie_weights": False}])
def test_a_savedmodel_needs_nothing_but_tensorflow(tiny_text_model, tmp_path, shape):
    made = tiny_text_model(**shape)
    made.save(tmp_path / "elsewhere/saved_model")
    (tmp_path / "vocabulary.txt").unlink()  # it carries its own
    moved = (tmp_path / "elsewhere").rename(tmp_path / "moved")
    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, str(moved / "saved_model")], capture_output=True, text=True, cwd=moved, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    plain = PlainModel.of(made.model)
    for row, (ids, targets) in enumerate((([1, 2, 3], [2, 3, 4]), ([4, 5, 6], [5, 6, 7]))):
        state = plain.initial_state(1)
        for t in range(3):
            logits, state = plain.step(np.array(ids[t : t + 1]), state)
            assert found["nats"][row][t] == pytest.approx(-log_softmax(logits)[0, targets[t]], rel=1e-4)
    assert found["state"] == [shape.get("layers", 1), 2, 2, 7]
    assert found["shape"] == [1, 12]
    assert found["sum"] == pytest.approx(1)
    assert found["texts"][0].startswith("Thou art ")
    assert len(found["texts"][0].split()) == 10


@pytest.mark.parametrize("shape", [{}, {"layers": 2, "tie_weights": False}])
def test_a_savedmodel_holds_each_variable_once(tiny_text_model, tmp_path, shape):
    made = tiny_text_model(**shape)
    made.save(tmp_path / "saved_model")
    reader = tf.train.load_checkpoint(str(tmp_path / "saved_model/variables/variables"))
    stored = [tuple(dims) for name, dims in reader.get_variable_to_shape_map().items() if not name.startswith("_CHECKPOINTABLE")]
    assert sorted(stored) == sorted(tuple(variable.shape) for variable in made.model.variables)
    assert [path.name for path in (tmp_path / "saved_model/assets").iterdir()] == ["vocabulary.txt"]


def test_step_gives_the_probabilities_of_score(tiny_text_model):
    made = tiny_text_model(layers=2)
    ids = [3, 1, 4, 1, 5]
    state = made.initial_state(tf.constant(1))["state"]
    scored = made.score(tf.constant([ids[:-1]]), tf.constant([ids[1:]]), state)
    for t in range(4):
        stepped = made.step(tf.constant([[ids[t]]]), state)
        state = stepped["state"]
        assert -np.log(stepped["probabilities"][0, ids[t + 1]]) == pytest.approx(float(scored["nats"][0, t]), rel=1e-5)
    np.testing.assert_allclose(state, scored["state"], rtol=1e-5, atol=1e-7)


def test_texts_keep_the_prompt_and_unknown_words_are_no_error(tiny_text_model):
    write = Generator(tiny_text_model())
    prompts = ["Thou art", "  Zounds! ", "no such words", "THOU   ART", "don\u2019t", ""]
    texts = write(prompts, 5)
    for prompt, text in zip(prompts, texts, strict=True):
        assert text.startswith(prompt.strip())
        assert len(text.split()) == len(prompt.split()) + 5
        assert "<unk>" not in text.removeprefix(prompt)
    assert texts[0].split()[2:] == texts[3].split()[2:]  # case and spaces change nothing
    assert write(["Thou art"], 0) == ["Thou art"]
    assert write([], 5) == []


def test_rows_do_not_depend_on_each_other_and_do_not_echo(tiny_text_model):
    write = Generator(tiny_text_model())
    prompts = ["thou art", "to be or not", "king", "and the"]
    together = write(prompts, 30, temperature=1.0, seed=5)
    assert together == [write([prompt], 30, temperature=1.0, seed=5)[0] for prompt in prompts]
    endings = {tuple(text.split()[-25:]) for text in together}
    assert len(endings) == len(prompts)


@pytest.mark.parametrize("shape", [{}, {"projection_size": None, "tie_weights": False, "adaptive_cutoffs": (5, 9)}])
def test_prime_and_write_give_bit_by_bit_what_generate_gives_at_once(tiny_text_model, tmp_path, shape):
    tiny_text_model(**shape).save(tmp_path / "saved_model")
    model = tf.saved_model.load(str(tmp_path / "saved_model"))
    prompts = tf.constant(["thou art", "to be or not", "king"])
    settings = {"temperature": tf.constant(1.0), "top_k": tf.constant(0), "top_p": tf.constant(0.8), "seed": tf.constant(3)}
    whole = model.signatures["generate"](prompts=prompts, max_words=tf.constant(12), **settings)["texts"].numpy()
    now = model.signatures["prime"](prompts=prompts)
    texts, keys, position = [text.decode() for text in prompts.numpy()], now["keys"], 0
    for words in (1, 4, 7):
        going_on = {"last": now["last"], "state": now["state"], "keys": keys, "position": tf.constant(position)}
        now = model.signatures["write"](**going_on, max_words=tf.constant(words), **settings)
        texts = [f"{text}{more.decode()}" for text, more in zip(texts, now["texts"].numpy(), strict=True)]
        position += words
    assert texts == [text.decode() for text in whole]


def test_bytes_that_are_not_utf_8_are_no_error(tiny_text_model):
    scalars = [tf.constant(value) for value in (3, 0.0, 0, 1.0, 1)]
    texts = tiny_text_model().generate(tf.constant([b"thou \xff\xfe art"]), *scalars)["texts"]
    assert len(texts.numpy()[0].split()) == 6


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"projection_size": None, "tie_weights": False, "layers": 2},
        {"projection_size": None, "tie_weights": False, "adaptive_cutoffs": (5, 9)},
    ],
)
def test_saved_weights_are_loaded_with_nothing_else(tiny_model, tmp_path, shape):
    model = tiny_model(**shape)
    save_weights(model, tmp_path, {"precision": "bfloat16"})
    again = load_weights(tmp_path)
    assert again.shape == model.shape
    assert list(again.weights) == list(model.weights)
    ids = tf.constant([[1, 2, 3]])
    np.testing.assert_array_equal(again(ids, again.initial_state(1))[0], model(ids, model.initial_state(1))[0])
    assert json.loads((tmp_path / "config.json").read_text())["precision"] == "bfloat16"
