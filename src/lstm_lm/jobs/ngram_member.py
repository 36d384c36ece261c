"""The n-grams of the exported model (`model.ngrams`): counted in the training text once the weights are trained."""

from typing import TYPE_CHECKING

import numpy as np

from lstm_lm import paths
from lstm_lm.config.schema import Params
from lstm_lm.data.dataset import Batches
from lstm_lm.errors import SettingError
from lstm_lm.evaluation import ngram_mixture
from lstm_lm.evaluation.ngrams import BYTES_PER_WORD, MAX_TRAINING_WORDS, KneserNey
from lstm_lm.io import memory
from lstm_lm.model.ngram_trie import MAX_VOCABULARY
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
    counted = KneserNey(training_documents(), batches.vocabulary_size, wanted.order)
    own, other = trainer.validation_nats(), counted.nats(batches.documents("validation"))
    weight = wanted.weight
    if weight == "auto":
        weight = float(np.clip(ngram_mixture.best_weight(own, other), MIN_WEIGHT, 1 - MIN_WEIGHT))
    alone, mixed = (float(np.exp(np.mean(np.concatenate(nats)))) for nats in (own, ngram_mixture.mix(own, other, weight)))
    trie = counted.trie()
    training_messages.show_ngrams(wanted.order, len(trie.words), weight, alone, mixed)
    return Mixture(trainer.model, Ngrams(trie), weight)


def training_documents() -> list[np.ndarray]:
    """Return the training text as the model knows it: int32 [words] for each document or span."""
    text, _, vocabulary_size = encoded.load(paths.VOCAB)
    return text.part(splits.load(paths.SPLITS)["train"]).documents_without_unknown(vocabulary_size)
