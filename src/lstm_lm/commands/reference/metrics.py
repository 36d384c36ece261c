"""The reference page of the metrics."""

from lstm_lm.commands.reference.tables import table
from lstm_lm.ui.metric_catalog import METRICS, OTHER_PREDICTORS, Metric

INTRODUCTION = """\
# Metrics

`evaluate-sample` writes these metrics to `reports/metrics.json`, which is also an artifact of the MLflow run.
[How a model is scored](../explanation/scoring.md) explains them. A token is a word, a character or a subword, as `vocab.unit`
says; names such as `words` are the same for all three.

The column "in MLflow" lists those that the run also has as metrics of its own, so that MLflow sorts and compares runs by them.
`reports/summary.json` has the same ones, for `dvc metrics` and `dvc exp show`.
They are logged at step 0, which MLflow draws as a bar. `validation/loss` and `validation/perplexity` are curves of the training.
A run that was logged before with more metrics keeps them: a new evaluation updates them.
"""


def page() -> str:
    """Return the page."""
    rows = [
        [f"`{metric.name}`", ", ".join(metric.sections), metric.unit, metric.better, metric.help, _also(metric), _logged(metric)]
        for metric in METRICS
    ]
    listed = table(["name", "section", "unit", "better", "meaning", "also reported", "in MLflow"], rows)
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


def _logged(metric: Metric) -> str:
    return ", ".join(f"`{name}`" for name in metric.in_mlflow)
