"""The section quality: what the minutes of `make repro` buy, beside the book's recipe, PyTorch's example and counted n-grams."""

import math
import sys

import numpy as np

import driver
import environments
import recipes
from driver import Peer
from lstm_lm.data import dataset
from lstm_lm.text import encoded, splits
from lstm_lm.ui.markdown import table

sys.path.append(str(recipes.PROJECT / "src"))

from lstm_lm.evaluation.baselines import KNESER_NEY, score_baselines
from lstm_lm.evaluation.metrics import split_metrics

WORK = environments.FOLDER / "work" / "quality"
ORDER = 5
HEADS = [
    "",
    "validation perplexity",
    "test perplexity",
    "of the cookbook's",
    "adjusted",
    "bits per character",
    "training",
    "seconds to the cookbook's validation perplexity",
]


def quality(sitting, data=recipes.PROJECT / "data", changes=None):
    """Everyone trains once, one after the other, on the same ids; test text is scored once, at the end, by the same protocol.

    Args:
        data: what the stages vocab and batching made.
        changes: of parameters, for trials: {"model.hidden_size": 8}.
    """
    if not (data / "batches/batches.json").exists():
        return "none: there is no data/batches; run make repro first"
    batches = dataset.load(data / "batches")
    train = training_text(data)
    write_ids(train, batches)
    changes = {**({"train.epochs": 1} if sitting.quick else {}), "train.validate_every": sitting.steps(25, 200), **(changes or {})}
    ours = own("ours: `params.yaml`", data, None, changes)
    cookbook = own("the cookbook's recipe, trained by ours", data, "cookbook", changes)
    run([ours, cookbook])
    minutes = found(ours).get("trained", 60) / 60
    example = Peer(
        "PyTorch's example word_language_model, for as long as ours",
        "word_language_model.py",
        {"ids": str(WORK), "minutes": minutes, "vocabulary": batches.vocabulary_size},
        environments.torch,
    )
    run([example])
    peers = [ours, cookbook, example]
    aim = found(cookbook).get("validation_loss")
    reference = found(cookbook).get("test_loss")
    rows = [row(peer, batches, aim, reference) for peer in peers]
    rows.append(counted(train, batches, reference))
    return table(HEADS, rows)


def training_text(data):
    """The part of the text that is trained on."""
    return encoded.load(data / "vocab")[0].part(splits.load(data / "vocab/splits.json")["train"])


def write_ids(train, batches):
    """The ids that the example is given, in the folder WORK: train.npy, and each held-out document."""
    WORK.mkdir(parents=True, exist_ok=True)
    np.save(WORK / "train.npy", np.concatenate(list(train.blocks_without_unknown(batches.vocabulary_size))))
    for split in dataset.HELD_OUT:
        documents = batches.documents(split)
        np.savez(WORK / f"{split}.npz", **{str(i): np.asarray(document) for i, document in enumerate(documents)})


def own(name, data, preset, changes):
    settings = {"work": str(WORK), "data": str(data), "preset": preset, "changes": changes}
    return Peer(name, "whole_training.py", {**settings, "precision": recipes.auto_precision()}, environment=recipes.OWN)


def run(peers):
    driver.alternate_apart(peers, 1, 1)


def found(peer):
    return peer.rounds[0] if peer.problem is None and peer.rounds else {}


def row(peer, batches, aim, reference):
    told = found(peer)
    if not told:
        return [peer.name, f"none: {peer.problem}", *[None] * (len(HEADS) - 2)]
    curve = [(seconds, loss) for seconds, loss in told["curve"]]
    reached = next((seconds for seconds, loss in curve if aim is not None and loss <= aim), None)
    figures = of_test(batches, told["test_loss"])
    return [
        peer.name,
        f"{math.exp(told['validation_loss']):.1f}",
        *figures_cells(figures, reference),
        f"{told['trained']:.0f} s",
        None if reached is None else f"{reached:.0f}",
    ]


def of_test(batches, loss):
    """All figures of a mean cost of the test words."""
    held_out = batches.held_out["test"]
    return split_metrics([np.full(held_out.scored_words, loss)], held_out)


def figures_cells(figures, reference):
    share = None if reference is None else f"{figures['perplexity'] / math.exp(reference):.3f}"
    return [f"{figures['perplexity']:.1f}", share, f"{figures['adjusted_perplexity']:.1f}", f"{figures['bits_per_character']:.3f}"]


def counted(train, batches, reference):
    """The n-gram model of the same training words, as the stage evaluate-sample counts it."""
    training = [encoded.replace_unknown(train.ids[start:stop], batches.vocabulary_size) for _, start, stop in train.ranges]
    held_out = {split: batches.documents(split) for split in dataset.HELD_OUT}
    costs = score_baselines(training, held_out, batches.vocabulary_size, ORDER)[KNESER_NEY]
    losses = {split: float(np.mean(np.concatenate(costs[split]))) for split in dataset.HELD_OUT}
    cells = figures_cells(of_test(batches, losses["test"]), reference)
    return [f"interpolated Kneser-Ney, {ORDER}-grams", f"{math.exp(losses['validation']):.1f}", *cells, None, None]
