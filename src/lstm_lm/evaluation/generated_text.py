"""Statistics of text that the model generates, with the same statistics of test text to compare them to."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from lstm_lm.evaluation.metrics import Metrics
from lstm_lm.evaluation.text_statistics import sample_pieces, text_statistics
from lstm_lm.generation.options import GenerationOptions

MAX_TEXTS, MAX_WORDS = 64, 100  # fewer, if there is less test text
TEMPERATURE = 1.0


@dataclass(frozen=True)
class ReferenceTexts:
    """Texts that generated text is compared to, with the original ids of unknown words: what is copied is copied word by word.

    Attributes:
        training, test: int [words] each.
        ids: number of ids, those of unknown words included.
    """

    training: Sequence[np.ndarray]
    test: Sequence[np.ndarray]
    ids: int


@dataclass(frozen=True)
class TextPlan:
    """Which texts to generate.

    Attributes:
        pieces: of the test text, int [words] each, to compare with.
        first_words: int32 [texts], ids of the words that the texts start from.
    """

    pieces: Sequence[np.ndarray]
    first_words: np.ndarray

    @property
    def words(self) -> int:
        """Words of each text."""
        return len(self.pieces[0])


def plan_texts(reference: ReferenceTexts, starts: np.ndarray) -> TextPlan:
    """Plan as much generated text as there is test text, at most `MAX_TEXTS` texts of `MAX_WORDS` words.

    Args:
        reference: with the test text.
        starts: int32, held-out text from which the first words are taken at even distances.
    """
    pieces = sample_pieces(reference.test, MAX_WORDS, MAX_TEXTS)
    return TextPlan(pieces, starts[np.linspace(0, len(starts) - 1, len(pieces)).round().astype(int)])


def generated_text_metrics(
    generate_words: Callable[[np.ndarray, GenerationOptions], np.ndarray], plan: TextPlan, reference: ReferenceTexts, seed: int
) -> Metrics:
    """Generate texts and compute their statistics, and those of the test text with the prefix `test_text_`.

    Args:
        generate_words: (first words, options) -> int32 [texts, words].
        plan: which texts.
        reference: what they are compared to.
        seed: of the generated texts.
    """
    options = GenerationOptions(max_words=plan.words, temperature=TEMPERATURE, seed=seed)
    generated = list(generate_words(plan.first_words, options))
    of_model = text_statistics(generated, reference.training, reference.ids)
    of_test = text_statistics(plan.pieces, reference.training, reference.ids)
    return of_model | {f"test_text_{name}": value for name, value in of_test.items() if name != "words"}
