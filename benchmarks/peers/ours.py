"""This project's training loop, lstm_lm.training.Trainer, as the train stage runs it: rows of history, files, a terminal."""

import os
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

PROJECT = Path(__file__).resolve().parents[2]
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import tensorflow as tf

import protocol
from lstm_lm.config import loading
from lstm_lm.data.dataset import Batches, Document, HeldOut
from lstm_lm.events import Observer
from lstm_lm.io import memory
from lstm_lm.model.dropout import Regularization
from lstm_lm.model.language_model import Initializer, LanguageModel
from lstm_lm.model.shape import Shape
from lstm_lm.training.history import HistoryFiles
from lstm_lm.training.trainer import Trainer
from lstm_lm.training.training_config import Hooks, TrainingConfig
from lstm_lm.ui.progress import TrainingProgress


class Done(Exception):
    """The driver wants no more."""


class Paused(Observer):
    """Holds the training after each row of the history, until the driver asks for more steps."""

    def __init__(self, chosen):
        self.chosen = chosen
        self.began = self.first_step = None
        self.losses, self.inside = [], 0.0

    def row(self, row):
        now = time.perf_counter()
        chosen = self.chosen
        self.losses.append(row.loss)
        steps = chosen["status_every"]
        self.inside += steps * chosen["batch_size"] * chosen["sequence_length"] / row.words_per_second
        if self.began is None:
            if row.step < chosen["warm_up"]:
                return
            protocol.ready(
                first_loss=sum(self.losses) / len(self.losses), version=f"TensorFlow {tf.__version__}", precision=chosen["precision"]
            )
        elif row.step < self.until:
            return
        else:
            done, seconds = row.step - self.first_step, now - self.began
            loss = sum(self.losses) / len(self.losses)
            protocol.tell(seconds=seconds, steps=done, loss=loss, outside=1 - self.inside / seconds)
        line = sys.stdin.readline()
        if not line:
            raise Done
        self.first_step, self.until = row.step, row.step + int(line)
        self.losses, self.inside = [], 0.0
        self.began = time.perf_counter()


def batches(chosen):
    """Of the ids that every worker is given."""
    rows = protocol.streams(chosen["vocabulary"], chosen["batch_size"], chosen["steps"] * chosen["sequence_length"] + 1)
    ids = rows[0, :30]
    document = Document("none", 0, len(ids))
    about = HeldOut(documents=[document], scored_words=len(ids) - 1, unknown_words=0, unknown_types=0, characters=5 * len(ids))
    both = {"validation": about, "test": about}, {"validation": ids, "test": ids}
    return Batches("stream", chosen["batch_size"], chosen["sequence_length"], chosen["vocabulary"], {}, "", rows, *both)


def build(chosen):
    shape = Shape(
        chosen["vocabulary"],
        chosen["embedding_size"],
        chosen["hidden_size"],
        chosen.get("layers", 1),
        chosen["projection_size"],
        chosen["tie_weights"],
        chosen.get("adaptive_cutoffs", ()),
    )
    return LanguageModel(shape, Initializer("uniform", chosen["initializer_scale"], 1))


def main():
    memory.keep_freed()  # as the train stage does
    chosen = protocol.settings()
    settings = loading.load(PROJECT / "params.yaml")
    train = settings.train.model_copy(
        update={
            "epochs": 1,
            "optimizer": "adamw" if chosen["weight_decay"] else "adam",
            "learning_rate": chosen["learning_rate"],
            "weight_decay": chosen["weight_decay"],
            "clip_norm": chosen["clip_norm"],
            "schedule": "constant",
            "warmup_steps": 0,
            "state_reset": chosen["state_reset"],
            "sampled_words": chosen.get("sampled_words"),
        }
    )
    with tempfile.TemporaryDirectory() as folder, Path(os.devnull).open("w") as nowhere:
        trainer = Trainer(
            build(chosen),
            batches(chosen),
            TrainingConfig(
                train,
                settings.reporting.model_copy(update={"status_every": chosen["status_every"]}),
                Regularization(dropout_input=chosen["dropout"], dropout_output=chosen["dropout"]),
                chosen["precision"],
            ),
            Hooks([TrainingProgress(nowhere), HistoryFiles(folder), Paused(chosen)], stop_request=SimpleNamespace(reason=None)),
        )
        try:
            trainer.run()
        except Done:
            protocol.tell(peak_mib=protocol.peak_mib())


if __name__ == "__main__":
    main()
