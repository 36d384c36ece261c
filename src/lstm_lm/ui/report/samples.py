"""Generated samples, the least and the most repetitive first, and what all generated text is like."""

from collections.abc import Mapping, Sequence
from typing import Any

from lstm_lm.ui.report import numbers, repetition
from lstm_lm.ui.report.figure import Figure, Table
from lstm_lm.ui.report.inputs import GeneratedText, Inputs

SHOWN = 3  # of each kind
UNDERLINED = (
    "Words are what stands between spaces and newlines, whatever a token of the model is; those of a 4-gram that occurred before are "
    "underlined."
)
STATISTICS = {
    "repetition_4": "4-grams of {units} that repeat an earlier one of the text",
    "distinct_1": "distinct {units} per {unit}",
    "distinct_2": "distinct pairs of {units} per {unit}",
    "copied_4": "4-grams of {units} that occur in the training text",
    "copied_8": "8-grams of {units} that occur in the training text",
}


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figures of the samples and of the statistics, those there is something for."""
    made = []
    if inputs.samples:
        best, worst = selected(inputs.samples)
        made.append(
            Figure(
                id="samples",
                title="Samples, good and bad",
                finding=finding(inputs.samples),
                reading=f"{_selection(len(inputs.samples), len(best), len(worst))} {UNDERLINED}",
                template="samples.html",
                data={
                    "groups": [("Least repetitive", [shown(text) for text in best]), ("Most repetitive", [shown(text) for text in worst])],
                    "all": [shown(text) for text in inputs.samples],
                },
            )
        )
    if inputs.metrics.get("samples"):
        made.append(statistics_figure(inputs.metrics["samples"], inputs.unit))
    return made


def _selection(count: int, best: int, worst: int) -> str:
    if not worst:
        return "This is the only sample."
    kinds = ("the one", "the one") if best == worst == 1 else (f"the {best}", f"the {worst}")
    return (
        f"None is picked by hand: of all {count} samples, these are {kinds[0]} with the smallest fraction of repeated 4-grams of words and "
        f"{kinds[1]} with the largest; ties keep the order of reports/samples.md."
    )


def selected(samples: Sequence[GeneratedText]) -> tuple[list[GeneratedText], list[GeneratedText]]:
    """Return the least repetitive and the most repetitive samples: no sample is in both, and ties keep their order."""
    ranked = sorted(samples, key=_repetition)
    count = min(SHOWN, len(ranked) // 2) or 1
    worst = sorted(ranked[count:], key=_repetition, reverse=True)[:count]
    return ranked[:count], worst


def shown(text: GeneratedText) -> dict[str, Any]:
    """Return what the page shows of a sample: its prompt, and pieces of the rest, each with whether it repeats."""
    return {
        "section": text.section,
        "repetition": numbers.percent(_repetition(text), 0),
        "prompt": text.prompt,
        "pieces": _pieces(text),
    }


def _pieces(text: GeneratedText) -> list[tuple[str, bool]]:
    """Split the rest, white space included, where repetition starts or ends. The prompt may end within a word."""
    whole, position = text.prompt + text.rest, len(text.prompt)
    pieces: list[tuple[str, bool]] = []
    for start, stop in repetition.repeated_spans(whole):
        if stop > position:
            begin = max(start, position)
            pieces += [(whole[position:begin], False), (whole[begin:stop], True)]
            position = stop
    return [(piece, repeats) for piece, repeats in [*pieces, (whole[position:], False)] if piece]


def _repetition(text: GeneratedText) -> float:
    return repetition.repeated_fraction(text.prompt + text.rest)


def finding(samples: Sequence[GeneratedText]) -> str:
    """Say how many samples repeat themselves, by how they were generated."""
    sections: dict[str, list[float]] = {}
    for text in samples:
        sections.setdefault(text.section, []).append(_repetition(text))
    means = [f"{numbers.percent(sum(rates) / len(rates), 0)} ({section.lower() or 'all'})" for section, rates in sections.items()]
    return f"The mean fraction of repeated 4-grams of words is {', '.join(means)}."


def statistics_figure(metrics: Mapping[str, float], unit: str) -> Figure:
    """Compare generated text with as much test text."""
    names = {"unit": numbers.units(unit, 1), "units": numbers.units(unit)}
    rows = []
    for key, title in STATISTICS.items():
        if key in metrics:
            form = numbers.decimals if key.startswith("distinct") else _percent
            rows.append([title.format(**names), form(metrics[key]), form(metrics.get(f"test_text_{key}"))])
    words = numbers.count(metrics.get("words"))
    return Figure(
        id="generated-text",
        title="Generated text beside test text",
        finding=statistics_finding(metrics, unit),
        reading=(
            f"{words} generated {names['units']} at temperature 1, each text from one {names['unit']} of the validation text, "
            "and as much test text."
        ),
        template="statistics.html",
        data={"table": Table(["", "generated", "test text"], rows)},
    )


def _percent(value: float | None) -> str:
    return numbers.percent(value, 2)


def statistics_finding(metrics: Mapping[str, float], unit: str) -> str:
    """Say whether the model copies its training text."""
    own, text = metrics.get("copied_8"), metrics.get("test_text_copied_8")
    if own is None:
        return "How much the model copies was not measured."
    beside = "" if text is None else f" (test text: {numbers.percent(text, 2)})"
    return f"{numbers.percent(own, 2)} of the generated 8-grams of {numbers.units(unit)} are copied from the training text{beside}."
