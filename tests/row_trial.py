"""Whether a row's text is the same alone and in batches of any size, at the default's real size: PYTHONPATH=src python tests/row_trial.py.

Its state must be the same to the last bit, too: another rounding changes a word only once in about a million. This holds for the CPU that
the trial runs on. A small version is in the suite, this one is 200 prompts x 500 words.
"""

import sys
import time
from typing import Any

import numpy as np
import tensorflow as tf

from lstm_lm.evaluation.ngrams import KneserNey
from lstm_lm.generation import decoding, logits
from lstm_lm.generation.decoding import Extras, Generation, Texts
from lstm_lm.generation.option_tensors import DTYPES, OptionTensors, specs
from lstm_lm.generation.options import GenerationOptions, options
from lstm_lm.model import ensemble
from lstm_lm.model.initializer import Initializer
from lstm_lm.model.mixture import Mixture, Ngrams, Predictor
from lstm_lm.model.shape import Shape

DEFAULT = Shape(7_388, 160, 320, 1, 160, True)
BATCHES = (2, 3, 5, 8, 16, 33, 64)
# Rows take turns with these. The loops for single options are used as well, by batches of one kind.
KINDS: list[dict[str, Any]] = [
    {},
    {"temperature": 0.0},
    {"top_k": 40},
    {"top_p": 0.9},
    {"min_p": 0.05},
    {"repetition_penalty": 1.2},
    {"temperature": 1.3, "top_k": 100, "typical_p": 0.9, "no_repeat_ngram": 3},
]


class Trial:
    """A model of some size, and the texts that each row has alone."""

    def __init__(self, prompts: int, words: int, shape: Shape = DEFAULT, ngrams: int = 0) -> None:
        self.words, rng = words, np.random.default_rng(1)
        # Weights of a size at which the next word depends on the text, and at which no word is far more probable than all others.
        self.model: Predictor = ensemble.build(shape, Initializer("normal", 0.3, 1))
        for member in self.model.members:
            member.softmax_bias.assign(np.log(1 / (np.arange(shape.head_size) + 2.7)))
        if ngrams:
            text = np.minimum(rng.zipf(1.3, 200_000), shape.vocabulary_size) - 1
            self.model = Mixture(self.model, Ngrams(KneserNey([text], shape.vocabulary_size, ngrams).trie()), 0.3)
        self.prompts = rng.integers(1, shape.vocabulary_size, [prompts, 4]).astype(np.int32)
        row = tf.TensorSpec([None], tf.int32)
        self.graph = tf.function(self._generate, autograph=False, input_signature=[tf.TensorSpec([None, 4], tf.int32), row, specs()])
        self.alone = np.concatenate([self.generate([row], [self.kind(row)]) for row in range(prompts)])

    @staticmethod
    def kind(row: int) -> dict[str, Any]:
        """The options of a row."""
        return KINDS[row % len(KINDS)]

    def generate(self, rows: list[int], kinds: list[dict[str, Any]]) -> Any:
        """Generate some rows together: int [rows, words + bits], the words and the bits of the state after them."""
        values = [GenerationOptions(**{"max_words": self.words, "temperature": 1.0, **kind}) for kind in kinds]
        vectors = {row.name: tf.constant([getattr(value, row.name) for value in values], DTYPES[row.type]) for row in options()}
        return self.graph(tf.constant(self.prompts[rows]), tf.constant(rows, tf.int32), vectors).numpy()

    def differing(self, batch: int) -> int:
        """How many rows have another text or state in batches of this size: mixed ones, and ones of rows with the same options."""
        count, wrong = len(self.prompts), set()
        by_kind = sorted(range(count), key=lambda row: row % len(KINDS))
        for order in (list(range(count)), by_kind):
            for start in range(0, count, batch):
                rows = order[start : start + batch]
                texts = self.generate(rows, [self.kind(row) for row in rows])
                wrong |= {row for row, text in zip(rows, texts, strict=True) if (text != self.alone[row]).any()}
        return len(wrong)

    def _generate(self, prompts: tf.Tensor, keys: tf.Tensor, vectors: dict[str, tf.Tensor]) -> tf.Tensor:
        rows = tf.shape(prompts)[0]
        texts: Texts = decoding.prefill(self.model, prompts, tf.fill([rows], 4))
        generation = Generation(self.model, logits.prepare(self.model))
        start = tf.cast(keys, tf.int64), tf.zeros([rows], tf.int32)
        generated, _ = generation.generate(texts, *start, OptionTensors(**vectors), Extras.none(rows))
        bits = tf.bitcast(tf.transpose(generated.state, [2, 0, 1, 3]), tf.int32)
        return tf.concat([generated.words, tf.reshape(bits, [rows, -1])], axis=1)


def main() -> None:
    """Run the trial at full size."""
    start = time.monotonic()
    trial = Trial(200, 500)
    words = len(np.unique(trial.alone[:, : trial.words]))
    print(f"200 prompts x 500 words, each alone: {time.monotonic() - start:.0f} s, {words} different words", flush=True)
    for batch in BATCHES:
        start = time.monotonic()
        differing = trial.differing(batch)
        print(f"in batches of {batch}: {differing} rows differ ({time.monotonic() - start:.0f} s)", flush=True)
        if differing:
            sys.exit(1)


if __name__ == "__main__":
    main()
