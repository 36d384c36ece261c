"""What the data stages print."""

from collections.abc import Mapping
from typing import Any

from lstm_lm.config.schema import Batching, Vocab
from lstm_lm.text.splits import SPLITS, Spans

HIGH_OOV_RATE = 0.15
FEW_STEPS = 50  # an epoch
MAX_LISTED = 5  # documents
UNIT_NAMES = {"word": "words", "char": "characters", "subword": "subwords"}


def raw_text(documents: int, size: int) -> str:
    """The result of the stage download. size: bytes."""
    return f"data/raw: {documents} document(s), {size / 1e6:.1f} MB"


def vocabulary(metrics: Mapping[str, Any], spans: Spans, documents: Mapping[str, int], config: Vocab) -> str:
    """The result of the stage vocab.

    Args:
        metrics: of Preparation.metrics.
        spans: the splits, in words.
        documents: {name: number of words}.
        config: section `vocab` of params.yaml.
    """
    unit = UNIT_NAMES[config.unit]
    lines = [f"data/vocab: {metrics['size'] - 1:,} {unit} are known; the training text has {metrics['words_seen']:,} distinct ones"]
    for name in SPLITS:
        split = metrics[name]
        whole_documents = all(span.stop - span.start == documents[span.document] for span in spans[name])
        lines.append(
            f"  {name:<10} {split['documents']:>4} {'document(s)' if whole_documents else 'span(s)    '}  {split['words']:>10,} {unit}  "
            f"{split['coverage']:7.2%} known  {split['oov_rate']:6.2%} unknown"
        )
    lines += _held_out(spans)
    if metrics["train"]["oov_rate"] > HIGH_OOV_RATE:
        lines.append(
            f"  note: much of the training text is unknown; lower params.yaml: vocab.min_count ({config.min_count}) to know more of it"
        )
    return "\n".join(lines)


def _held_out(spans: Spans) -> list[str]:
    first = spans["train"][0].document
    if all(first in {span.document for span in spans[name]} for name in SPLITS):
        return ["  the end of each document is held out: first the validation part, then the test part"]
    lines = []
    for name in SPLITS[1:]:
        names = [span.document for span in spans[name]]
        lines.append(f"  held out for {name}: {', '.join(names[:MAX_LISTED])}{' ...' if len(names) > MAX_LISTED else ''}")
    return lines


def batches(config: Batching, steps: int) -> str:
    """The result of the stage batching. steps: an epoch."""
    lines = [f"data/batches: {config.recipe}, {steps:,} steps an epoch of {config.batch_size} x {config.sequence_length} words"]
    if steps < FEW_STEPS:
        lines.append(
            f"  note: so few steps teach little: lower params.yaml: batching.batch_size ({config.batch_size}), or raise train.epochs "
            f"until there are a thousand steps"
        )
    return "\n".join(lines)
