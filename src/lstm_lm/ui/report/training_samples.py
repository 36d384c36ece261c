"""How the samples changed during the training."""

from collections.abc import Sequence

from lstm_lm.events import Sample
from lstm_lm.ui.report import repetition
from lstm_lm.ui.report.figure import Figure, thin
from lstm_lm.ui.report.inputs import Inputs

MAX_STEPS = 6  # shown for each prompt
OPEN_PROMPTS = 1  # the others are folded


def figures(inputs: Inputs) -> list[Figure]:
    """Return the figure; none without samples."""
    samples = inputs.training_samples
    if not samples:
        return []
    steps = sorted({sample.step for sample in samples})
    shown = thin(steps, MAX_STEPS)
    part = f" Shown are {len(shown)} of {len(steps)} steps, evenly spaced." if len(shown) < len(steps) else ""
    prompts = by_prompt(samples, shown)
    return [
        Figure(
            id="training-samples",
            title="Samples during the training",
            finding=finding(samples),
            reading=f"The same prompts, continued as the weights were at each step.{part}",
            template="training_samples.html",
            data={"prompts": prompts, "open_prompts": OPEN_PROMPTS},
        )
    ]


def by_prompt(samples: Sequence[Sample], steps: Sequence[int]) -> list[dict[str, object]]:
    """Group samples by prompt, then by temperature, with one text for each step.

    Returns:
        [{"prompt": ..., "temperatures": [{"title": ..., "texts": [(step, text without the prompt), ...]}, ...]}, ...]
    """
    groups: dict[str, dict[float, list[tuple[str, str]]]] = {}
    for sample in samples:
        if sample.step in steps:
            texts = groups.setdefault(sample.prompt, {}).setdefault(sample.temperature, [])
            texts.append((f"{sample.step:,}", sample.text.removeprefix(sample.prompt)))
    return [
        {
            "prompt": prompt,
            "temperatures": [{"title": temperature_title(temperature), "texts": texts} for temperature, texts in sorted(of_prompt.items())],
        }
        for prompt, of_prompt in groups.items()
    ]


def temperature_title(temperature: float) -> str:
    """Name a temperature: 0 is greedy decoding."""
    return f"temperature {temperature:g}" if temperature else "greedy"


def finding(samples: Sequence[Sample]) -> str:
    """Compare how varied the samples are at the first and at the last step."""
    steps = sorted({sample.step for sample in samples})
    first, last = (distinct_words([sample.text for sample in samples if sample.step == step]) for step in (steps[0], steps[-1]))
    if len(steps) == 1:
        return f"At step {steps[0]:,}, {last:.0%} of the words of a sample are distinct, on average."
    return f"On average, {first:.0%} of the words of a sample at step {steps[0]:,} are distinct, and {last:.0%} at step {steps[-1]:,}."


def distinct_words(texts: Sequence[str]) -> float:
    """The number of distinct words of a text divided by its words, mean over texts. Words stand between spaces."""
    rates = [len(set(words)) / len(words) for text in texts if (words := repetition.words(text))]
    return sum(rates) / len(rates) if rates else 0.0
