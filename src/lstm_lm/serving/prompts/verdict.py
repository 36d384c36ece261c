"""What the measures mean, in sentences and cells of a table."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from lstm_lm.serving.prompts.comparison import CHARACTERS, KNOWN_SURPRISAL, SURPRISAL, UNKNOWN, Estimate, Measure
from lstm_lm.wording import counted, unit_name

MIN_DISTINCT = 50  # fewer different prompts are too few for a verdict
LARGE_UNKNOWN, LARGE_BITS = 0.02, 0.25  # a fraction of the words; bits per word: perplexity is 19% higher
COLUMNS = ("", "prompts", "validation", "difference", "95% interval")


@dataclass(frozen=True)
class Verdict:
    """A sentence on how the prompts differ, and whether they are so hard for the model that it should be trained on such text."""

    sentence: str
    is_drift: bool


def rows(measures: Mapping[str, Measure], unit: str) -> list[list[str]]:
    """Return the rows of the table with `COLUMNS`."""
    name, plural = unit_name(unit, 1), unit_name(unit)
    titles = {
        UNKNOWN: (f"unknown {plural}", _percent),
        SURPRISAL: (f"surprisal, bits per {name}", _bits),
        KNOWN_SURPRISAL: (f"  of known {plural}", _bits),
    }
    if unit == "word":
        titles[CHARACTERS] = ("characters per word", _bits)
    return [[title, *_cells(measures[key], show)] for key, (title, show) in titles.items()]


def _cells(measure: Measure, show: Callable[[float, str], str]) -> list[str]:
    difference = measure.difference
    low, high = (show(end, "+").removesuffix(" points") for end in (difference.low, difference.high))
    interval = "" if math.isnan(difference.low) else f"{low} to {high}"
    return [show(measure.prompts.value, ""), show(measure.validation.value, ""), show(difference.value, "+"), interval]


def _percent(value: float, sign: str) -> str:
    if math.isnan(value):
        return "-"
    return f"{100 * value:+.1f} points" if sign else f"{value:.1%}"


def _bits(value: float, sign: str) -> str:
    return "-" if math.isnan(value) else f"{value:{sign}.2f}"


def verdict(measures: Mapping[str, Measure], distinct: int, unit: str) -> Verdict:
    """Judge the two measures that matter to a language model.

    Args:
        measures: see `comparison.compare`.
        distinct: number of different prompts.
        unit: what a token is.
    """
    if distinct < MIN_DISTINCT:
        prompts = counted(distinct, "different prompt is", "different prompts are")
        return Verdict(f"{prompts} too few for a verdict: at least {MIN_DISTINCT} are needed.", False)
    unknown, surprisal = measures[UNKNOWN], measures[SURPRISAL]
    parts = [text for text in (_unknown(unknown, unit), _surprisal(surprisal, unit)) if text]
    if not parts:
        return Verdict("The prompts are like the validation text: neither difference is more than chance.", False)
    is_drift = (unknown.difference.low > 0 and unknown.difference.value >= LARGE_UNKNOWN) or (
        surprisal.difference.low > 0 and surprisal.difference.value >= LARGE_BITS
    )
    end = "Train on such text." if is_drift else _harmless([unknown.difference, surprisal.difference])
    return Verdict(f"Compared with the validation text, prompts have {' and '.join(parts)}, which is more than chance. {end}", is_drift)


def _unknown(measure: Measure, unit: str) -> str:
    if not measure.is_beyond_chance:
        return ""
    more = "more" if measure.difference.value > 0 else "fewer"
    return f"{more} unknown {unit_name(unit)} ({measure.prompts.value:.1%}, not {measure.validation.value:.1%})"


def _surprisal(measure: Measure, unit: str) -> str:
    if not measure.is_beyond_chance:
        return ""
    bits = measure.difference.value
    per_unit = f"bits per {unit_name(unit, 1)}"
    amount = f"{bits:.2f} more {per_unit}" if bits > 0 else f"{-bits:.2f} {per_unit} less"
    return f"{amount} (perplexity times {2**bits:.2f})"


def _harmless(differences: Sequence[Estimate]) -> str:
    if all(each.high < 0 or each.low <= 0 for each in differences):
        return "They are no harder for the model."
    return "The difference is small."
