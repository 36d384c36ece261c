"""This project's SavedModel: its signature `generate`, and, for the cases that say so, a Python loop over its signature `step`."""

import tempfile
from pathlib import Path

import tensorflow as tf

import protocol
from lstm_lm.export.generator import Generator
from lstm_lm.export.text_model import TextModel, load_text_model, save_vocabulary
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.io import memory
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from ours import build


def load(chosen, folder):
    """A SavedModel of the given sizes, saved and loaded again."""
    model = build(chosen)
    # So that words are as probable as in a text, without any training.
    model.softmax_bias.assign(protocol.np.log(protocol.zipf(chosen["vocabulary"])))
    words = ["<unk>", *(name(i) for i in range(1, chosen["vocabulary"]))]
    tokenizer = Tokenizer(lowercase=True, keep_punctuation="-'")
    TextModel(model, tokenizer, save_vocabulary(words, folder / "words.txt")).save(folder / "saved_model")
    return load_text_model(folder / "saved_model")


def name(i):
    return f"w{i}"


def main():
    chosen = protocol.settings()
    memory.keep_freed()
    tf.config.threading.set_intra_op_parallelism_threads(chosen["threads"])
    with tempfile.TemporaryDirectory() as folder:
        loaded = load(chosen, Path(folder))
    generate = Generator(loaded)
    step, start = loaded.signatures["step"], loaded.signatures["initial_state"]

    def by_step(case, prompt, words, random):
        state = start(batch=tf.constant(1))["state"]
        for word in prompt[:-1]:
            state = step(ids=tf.constant([[word]]), state=state)["state"]
        word, written = prompt[-1], []
        for _ in range(words):
            found = step(ids=tf.constant([[word]]), state=state)
            state = found["state"]
            word = protocol.draw(found["probabilities"].numpy()[0], random)
            written.append(word)
        return written

    def write(case, prompts, words):
        if case.get("by_step"):
            random = protocol.np.random.RandomState(1)
            return [by_step(case, prompt, words, random) for prompt in prompts]
        texts = [" ".join(map(name, prompt)) for prompt in prompts]
        options = GenerationOptions(max_words=words, temperature=case["temperature"], top_k=case["top_k"], top_p=case["top_p"])
        return generate(texts, options)

    protocol.texts(write, chosen, version="TensorFlow " + tf.__version__)


if __name__ == "__main__":
    main()
