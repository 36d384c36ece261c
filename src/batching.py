"""Stage `batching`: data/raw and data/vocab -> data/batches: streams of word ids, cut for training and for scoring."""

import numpy as np

from lstm_lm import batching, console, corpus, dataset, params, splits, vocabulary

FEW_STEPS = 50  # an epoch


def main():
    settings = params.load().batching
    tokenize = vocabulary.Tokenizer.load("data/vocab/tokenizer.json")
    known = vocabulary.Vocabulary.load("data/vocab/vocab.csv")
    parts = splits.load("data/vocab/splits.json")
    words = {document.name: tokenize(document.text) for document in corpus.read("data/raw")}

    def of(name):
        texts = [words[span.document][span.start : span.stop] for span in parts[name]]
        return texts, [known.encode(text) for text in texts]

    train = np.concatenate(of("train")[1])
    needed = settings.batch_size * (settings.sequence_length + 1)
    if len(train) < needed:
        raise console.UserError(
            f"the training text has {len(train):,} words, fewer than one batch of {needed:,}: lower batching.batch_size "
            f"({settings.batch_size}) or batching.sequence_length ({settings.sequence_length}) in params.yaml, or in the preset that "
            f"sets them, or give it more text"
        )
    cut = (
        batching.stream(train, settings.batch_size)
        if settings.recipe == "stream"
        else batching.cookbook(train, settings.batch_size, settings.sequence_length)
    )
    held = {}
    for name in dataset.HELD_OUT:
        held[name] = dataset.held_out([span.document for span in parts[name]], *of(name))
    source, raw = corpus.about("data/raw")
    dataset.save(
        dataset.Batches(
            recipe=settings.recipe,
            batch_size=settings.batch_size,
            sequence_length=settings.sequence_length,
            vocabulary_size=len(known),
            source=source,
            raw=raw,
            train=cut,
            held_out={name: about for name, (about, _) in held.items()},
            ids={name: ids for name, (_, ids) in held.items()},
        ),
        "data/batches",
    )
    steps = batching.steps_per_epoch(cut, settings.recipe, settings.sequence_length)
    print(f"data/batches: {settings.recipe}, {steps:,} steps an epoch of {settings.batch_size} x {settings.sequence_length} words")
    if steps < FEW_STEPS:
        print(
            f"  note: so few steps teach little: lower params.yaml: batching.batch_size ({settings.batch_size}), or raise train.epochs "
            f"until there are a thousand steps"
        )


if __name__ == "__main__":
    console.run(main)
