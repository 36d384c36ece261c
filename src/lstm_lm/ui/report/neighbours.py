"""Tokens and their nearest neighbors among the model's embeddings."""

from collections.abc import Mapping, Sequence
from typing import Any

from lstm_lm.ui.report import numbers
from lstm_lm.ui.report.figure import Figure
from lstm_lm.ui.report.inputs import Inputs
from lstm_lm.ui.report.tokens import visible


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figure; none without neighbors."""
    chosen = [each for each in inputs.details.get("neighbours") or [] if each.get("neighbours")]
    if not chosen:
        return []
    units = numbers.units(inputs.unit)
    return [
        Figure(
            id="neighbours",
            title="Nearest neighbors",
            finding=finding(chosen),
            reading=(
                f"The {units} whose embeddings point in the most similar direction, with the cosine similarity. "
                f"No {numbers.units(inputs.unit, 1)} is picked by hand: they are spread over the ranks by frequency."
            ),
            template="neighbours.html",
            data={"words": rows(chosen)},
        )
    ]


def rows(chosen: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return each token with its neighbors, nearest first: text, similarity as text."""
    return [
        {
            "word": visible(each["word"]),
            "neighbours": [
                (visible(neighbour["word"]), f"{neighbour['similarity']:.2f}")
                for neighbour in sorted(each["neighbours"], key=lambda neighbour: -float(neighbour["similarity"]))
            ],
        }
        for each in chosen
    ]


def finding(chosen: Sequence[Mapping[str, Any]]) -> str:
    """Name the closest pair, and the mean similarity of the nearest neighbors."""
    pairs = [(neighbour["similarity"], each["word"], neighbour["word"]) for each in chosen for neighbour in each["neighbours"]]
    similarity, word, other = max(pairs)
    nearest = [max(float(neighbour["similarity"]) for neighbour in each["neighbours"]) for each in chosen]
    mean = sum(nearest) / len(nearest)
    closest = f"“{visible(word)}” and “{visible(other)}” ({similarity:.2f})"
    return f"The closest pair is {closest}; the mean similarity of the nearest neighbor is {mean:.2f}."
