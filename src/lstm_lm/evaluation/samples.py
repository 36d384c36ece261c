"""Samples of generated text, and the page that shows them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lstm_lm.generation.options import GenerationOptions, by_name
from lstm_lm.wording import counted_tokens

Sample = dict[str, Any]  # prompt, temperature (None for beam search), beam_width, number (from 1, of several), text

SHOWN_ELSEWHERE = {"max_words", "temperature", "stop_at_sentence_end", "samples", "beam_width"}  # in other lines of the page


@dataclass(frozen=True)
class SampleSettings:
    """Which samples to generate.

    Attributes:
        prompts: that are continued.
        temperatures: 0 is greedy.
        options: for all of them; the temperature is replaced. With a beam_width above 1 the texts of a beam search are added.
    """

    prompts: Sequence[str]
    temperatures: Sequence[float]
    options: GenerationOptions


def generate_samples(generate: Callable[[Sequence[str], GenerationOptions], list[str]], settings: SampleSettings) -> list[Sample]:
    """Generate the samples of each temperature, then those of the beam search, if there is one.

    Args:
        generate: as `export.generator.Generator`.
        settings: which samples.
    """
    options = settings.options
    # A greedy text is deterministic: a second one would be the same.
    runs: list[tuple[float | None, int, int]] = [
        (temperature, options.samples if temperature > 0 else 1, 1) for temperature in settings.temperatures
    ]
    if options.beam_width > 1:
        runs.append((None, 1, options.beam_width))
    samples = []
    for temperature, count, width in runs:
        texts = generate(settings.prompts, replace(options, temperature=temperature or 0.0, samples=count, beam_width=width))
        for i, text in enumerate(texts):
            prompt, number = settings.prompts[i // count], i % count + 1
            samples.append({"prompt": prompt, "temperature": temperature, "beam_width": width, "number": number, "text": text})
    return samples


def samples_page(samples: Sequence[Sample], settings: SampleSettings, unit: str = "word") -> str:
    """Write the Markdown page of samples. unit: `vocab.unit`."""
    options = settings.options
    length = f"{counted_tokens(options.max_words, unit)} each"
    if options.stop_at_sentence_end:
        length = f"At most {length}, stop_at_sentence_end"
    values = ", ".join(f"{name} {getattr(options, name):.10g}" for name in by_name() if name not in SHOWN_ELSEWHERE)
    lines = ["# Samples", "", f"{length}, {values}."]
    titles: dict[float | None, str] = {temperature: f"Temperature {temperature:g}" for temperature in settings.temperatures}
    for temperature, title in (titles | {0: "Greedy", None: f"Beam search, width {options.beam_width}"}).items():
        texts = [sample for sample in samples if sample["temperature"] == temperature]
        lines += ["", f"## {title}", ""] if texts else []
        # A newline of the text is a line break of the page, inside the list.
        lines += [f"- **{sample['prompt']}**{sample['text'].removeprefix(sample['prompt'])}".replace("\n", "  \n  ") for sample in texts]
    return "\n".join(lines) + "\n"
