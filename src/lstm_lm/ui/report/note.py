"""The note of an MLflow run: its result at a glance. MLflow shows two lines of it and the top of a table before "Show more".

Links begin with `run:`, which whoever sends the note to the store replaces by the address of the run's pages.
"""

import re
from collections.abc import Sequence

from lstm_lm.ui import markdown
from lstm_lm.ui.report import card_results, numbers
from lstm_lm.ui.report.card import file_list
from lstm_lm.ui.report.inputs import GeneratedText, Inputs
from lstm_lm.ui.report.reproduction import missing_from_commit
from lstm_lm.ui.results import OTHER_MODELS

MAX_SAMPLES = 3
MAX_SAMPLE_CHARACTERS = 300
SPECIAL = re.compile(r"([\\`*_{}\[\]()#+.!|~>-])")


def of_result(inputs: Inputs, artifacts: Sequence[str]) -> str:
    """Return the note of a run that was evaluated.

    Args:
        inputs: files of models/ and reports/.
        artifacts: files that the run has, to link.
    """
    texts = [f"{card_results.result_line(inputs)}.", _table(inputs), *_held_out(inputs)]
    if samples := _middle(inputs.samples):
        texts += [f"Samples, {samples[0].section.lower()}:", "\n".join(f"- {_sample(sample)}" for sample in samples)]
    texts.append(f"More: {', '.join(f'[{name}](run:artifacts/{name})' for name in artifacts)}.")
    texts.append(_reproduction(inputs))
    return "\n\n".join(texts)


def of_training(
    state: str, step: int, steps: int | None, perplexity: float | None, best: float | None, experiment: str | None = None
) -> str:
    """Return the note of a run that is not evaluated yet.

    Args:
        state: `running`, `stopped`, `failed: REASON` or `trained`.
        step: the last one that was reported; 0 before the first.
        steps: of the whole training, None if they are not known.
        perplexity: of the latest validation, None before the first.
        best: the lowest validation perplexity, likewise.
        experiment: name of the DVC experiment, None for the checkout's own pipeline.
    """
    where = f"step {step:,}" + (f" of {steps:,}" if steps else "")
    measured = f", validation perplexity {numbers.perplexity(perplexity)}" if perplexity is not None else ", not validated yet"
    if best is not None and perplexity is not None and best < perplexity:
        measured += f" (lowest so far: {numbers.perplexity(best)})"
    curves = "[curves](run:model-metrics)"
    again = f"running the experiment {escaped(experiment)} again" if experiment else "`make repro`"
    kind, _, reason = state.partition(": ")
    return {
        "running": f"Training: {where}{measured}. See the {curves}.",
        "stopped": f"Stopped at {where}{measured}. {again[:1].upper()}{again[1:]} resumes the training. See the {curves}.",
        "failed": f"Failed at {where}{measured}{f': {escaped(reason)}' if reason else ''}. See the {curves}.",
        "trained": f"Trained: {where}{measured}. Not evaluated yet: {again} does that. See the {curves}.",
    }[kind]


def _table(inputs: Inputs) -> str:
    """A table with a column for each held-out split: MLflow has little room beside it."""
    splits = {split: inputs.metrics[split] for split in card_results.HELD_OUT if "perplexity" in inputs.metrics.get(split, {})}
    rows = [
        ["perplexity", *(numbers.perplexity(metrics["perplexity"]) for metrics in splits.values())],
        ["95% interval", *(numbers.interval(metrics.get("perplexity_low"), metrics.get("perplexity_high")) for metrics in splits.values())],
    ]
    for name, title in OTHER_MODELS.items():
        key = f"{name}_perplexity"
        if any(key in metrics for metrics in splits.values()):
            rows.append([f"{title}, perplexity", *(numbers.perplexity(metrics.get(key)) for metrics in splits.values())])
    rows += [
        ["bits per character", *(numbers.decimals(metrics.get("bits_per_character")) for metrics in splits.values())],
        [f"unknown {numbers.units(inputs.unit)}", *(numbers.percent(metrics.get("oov_rate"), 2) for metrics in splits.values())],
        [numbers.units(inputs.unit), *(numbers.count(metrics.get("words")) for metrics in splits.values())],
    ]
    return markdown.table(["", *splits], rows)


def _held_out(inputs: Inputs) -> list[str]:
    splits = inputs.mapping("splits")
    return [
        f"{split.capitalize()} text: {file_list(files)}."
        for split in card_results.HELD_OUT
        if (files := (splits.get(split) or {}).get("files"))
    ]


def _middle(samples: Sequence[GeneratedText]) -> list[GeneratedText]:
    """Return one sample of each of the first prompts, of the middle temperature: greedy text repeats itself."""
    sections = list(dict.fromkeys(sample.section for sample in samples))
    if not sections:
        return []
    first: dict[str, GeneratedText] = {}
    for sample in samples:
        if sample.section == sections[len(sections) // 2]:
            first.setdefault(sample.prompt, sample)
    return list(first.values())[:MAX_SAMPLES]


def _sample(sample: GeneratedText) -> str:
    text = " / ".join(sample.rest.strip("\n").split("\n"))
    cut = text if len(text) <= MAX_SAMPLE_CHARACTERS else f"{text[:MAX_SAMPLE_CHARACTERS]} ..."
    return f"**{escaped(' / '.join(sample.prompt.strip().split(chr(10))))}**{escaped(cut)}"


def escaped(text: str) -> str:
    """Return a text so that Markdown and HTML show it as it is."""
    return SPECIAL.sub(r"\\\1", text.replace("&", "&amp;").replace("<", "&lt;"))


def _reproduction(inputs: Inputs) -> str:
    run = inputs.mapping("run")
    checkout = f"check out commit `{run['commit']}`, " if run.get("commit") else ""
    steps = f"To reproduce: {checkout}put the run's [params.yaml](run:artifacts/params.yaml) in place, and run `make repro`."
    return f"{steps} {missing_from_commit(run)}".rstrip()
