"""The table of metrics: what each key of reports/metrics.json is, and which of them a run in MLflow has, as `SPLIT/NAME`.

The reference page of the metrics is made from this table, and a test compares the table with a real run.
"""

from collections.abc import Mapping
from dataclasses import dataclass

HELD_OUT = ("validation", "test")
OTHER_PREDICTORS = ("unigram", "kneser_ney", "ngram_mixture", "dynamic_evaluation", "neural_cache")


@dataclass(frozen=True)
class Metric:
    """One row of the table.

    Attributes:
        name: key in its section of reports/metrics.json.
        sections: in which it occurs.
        unit: of its values, or "".
        better: lower, higher, or "" if neither is better in itself.
        help: what it is.
        interval: whether NAME_low and NAME_high, the ends of its 95% interval, are reported too.
        of_predictors: whether PREDICTOR_NAME is reported for each of OTHER_PREDICTORS too.
        of_test_text: whether test_text_NAME, the same metric of test text, is reported too.
        in_mlflow: names under which the MLflow run has it too, so that runs are sorted and compared by it. reports/summary.json, which
            `dvc metrics` and `dvc exp show` read, has the same ones.
    """

    name: str
    sections: tuple[str, ...]
    unit: str
    better: str
    help: str
    interval: bool = False
    of_predictors: bool = False
    of_test_text: bool = False
    in_mlflow: tuple[str, ...] = ()


def _in(metric: str, *sections: str) -> tuple[str, ...]:
    """Return the names of a metric of some sections in MLflow."""
    return tuple(f"{section}/{metric}" for section in sections)


METRICS = (
    Metric("words", HELD_OUT, "tokens", "", "number of scored tokens"),
    Metric(
        "perplexity",
        HELD_OUT,
        "",
        "lower",
        "exp(loss)",
        interval=True,
        of_predictors=True,
        in_mlflow=(
            *_in("perplexity", "test", "validation"),
            *_in("ngram_mixture_perplexity", "test"),
            *_in("dynamic_evaluation_perplexity", "test"),
            *_in("neural_cache_perplexity", "test"),
        ),
    ),
    Metric(
        "loss",
        HELD_OUT,
        "nats per token",
        "lower",
        "mean of -ln P(token), `<unk>` counted as a token",
        interval=True,
        of_predictors=True,
        in_mlflow=_in("loss", "test", "validation"),
    ),
    Metric(
        "bits_per_character",
        HELD_OUT,
        "bits",
        "lower",
        "the cost of adjusted_perplexity, per character; a rough guide across words, subwords and characters: an unknown word costs "
        "only its choice from the list of unknown ones, while characters and subwords spell it",
        interval=True,
        of_predictors=True,
        in_mlflow=_in("bits_per_character", "test", "validation"),
    ),
    Metric(
        "adjusted_perplexity",
        HELD_OUT,
        "",
        "lower",
        "perplexity that includes the cost of identifying each unknown token (Ueberla 1994)",
        interval=True,
        of_predictors=True,
        in_mlflow=_in("adjusted_perplexity", "test", "validation"),
    ),
    Metric(
        "oov_rate",
        HELD_OUT,
        "fraction",
        "",
        "fraction of the scored tokens that are `<unk>`",
        in_mlflow=_in("oov_rate", "test", "validation"),
    ),
    Metric(
        "gain_over_kneser_ney",
        HELD_OUT,
        "nats per token",
        "higher",
        "how far the model's loss is below that of the Kneser-Ney baseline (paired bootstrap)",
        interval=True,
        in_mlflow=_in("gain_over_kneser_ney", "test"),
    ),
    Metric("ngram_mixture_weight", ("validation",), "fraction", "", "weight of Kneser-Ney in the n-gram mixture"),
    Metric("training_text_loss", ("validation",), "nats per token", "lower", "loss on as much training text as there is validation text"),
    Metric(
        "generalization_gap",
        ("validation",),
        "nats per token",
        "lower",
        "validation loss minus training_text_loss",
        in_mlflow=_in("generalization_gap", "validation"),
    ),
    Metric("words", ("samples",), "tokens", "", "number of generated tokens"),
    Metric(
        "repetition_4",
        ("samples",),
        "fraction",
        "",
        "fraction of a text's 4-grams that occurred earlier in it (seq-rep-4, Welleck et al. 2020)",
        of_test_text=True,
        in_mlflow=_in("repetition_4", "samples"),
    ),
    Metric("distinct_1", ("samples",), "fraction", "", "number of distinct tokens per token (Li et al. 2016)", of_test_text=True),
    Metric(
        "distinct_2",
        ("samples",),
        "fraction",
        "",
        "number of distinct pairs of tokens per token (Li et al. 2016)",
        of_test_text=True,
        in_mlflow=_in("distinct_2", "samples"),
    ),
    Metric("copied_4", ("samples",), "fraction", "", "fraction of the 4-grams that occur in the training text", of_test_text=True),
    Metric(
        "copied_8",
        ("samples",),
        "fraction",
        "",
        "fraction of the 8-grams that occur in the training text",
        of_test_text=True,
        in_mlflow=_in("copied_8", "samples"),
    ),
)

CURVES = _in("loss", "validation") + _in("perplexity", "validation")  # logged during training too, so an evaluation adds their last points
# The metrics by which one compares models.
LOGGED = tuple(sorted((name for metric in METRICS for name in metric.in_mlflow), key=lambda name: not name.startswith("test/")))


def summarize(metrics: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, float]]:
    """Return the content of reports/summary.json: those metrics that are in LOGGED, in that order.

    Args:
        metrics: {"test": {"perplexity": ...}, ...}, as in reports/metrics.json.
    """
    summary: dict[str, dict[str, float]] = {}
    for section, _, name in (logged.partition("/") for logged in LOGGED):
        if name in metrics.get(section, {}):
            summary.setdefault(section, {})[name] = metrics[section][name]
    return summary
