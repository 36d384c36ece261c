"""A whole training by this project's loop with params.yaml, or with a preset applied to it. No MLflow, no output files."""

import dataclasses
import os
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

import protocol
from lstm_lm.config import keys, loading, presets
from lstm_lm.config.schema import Params
from lstm_lm.data import dataset
from lstm_lm.data.dataset import HELD_OUT
from lstm_lm.evaluation import ngram_mixture, scoring
from lstm_lm.events import Observer, Row
from lstm_lm.experiments.search.rebatching import rebatch
from lstm_lm.io import memory
from lstm_lm.jobs import ngram_member
from lstm_lm.text import encoded, splits
from lstm_lm.text.tokenization import vocabulary
from lstm_lm.training import setup, time_budget
from lstm_lm.training.trainer import Trainer
from lstm_lm.training.training_config import Hooks

PROJECT = Path(__file__).resolve().parents[2]


class ValidationCurve(Observer):
    """Records validation losses over the seconds of training, without validation."""

    def __init__(self) -> None:
        self.seconds, self.words = 0.0, 0
        self.points: List[Tuple[float, float]] = []

    def row(self, row: Row) -> None:
        """Add the time of the steps since the last row, and the validation loss if there is one."""
        self.seconds += (row.words_seen - self.words) / row.words_per_second
        self.words = row.words_seen
        if row.validation_loss is not None:
            self.points.append((self.seconds, row.validation_loss))


def limit_time(trainer: Trainer, minutes: float, validations: int) -> None:
    """Set the number of steps to what takes so many minutes, without validations, and validate so often, evenly over the steps."""
    steps = max(1, round(minutes * 60 / time_budget.plan(trainer, minutes * 60).step_seconds))
    train = trainer.config.train.model_copy(update={"validate_every": max(1, steps // validations), "epochs": None})
    trainer.config = dataclasses.replace(trainer.config, train=train)
    trainer.limit_steps(steps)


def mix_with_ngrams(settings: Params, data: Path, trainer: Trainer, test: List[np.ndarray]) -> Dict[str, Any]:
    """Count the n-grams of `model.ngrams` and mix them with a model, by the code of the stage train.

    Args:
        settings: all parameters.
        data: the folder with the output of the stage vocab.
        trainer: with the weights that are kept.
        test: what the words of the test split cost by the model.
    Returns:
        the losses of the mixture, the weight and the number of the n-grams, and the seconds that counting took; {} without n-grams.
    """
    wanted, batches = settings.model.ngrams, trainer.batches
    if wanted is None:
        return {}
    text, _, size = encoded.load(data / "vocab")
    part = text.part(splits.load(data / "vocab/splits.json")["train"])
    own = trainer.validation_nats()
    start = time.perf_counter()
    counted = ngram_member.count(wanted, part.documents_without_unknown(size), batches.documents("validation"), own, size)
    seconds = time.perf_counter() - start
    mixed = {
        "validation": counted.mixed,
        "test": ngram_mixture.mix(test, counted.ngrams.nats(batches.documents("test")), counted.weight),
    }
    losses = {f"{split}_loss": scoring.mean_nats(mixed[split], batches.held_out[split].scored_words) for split in HELD_OUT}
    return {**losses, "weight": counted.weight, "ngrams": len(counted.trie.words), "seconds": seconds}


def main() -> None:
    """Serve a whole training."""
    memory.keep_freed()
    config = protocol.settings()
    preset = presets.load(config["preset"], PROJECT / "presets") if config["preset"] else {}
    settings = loading.check(keys.with_changes(loading.read(PROJECT / "params.yaml"), {**preset, **config["changes"]}))
    data = Path(config["data"])
    batches = rebatch(dataset.load(data / "batches"), settings.batching, config["work"], data / "vocab")
    counts = vocabulary.load_counts(data / "vocab/vocab.csv")[1]
    curve = ValidationCurve()

    def run(_: int) -> Dict[str, Any]:
        precision = config["precision"] if settings.train.precision == "auto" else settings.train.precision
        model = setup.build_model(settings, counts)
        trainer = setup.build_trainer(settings, precision, batches, model, Hooks([curve]))
        if config.get("minutes"):
            limit_time(trainer, config["minutes"], config["validations"])
        prepared = time.perf_counter() - protocol.START
        result = trainer.run()
        nats = scoring.score(trainer.functions.score, model.initial_state, batches.documents("test"), batches.vocabulary_size)
        return {
            "trained": curve.seconds,
            "prepared": prepared,
            "words": curve.words,
            "weights": model.parameter_count,
            "notes": [precision],
            "curve": curve.points,
            "validation_loss": result.best_validation_loss,
            "test_loss": scoring.mean_nats(nats, batches.held_out["test"].scored_words),
            "with_ngrams": mix_with_ngrams(settings, data, trainer, nats),
        }

    protocol.serve(run)


if __name__ == "__main__":
    main()
