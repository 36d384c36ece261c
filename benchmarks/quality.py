"""The section `quality`: perplexity per training time, compared with the book's recipe, PyTorch's example and n-grams."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

import driver
import environments
import systems
from driver import Answer, Peer
from lstm_lm.data import dataset
from lstm_lm.data.dataset import Batches
from lstm_lm.evaluation.baselines import KNESER_NEY, score_baselines
from lstm_lm.evaluation.metrics import split_metrics
from lstm_lm.text import encoded, splits
from lstm_lm.text.encoded import Part
from lstm_lm.ui.markdown import table
from page import not_measured
from session import Session

WORK = environments.FOLDER / "work" / "quality"
ORDER = 5  # of the n-grams
DEFAULT_SIZE = (200, 0.2)  # units and dropout of the example by default
HEADINGS = [
    "",
    "validation perplexity",
    "test perplexity",
    "relative to the cookbook",
    "adjusted perplexity",
    "bits per character",
    "training time",
    "seconds to the cookbook's validation perplexity",
]


def quality(session: Session, data: Path = systems.PROJECT / "data", changes: Mapping[str, Any] | None = None) -> str:
    """Train each system once, one after the other, on the same ids. The test text is scored once, at the end, by one protocol.

    Args:
        session: how thorough.
        data: the outputs of the stages vocab and batching.
        changes: parameters to change, for trials: {"model.hidden_size": 8}.
    """
    if not (data / "batches/batches.json").exists():
        return not_measured("data/batches does not exist; run make repro first")
    batches = dataset.load(data / "batches")
    train = training_text(data)
    write_ids(train, batches, WORK)
    changes = {
        **({"train.epochs": 1} if session.quick else {}),
        "train.validate_every": session.pick(25, 200),
        **(changes or {}),
    }
    ours = our_training("ours: `params.yaml`", data, None, changes)
    cookbook = our_training("the cookbook's recipe, trained by ours", data, "cookbook", changes)
    driver.run_separately([ours, cookbook], 1, 1)
    minutes = result_of(ours).get("trained", 60) / 60
    example = Peer(
        "PyTorch's example word_language_model, for as long as ours",
        "word_language_model.py",
        {"ids": str(WORK), "minutes": minutes, "vocabulary": batches.vocabulary_size, "sizes": [DEFAULT_SIZE], "tied": False},
        environments.torch,
    )
    driver.run_separately([example], 1, 1)
    reference = result_of(cookbook)
    rows = [row(peer, batches, reference) for peer in (ours, cookbook, example)]
    rows.append(ngram_row(train, batches, reference))
    return table(HEADINGS, rows)


def training_text(data: Path) -> Part:
    """Return the training part of the encoded text."""
    return encoded.load(data / "vocab")[0].part(splits.load(data / "vocab/splits.json")["train"])


def write_ids(train: Part, batches: Batches, folder: Path) -> None:
    """Write the ids for the PyTorch peers into a folder: train.npy, and one archive of documents per held-out split."""
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / "train.npy", np.concatenate(list(train.blocks_without_unknown(batches.vocabulary_size))))
    for split in dataset.HELD_OUT:
        documents = batches.documents(split)
        np.savez(folder / f"{split}.npz", *[np.asarray(document) for document in documents])


def our_training(name: str, data: Path, preset: str | None, changes: Mapping[str, Any]) -> Peer:
    """Return a training by this project with params.yaml, or with a preset applied to it."""
    settings = {"work": str(WORK), "data": str(data), "preset": preset, "changes": dict(changes), "precision": systems.auto_precision()}
    return Peer(name, "whole_training.py", settings, environment=systems.SOURCE_PATH)


def result_of(peer: Peer) -> Answer:
    """Return the result of a training, {} if it failed."""
    return peer.results[0] if peer.problem is None and peer.results else {}


def row(peer: Peer, batches: Batches, reference: Answer) -> list[str | None]:
    """Return the table row of a training. `reference` is the result of the cookbook's recipe."""
    result = result_of(peer)
    if not result:
        return [peer.name, not_measured(peer.problem), *[None] * (len(HEADINGS) - 2)]
    target = reference.get("validation_loss", -math.inf)
    reached = next((seconds for seconds, loss in result["curve"] if loss <= target), None)
    return [
        peer.name,
        f"{math.exp(result['validation_loss']):.1f}",
        *test_cells(batches, result["test_loss"], reference),
        f"{result['trained']:.0f} s",
        None if reached is None else f"{reached:.0f}",
    ]


def ngram_row(train: Part, batches: Batches, reference: Answer) -> list[str | None]:
    """Return the table row of the n-gram model, counted on the same training words as in the stage evaluate-sample."""
    training = train.documents_without_unknown(batches.vocabulary_size)
    held_out = {split: batches.documents(split) for split in dataset.HELD_OUT}
    nats = score_baselines(training, held_out, batches.vocabulary_size, ORDER)[KNESER_NEY]
    losses = {split: float(np.mean(np.concatenate(nats[split]))) for split in dataset.HELD_OUT}
    cells = test_cells(batches, losses["test"], reference)
    return [f"interpolated Kneser-Ney, {ORDER}-grams", f"{math.exp(losses['validation']):.1f}", *cells, None, None]


def test_cells(batches: Batches, loss: float, reference: Answer) -> list[str | None]:
    """Return the cells about the test split, from a mean loss per word."""
    held_out = batches.held_out["test"]
    # The metrics need one loss per word; a constant has the same mean.
    metrics = split_metrics([np.full(held_out.scored_words, loss)], held_out)
    relative = f"{metrics['perplexity'] / math.exp(reference['test_loss']):.3f}" if reference else None
    return [f"{metrics['perplexity']:.1f}", relative, f"{metrics['adjusted_perplexity']:.1f}", f"{metrics['bits_per_character']:.3f}"]
