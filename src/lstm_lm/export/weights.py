"""Trained weights as plain files: enough to load the model again, here or in plain NumPy, and to start another training from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_lm.export.text_model import save_vocabulary
from lstm_lm.model import ensemble
from lstm_lm.model.ensemble import Model
from lstm_lm.model.shape import Shape

WEIGHTS, CONFIG, WORDS = "weights.npz", "config.json", "vocabulary.txt"


def save_weights(model: Model, words: Sequence[str], folder: str | Path, facts: Mapping[str, Any]) -> None:
    """Write weights.npz, config.json and vocabulary.txt.

    Args:
        model: of any shape.
        words: its vocabulary, in the order of the ids.
        folder: created if it does not exist.
        facts: what else config.json records, such as the precision of the training; ready for JSON.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {name: variable.numpy() for name, variable in model.weights.items()}
    np.savez(folder / WEIGHTS, **arrays)
    config = {"shape": model.shape.__dict__, **facts}
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    save_vocabulary(words, folder / WORDS)


def load_weights(folder: str | Path) -> Model:
    """Load the model that `save_weights` wrote."""
    folder = Path(folder)
    model = ensemble.build(Shape(**json.loads((folder / CONFIG).read_text(encoding="utf-8"))["shape"]))
    with np.load(folder / WEIGHTS) as saved:
        for name, variable in model.weights.items():
            variable.assign(saved[name])
    return model
