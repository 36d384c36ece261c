"""What the data stages print."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from lstm_lm import paths
from lstm_lm.config.schema import Batching, Vocab
from lstm_lm.text import splits
from lstm_lm.text.duplicates import NearDuplicate
from lstm_lm.text.sources.files import Skipped, listed
from lstm_lm.text.splits import SPLITS, Spans
from lstm_lm.ui import own_text_notes, terminal
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
    settings = own_text_notes.present_settings()
    if settings and (line := own_text_notes.shipped_prompts_line(settings)):
        terminal.note(line)


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
    settings = own_text_notes.present_settings()
    if settings and (line := own_text_notes.short_text_line(metrics["train"]["words"], settings)):
        terminal.note(line)


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
        terminal.note(describe_near_duplicates(near_duplicates, {span.document for span in splits.load(paths.SPLITS)["train"]}))


def describe_near_duplicates(near_duplicates: Sequence[NearDuplicate], in_training: Collection[str]) -> str:
    """Return a sentence on held-out text that is largely in the training text, too, and what to do about it.

    Args:
        near_duplicates: at least one, the largest fraction first.
        in_training: documents with training text. One that is held out, too, is held out in part.
    """
    largest = list({each.document: each for each in reversed(near_duplicates)}.values())[::-1]
    held_out_parts = [each for each in largest if each.document in in_training]
    remedy = "remove what is there twice" if held_out_parts else "remove one"
    place = "from one of" if held_out_parts else "of"
    if len(largest) == 1:
        [each] = largest
        name = f"the held-out end of {each.document}" if held_out_parts else f"the held-out document {each.document}"
        where = "" if each.origin == each.document else f" {place} the two files"
        return (
            f"{name} is largely in the training text too ({each.fraction:.0%} of it, most in {_place(each)}), "
            f"which makes the metrics look too good: {remedy}{where}"
        )
    names = [f"{each.document} ({each.fraction:.0%}, most of it in {_place(each)})" for each in largest]
    texts = counted(len(largest), "held-out end") if held_out_parts else counted(len(largest), "held-out document")
    return (
        f"{texts} are largely in the training text too, which makes the metrics look too good; "
        f"{remedy} {place} each two files: {_first(names)}"
    )


def _place(duplicate: NearDuplicate) -> str:
    return "the same file before it" if duplicate.origin == duplicate.document else duplicate.origin


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
            f"({config.batch_size}), or raise train.epochs (or train.minutes) and the dropout, see {own_text_notes.SHORT_TEXT_PAGE}"
        )
