"""The results of ablations and presets, kept in one small JSON file.

Each result has a digest of everything that shaped it, so that an experiment is run again only if something has changed.
"""

import csv
import io
import json
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lstm_lm.config import loading, standard_corpora
from lstm_lm.config.schema import PathSource
from lstm_lm.experiments.runner import Experiment
from lstm_lm.io import atomic, hashing
from lstm_lm.model.shape import Shape, count_parameters


@dataclass(frozen=True)
class Result:
    """What the tables need to know about one training.

    Attributes:
        key: digest of everything that shaped it, of `key_of`.
        experiment: name of the DVC experiment.
        metrics: of reports/metrics.json, `{"test": {"perplexity": ...}, ...}`.
        minutes: time of the training steps alone.
        words_per_second: median over the training.
        weights: number of the model's parameters.
        machine: that trained it, as `io.machine.describe` says; "" if it was not recorded.
    """

    key: str
    experiment: str
    metrics: dict[str, Any]
    minutes: float
    words_per_second: int
    weights: int
    machine: str = ""

    @classmethod
    def of_experiment(cls, experiment: Experiment, key: str) -> "Result":
        """Collect the results of a finished experiment."""
        minutes, speed = training_time(experiment.read("models/history.csv"))
        shape = Shape(**json.loads(experiment.read("models/weights/config.json"))["shape"])
        machine = str(json.loads(experiment.read("models/run.json")).get("machine", ""))
        return cls(key, experiment.name, experiment.metrics(), round(minutes, 3), round(speed), count_parameters(shape), machine)


class Results:
    """The file of results, `{entry name: {seed: Result}}`.

    Args:
        path: the JSON file; it need not exist.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.values: dict[str, dict[str, Any]] = json.loads(self.path.read_text(encoding="utf-8")) if self.path.exists() else {}

    def get(self, name: str, seed: int) -> Result | None:
        """Return the result of an entry and a seed, or None if there is none."""
        values = self.values.get(name, {}).get(str(seed))
        return Result(**values) if values else None

    def of_entry(self, name: str, seeds: list[int]) -> dict[int, Result]:
        """Return the results of an entry, for those of the seeds that have one."""
        return {seed: result for seed in seeds if (result := self.get(name, seed))}

    def put(self, name: str, seed: int, result: Result) -> None:
        """Add or replace a result, and write the file."""
        self.values.setdefault(name, {})[str(seed)] = asdict(result)
        self.path.parent.mkdir(exist_ok=True)
        atomic.write_json(self.path, self.values, sort_keys=True)


def key_of(values: dict[str, Any]) -> str:
    """Digest everything that shapes the metrics of an experiment: parameters, code, and the user's own text.

    A standard corpus that is read as published counts by its token counts, which the stage vocab compares: it need not be on this machine.

    Args:
        values: of params.yaml, with the experiment's changes.
    """
    sections = {section: entries for section, entries in values.items() if section not in ("reporting", "tracking")}
    stages = loading.read("dvc.yaml")["stages"]
    code = {path: hashing.digest(path) for stage in stages.values() for path in stage["deps"] if path.startswith("src/")}
    settings = loading.check(values)
    source, corpus = settings.download.source, standard_corpora.find(settings.download.source)
    own_text: str | tuple[int, ...] | None = None
    if corpus and standard_corpora.is_read_as_published(settings):
        own_text = corpus.tokens
    elif isinstance(source, PathSource):
        own_text = hashing.digest(source.path)
    return hashing.digest_json(sections, code, own_text)


def training_time(history: str) -> tuple[float, float]:
    """Read off how long a training took.

    Args:
        history: the text of models/history.csv.
    Returns:
        Minutes of the training steps alone, and the median of the words per second.
    """
    words, seconds = 0, 0.0
    speeds = []
    for row in csv.DictReader(io.StringIO(history)):
        speeds.append(float(row["words_per_second"]))
        seconds += (int(row["words_seen"]) - words) / speeds[-1]
        words = int(row["words_seen"])
    return seconds / 60, statistics.median(speeds)
