"""Plain Python calls of a text model, as it was just built or loaded from a SavedModel."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from lstm_lm.generation import option_tensors
from lstm_lm.generation.options import GenerationOptions


class Generator:
    """Continues texts."""

    def __init__(self, text_model: Any) -> None:
        """text_model: TextModel, or what `load_text_model` returns."""
        self.text_model = text_model

    def __call__(self, prompts: Sequence[str], options: GenerationOptions) -> list[str]:
        """Continue prompts.

        Args:
            prompts: as for `TextModel.generate`.
            options: not checked here.
        Returns:
            Each prompt with the words after it; with several samples, those of a prompt are neighbors.
        """
        texts = self.text_model.generate(_as_tensor(prompts), option_tensors.tensors(options, len(prompts)))["texts"]
        return [text.decode("utf-8", errors="replace") for text in texts.numpy()]

    def continue_words(self, first: npt.NDArray[np.int32], options: GenerationOptions) -> npt.NDArray[np.int32]:
        """Generate texts that start with one word each.

        Args:
            first: int32 [n], ids. Texts with the same first word differ by their place among the n.
            options: those that apply to words.
        Returns:
            int32 [n, max_words], ids of the words after the first.
        """
        last, rows = tf.constant(first, tf.int32), len(first)
        continued = self.text_model.decode(
            last,
            self.text_model.initial_state(tf.constant(rows))["state"],
            tf.range(rows, dtype=tf.int64),
            last[:, tf.newaxis],
            tf.zeros([rows], tf.int32),
            option_tensors.tensors(options, rows, option_tensors.of_words),
        )
        words: npt.NDArray[np.int32] = continued["words"].numpy()
        return words

    def count_known_words(self, prompts: Sequence[str]) -> list[int]:
        """Count the words of each prompt that the model knows."""
        counts: list[int] = self.text_model.prefill(_as_tensor(prompts), tf.ones([len(prompts)], tf.int32))["known"].numpy().tolist()
        return counts


def _as_tensor(prompts: Sequence[str]) -> tf.Tensor:
    return tf.constant(list(prompts), tf.string)
