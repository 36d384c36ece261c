"""Stage `batching`: data/vocab -> data/batches: streams of word ids, cut for training and for scoring."""

from lstm_lm.data import dataset, windows
from lstm_lm.data.dataset import Batches
from lstm_lm.errors import UserError
from lstm_lm.io import folders
from lstm_lm.io.arrays import Blocks
from lstm_lm.text import encoded, splits
from lstm_lm.text.sources import corpus

FEW_STEPS = 50  # an epoch


def run(settings):
    settings = settings.batching
    whole, characters, vocabulary_size = encoded.load("data/vocab")
    parts = {name: whole.part(spans) for name, spans in splits.load("data/vocab/splits.json").items()}
    words = len(parts["train"])
    try:
        windows.check_length(words, settings.batch_size, settings.sequence_length)
    except windows.TextTooShort as error:
        raise UserError(
            f"{error}: lower batching.batch_size ({settings.batch_size}) or batching.sequence_length ({settings.sequence_length}) in "
            f"params.yaml, or in the preset that sets them, or give it more text"
        ) from None
    ids = {name: part.blocks_without_unknown(vocabulary_size) for name, part in parts.items()}
    train = Blocks(
        *(
            windows.stream_blocks(ids["train"], words, settings.batch_size)
            if settings.recipe == "stream"
            else windows.cookbook_blocks(ids["train"], words, settings.batch_size, settings.sequence_length)
        )
    )
    source, raw = corpus.about("data/raw/source.json")
    with folders.replaced("data/batches") as folder:
        dataset.save(
            Batches(
                recipe=settings.recipe,
                batch_size=settings.batch_size,
                sequence_length=settings.sequence_length,
                vocabulary_size=vocabulary_size,
                source=source,
                raw=raw,
                train=train,
                held_out={name: dataset.held_out(parts[name], characters, vocabulary_size) for name in dataset.HELD_OUT},
                ids={name: Blocks((len(parts[name]),), ids[name]) for name in dataset.HELD_OUT},
            ),
            folder,
        )
    steps = windows.steps_per_epoch(train, settings.recipe, settings.sequence_length)
    print(f"data/batches: {settings.recipe}, {steps:,} steps an epoch of {settings.batch_size} x {settings.sequence_length} words")
    if steps < FEW_STEPS:
        print(
            f"  note: so few steps teach little: lower params.yaml: batching.batch_size ({settings.batch_size}), or raise train.epochs "
            f"until there are a thousand steps"
        )
