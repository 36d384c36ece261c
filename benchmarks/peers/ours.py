"""This project's training loop, lstm_lm.training.Trainer, with history, files and progress as in the train stage."""

import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

PROJECT = Path(__file__).resolve().parents[2]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

import protocol
from lstm_lm.config import loading
from lstm_lm.config.schema import Train
from lstm_lm.data.dataset import Batches, Document, HeldOut
from lstm_lm.events import Observer, Row
from lstm_lm.io import memory
from lstm_lm.model.dropout import Regularization
from lstm_lm.model.initializer import Initializer
from lstm_lm.model.language_model import LanguageModel
from lstm_lm.model.shape import Shape
from lstm_lm.training.history import HistoryFiles
from lstm_lm.training.trainer import Trainer
from lstm_lm.training.training_config import Hooks, TrainingConfig
from lstm_lm.ui.progress import TrainingProgress

HELD_OUT_WORDS = 30  # validation is not part of the measurement


class Finished(Exception):
    """The driver requests no more rounds."""


class Round(NamedTuple):
    """The round that is being measured: its start, and the step at which it ends."""

    start: float
    first_step: int
    last_step: int


class Pacemaker(Observer):
    """Pauses the training at the end of each round until the driver requests the next one."""

    def __init__(self, config: protocol.Settings) -> None:
        self.config = config
        self.round: Optional[Round] = None
        self.losses: List[float] = []
        self.inside = 0.0  # seconds within the training step

    def row(self, row: Row) -> None:
        """Count a row of the history, and pause if the warm-up or the round is complete."""
        now = time.perf_counter()
        config = self.config
        self.losses.append(row.loss)
        self.inside += config["status_every"] * config["batch_size"] * config["sequence_length"] / row.words_per_second
        if row.step < (config["warm_up"] if self.round is None else self.round.last_step):
            return
        loss = sum(self.losses) / len(self.losses)
        if self.round is None:
            protocol.send_ready(first_loss=loss, version="TensorFlow " + tf.__version__, precision=config["precision"])
        else:
            seconds = now - self.round.start
            protocol.send(seconds=seconds, steps=row.step - self.round.first_step, loss=loss, outside=1 - self.inside / seconds)
        line = sys.stdin.readline()
        if not line:
            raise Finished
        self.losses, self.inside = [], 0.0
        self.round = Round(time.perf_counter(), row.step, row.step + int(line))


def make_batches(config: protocol.Settings) -> Batches:
    """Return the ids that every worker is given, as batches."""
    rows = protocol.streams(config["vocabulary"], config["batch_size"], config["steps"] * config["sequence_length"] + 1)
    ids = rows[0, :HELD_OUT_WORDS]
    held_out = HeldOut(
        documents=[Document("none", 0, len(ids))],
        scored_words=len(ids) - 1,
        unknown_words=0,
        unknown_types=0,
        characters=5 * len(ids),
    )
    splits = {"validation": held_out, "test": held_out}, {"validation": ids, "test": ids}
    return Batches("stream", config["batch_size"], config["sequence_length"], config["vocabulary"], {}, "", rows, *splits)


def build(config: protocol.Settings) -> LanguageModel:
    """Build the model, with initial weights drawn as in all other workers."""
    shape = Shape(
        vocabulary_size=config["vocabulary"],
        embedding_size=config["embedding_size"],
        hidden_size=config["hidden_size"],
        layers=1,
        projection_size=config["projection_size"],
        tie_weights=config["tie_weights"],
        adaptive_cutoffs=config.get("adaptive_cutoffs", ()),
    )
    return LanguageModel(shape, Initializer("uniform", config["initializer_scale"], 1))


def training_parameters(train: Train, config: protocol.Settings) -> Train:
    """Return the section `train` of params.yaml with the settings of the comparison."""
    changes: Dict[str, object] = {
        "epochs": 1,
        "optimizer": "adamw" if config["weight_decay"] else "adam",
        "learning_rate": config["learning_rate"],
        "weight_decay": config["weight_decay"],
        "clip_norm": config["clip_norm"],
        "schedule": "constant",
        "warmup_steps": 0,
        "state_reset": config["state_reset"],
        "sampled_words": config.get("sampled_words"),
    }
    return train.model_copy(update=changes)


def main() -> None:
    """Serve a training."""
    memory.keep_freed()  # like the train stage
    config = protocol.settings()
    params = loading.load(PROJECT / "params.yaml")
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as devnull:
        trainer = Trainer(
            build(config),
            make_batches(config),
            TrainingConfig(
                training_parameters(params.train, config),
                params.reporting.model_copy(update={"status_every": config["status_every"]}),
                Regularization(dropout_input=config["dropout"], dropout_output=config["dropout"]),
                config["precision"],
            ),
            Hooks([TrainingProgress(devnull), HistoryFiles(folder), Pacemaker(config)]),
        )
        try:
            trainer.run()
        except Finished:
            protocol.send_peak_memory()


if __name__ == "__main__":
    main()
