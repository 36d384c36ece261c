"""What the report is made from: the files that the pipeline leaves in models/ and reports/, read without TensorFlow or MLflow."""

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from lstm_lm.errors import UserError
from lstm_lm.events import Row, Sample

METRICS, DETAILS, SAMPLES = "reports/metrics.json", "reports/details.json", "reports/samples.md"
VOCABULARY, GRAPH = "reports/vocabulary.json", "reports/graph.png"
RUN, CONFIG, HISTORY, TRAINING_SAMPLES = "models/run.json", "models/weights/config.json", "models/history.csv", "models/samples.csv"
SPLIT_TITLES = {"test": "test", "validation": "validation"}  # the one that counts comes first
REMEDY = "run the pipeline, with: make repro"
T = TypeVar("T")


@dataclass(frozen=True)
class GeneratedText:
    """One text of reports/samples.md.

    Attributes:
        section: how it was generated, such as `Temperature 0.7`.
        prompt: the text that was continued.
        rest: what the model added, with the space before it.
    """

    section: str
    prompt: str
    rest: str


@dataclass(frozen=True)
class Inputs:
    """The files, parsed.

    Attributes:
        metrics: reports/metrics.json.
        details: reports/details.json. Any of its values may be None.
        run: models/run.json.
        config: models/weights/config.json.
        history: models/history.csv; empty if there is none.
        training_samples: models/samples.csv; empty if there is none.
        samples: reports/samples.md.
        vocabulary: reports/vocabulary.json; empty if there is none.
        graph: the bytes of reports/graph.png, or None if there is none.
    """

    metrics: Mapping[str, Mapping[str, float]]
    details: Mapping[str, Any]
    run: Mapping[str, Any] = field(default_factory=dict)
    config: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Row] = ()
    training_samples: Sequence[Sample] = ()
    samples: Sequence[GeneratedText] = ()
    vocabulary: Mapping[str, Any] = field(default_factory=dict)
    graph: bytes | None = None

    @property
    def unit(self) -> str:
        """What a token is, as in `vocab.unit`."""
        return str(self.details.get("unit") or "word")

    @property
    def training_seconds(self) -> float | None:
        """The time of the training: as recorded, or else that of its steps, from the speeds in the history; None if neither is known."""
        if recorded := self.run.get("seconds"):
            return float(recorded)
        seconds, before = 0.0, 0
        for row in self.history:
            if row.words_per_second > 0:
                seconds += (row.words_seen - before) / row.words_per_second
            before = row.words_seen
        return seconds or None

    def part(self, name: str, split: str) -> list[dict[str, Any]]:
        """Return a list of details.json that there is one of for each split; empty if it could not be computed."""
        return list((self.details.get(name) or {}).get(split) or [])

    def mapping(self, name: str) -> dict[str, Any]:
        """Return an object of details.json; empty if it could not be computed."""
        return dict(self.details.get(name) or {})


def load(folder: Path) -> Inputs:
    """Read the files of a project.

    Args:
        folder: of the project.
    Raises:
        UserError: a file is missing or cannot be parsed.
    """
    return Inputs(
        metrics=_read_json(folder, METRICS),
        details=_read_json(folder, DETAILS),
        run=_read_json(folder, RUN),
        config=_read_json(folder, CONFIG),
        history=_read_csv(folder, HISTORY, _row),
        training_samples=_read_csv(folder, TRAINING_SAMPLES, _sample),
        samples=parse_samples(_read(folder, SAMPLES)),
        vocabulary=_read_json(folder, VOCABULARY) if (folder / VOCABULARY).exists() else {},
        graph=(folder / GRAPH).read_bytes() if (folder / GRAPH).exists() else None,
    )


def parse_samples(page: str) -> list[GeneratedText]:
    """Return the texts of reports/samples.md, in its order."""
    texts, section = [], ""
    # A newline of a text is a line break of the page, inside the list.
    for line in page.replace("  \n  ", "\0").split("\n"):
        if line.startswith("## "):
            section = line.removeprefix("## ")
        elif match := re.match(r"- \*\*(.*?)\*\*(.*)$", line):
            texts.append(GeneratedText(section, match[1].replace("\0", "\n"), match[2].replace("\0", "\n")))
    return texts


def _read(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{name} is missing: {REMEDY}") from None
    except UnicodeDecodeError:
        raise UserError(f"{name} is not UTF-8 text: remove it, and {REMEDY}") from None


def _read_json(folder: Path, name: str) -> dict[str, Any]:
    try:
        # NaN and Infinity are no numbers of a chart.
        value = json.loads(_read(folder, name), parse_constant=lambda _: None)
    except ValueError as error:
        raise UserError(f"{name} is not valid JSON ({error}): remove it, and {REMEDY}") from None
    if not isinstance(value, dict):
        raise UserError(f"{name} is no JSON object: remove it, and {REMEDY}")
    return value


def _read_csv(folder: Path, name: str, parse: Callable[[Mapping[str, str]], T]) -> list[T]:
    if not (folder / name).exists():
        return []
    lines = _read(folder, name).splitlines(keepends=True)  # a quoted text may go on in the next line
    try:
        return [parse(record) for record in csv.DictReader(lines)]
    except (KeyError, TypeError, ValueError, csv.Error):
        raise UserError(f"{name} is damaged: remove it, and {REMEDY}") from None


def _row(record: Mapping[str, str]) -> Row:
    def optional(name: str) -> float | None:
        return float(record[name]) if record.get(name) else None

    return Row(
        int(record["step"]),
        int(record["words_seen"]),
        int(record["epoch"]),
        float(record["loss"]),
        float(record["learning_rate"]),
        float(record["gradient_norm"]),
        float(record["words_per_second"]),
        optional("validation_loss"),
        optional("validation_perplexity"),
    )


def _sample(record: Mapping[str, str]) -> Sample:
    return Sample(int(record["step"]), record["prompt"], float(record["temperature"]), record["text"])
