"""The charts that compare trainings: curves over the words seen, held-out metrics, and parameters that differ."""

from lstm_lm.tracking.views import charts
from lstm_lm.ui.metric_catalog import CURVES, LOGGED

WORDS_SEEN = "train/words_seen"  # unlike steps, comparable across batch sizes
GAIN = "test/gain_over_kneser_ney"
NO_CHART = (WORDS_SEEN, "validation/loss", *(name for name in LOGGED if name not in (*CURVES, GAIN)))  # but in the table of metrics
SYSTEM_METRICS = "System metrics"  # MLflow's own name of the section in which it puts their charts


def state() -> dict[str, object]:
    """Return the charts' part of a view's state.

    Without the list of runs, more of them fit into the tables. MLflow shows about 55 characters of a section's title in a window 1280
    pixels wide.
    """
    return {
        "compareRunCharts": [*_curves(), *_held_out(), *_differences(), *_optimization()],
        "compareRunSections": [
            charts.section("curves", "Loss (nats per token), perplexity (log scale)", columns=2, height=360),
            charts.section("held-out", "Held-out text: gain over Kneser-Ney (nats/token)", columns=2, height=330),
            charts.section("differences", "What differs", columns=1, height=800),
            charts.section("optimization", "Learning rate, gradient norm, words per second", columns=3, height=300),
            charts.section("system", SYSTEM_METRICS, columns=3, height=300, is_open=False),
        ],
        "isAccordionReordered": True,
        "runListHidden": True,
    }


def _curves() -> list[dict[str, object]]:
    return [
        charts.line("curves", ["train/loss", "validation/loss"], x=WORDS_SEEN),
        charts.line("curves", ["validation/perplexity"], x=WORDS_SEEN, scale="log"),
    ]


def _held_out() -> list[dict[str, object]]:
    return [
        charts.bars("held-out", GAIN),
        # Only bits per character compare models of words, subwords and characters.
        charts.scatter("held-out", parameter="parameter_count", metric="test/bits_per_character"),
        *(charts.hidden("held-out", metric) for metric in NO_CHART),
    ]


def _differences() -> list[dict[str, object]]:
    return [
        charts.table("differences", "Model metrics", "Metrics", differences_only=False),
        charts.table("differences", "Parameters", "Parameters that differ", differences_only=True),
    ]


def _optimization() -> list[dict[str, object]]:
    return [
        charts.line("optimization", [metric], x=WORDS_SEEN)
        for metric in ("train/learning_rate", "train/gradient_norm", "train/words_per_second")
    ]
