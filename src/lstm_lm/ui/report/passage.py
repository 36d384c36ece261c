"""A held-out passage, each token colored by its surprise, for the model and for Kneser-Ney."""

import bisect
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from lstm_lm.ui.report import chart, held_out_text, numbers
from lstm_lm.ui.report.figure import Figure, Table
from lstm_lm.ui.report.inputs import Inputs
from lstm_lm.ui.report.tokens import visible

# Bits from which the next color begins. Characters carry fewer bits than words.
THRESHOLDS = {"char": (0.5, 1.0, 2.0, 4.0, 6.0)}
WORD_THRESHOLDS = (2.0, 5.0, 8.0, 11.0, 14.0)

Word = Mapping[str, Any]


class Column(NamedTuple):
    """A predictor: its title, and its key in the tokens of details.json."""

    title: str
    key: str


COLUMNS = (Column(chart.MODEL, "bits"), Column(chart.KNESER_NEY, "kneser_ney_bits"))


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figure; none without a passage."""
    passage = inputs.mapping("passage")
    words: list[Word] = [word for word in passage.get("words") or [] if word.get("bits") is not None]
    if not words:
        return []
    unit, units = numbers.units(inputs.unit, 1), numbers.units(inputs.unit)
    thresholds = THRESHOLDS.get(inputs.unit, WORD_THRESHOLDS)
    columns = [column for column in COLUMNS if all(word.get(column.key) is not None for word in words)]
    has_unknown = any(word.get("known") is False for word in words)
    return [
        Figure(
            id="passage",
            title=f"A passage, {unit} by {unit}",
            finding=finding(words, inputs.unit),
            reading=(
                f"{place(inputs, passage)} "
                f"Darker {units} are more surprising: each bit halves the probability. Point at one to see its bits."
                + (" Dotted underlines mark unknown ones, which are scored as <unk>." if has_unknown else "")
            ),
            template="passage.html",
            data={
                "columns": [
                    {"title": column.title, "words": tokens(words, column.key, thresholds), "mean": f"{mean(words, column.key):.2f}"}
                    for column in columns
                ],
                "legend": legend(thresholds),
                "tight": inputs.unit != "word",  # parts of words touch
                "unit": unit,
            },
            table=_table(words, unit, columns),
        )
    ]


def place(inputs: Inputs, passage: Mapping[str, Any]) -> str:
    """Say where the passage is from."""
    document, split = passage.get("document"), passage.get("split") or "test"
    source = held_out_text.of_document(inputs, split, document) if document else "held-out text"
    return f"{numbers.units(inputs.unit).capitalize()} {(passage.get('start') or 0) + 1:,} and on of {source} ({split} text)."


def level(bits: float, thresholds: Sequence[float]) -> int:
    """Return the color of a surprise, from 0 (the least) to the number of thresholds."""
    return bisect.bisect_right(thresholds, bits)


def tokens(words: Sequence[Word], key: str, thresholds: Sequence[float]) -> list[dict[str, Any]]:
    """Return the tokens of one predictor: the space before, the text, bits, level, and whether the token is known."""
    return [
        {
            "space": " " if i and word.get("space_before", True) else "",
            "text": word["text"],
            "bits": f"{word[key]:.1f}",
            "level": level(word[key], thresholds),
            "known": word.get("known") is not False,
        }
        for i, word in enumerate(words)
    ]


def legend(thresholds: Sequence[float]) -> list[str]:
    """Name the colors: `below 2`, `2 to 5`, ..., `14 and more`."""
    inner = [f"{low:g} to {high:g}" for low, high in pairwise(thresholds)]
    return [f"below {thresholds[0]:g}", *inner, f"{thresholds[-1]:g} and more"]


def mean(words: Sequence[Word], key: str) -> float:
    """The mean surprise in bits."""
    return float(sum(word[key] for word in words) / len(words))


def finding(words: Sequence[Word], unit: str) -> str:
    """Compare the two predictors on the passage, and name the token at which each is furthest ahead."""
    name, units = numbers.units(unit, 1), numbers.units(unit)
    text = f"The model needs {mean(words, 'bits'):.2f} bits per {name} here"
    if any(word.get("kneser_ney_bits") is None for word in words):
        return f"{text}, over {len(words):,} {units}."
    gains = [word["kneser_ney_bits"] - word["bits"] for word in words]
    better = sum(gain > 0 for gain in gains)
    best, worst = (pick(range(len(words)), key=gains.__getitem__) for pick in (max, min))
    return (
        f"{text}, Kneser-Ney {mean(words, 'kneser_ney_bits'):.2f}; it is less surprised at {better:,} of {len(words):,} {units}. "
        f"It is furthest ahead at “{visible(words[best]['text'])}” ({_pair(words[best])}) "
        f"and furthest behind at “{visible(words[worst]['text'])}” ({_pair(words[worst])})."
    )


def _pair(word: Word) -> str:
    return f"{word['bits']:.1f} against {word['kneser_ney_bits']:.1f} bits"


def _table(words: Sequence[Word], unit: str, columns: Sequence[Column]) -> Table:
    rows = [
        [
            visible(word["text"]),
            *(numbers.decimals(word[column.key], 2) for column in columns),
            "no" if word.get("known") is False else "yes",
        ]
        for word in words
    ]
    return Table([unit, *(f"bits, {column.title}" for column in columns), "known"], rows)
