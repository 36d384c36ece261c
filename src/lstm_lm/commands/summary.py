"""Command `summary`: the results of the pipeline and the next steps, printed at the end of `make repro`."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from lstm_lm.errors import UserError

MAX_SAMPLES = 3
MAX_SAMPLE_LINES = 2  # on a terminal, where the whole summary fits into 80 x 40
REPORTS = {
    "reports/report.html": "all figures and samples of this run, for a browser",
    "reports/model_card.md": "the model on one page: data, metrics, limits",
    "reports/samples.md": "all samples",
}


def summary() -> None:
    """Show the results of the last run of the pipeline, some samples, and the next steps."""
    from lstm_lm.commands.trained_unit import trained_unit
    from lstm_lm.config import loading
    from lstm_lm.tracking import address
    from lstm_lm.ui import results, run_address, terminal

    metrics = json.loads(_read(results.METRICS_FILE))
    run_id = json.loads(_read("models/run.json"))["run_id"]
    samples = _read("reports/samples.md")
    params = loading.load()
    settings, name, unit = params.evaluate_sample, params.tracking.registered_model, trained_unit()
    terminal.print()
    results.show_held_out(metrics, unit, compare_in=["test"])
    if line := results.generalization_line(metrics, unit):
        terminal.print(line)
    if "samples" in metrics:
        terminal.print()
        results.show_generated_text(metrics, unit)
    terminal.heading("samples")
    for text in first_samples(samples, settings.temperatures, settings.generation_options(0.0).samples, len(settings.prime_texts)):
        terminal.paragraph(text, "  ", MAX_SAMPLE_LINES)
    terminal.heading("all results")
    terminal.commands([(path, text) for path, text in REPORTS.items() if Path(path).exists()])
    for line in run_address.run_lines(address.uri(params.tracking), run_id):
        terminal.verbatim(line)
    terminal.heading("next steps")
    terminal.commands(
        [
            ("make sample", 'generate text (PROMPT="..." for your own beginning)'),
            ("make serve", "serve the model over HTTP, with a page to try it"),
            ("make ui", "look at curves, samples and models of all runs in MLflow"),
            ("make models", f"list the versions: models:/{name}@champion is the best one"),
            ("make cookbook", "train another recipe, and compare it with this one"),
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
