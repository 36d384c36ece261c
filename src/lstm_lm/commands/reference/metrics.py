"""The reference page of the metrics."""

from lstm_lm.commands.reference.tables import table
from lstm_lm.ui.metric_catalog import METRICS, OTHER_PREDICTORS, Metric

INTRODUCTION = """\
# Metrics

`evaluate-sample` writes these metrics to `reports/metrics.json`. MLflow shows them as `SECTION/NAME`, for example
`test/perplexity`. [How a model is scored](../explanation/scoring.md) explains them.
"""


def page() -> str:
    """Return the page."""
    rows = [[f"`{metric.name}`", ", ".join(metric.sections), metric.unit, metric.better, metric.help, _also(metric)] for metric in METRICS]
    listed = table(["name", "section", "unit", "better", "meaning", "also reported"], rows)
    predictors = ", ".join(f"`{name}`" for name in OTHER_PREDICTORS)
    notes = (
        f"`PREDICTOR` is one of {predictors}; a predictor that is not computed has no metrics. "
        "`NAME_low` and `NAME_high` are the ends of a 95% bootstrap interval."
    )
    return f"{INTRODUCTION}\n{listed}\n\n{notes}"


def _also(metric: Metric) -> str:
    names = []
    if metric.interval:
        names.append(f"`{metric.name}_low`, `{metric.name}_high`")
    if metric.of_predictors:
        names.append(f"`PREDICTOR_{metric.name}`")
    if metric.of_test_text:
        names.append(f"`test_text_{metric.name}`")
    return ", ".join(names)
