"""The splits of a text as MLflow's datasets: one each for training, validation and test."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from lstm_lm import paths
from lstm_lm.io import hashing
from lstm_lm.text import encoded, splits
from lstm_lm.text.encoded import EncodedText
from lstm_lm.text.splits import Span
from lstm_lm.tracking import text_source
from lstm_lm.wording import UNITS, counted

CONTEXTS = {"train": "training", "validation": "validation", "test": "test"}  # split -> MLflow's context
DIGEST_LENGTH = 12  # MLflow shows it after the name
MAX_FILES = 24  # in a profile: MLflow's page cuts off what does not fit into the window; splits.json has them all
FILES = (
    paths.SPLITS,
    paths.TOKENIZER,
    paths.VOCABULARY,
    *(paths.VOCAB / name for name in (encoded.DOCUMENTS_FILE, encoded.IDS_FILE, encoded.LENGTHS_FILE)),
)
SCHEMA = {"mlflow_colspec": [{"type": "string", "name": "text", "required": True}]}


def describe(source: Mapping[str, Any]) -> list[dict[str, str]]:
    """Describe the splits in data/vocab.

    Args:
        source: where the text is from, as in data/raw/source.json.
    Returns:
        One operation `dataset` of the outbox for each split, without its kind; none if a file is missing that no training needs. The
        digest of a split is the same for the same text in the same tokens; that of the training split depends on the vocabulary too.
    """
    if not all(path.exists() for path in FILES):
        return []
    text = encoded.load(paths.VOCAB)
    spans = splits.load(paths.SPLITS)
    unit = UNITS.get(json.loads(paths.TOKENIZER.read_text(encoding="utf-8")).get("unit", "word"), "word")
    documents = {span.document for of_split in spans.values() for span in of_split}
    title = text_source.name(source, documents)
    source_type, source_json = text_source.link(source)
    described = []
    for split, context in CONTEXTS.items():
        profile = _profile(spans[split], text.text.documents, unit)
        digest = _digest(split, spans[split], text)
        described.append(
            {
                "context": context,
                "name": f"{title}: {context} ({_extent(spans[split], text.text.documents, unit)})",
                "digest": digest[:DIGEST_LENGTH],
                "source_type": source_type,
                "source": source_json,
                "schema": json.dumps(SCHEMA),
                "profile": json.dumps(profile, ensure_ascii=False),
            }
        )
    return described


def _profile(spans: Sequence[Span], lengths: Mapping[str, int], unit: str) -> dict[str, str]:
    """Return what the pages list below the name of a dataset, each entry in a line: how much it is, then its files."""
    words = sum(span.stop - span.start for span in spans)
    lines = {span.document: _line(span, lengths, unit) for span in spans[:MAX_FILES]}
    more = len(spans) - len(lines)
    further = {"further files": f"{more:,}, in the artifact splits.json"} if more else {}
    return {f"{unit}s": f"{words:,}", "files": f"{len(spans):,}", **lines, **further}


def _line(span: Span, lengths: Mapping[str, int], unit: str) -> str:
    if span.stop - span.start == lengths[span.document]:
        return counted(span.stop, unit)
    return f"{unit}s {span.start + 1:,} to {span.stop:,} of {lengths[span.document]:,}"


def _extent(spans: Sequence[Span], lengths: Mapping[str, int], unit: str) -> str:
    """Say how much a split is: whole files are counted, of parts of files their words."""
    if all(span.stop - span.start == lengths[span.document] for span in spans):
        return counted(len(spans), "file")
    return counted(sum(span.stop - span.start for span in spans), unit)


def _digest(split: str, spans: Sequence[Span], text: EncodedText) -> str:
    """Return the digest of the tokens of a split. That of a held-out split was computed when it was tokenized."""
    known: dict[str, str] = json.loads((paths.VOCAB / encoded.DOCUMENTS_FILE).read_text(encoding="utf-8")).get("digests", {})
    if split in known:
        return known[split]
    sha256 = hashlib.sha256(hashing.digest(paths.VOCABULARY).encode())
    for block in text.text.part(spans).blocks():
        sha256.update(block.astype("<i4", copy=False).tobytes())
    return sha256.hexdigest()
