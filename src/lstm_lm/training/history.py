"""The files history.csv and samples.csv of a training."""

import csv
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from lstm_lm.events import Observer, Row, Sample

HISTORY, SAMPLES = "history.csv", "samples.csv"


class HistoryFiles(Observer):
    """Writes history.csv and samples.csv while the training runs.

    Args:
        folder: created if it does not exist.
    """

    def __init__(self, folder: str | Path) -> None:
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._history = _Table(folder / HISTORY, Row)
        self._samples = _Table(folder / SAMPLES, Sample)

    def resumed(self, step: int, rows: Sequence[Row], samples: Sequence[Sample]) -> None:
        self._history.append(rows)
        self._samples.append(samples)

    def row(self, row: Row) -> None:
        self._history.append([row])

    def samples(self, samples: Sequence[Sample]) -> None:
        self._samples.append(samples)

    def close(self) -> None:
        self._history.close()
        self._samples.close()


class _Table:
    """A CSV file with one column for each field of a dataclass."""

    def __init__(self, path: Path, kind: type[Row] | type[Sample]) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.DictWriter(self._file, [field.name for field in fields(kind)], lineterminator="\n")
        self._writer.writeheader()
        self._file.flush()

    def append(self, records: Sequence[Row] | Sequence[Sample]) -> None:
        """Write records at once. None becomes an empty cell."""
        self._writer.writerows(asdict(record) for record in records)
        self._file.flush()

    def close(self) -> None:
        self._file.close()
