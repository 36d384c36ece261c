"""The n-grams of the exported model (`model.ngrams`): counted in the training text once the weights are trained."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lstm_lm import paths
from lstm_lm.config import schema
from lstm_lm.config.schema import Params
from lstm_lm.data.dataset import Batches
from lstm_lm.errors import SettingError
from lstm_lm.evaluation import ngram_mixture
from lstm_lm.evaluation.ngrams import BYTES_PER_WORD, MAX_TRAINING_WORDS, KneserNey
from lstm_lm.io import memory
from lstm_lm.model.ngram_trie import MAX_VOCABULARY, NgramTrie
from lstm_lm.text import encoded, splits
from lstm_lm.ui import training_messages

if TYPE_CHECKING:
    from lstm_lm.model.mixture import Mixture
    from lstm_lm.training.trainer import Trainer

KEY = "model.ngrams"
MIN_WEIGHT = 1e-4  # the best weight has four decimals


def check(settings: Params, batches: Batches) -> None:
    """Check before the training that n-grams can be counted, if they are asked for.

    Raises:
        SettingError: there are too many words, too little memory, or the state has too few units for the last words.
    """
    if (wanted := settings.model.ngrams) is None:
        return
    words, vocabulary_size, hidden_size = batches.train.size, batches.vocabulary_size, settings.model.hidden_size
    if words > MAX_TRAINING_WORDS:
        limit = f"at most {MAX_TRAINING_WORDS:,} can be counted"
        raise SettingError(KEY, f"the training text has {words:,} tokens, {limit}: set it to null")
    if (needed := words * BYTES_PER_WORD) > (available := memory.available()):
        sizes = f"counting {words:,} tokens needs about {memory.gigabytes(needed)} of memory, {memory.gigabytes(available)} are free"
        raise SettingError(KEY, f"{sizes}: set it to null, or use a machine with more")
    if vocabulary_size > MAX_VOCABULARY:
        raise SettingError(
            KEY, f"the vocabulary has {vocabulary_size:,} words, at most {MAX_VOCABULARY:,} are possible: set it to null, or vocab.max_size"
        )
    if wanted.order - 2 > hidden_size:
        raise SettingError(
            KEY, f"order {wanted.order} needs {wanted.order - 2} units or more: lower it, or raise model.hidden_size ({hidden_size})"
        )


def mixture(settings: Params, trainer: "Trainer") -> "Mixture | None":
    """Count the n-grams and mix them with the trained model; None if that is not asked for.

    Args:
        settings: all parameters.
        trainer: with the weights that are kept.
    """
    from lstm_lm.model.mixture import Mixture, Ngrams

    wanted, batches = settings.model.ngrams, trainer.batches
    if wanted is None:
        return None
    own = trainer.validation_nats()
    counted = count(wanted, training_documents(), batches.documents("validation"), own, batches.vocabulary_size)
    alone, mixed = (float(np.exp(np.mean(np.concatenate(nats)))) for nats in (own, counted.mixed))
    training_messages.show_ngrams(wanted.order, len(counted.trie.words), counted.weight, alone, mixed)
    return Mixture(trainer.model, Ngrams(counted.trie), counted.weight)


@dataclass(frozen=True)
class Counted:
    """The n-grams of a training text, and their weight beside a model.

    Attributes:
        ngrams, trie: the same n-grams, to score documents and for the exported model.
        weight: of the n-grams.
        mixed: what the words of the validation text cost by the mixture: float64 [words] for each document.
    """

    ngrams: KneserNey
    trie: NgramTrie
    weight: float
    mixed: list[np.ndarray]


def count(
    wanted: schema.Ngrams, training: Sequence[np.ndarray], validation: Sequence[np.ndarray], own: Sequence[np.ndarray], vocabulary_size: int
) -> Counted:
    """Count n-grams and choose their weight.

    Args:
        wanted: order and weight; "auto" is the best weight on the validation text.
        training, validation: int32 [words] for each document, without unknown words.
        own: what the words of the validation text cost by the model: [words - 1] for each document.
        vocabulary_size: number of words.
    """
    ngrams = KneserNey(training, vocabulary_size, wanted.order)
    other = ngrams.nats(validation)
    weight = wanted.weight
    if weight == "auto":
        weight = float(np.clip(ngram_mixture.best_weight(own, other), MIN_WEIGHT, 1 - MIN_WEIGHT))
    return Counted(ngrams, ngrams.trie(), weight, ngram_mixture.mix(own, other, weight))


def training_documents() -> list[np.ndarray]:
    """Return the training text as the model knows it: int32 [words] for each document or span."""
    text, _, vocabulary_size = encoded.load(paths.VOCAB)
    return text.part(splits.load(paths.SPLITS)["train"]).documents_without_unknown(vocabulary_size)
