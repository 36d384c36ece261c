"""Ours: one whole training by the parameters of params.yaml, or of a preset over it, with the project's own loop. No MLflow, no files."""

import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import protocol
from lstm_lm.config import keys, loading, presets
from lstm_lm.data import dataset
from lstm_lm.evaluation import scoring
from lstm_lm.events import Observer
from lstm_lm.experiments.search.rebatching import rebatch
from lstm_lm.io import memory
from lstm_lm.text.tokenization import vocabulary

PROJECT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(PROJECT / "src"))

from lstm_lm.training import setup
from lstm_lm.training.training_config import Hooks


class Curve(Observer):
    """Validation losses over the seconds that went into training alone, without validation."""

    def __init__(self):
        self.seconds, self.words, self.found = 0.0, 0, []

    def row(self, row):
        self.seconds += (row.words_seen - self.words) / row.words_per_second
        self.words = row.words_seen
        if row.validation_loss is not None:
            self.found.append((self.seconds, row.validation_loss))


def main():
    memory.keep_freed()
    chosen = protocol.settings()
    changes = {**(presets.load(chosen["preset"], PROJECT / "presets") if chosen["preset"] else {}), **chosen["changes"]}
    settings = loading.check(keys.with_changes(loading.read(PROJECT / "params.yaml"), changes))
    data = Path(chosen["data"])
    batches = rebatch(dataset.load(data / "batches"), settings.batching, chosen["work"], data / "vocab")
    counts = vocabulary.load_counts(data / "vocab/vocab.csv")[1]
    curve = Curve()

    def run(_):
        precision = chosen["precision"] if settings.train.precision == "auto" else settings.train.precision
        model = setup.build_model(settings, counts)
        trainer = setup.build_trainer(settings, precision, batches, model, Hooks([curve]))
        result = trainer.run()
        nats = scoring.score(trainer.functions.score, model.initial_state, batches.documents("test"), batches.vocabulary_size)
        return {
            "trained": curve.seconds,  # without validation
            "curve": curve.found,
            "validation_loss": result.best_validation_loss,
            "test_loss": scoring.mean_nats(nats, batches.held_out["test"].scored_words),
        }

    protocol.serve(run)


if __name__ == "__main__":
    main()
