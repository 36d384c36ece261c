"""Trained weights as plain files: enough to load the model again, here or in plain NumPy, and to start another training from."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from lstm_lm.export.text_model import save_vocabulary
from lstm_lm.model import ensemble
from lstm_lm.model.mixture import Mixture, Ngrams, Predictor
from lstm_lm.model.ngram_trie import NgramTrie
from lstm_lm.model.shape import Shape

WEIGHTS, CONFIG, WORDS, NGRAMS = "weights.npz", "config.json", "vocabulary.txt", "ngrams.npz"


def save_weights(model: Predictor, words: Sequence[str], folder: str | Path, facts: Mapping[str, Any]) -> None:
    """Write weights.npz, config.json and vocabulary.txt, and the ngrams.npz of a mixture.

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
    if isinstance(model, Mixture):
        model.ngrams.trie.save(folder / NGRAMS)
        config["ngrams"] = {"order": model.ngrams.order, "weight": model.weight}
    (folder / CONFIG).write_text(json.dumps(config, indent=1) + "\n", encoding="utf-8")
    save_vocabulary(words, folder / WORDS)


def load_weights(folder: str | Path) -> Predictor:
    """Load the model that `save_weights` wrote."""
    folder = Path(folder)
    config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    model = ensemble.build(Shape(**config["shape"]))
    with np.load(folder / WEIGHTS) as saved:
        for name, variable in model.weights.items():
            variable.assign(saved[name])
    if "ngrams" in config:
        return Mixture(model, Ngrams(NgramTrie.load(folder / NGRAMS)), config["ngrams"]["weight"])
    return model
