import functools
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from conftest import TINY_VOCABULARY, make_tiny_model
from lstm_lm.export.generator import Generator
from lstm_lm.export.text_model import TextModel, save_vocabulary
from lstm_lm.export.weights import load_weights, save_weights
from lstm_lm.generation import option_tensors
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from plain import PlainModel, beam_search, log_softmax

pytestmark = pytest.mark.slow  # tracing takes seconds
STANDALONE_PROGRAM = """
import json, pathlib, sys
import tensorflow as tf
assert not any(name.startswith("lstm_lm") for name in sys.modules)
model = tf.saved_model.load(sys.argv[1])
table = json.loads((pathlib.Path(sys.argv[1]) / "assets/generation_options.json").read_text())
state = model.signatures["initial_state"](batch=tf.constant(2))["state"]
scored = model.signatures["score"](ids=tf.constant([[1, 2, 3], [4, 5, 6]]), targets=tf.constant([[2, 3, 4], [5, 6, 7]]), state=state)
state = model.signatures["initial_state"](batch=tf.constant(1))["state"]
stepped = model.signatures["step"](ids=tf.constant([[3]]), state=state)
def generate(seed):
    values = {row["name"]: row["default"] for row in table["options"]} | {"max_words": 8, "temperature": 1.0, "seed": seed}
    prompts = tf.constant(["Thou art", "to be, or"])
    vectors = {name: tf.fill([2], value) for name, value in values.items()}
    texts = model.signatures["generate"](prompts=prompts, **vectors)["texts"].numpy()
    assert (model.signatures["serving_default"](prompts=prompts, **vectors)["texts"].numpy() == texts).all()
    return [text.decode() for text in texts]
assert generate(1) == generate(1) != generate(2)
print(json.dumps({
    "nats": scored["nats"].numpy().tolist(),
    "state": scored["state"].shape.as_list(),
    "sum": float(tf.reduce_sum(stepped["probabilities"])),
    "shape": stepped["probabilities"].shape.as_list(),
    "texts": generate(1),
}))
"""


# Another model than the default one, in all that a SavedModel depends on. Tracing and saving one takes longer than testing it.
OTHER_SHAPE = {"layers": 2, "projection_size": None, "tie_weights": False, "adaptive_cutoffs": (5, 9)}
ENSEMBLE = {"members": 3}
MOGRIFIED = {"mogrifier_rounds": 4, "mogrifier_rank": 2}
MIXTURE = {"members": 2, "ngrams": 3}
# Two words of the vocabulary end a sentence.
WORDS = [{"or": ".", "not": "<eos>"}.get(word, word) for word in TINY_VOCABULARY]


@pytest.fixture(scope="module")
def tiny_text_model(tmp_path_factory):
    """Like the fixture in conftest.py, with the vocabulary WORDS. Models of the same shape are one object, which is traced once."""
    words = save_vocabulary(WORDS, tmp_path_factory.mktemp("words") / "vocabulary.txt")
    return functools.cache(lambda **shape: TextModel(make_tiny_model(**shape), Tokenizer(True, "-'"), words))


@pytest.fixture(scope="module")
def saved_model(tiny_text_model, tmp_path_factory):
    """A function that returns the folder of the SavedModel of a shape. It is saved only once, and tests must not change it."""

    @functools.cache
    def save(**shape):
        folder = tmp_path_factory.mktemp("saved") / "saved_model"
        tiny_text_model(**shape).save(folder)
        return folder

    return save


@pytest.fixture(scope="module")
def loaded_model(saved_model):
    """A function that returns the SavedModel of a shape, which is loaded only once."""
    return functools.cache(lambda **shape: tf.saved_model.load(str(saved_model(**shape))))


def text_generator(text_model):
    """Return a function that generates texts from prompts and options. The default temperature is 0."""
    generator = Generator(text_model)
    return lambda prompts, max_words, **options: generator(
        prompts, GenerationOptions(**{"max_words": max_words, "temperature": 0.0, **options})
    )


@pytest.mark.parametrize("shape", [{}, OTHER_SHAPE, ENSEMBLE, MIXTURE])
def test_a_saved_model_needs_nothing_but_tensorflow(tiny_text_model, saved_model, tmp_path, shape):
    text_model, folder = tiny_text_model(**shape), saved_model(**shape)
    moved = folder.rename(tmp_path / "saved_model")
    words = Path(text_model.tokenizer.vocabulary_file.asset_path.numpy().decode())
    hidden = words.rename(words.with_suffix(".hidden"))  # the SavedModel has a copy
    try:
        done = subprocess.run(
            [sys.executable, "-I", "-c", STANDALONE_PROGRAM, str(moved)], capture_output=True, text=True, cwd=tmp_path, check=False
        )
    finally:
        hidden.rename(words)
        moved.rename(folder)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout)
    plain = PlainModel.from_model(text_model.model)
    for row, (ids, targets) in enumerate((([1, 2, 3], [2, 3, 4]), ([4, 5, 6], [5, 6, 7]))):
        state = plain.initial_state(1)
        for t in range(3):
            logits, state = plain.step(np.array(ids[t : t + 1]), state)
            assert results["nats"][row][t] == pytest.approx(-log_softmax(logits)[0, targets[t]], rel=1e-4)
    assert results["state"] == [shape.get("layers", 1) * shape.get("members", 1) + ("ngrams" in shape), 2, 2, 7]
    assert results["shape"] == [1, 12]
    assert results["sum"] == pytest.approx(1)
    assert results["texts"][0].startswith("Thou art ")
    assert len(results["texts"][0].split()) == 10


@pytest.mark.parametrize("shape", [{}, OTHER_SHAPE, ENSEMBLE, MIXTURE])
def test_a_saved_model_holds_each_variable_once(tiny_text_model, saved_model, shape):
    text_model, folder = tiny_text_model(**shape), saved_model(**shape)
    reader = tf.train.load_checkpoint(str(folder / "variables/variables"))
    stored = [tuple(dims) for name, dims in reader.get_variable_to_shape_map().items() if not name.startswith("_CHECKPOINTABLE")]
    assert sorted(stored) == sorted(tuple(variable.shape) for variable in text_model.model.variables)
    assert {path.name for path in (folder / "assets").iterdir()} == {"vocabulary.txt", "generation_options.json", "tokenizer.json"}


@pytest.mark.parametrize("shape", [OTHER_SHAPE, ENSEMBLE, MOGRIFIED, MIXTURE])
def test_step_and_score_agree_on_probabilities(tiny_text_model, shape):
    text_model = tiny_text_model(**shape)
    ids = [3, 1, 4, 1, 5]
    state = text_model.initial_state(tf.constant(1))["state"]
    scored = text_model.score(tf.constant([ids[:-1]]), tf.constant([ids[1:]]), state)
    for t in range(4):
        stepped = text_model.step(tf.constant([[ids[t]]]), state)
        state = stepped["state"]
        assert -np.log(stepped["probabilities"][0, ids[t + 1]]) == pytest.approx(float(scored["nats"][0, t]), rel=1e-5)
    np.testing.assert_allclose(state, scored["state"], rtol=1e-5, atol=1e-7)


def test_texts_keep_the_prompt_and_prompts_may_have_unknown_words(shared_text_model):
    generate = text_generator(shared_text_model)
    prompts = ["Thou art", "  Zounds! ", "no such words", "THOU   ART", "don\u2019t", ""]
    texts = generate(prompts, 5)
    for prompt, text in zip(prompts, texts, strict=True):
        assert text.startswith(prompt.strip())
        assert len(text.split()) == len(prompt.split()) + 5
        assert "<unk>" not in text.removeprefix(prompt)
    assert texts[0].split()[2:] == texts[3].split()[2:]  # case and spaces do not matter
    assert generate(["Thou art"], 0) == ["Thou art"]
    assert generate([], 5) == []


def test_rows_do_not_affect_each_other_and_differ(shared_text_model):
    generate = text_generator(shared_text_model)
    prompts = ["thou art", "to be or not", "king", "and the"]
    together = generate(prompts, 30, temperature=1.0, seed=5)
    assert together == [generate([prompt], 30, temperature=1.0, seed=5)[0] for prompt in prompts]
    suffixes = {tuple(text.split()[-25:]) for text in together}
    assert len(suffixes) == len(prompts)


@pytest.mark.parametrize("shape", [{}, OTHER_SHAPE, MIXTURE])
def test_prefill_and_decode_equal_generate_bit_for_bit(loaded_model, shape):
    signatures = loaded_model(**shape).signatures
    prompts, samples = tf.constant(["thou art", "to be and be", "king"]), tf.constant([2, 2, 2])
    for changes in ({"min_p": 0.05, "repetition_penalty": 1.3, "no_repeat_ngram": 2}, {"stop_at_sentence_end": True}, {}):
        options = GenerationOptions(temperature=1.0, top_p=0.8, seed=3, samples=2, **changes)
        whole = signatures["generate"](prompts=prompts, **option_tensors.tensors(replace(options, max_words=12), 3))["texts"].numpy()
        state = signatures["prefill"](prompts=prompts, samples=samples)
        texts, keys, position = [text.decode() for text in prompts.numpy() for _ in range(2)], state["keys"], 0
        for words in (1, 4, 7):
            so_far = {name: state[name] for name in ("last", "state", "history")} | {"keys": keys, "position": tf.fill([6], position)}
            state = signatures["decode"](**so_far, **option_tensors.tensors(replace(options, max_words=words), 6, option_tensors.of_words))
            texts = [f"{text}{more.decode()}" for text, more in zip(texts, state["texts"].numpy(), strict=True)]
            position += words
        assert texts == [text.decode() for text in whole], changes


def test_the_first_samples_do_not_depend_on_the_number_of_samples(shared_text_model):
    generate = text_generator(shared_text_model)
    prompts = ["thou art", "to be or not", "king"]
    few, many = (generate(prompts, 25, temperature=1.0, seed=5, samples=samples) for samples in (3, 10))
    assert [many[i * 10 : i * 10 + 3] for i in range(3)] == [few[i * 3 : i * 3 + 3] for i in range(3)]
    assert few[::3] == generate(prompts, 25, temperature=1.0, seed=5)
    assert len({text.partition(" ")[2] for text in many}) == 30
    assert few[3:6] == generate(["to be or not"], 25, temperature=1.0, seed=5, samples=3)
    assert generate(prompts, 0, samples=2) == [prompt for prompt in prompts for _ in range(2)]
    assert generate([], 5, samples=2) == []


def test_options_reach_the_functions_that_apply_them(shared_text_model):
    """The tests of those functions check the effects in detail."""
    generate = text_generator(shared_text_model)

    def words(**settings):
        return generate(["thou art thou king"], 30, **settings)[0].split()

    def repeated(words, size):
        grams = [tuple(words[i : i + size]) for i in range(len(words) - size + 1)]
        return len(grams) - len(set(grams))

    assert repeated(words(temperature=1.0), 2) > 0
    assert repeated(words(temperature=1.0, no_repeat_ngram=2), 2) == 0
    assert repeated(words(no_repeat_ngram=3), 3) == 0
    assert len(set(words(repetition_penalty=10.0))) > len(set(words()))
    assert words(temperature=1.0, min_p=1.0) == words()
    assert words(temperature=1.0, min_p=0.7) not in (words(), words(temperature=1.0))
    assert words(temperature=1.0, stop_at_sentence_end=True) == words(temperature=1.0)  # no word of the vocabulary ends a sentence


def test_beam_search_returns_the_best_texts_of_the_plain_beam_search(shared_text_model):
    generate, model = text_generator(shared_text_model), PlainModel.from_model(shared_text_model.model)
    prompts = ["thou art", "king and the king"]
    texts = generate(prompts, 6, beam_width=4, samples=3)
    assert texts[::3] == generate(prompts, 6, temperature=1.0, seed=9, beam_width=4)  # beam search samples nothing
    for i, prompt in enumerate(prompts):
        ids = [TINY_VOCABULARY.index(word) for word in prompt.split()]
        expected = beam_search(model, ids, 6, 4)[:3]
        assert texts[i * 3 : i * 3 + 3] == [" ".join([prompt, *(TINY_VOCABULARY[word] for word in words)]) for _, words in expected]
    assert generate(prompts, 6, temperature=0.0, beam_width=1) == generate(prompts, 6)
    assert len(generate(prompts, 6, beam_width=2, samples=5)) == 4  # a beam of 2 has only 2 texts per prompt


def test_a_text_stops_after_its_first_sentence(tiny_text_model, loaded_model):
    text_model = tiny_text_model()
    generate, prompts = text_generator(loaded_model()), ["thou art .", "king"]
    long, short = (generate(prompts, 60, temperature=1.0, seed=3, samples=4, stop_at_sentence_end=stop) for stop in (False, True))
    for i, (whole, text) in enumerate(zip(long, short, strict=True)):
        prompt = prompts[i // 4]
        words = whole.removeprefix(prompt).split()
        end = next(i for i, word in enumerate(words) if word in (".", "<eos>"))
        assert text == " ".join([prompt, *words[: end + 1]])
    names = [name.decode() for name in text_model.tokenizer.word_of.lookup(tf.range(12, dtype=tf.int64)).numpy()]
    for prompt, text in zip(prompts, generate(prompts, 9, beam_width=3, stop_at_sentence_end=True), strict=True):
        ids = [names.index(word) if word in names else 0 for word in prompt.replace(" .", "").split()]
        _, best = beam_search(PlainModel.from_model(text_model.model), ids, 9, 3, ends=text_model.ends)[0]
        assert text == " ".join([prompt, *(names[i] for i in best)])


def test_continue_words_equals_generate_with_prompts_of_one_word(loaded_model):
    loaded = loaded_model()
    generate = text_generator(loaded)

    def continue_words(first, max_words, temperature):
        return Generator(loaded).continue_words(np.array(first, np.int32), GenerationOptions(max_words, temperature, seed=7))

    words = continue_words([3, 3, 5, 0], 30, 1.0)
    assert (words.shape, words.dtype) == ((4, 30), np.int32)
    assert words.min() > 0
    assert (words[0] != words[1]).any()  # texts differ even if they start from the same word
    np.testing.assert_array_equal(words, continue_words([3, 3, 5, 0], 30, 1.0))
    # At temperature 0, `generate` returns the same words.
    greedy = continue_words([3, 5], 9, 0.0)
    for prompt, row in zip(("king", "art"), greedy, strict=True):
        assert generate([prompt], 9) == [" ".join([prompt, *(WORDS[i] for i in row)])]


def test_a_prompt_may_have_invalid_utf_8(shared_text_model):
    options = option_tensors.tensors(GenerationOptions(max_words=3, temperature=0.0), 1)
    texts = shared_text_model.generate(tf.constant([b"thou \xff\xfe art"]), options)["texts"]
    assert len(texts.numpy()[0].split()) == 6


@pytest.mark.parametrize(
    "shape",
    [
        {},
        {"projection_size": None, "tie_weights": False, "layers": 2},
        {"projection_size": None, "tie_weights": False, "adaptive_cutoffs": (5, 9)},
        MOGRIFIED,
    ],
)
def test_loaded_weights_compute_the_same_logits(tiny_model, tmp_path, shape):
    model = tiny_model(**shape)
    save_weights(model, TINY_VOCABULARY, tmp_path, {"precision": "bfloat16"})
    loaded = load_weights(tmp_path)
    assert loaded.shape == model.shape
    assert list(loaded.weights) == list(model.weights)
    ids = tf.constant([[1, 2, 3]])
    np.testing.assert_array_equal(loaded(ids, loaded.initial_state(1))[0], model(ids, model.initial_state(1))[0])
    assert json.loads((tmp_path / "config.json").read_text())["precision"] == "bfloat16"
