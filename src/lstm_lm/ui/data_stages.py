"""What the data stages print."""

from collections.abc import Mapping, Sequence
from typing import Any

from lstm_lm.config.schema import Batching, Vocab
from lstm_lm.text.duplicates import NearDuplicate
from lstm_lm.text.sources.files import Skipped, listed
from lstm_lm.text.splits import SPLITS, Spans
from lstm_lm.ui import terminal
from lstm_lm.ui.terminal import Column
from lstm_lm.wording import counted, unit_name

HIGH_OOV_RATE = 0.15
FEW_STEPS = 50  # an epoch
MAX_LISTED = 5  # documents


def show_raw_text(documents: int, size: int, skipped: Skipped) -> None:
    """Print the result of the stage download.

    Args:
        documents: how many.
        size: of all of them, in bytes.
        skipped: the files that are not text.
    """
    terminal.print(f"data/raw: {counted(documents, 'document')}, {size / 1e6:.1f} MB")
    if skipped:
        files = counted(len(skipped), "file that is not text", "files that are not text")
        terminal.note(f"skipped {files}: {listed(skipped, MAX_LISTED)}")


def show_vocabulary(metrics: Mapping[str, Any], spans: Spans, documents: Mapping[str, int], config: Vocab) -> None:
    """Print the result of the stage vocab.

    Args:
        metrics: of Preparation.metrics.
        spans: the splits, in words.
        documents: {name: number of words}.
        config: section `vocab` of params.yaml.
    """
    unit = unit_name(config.unit)
    terminal.print(f"data/vocab: {metrics['size'] - 1:,} known {unit}, of {metrics['words_seen']:,} distinct ones in the training text")
    whole = all(span.stop - span.start == documents[span.document] for name in SPLITS for span in spans[name])
    columns = [Column("split", "left"), Column("documents" if whole else "spans"), Column(unit), Column("known"), Column("unknown")]
    terminal.table(columns, [_row(name, metrics[name]) for name in SPLITS], where="reports/vocabulary.json")
    _show_held_out(spans)
    if metrics["train"]["oov_rate"] > HIGH_OOV_RATE:
        terminal.note(
            f"{metrics['train']['oov_rate']:.0%} of the training text is unknown: "
            f"to make more of it known, lower vocab.min_count ({config.min_count}) in params.yaml"
        )


def _row(name: str, split: Mapping[str, Any]) -> list[str]:
    return [name, f"{split['documents']:,}", f"{split['words']:,}", f"{split['coverage']:.2%}", f"{split['oov_rate']:.2%}"]


def _show_held_out(spans: Spans) -> None:
    first = spans["train"][0].document
    if all(first in {span.document for span in spans[name]} for name in SPLITS):
        terminal.print("The end of each document is held out: first the validation part, then the test part.")
        return
    for name in SPLITS[1:]:
        names = [span.document for span in spans[name]]
        terminal.print(f"held out for {name}: {_first(names)}")


def show_duplicates(copies: Mapping[str, str], near_duplicates: Sequence[NearDuplicate]) -> None:
    """Note documents that are twice in the text.

    Args:
        copies: {document that is left out: the one that is the same}.
        near_duplicates: held-out spans that are largely in the training text, too.
    """
    if copies:
        names = [f"{copy} (= {kept})" for copy, kept in copies.items()]
        documents = counted(len(copies), "document that is a copy of another", "documents that are copies of others")
        terminal.note(f"left out {documents}: {_first(names)}")
    if near_duplicates:
        names = [f"{each.document} ({each.fraction:.0%}, most of it in {each.origin})" for each in near_duplicates]
        texts = counted(len(near_duplicates), "held-out text is", "held-out texts are")
        terminal.note(
            f"{texts} largely in the training text too, which makes the metrics look too good; remove one of each two: {_first(names)}"
        )


def _first(names: Sequence[str]) -> str:
    return ", ".join(names[:MAX_LISTED]) + (" ..." if len(names) > MAX_LISTED else "")


def show_batches(config: Batching, steps: int, unit: str) -> None:
    """Print the result of the stage batching.

    Args:
        config: section `batching` of params.yaml.
        steps: an epoch.
        unit: `vocab.unit`.
    """
    size = f"{config.batch_size} x {config.sequence_length} {unit_name(unit)}"
    terminal.print(f"data/batches: {config.recipe}, {counted(steps, 'step')} per epoch, of {size}")
    if steps < FEW_STEPS:
        terminal.note(
            f"{counted(steps, 'step per epoch is', 'steps per epoch are')} few: in params.yaml lower batching.batch_size "
            f"({config.batch_size}), or raise train.epochs until the training has at least a thousand steps"
        )
