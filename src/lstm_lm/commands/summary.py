"""Command `summary`: the results of the pipeline and the next steps, printed at the end of `make repro`."""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from lstm_lm.errors import UserError

MAX_SAMPLES = 3
MAX_SAMPLE_LINES = 2  # on a terminal, where the whole summary fits into 80 x 40
RUN_FILES = tuple(map(Path, ("params.yaml", "dvc.yaml", "dvc.lock", "data/own", "src", "reports")))  # what Git keeps of a run
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
    from lstm_lm.ui import own_text_notes, results, run_address, terminal

    metrics = json.loads(_read(results.METRICS_FILE))
    run_id = json.loads(_read("models/run.json"))["run_id"]
    samples = _read("reports/samples.md")
    params = loading.load()
    settings, name, unit = params.evaluate_sample, params.tracking.registered_model, trained_unit()
    terminal.print()
    results.show_held_out(metrics, unit, compare_in=["test"])
    if line := results.generalization_line(metrics, unit):
        terminal.print(line)
    if line := results.kneser_ney_line(metrics):
        terminal.print(line)
    if "samples" in metrics:
        terminal.print()
        results.show_generated_text(metrics, unit)
    terminal.heading("samples")
    for text in first_samples(samples, settings.temperatures, settings.generation_options(0.0).samples, len(settings.prime_texts)):
        terminal.paragraph(text, "  ", MAX_SAMPLE_LINES)
    if line := own_text_notes.unknown_prompt_words_line(settings.prime_texts, Path("models/saved_model")):
        terminal.note(line)
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
            ("make models", f"list the versions: models:/{name}@champion is the one to use"),
            ("make cookbook", "train another recipe, and compare it with this one"),
        ]
    )
    if hint := commit_hint():
        terminal.commands([hint])


def commit_hint() -> tuple[str, str] | None:
    """Return the command that commits this run and what it is good for, or None if all is committed, or there is no Git repository."""
    from lstm_lm.io import git

    files = [Path(name) for name in git.uncommitted(*map(str, RUN_FILES))]
    changed = [f"{path}{'/' if path.is_dir() else ''}" for path in RUN_FILES if any(file.is_relative_to(path) for file in files)]
    if not changed:
        return None
    return 'git add -A && git commit -m "my run"', f"for experiments: {', '.join(changed)}"


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
