"""Stage `batching`: data/vocab to data/batches: streams of word ids for training and for scoring."""

from lstm_lm import paths
from lstm_lm.config.schema import Batching, Params
from lstm_lm.data import dataset, description, windows
from lstm_lm.data.dataset import Batches
from lstm_lm.errors import UserError
from lstm_lm.io import folders
from lstm_lm.io.arrays import Blocks
from lstm_lm.text import encoded, splits
from lstm_lm.text.encoded import Part
from lstm_lm.text.sources import documents
from lstm_lm.ui import data_stages


def run(settings: Params) -> None:
    """Write the training text in the shape the recipe needs, and the held-out text as it is scored."""
    config = settings.batching
    text, characters, vocabulary_size = encoded.load(paths.VOCAB)
    parts = {name: text.part(spans) for name, spans in splits.load(paths.SPLITS).items()}
    train = training_blocks(parts["train"], vocabulary_size, config)
    raw_text = documents.load_source(paths.SOURCE)
    with folders.replaced(paths.BATCHES) as folder:
        batches = Batches(
            recipe=config.recipe,
            batch_size=config.batch_size,
            sequence_length=config.sequence_length,
            vocabulary_size=vocabulary_size,
            source=raw_text.source,
            text_digest=raw_text.sha256,
            train=train,
            held_out={name: description.describe_held_out(parts[name], characters, vocabulary_size) for name in dataset.HELD_OUT},
            ids={name: Blocks((len(parts[name]),), parts[name].blocks_without_unknown(vocabulary_size)) for name in dataset.HELD_OUT},
        )
        dataset.save(batches, folder)
    data_stages.show_batches(config, windows.steps_per_epoch(train, config.recipe, config.sequence_length), settings.vocab.unit)


def training_blocks(train: Part, vocabulary_size: int, config: Batching) -> Blocks:
    """The training text in the shape the recipe needs.

    Raises:
        UserError: it is too short.
    """
    words = len(train)
    try:
        windows.check_length(words, config.batch_size, config.sequence_length)
    except windows.TextTooShort as error:
        raise UserError(
            f"{error}: lower batching.batch_size ({config.batch_size}) or batching.sequence_length ({config.sequence_length}) in "
            f"params.yaml, or in the preset that sets them, or add more text"
        ) from None
    ids = train.blocks_without_unknown(vocabulary_size)
    if config.recipe == "stream":
        return Blocks(*windows.stream_blocks(ids, words, config.batch_size))
    return Blocks(*windows.cookbook_blocks(ids, words, config.batch_size, config.sequence_length))
