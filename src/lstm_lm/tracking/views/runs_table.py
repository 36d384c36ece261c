"""The table of runs: its columns, and the order of its rows. All views have it, because MLflow's menu opens every view as a table."""

from collections.abc import Iterable

RUN_NAME, CREATED, DURATION = "attributes.`Run Name`", "runDateAndNestInfo", "duration"  # always there
MODELS = "attributes.`Models`"
METRICS = ("test/perplexity", "validation/perplexity", "test/bits_per_character", "test/adjusted_perplexity")
TRIAL_METRICS = ("validation/best_perplexity", "validation/perplexity")
PARAMETERS = (
    "parameter_count",
    "train.epochs",
    "vocab.unit",
    "batching.recipe",
    "model.hidden_size",
    "model.layers",
    "train.optimizer",
    "train.learning_rate",
)
NAME_PIXELS, CREATED_PIXELS, MODELS_PIXELS, DURATION_PIXELS = 200, 150, 150, 90
CHARACTER_PIXELS, MARGIN_PIXELS = 7, 36  # the sign of the order included


def state(metrics: Iterable[str] = METRICS) -> dict[str, object]:
    """Return the table's part of a view's state: the best run first, what differs between runs, and no digest, commit or user.

    Args:
        metrics: its columns. Runs are in the order of the first one, and lower is better.
    """
    columns = {f"metrics.`{name}`": _width(name) for name in metrics} | {f"params.`{name}`": _width(name) for name in PARAMETERS}
    best_first = next(iter(columns))
    widths = {RUN_NAME: NAME_PIXELS, CREATED: CREATED_PIXELS, **columns, MODELS: MODELS_PIXELS, DURATION: DURATION_PIXELS}
    return {
        "orderByKey": best_first,
        "orderByAsc": True,
        "selectedColumns": [*columns, MODELS],
        "columnOrder": list(widths),
        "columnWidths": widths,
    }


def _width(name: str) -> int:
    """Return how many pixels wide a column is, to show its whole name."""
    return MARGIN_PIXELS + CHARACTER_PIXELS * max(len(name), 8)
