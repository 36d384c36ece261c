"""Which part of the text is for training, which for validation, and which for the test."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from lstm_lm.errors import SettingError, UserError
from lstm_lm.io.globs import compile_pattern
from lstm_lm.wording import counted

SPLITS = ("train", "validation", "test")
MAX_LISTED = 5  # names in a message

SplitBy = Literal["auto", "documents", "spans"]


@dataclass(frozen=True)
class Span:
    """Words `start` to below `stop` of a document; a whole document is 0 to its number of words."""

    document: str
    start: int
    stop: int


Spans = dict[str, list[Span]]


def split(lengths: dict[str, int], validation: float | list[str], test: float | list[str], split_by: SplitBy, seed: int) -> Spans:
    """Assign every word of every document to one split.

    Args:
        lengths: {document: number of words}, in order.
        validation: a fraction in (0, 1), or a list of glob patterns of document names.
        test: a fraction or a list of patterns, as for validation.
        split_by: documents holds out whole documents; spans holds out the end of each document; auto holds out documents if each
            fraction comes to at least one.
        seed: which documents are held out.
    Returns:
        {"train": spans, "validation": spans, "test": spans}, documents in order of name.
    Raises:
        UserError: a split would be empty, a pattern matches nothing, or a document is in two splits.
    """
    lengths = {name: words for name, words in lengths.items() if words}
    if isinstance(validation, list) or isinstance(test, list):
        if not isinstance(validation, list) or not isinstance(test, list):
            raise ValueError("validation and test must both be fractions, or both be lists")
        spans = _whole(lengths, _split_by_name(list(lengths), validation, test))
    elif split_by == "documents" or (split_by == "auto" and len(lengths) * min(validation, test) >= 1):
        spans = _whole(lengths, _split_by_fraction(list(lengths), validation, test, seed))
    else:
        spans = _split_each(lengths, validation, test)
    for name in SPLITS:
        # The first word of a held-out document is not scored, so that two words are the minimum.
        if not any(span.stop - span.start > 1 for span in spans[name]):
            raise UserError(
                f"the text has {counted(sum(lengths.values()), 'word')}, too few for a {name} split of at least two words in a row: "
                "add more text"
            )
    return spans


def _whole(lengths: dict[str, int], documents: dict[str, list[str]]) -> Spans:
    return {name: [Span(document, 0, lengths[document]) for document in sorted(documents[name])] for name in SPLITS}


def _split_by_name(documents: list[str], validation: list[str], test: list[str]) -> dict[str, list[str]]:
    held_out: dict[str, str] = {}
    for split_name, patterns in (("validation", validation), ("test", test)):
        for pattern in patterns:
            matches = list(compile_pattern(pattern, f"vocab.{split_name}").match_files(documents))
            if not matches:
                raise SettingError(
                    f"vocab.{split_name}", f"{pattern!r} matches no document with words in it; there are {_listed(documents)}"
                )
            for document in matches:
                if held_out.setdefault(document, split_name) != split_name:
                    raise UserError(f"params.yaml: vocab.validation and vocab.test both name {document}")
    by_split = {name: [document for document in documents if held_out.get(document, "train") == name] for name in SPLITS}
    if not by_split["train"]:
        raise UserError("params.yaml: vocab.validation and vocab.test name every document: none is left to train on")
    return by_split


def _split_by_fraction(documents: list[str], validation: float, test: float, seed: int) -> dict[str, list[str]]:
    order = np.random.default_rng(seed).permutation(len(documents))
    counts = [max(1, round(fraction * len(documents))) for fraction in (validation, test)]
    if sum(counts) >= len(documents):
        raise SettingError(
            "vocab.split_by",
            f"documents, but {counted(len(documents), 'document is', 'documents are')} too few for training, validation and test: "
            "use split_by: spans",
        )
    shuffled = [documents[i] for i in order]
    return {"validation": shuffled[: counts[0]], "test": shuffled[counts[0] : sum(counts)], "train": shuffled[sum(counts) :]}


def _split_each(lengths: dict[str, int], validation: float, test: float) -> Spans:
    spans: Spans = {name: [] for name in SPLITS}
    for document, words in sorted(lengths.items()):
        test_start = words - round(words * test)
        validation_start = test_start - round(words * validation)
        edges = (0, validation_start, test_start, words)
        for name, start, stop in zip(SPLITS, edges[:-1], edges[1:], strict=True):
            if stop > start:
                spans[name].append(Span(document, start, stop))
    return spans


def _listed(names: list[str]) -> str:
    more = len(names) - MAX_LISTED
    return ", ".join(names[:MAX_LISTED]) + (f" and {more} more" if more > 0 else "")


def save(spans: Spans, path: Path | str) -> None:
    """Write the spans of each split as JSON."""
    contents = {name: [asdict(span) for span in spans[name]] for name in SPLITS}
    Path(path).write_text(json.dumps(contents, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def load(path: Path | str) -> Spans:
    """Read what `save` wrote."""
    contents = json.loads(Path(path).read_text(encoding="utf-8"))
    return {name: [Span(**span) for span in contents[name]] for name in SPLITS}
