"""What the report says of the text: source, license, splits, files."""

from collections.abc import Mapping
from typing import Any

from lstm_lm.ui import data_license
from lstm_lm.ui.report import numbers
from lstm_lm.ui.report.inputs import Inputs

SPLITS = ("train", "validation", "test")
TITLES = {"train": "training", "validation": "validation", "test": "test"}
USES = {"train": "the weights are fitted to it", "validation": "selects the best weights", "test": "scored once, at the end"}


def data_section(inputs: Inputs) -> dict[str, Any]:
    """Return the source as (name, value) pairs, the license sentence, and the splits."""
    source = inputs.mapping("source")
    splits = inputs.mapping("splits")
    return {
        "unit": numbers.units(inputs.unit),
        "source": [(name, str(value)) for name, value in source.items() if value is not None],
        "license": data_license.describe(source),
        "splits": [split_row(name, splits[name], _oov_rate(inputs, name)) for name in SPLITS if splits.get(name)],
    }


def split_row(name: str, split: Mapping[str, Any], oov_rate: float | None) -> dict[str, Any]:
    """Return one split: title, use, sizes as text, and its files."""
    return {
        "title": TITLES[name],
        "use": USES[name],
        "words": numbers.count(split.get("words")),
        "documents": numbers.count(split.get("documents")),
        "unknown": numbers.percent(oov_rate),
        "files": list(split.get("files") or []),
    }


def _oov_rate(inputs: Inputs, split: str) -> float | None:
    """The fraction of unknown tokens: of those that are scored, and of the training text, of all."""
    found = inputs.vocabulary.get(split) if split == "train" else inputs.metrics.get(split)
    return (found or {}).get("oov_rate")
