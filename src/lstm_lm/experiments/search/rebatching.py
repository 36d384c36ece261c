"""Training batches of another size or recipe than those of the batching stage."""

from dataclasses import replace
from pathlib import Path

from lstm_lm.config.schema import Batching
from lstm_lm.data import windows
from lstm_lm.data.dataset import Batches
from lstm_lm.errors import UserError
from lstm_lm.io import arrays
from lstm_lm.jobs.batching import training_blocks
from lstm_lm.text import encoded, splits


def rebatch(batches: Batches, settings: Batching, folder: str | Path, vocab: str | Path = "data/vocab") -> Batches:
    """Batch the training text by other settings, exactly as the batching stage does.

    Args:
        batches: of the batching stage. They are returned with the new sequence length if that is all that differs.
        settings: the section `batching` of the parameters.
        folder: where the batches that were made are kept.
        vocab: the folder of the vocab stage.
    Raises:
        UserError: the text is too short.
    """
    same_arrays = (batches.recipe, batches.batch_size) == (settings.recipe, settings.batch_size)
    if same_arrays and settings.recipe == "stream":
        _check_length(batches.train.size, settings)
        return replace(batches, sequence_length=settings.sequence_length)
    if same_arrays and batches.sequence_length == settings.sequence_length:
        return batches
    path = Path(folder) / f"{settings.recipe}-{settings.batch_size}x{settings.sequence_length}-{batches.text_digest[:16]}.npy"
    text, _, vocabulary_size = encoded.load(vocab)
    part = text.part(splits.load(Path(vocab) / "splits.json")["train"])
    blocks = training_blocks(part, vocabulary_size, settings)
    Path(folder).mkdir(parents=True, exist_ok=True)
    arrays.save(path, blocks)
    return replace(batches, **settings.model_dump(), train=arrays.load(path))


def _check_length(words: int, settings: Batching) -> None:
    try:
        windows.check_length(words, settings.batch_size, settings.sequence_length)
    except windows.TextTooShort as error:
        raise UserError(str(error)) from None
