"""The head of the report: the result, what it is compared with, and which training made it."""

from collections.abc import Mapping
from typing import Any

from lstm_lm.ui.report import chart, numbers
from lstm_lm.ui.report.inputs import Inputs
from lstm_lm.wording import counted, duration


def headline(inputs: Inputs) -> dict[str, Any]:
    """Return what the head of the page shows.

    Returns:
        name of the run; the perplexity on test text, its interval and the sentence that compares it; tiles, (title, value, note) each;
        the sentence on what it was trained on.
    """
    test = inputs.metrics.get("test", {})
    return {
        "name": run_name(inputs),
        "perplexity": numbers.perplexity(test.get("perplexity")),
        "unit": numbers.units(inputs.unit, 1),
        "interval": numbers.interval(test.get("perplexity_low"), test.get("perplexity_high")),
        "comparison": comparison(test),
        "trained_on": trained_on(inputs),
        "tiles": tiles(inputs, test),
    }


def run_name(inputs: Inputs) -> str:
    """The name of the run, or else its id."""
    recorded = inputs.mapping("run").get("name") or inputs.run.get("name") or inputs.run.get("run_id") or "unnamed run"
    return str(recorded)


def comparison(test: Mapping[str, float]) -> str:
    """How far the perplexity is below those of the baselines, or "" without baselines."""
    own = test.get("perplexity")
    parts = []
    for name in (chart.KNESER_NEY, chart.UNIGRAMS):
        other = test.get(f"{chart.PREFIXES[name]}perplexity")
        if own and other:
            change = own / other - 1
            parts.append(f"{abs(change):.0%} {'below' if change < 0 else 'above'} {name} ({numbers.perplexity(other)})")
    return " and ".join(parts)


def trained_on(inputs: Inputs) -> str:
    """What the model was trained on, and for how long."""
    splits, model = inputs.mapping("splits"), inputs.mapping("model")
    train = splits.get("train") or {}
    words, documents = train.get("words"), train.get("documents")
    text = (
        f"{words:,} {numbers.units(inputs.unit, words)} of {counted(documents, 'document')}"
        if words and documents
        else "text of unknown size"
    )
    seen = inputs.history[-1].words_seen if inputs.history else None
    passes = f", {seen / words:.1f} passes" if seen and words else ""
    epoch = model.get("best_epoch") or inputs.config.get("best_epoch")
    best = f". The weights are those of epoch {epoch}, the best on validation text" if epoch else ""
    return f"Trained on {text}{passes}{best}."


def tiles(inputs: Inputs, test: Mapping[str, float]) -> list[tuple[str, str, str]]:
    """Return the numbers beside the perplexity, as (title, value, note)."""
    model, unit = inputs.mapping("model"), numbers.units(inputs.unit)
    validation = inputs.metrics.get("validation", {})
    shown = [
        ("adjusted perplexity", numbers.perplexity(test.get("adjusted_perplexity")), f"with the cost of unknown {unit}"),
        ("bits per character", numbers.decimals(test.get("bits_per_character")), "a rough guide across vocabularies"),
        ("validation perplexity", numbers.perplexity(validation.get("perplexity")), "of the text that selects the weights"),
        ("vocabulary", numbers.count(model.get("vocabulary_size")), f"{unit}, with <unk>"),
        ("parameters", numbers.count(model.get("parameters")), str(model.get("precision") or "")),
        ("training time", duration(inputs.training_seconds), str(inputs.run.get("machine") or "")),
    ]
    return [tile for tile in shown if tile[1] != "-"]
