"""Command `summary`: the results of the pipeline and the next steps, printed at the end of `make repro`."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from lstm_lm.errors import UserError

MAX_SAMPLES = 3


def summary() -> None:
    """Show the results of the last run of the pipeline, some samples, and the next steps."""
    from lstm_lm.config import loading
    from lstm_lm.ui import results, terminal

    metrics = json.loads(_read(results.METRICS_FILE))
    run_id = json.loads(_read("models/run.json"))["run_id"]
    samples = _read("reports/samples.md")
    params = loading.load()
    settings, name = params.evaluate_sample, params.tracking.registered_model
    terminal.print()
    results.show_held_out(metrics, compare_in=["test"])
    if line := results.generalization_line(metrics):
        terminal.print(line)
    if "samples" in metrics:
        terminal.print()
        results.show_generated_text(metrics)
    terminal.heading("samples (all of them: reports/samples.md)")
    for text in first_samples(samples, settings.temperatures, settings.generation_options(0.0).samples, len(settings.prime_texts)):
        terminal.print(f"  {text}")
    terminal.print()
    terminal.verbatim(f"MLflow run {run_id}")
    terminal.heading("next steps")
    terminal.commands(
        [
            ("make ui", "look at curves, samples and the model in MLflow"),
            ("make serve", "serve the model over HTTP"),
            ("make models", f"list the registered versions: the best one is models:/{name}@champion"),
            (f'make sample PROMPT="{settings.prime_texts[0]}"', "generate text"),
        ]
    )


def first_samples(page: str, temperatures: Sequence[float], samples: int, prompts: int) -> list[str]:
    """Return one text for each of the first prompts, at the middle temperature: greedy text repeats itself.

    Args:
        page: text of reports/samples.md.
        temperatures: of its sections, in order.
        samples: texts for each prompt at each temperature above 0.
        prompts: number of prompts.
    """
    texts = re.findall(r"^- \*\*(.*)\*\*(.*)$", page.replace("  \n  ", " / "), re.MULTILINE)
    counts = [1 if temperature == 0 else samples for temperature in temperatures]  # texts for each prompt
    middle = len(counts) // 2
    first = prompts * sum(counts[:middle])
    return [f"{prompt}{rest}" for prompt, rest in texts[first :: counts[middle]][: min(MAX_SAMPLES, prompts)]]


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise UserError(f"{path} is missing: run the pipeline first, with: make repro") from None
