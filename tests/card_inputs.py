"""What the model card and the note of a run are made from, in small."""

from typing import Any

from lstm_lm.events import Row
from lstm_lm.ui.report.card import CardInputs
from lstm_lm.ui.report.inputs import GeneratedText, Inputs

RUN_ID = "0123456789abcdef0123456789abcdef"
TEST = {
    "loss": 5.114191,
    "perplexity": 166.366082,
    "perplexity_low": 158.73421,
    "perplexity_high": 174.366646,
    "oov_rate": 0.084831,
    "adjusted_perplexity": 315.036487,
    "bits_per_character": 1.587076,
    "words": 43628,
    "kneser_ney_loss": 5.524091,
    "kneser_ney_perplexity": 250.658427,
    "kneser_ney_adjusted_perplexity": 474.655347,
    "kneser_ney_bits_per_character": 1.700162,
    "gain_over_kneser_ney": 0.4099,
    "gain_over_kneser_ney_low": 0.384295,
    "gain_over_kneser_ney_high": 0.433338,
}
METRICS = {
    "test": TEST,
    "validation": {"loss": 5.0575, "perplexity": 157.199935, "adjusted_perplexity": 260.76, "bits_per_character": 1.544517, "words": 46648}
    | {"oov_rate": 0.067334, "generalization_gap": 0.269269, "training_text_loss": 4.78825},
    "samples": {"words": 6400, "copied_4": 0.028351, "copied_8": 0.0, "repetition_4": 0.000161, "distinct_1": 0.27, "distinct_2": 0.85}
    | {"test_text_copied_4": 0.030606, "test_text_copied_8": 0.0, "test_text_repetition_4": 0.003222},
}
DETAILS: dict[str, Any] = {
    "unit": "word",
    "model": {"parameters": 1856348, "vocabulary_size": 7388, "precision": "bfloat16", "steps": 2175, "best_step": 1450, "best_epoch": 2},
    "source": {"path": "data/own"},
    "splits": {
        "train": {"words": 812876, "documents": 2, "files": ["a.txt", "b.txt"]},
        "validation": {"words": 46650, "documents": 1, "files": ["roman/julius_caesar.txt"]},
        "test": {"words": 43630, "documents": 1, "files": ["histories/king`john.txt"]},
    },
    "frequency_bands": {
        "test": [
            {"label": "10,000 and more", "low": 10000, "high": None, "words": 7620, "loss": 2.77036, "kneser_ney_loss": 3.16515},
            {"label": "below 10", "low": 0, "high": 9, "words": 810, "loss": 10.725249, "kneser_ney_loss": 11.378438},
            {"label": "unknown", "low": None, "high": None, "words": 3701, "loss": 11.0, "kneser_ney_loss": None},
        ]
    },
    "positions": {
        "test": [
            {"start": 0, "end": 100, "words": 198, "loss": 5.309308, "kneser_ney_loss": 5.693021},
            {"start": 100, "end": 21987, "words": 43430, "loss": 5.11, "kneser_ney_loss": 5.5},
        ]
    },
    "calibration": {"test": {"bins": [], "expected_calibration_error": 0.013462, "top_1": 0.143967, "top_5": 0.331301, "top_10": 0.433185}},
    "references": {"champion": None, "parent": None},
}
CONFIG = {
    "shape": {"vocabulary_size": 7388, "embedding_size": 160, "hidden_size": 320, "layers": 1, "projection_size": 160}
    | {"tie_weights": True, "adaptive_cutoffs": []}
}
HISTORY = [
    Row(step=50, words_seen=60_000, epoch=1, loss=6.5, learning_rate=0.004, gradient_norm=0.05, words_per_second=20_000.0),
    Row(step=100, words_seen=150_000, epoch=1, loss=6.3, learning_rate=0.008, gradient_norm=0.17, words_per_second=30_000.0),
]
SAMPLES = [
    GeneratedText("Greedy", "thou art", " a man and a man and a man and a man and a man"),
    GeneratedText("Temperature 0.7", "thou art", " the *star* of <unk> & [all]"),
    GeneratedText("Temperature 0.7", "to be", " or\nnot"),
    GeneratedText("Temperature 1", "thou art", " odd"),
]
PARAMETERS: dict[str, Any] = {
    "vocab.lowercase": True,
    "vocab.punctuation": "drop",
    "batching.recipe": "stream",
    "batching.batch_size": 32,
    "model.dropout_input": 0.15,
    "model.dropout_words": 0.0,
    "train.optimizer": "adamw",
    "train.learning_rate": 0.008,
    "train.init_from": None,
}


def run_files(details: dict[str, Any] | None = None, metrics: dict[str, dict[str, float]] | None = None, **run: Any) -> Inputs:
    """Return the files of a run.

    Args:
        details: what differs in details.json.
        metrics: replaces metrics.json.
        run: further values of run.json.
    """
    return Inputs(
        metrics=METRICS if metrics is None else metrics,
        details={**DETAILS, "run": {"commit": "abc123", "dirty": False, "parameters": PARAMETERS}, **(details or {})},
        run={"run_id": RUN_ID, **run},
        config=CONFIG,
        history=HISTORY,
        samples=SAMPLES,
    )


def card_inputs(details: dict[str, Any] | None = None, **run: Any) -> CardInputs:
    """Return what the card of such a run is made from."""
    return CardInputs(run_files(details, **run), "lstm_lm")
