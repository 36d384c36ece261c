"""This project: the engine of `make sample` and the server; for cases that ask for it, the SavedModel's signature `generate` or `step`."""

from pathlib import Path
from typing import Any, List

import numpy as np
import tensorflow as tf

import protocol
from lstm_lm.export.generator import Generator
from lstm_lm.export.text_model import TextModel, load_text_model, save_vocabulary
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.io import memory
from lstm_lm.text.tokenization.tokenizer import Tokenizer
from lstm_lm_serving.engine import Engine
from lstm_lm_serving.texts import Text
from ours import build


def saved(config: protocol.Settings) -> Path:
    """Return the SavedModel in the folder that the settings name. The first worker that needs it makes it."""
    folder = Path(config["folder"])
    folder.mkdir(exist_ok=True)
    return folder / "saved_model" if (folder / "saved_model/saved_model.pb").exists() else save(config, folder)


def save(config: protocol.Settings, folder: Path) -> Path:
    """Save a model of the given sizes as a SavedModel, and return its folder."""
    model = build(config)
    # Without any training, the bias makes words as probable as in a text.
    model.softmax_bias.assign(np.log(protocol.zipf(config["vocabulary"])))
    words = ["<unk>", *(name_of(i) for i in range(1, config["vocabulary"]))]
    tokenizer = Tokenizer(lowercase=True, keep_punctuation="-'")
    TextModel(model, tokenizer, save_vocabulary(words, folder / "vocabulary.txt")).save(folder / "saved_model")
    return folder / "saved_model"


def name_of(i: int) -> str:
    """Return the word with an id."""
    return f"w{i}"


class StepLoop:
    """Generation by a Python loop over the signature `step`."""

    def __init__(self, text_model: Any) -> None:
        self.step, self.initial_state = text_model.signatures["step"], text_model.signatures["initial_state"]

    def generate(self, prompt: List[int], words: int, random: np.random.RandomState) -> List[int]:
        """Return the ids generated after a prompt."""
        state = self.initial_state(batch=tf.constant(1))["state"]
        for word in prompt[:-1]:
            state = self.step(ids=tf.constant([[word]]), state=state)["state"]
        word, text = prompt[-1], []
        for _ in range(words):
            outputs = self.step(ids=tf.constant([[word]]), state=state)
            state = outputs["state"]
            word = protocol.draw(outputs["probabilities"].numpy()[0], random)
            text.append(word)
        return text


def main() -> None:
    """Serve generation."""
    config = protocol.settings()
    memory.keep_freed()
    tf.config.threading.set_intra_op_parallelism_threads(config["threads"])
    text_model, engine = load_text_model(saved(config)), Engine(saved(config))
    generator, loop = Generator(text_model), StepLoop(text_model)

    def generate_texts(case: protocol.Case, prompts: protocol.Prompts, words: int) -> Any:
        if case["by"] == "step":
            random = np.random.RandomState(1)
            return [loop.generate(prompt, words, random) for prompt in prompts]
        texts = [" ".join(map(name_of, prompt)) for prompt in prompts]
        options = {"max_words": words, "temperature": case["temperature"], "seed": 1, **case["options"]}
        if case["by"] == "generate":
            return generator(texts, GenerationOptions(**options))
        return engine.submit([Text(text, options) for text in texts]).result()

    protocol.generate(generate_texts, config, version="TensorFlow " + tf.__version__)
    engine.close()


if __name__ == "__main__":
    main()
