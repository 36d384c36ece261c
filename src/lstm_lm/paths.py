"""Names of the pipeline's files and folders, and the project's root."""

import os
from pathlib import Path

OWN_TEXT = Path("data/own")  # the folder that the download stage depends on, see dvc.yaml
RAW = Path("data/raw")
SOURCE = RAW / "source.json"
VOCAB = Path("data/vocab")
VOCABULARY = VOCAB / "vocab.csv"
TOKENIZER = VOCAB / "tokenizer.json"
SPLITS = VOCAB / "splits.json"
BATCHES = Path("data/batches")
REPORTS = Path("reports")
VOCABULARY_METRICS = REPORTS / "vocabulary.json"
COVERAGE = REPORTS / "coverage.csv"


def project_root() -> Path:
    """Return the project's own folder, also inside `dvc exp run --temp`, where stages run elsewhere."""
    return Path(os.environ.get("DVC_ROOT", ".")).resolve()


def is_experiment() -> bool:
    """Whether this process belongs to a DVC experiment, as opposed to the checkout's own pipeline."""
    return bool(os.environ.get("DVC_EXP_NAME"))
