"""Checks of parameters against the size of the vocabulary, which is known only once the stage `vocab` has run."""

from lstm_lm.config.schema import Params
from lstm_lm.errors import SettingError


def check_vocabulary_size(settings: Params, vocabulary_size: int) -> None:
    """Check the parameters that must be below the size of the vocabulary.

    Raises:
        SettingError: one of them is not.
    """
    cutoffs, sampled = settings.model.adaptive_cutoffs, settings.train.sampled_words
    limit = f"must be below {vocabulary_size}, the size of the vocabulary"
    if cutoffs and cutoffs[-1] >= vocabulary_size:
        raise SettingError("model.adaptive_cutoffs", f"{cutoffs}: {limit}")
    if sampled and sampled >= vocabulary_size:
        raise SettingError("train.sampled_words", f"{sampled}: {limit}, or null")
