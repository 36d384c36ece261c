"""What a training tells while it runs, and two who listen: the terminal, and the CSV files."""

import csv
from dataclasses import asdict, fields
from pathlib import Path

from lstm_lm.events import Observer, Row, Sample

NAMES = ("history.csv", "samples.csv")  # of the files of Files


class Files(Observer):
    """history.csv and samples.csv, written as the training goes on."""

    def __init__(self, folder):
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        self._files, self._writers = [], []
        for name, kind in zip(NAMES, (Row, Sample), strict=True):
            file = (folder / name).open("w", newline="", encoding="utf-8")
            writer = csv.DictWriter(file, [field.name for field in fields(kind)], lineterminator="\n")
            writer.writeheader()
            file.flush()
            self._files.append(file)
            self._writers.append(writer)

    def resumed(self, step, rows, samples):
        self._write(0, rows)
        self._write(1, samples)

    def row(self, row):
        self._write(0, [row])

    def samples(self, samples):
        self._write(1, samples)

    def _write(self, which, records):
        # None becomes an empty cell.
        self._writers[which].writerows(asdict(record) for record in records)
        self._files[which].flush()

    def close(self):
        for file in self._files:
            file.close()
