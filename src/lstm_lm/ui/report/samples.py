"""Generated samples, the least and the most repetitive first, and what all generated text is like."""

from collections.abc import Mapping, Sequence
from typing import Any

from lstm_lm.ui.report import numbers, repetition
from lstm_lm.ui.report.figure import Figure, Table
from lstm_lm.ui.report.inputs import GeneratedText, Inputs

SHOWN = 3  # of each kind
STATISTICS = {
    "repetition_4": "4-grams that repeat an earlier one of the text",
    "distinct_1": "distinct {units} per {unit}",
    "distinct_2": "distinct pairs of {units} per {unit}",
    "copied_4": "4-grams that occur in the training text",
    "copied_8": "8-grams that occur in the training text",
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
                reading=(
                    f"None is picked by hand: of all {len(inputs.samples)} samples, these are the {len(best)} with the smallest fraction "
                    f"of repeated 4-grams and the {len(worst)} with the largest; ties keep the order of reports/samples.md. "
                    "Words of a 4-gram that occurred before are underlined."
                ),
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


def selected(samples: Sequence[GeneratedText]) -> tuple[list[GeneratedText], list[GeneratedText]]:
    """Return the least repetitive and the most repetitive samples: no sample is in both, and ties keep their order."""
    ranked = sorted(samples, key=_repetition)
    count = min(SHOWN, len(ranked) // 2) or 1
    worst = sorted(ranked[count:], key=_repetition, reverse=True)[:count]
    return ranked[:count], worst


def shown(text: GeneratedText) -> dict[str, Any]:
    """Return what the page shows of a sample: its words, each with whether it repeats, those of the prompt marked."""
    whole = text.prompt + text.rest
    prompt_words = len(repetition.words(text.prompt))
    marks = repetition.is_repeated(whole)
    return {
        "section": text.section,
        "repetition": numbers.percent(_repetition(text), 0),
        "prompt": text.prompt,
        "pieces": _pieces(repetition.words(whole)[prompt_words:], marks[prompt_words:]),
    }


def _pieces(words: Sequence[str], marks: Sequence[bool]) -> list[tuple[str, bool]]:
    """Join neighboring words with the same mark."""
    pieces: list[tuple[str, bool]] = []
    for word, mark in zip(words, marks, strict=True):
        if pieces and pieces[-1][1] == mark:
            pieces[-1] = f"{pieces[-1][0]} {word}", mark
        else:
            pieces.append((word, mark))
    return pieces


def _repetition(text: GeneratedText) -> float:
    return repetition.repeated_fraction(text.prompt + text.rest)


def finding(samples: Sequence[GeneratedText]) -> str:
    """Say how many samples repeat themselves, by how they were generated."""
    sections: dict[str, list[float]] = {}
    for text in samples:
        sections.setdefault(text.section, []).append(_repetition(text))
    means = [f"{numbers.percent(sum(rates) / len(rates), 0)} ({section.lower() or 'all'})" for section, rates in sections.items()]
    return f"The mean fraction of repeated 4-grams is {', '.join(means)}."


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
        finding=statistics_finding(metrics),
        reading=(
            f"{words} generated {names['units']} at temperature 1, each text from one {names['unit']} of the validation text, "
            "and as much test text."
        ),
        template="statistics.html",
        data={"table": Table(["", "generated", "test text"], rows)},
    )


def _percent(value: float | None) -> str:
    return numbers.percent(value, 2)


def statistics_finding(metrics: Mapping[str, float]) -> str:
    """Say whether the model copies its training text."""
    own, text = metrics.get("copied_8"), metrics.get("test_text_copied_8")
    if own is None:
        return "How much the model copies was not measured."
    beside = "" if text is None else f" (test text: {numbers.percent(text, 2)})"
    return f"{numbers.percent(own, 2)} of the generated 8-grams are copied from the training text{beside}."
