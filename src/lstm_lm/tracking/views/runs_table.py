"""The table of runs: its columns, and the order of its rows. All views have it, because MLflow's menu opens every view as a table."""

from collections.abc import Iterable

RUN_NAME, CREATED, DURATION = "attributes.`Run Name`", "runDateAndNestInfo", "duration"  # always there
MODELS = "attributes.`Models`"
# Before the metrics: perplexities of several texts, and of words and characters, stand in one column, and do not compare.
TEXT, UNIT = "params.`text`", "params.`vocab.unit`"
METRICS = ("test/perplexity", "test/bits_per_character", "validation/perplexity", "test/adjusted_perplexity")
TRIAL_METRICS = ("validation/best_perplexity", "validation/perplexity")
PARAMETERS = (
    "parameter_count",
    "train.epochs",
    "batching.recipe",
    "model.hidden_size",
    "model.layers",
    "train.optimizer",
    "train.learning_rate",
)
# A window 1280 pixels wide has room for everything up to the bits per character, which alone compare all models of a text.
NAME_PIXELS, CREATED_PIXELS, TEXT_PIXELS, MODELS_PIXELS, DURATION_PIXELS = 190, 140, 155, 150, 90
CHARACTER_PIXELS, MARGIN_PIXELS = 7, 36  # the sign of the order included


def state(metrics: Iterable[str] = METRICS) -> dict[str, object]:
    """Return the table's part of a view's state: the best run first, what differs between runs, and no digest, commit or user.

    Args:
        metrics: its columns. Runs are in the order of the first one, and lower is better.
    """
    of_metrics = {f"metrics.`{name}`": _width(name) for name in metrics}
    columns = {TEXT: TEXT_PIXELS, UNIT: _width(""), **of_metrics, **{f"params.`{name}`": _width(name) for name in PARAMETERS}}
    widths = {RUN_NAME: NAME_PIXELS, CREATED: CREATED_PIXELS, **columns, MODELS: MODELS_PIXELS, DURATION: DURATION_PIXELS}
    return {
        "orderByKey": next(iter(of_metrics)),
        "orderByAsc": True,
        "selectedColumns": [*columns, MODELS],
        "columnOrder": list(widths),
        "columnWidths": widths,
    }


def _width(name: str) -> int:
    """Return how many pixels wide a column is, to show its whole name."""
    return MARGIN_PIXELS + CHARACTER_PIXELS * max(len(name), 8)
