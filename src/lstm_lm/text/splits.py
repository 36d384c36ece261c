"""Which part of the text is for training, which for validation, which for the test."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from lstm_lm.errors import UserError
from lstm_lm.io.globs import compile_pattern

SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Span:
    """Words `start` to `stop` (exclusive) of a document; a whole document is 0 to its number of words."""

    document: str
    start: int
    stop: int


def split(lengths, validation, test, split_by, seed):
    """Assign every word of every document to one split.

    Args:
        lengths: {document name: number of words}, in order.
        validation, test: each a share in (0, 1), or a list of glob patterns of document names.
        split_by: "documents" holds out whole documents, "spans" the end of each document,
            "auto" documents if each share comes to at least one of them.
        seed: chooses the documents.
    Returns:
        {"train": [Span, ...], "validation": [...], "test": [...]}, documents in order of name.
    Raises:
        UserError: a split would be empty, a pattern matches nothing, or a document is in two splits.
    """
    lengths = {name: words for name, words in lengths.items() if words}
    if isinstance(validation, list):
        chosen = _by_name(list(lengths), validation, test)
    elif split_by == "documents" or (split_by == "auto" and len(lengths) * min(validation, test) >= 1):
        chosen = _by_share(list(lengths), validation, test, seed)
    else:
        chosen = None
    if chosen is None:
        spans = _by_span(lengths, validation, test)
    else:
        spans = {name: [Span(document, 0, lengths[document]) for document in sorted(chosen[name])] for name in SPLITS}
    for name in SPLITS:
        # A held-out document's first word is not scored, so two words are the least there is to measure.
        if not any(span.stop - span.start > 1 for span in spans[name]):
            raise UserError(
                f"the text has {sum(lengths.values())} words, too few for a {name} split of at least two words in a row: give it more text"
            )
    return spans


def _by_name(documents, validation, test):
    held_out = {}
    for split_name, patterns in (("validation", validation), ("test", test)):
        for pattern in patterns:
            found = list(compile_pattern(pattern, f"vocab.{split_name}").match_files(documents))
            if not found:
                raise UserError(
                    f"params.yaml: vocab.{split_name}: {pattern!r} matches no document with words in it; there are {_some(documents)}"
                )
            for document in found:
                if held_out.setdefault(document, split_name) != split_name:
                    raise UserError(f"params.yaml: vocab.validation and vocab.test both name {document}")
    chosen = {name: [document for document in documents if held_out.get(document, "train") == name] for name in SPLITS}
    if not chosen["train"]:
        raise UserError("params.yaml: vocab.validation and vocab.test name every document: none is left to train on")
    return chosen


def _by_share(documents, validation, test, seed):
    order = np.random.default_rng(seed).permutation(len(documents))
    counts = [max(1, round(share * len(documents))) for share in (validation, test)]
    if sum(counts) >= len(documents):
        raise UserError(
            f"params.yaml: vocab.split_by = documents: {len(documents)} document(s) are too few for training, validation and test: "
            f"use split_by: spans"
        )
    pick = [documents[i] for i in order]
    return {"validation": pick[: counts[0]], "test": pick[counts[0] : sum(counts)], "train": pick[sum(counts) :]}


def _by_span(lengths, validation, test):
    spans = {name: [] for name in SPLITS}
    for document, words in sorted(lengths.items()):
        stop = words - round(words * test)
        middle = stop - round(words * validation)
        for name, span in zip(SPLITS, (Span(document, 0, middle), Span(document, middle, stop), Span(document, stop, words)), strict=True):
            if span.stop > span.start:
                spans[name].append(span)
    return spans


def _some(names, most=5):
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def save(splits, path):
    listed = {name: [asdict(span) for span in splits[name]] for name in SPLITS}
    Path(path).write_text(json.dumps(listed, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path):
    listed = json.loads(Path(path).read_text(encoding="utf-8"))
    return {name: [Span(**span) for span in listed[name]] for name in SPLITS}
