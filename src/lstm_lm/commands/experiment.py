"""Command `experiment`: run a preset in an isolated copy of the checkout."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer


def experiment(preset: Annotated[str, typer.Argument(help="name of a file in presets/, without .yaml")]) -> None:
    """Run the pipeline with the parameters of a preset, in an isolated copy: this checkout stays as it is."""
    from lstm_lm.config import keys, loading, presets

    changes = presets.load(preset)
    loading.check(keys.with_changes(loading.read("params.yaml"), changes), f"params.yaml with presets/{preset}.yaml")
    run_and_show(changes, preset)


def run_and_show(changes: Mapping[str, Any], name: str) -> None:
    """Run an experiment, and print its held-out metrics, beside those of the checkout if both are of the same text.

    Args:
        changes: of params.yaml, `{"train.epochs": 10, ...}`, already checked.
        name: of the experiment.
    Raises:
        UserError: it failed.
    """
    from lstm_lm.commands.trained_unit import trained_unit
    from lstm_lm.config import loading
    from lstm_lm.experiments import runner
    from lstm_lm.io.addresses import mask_values
    from lstm_lm.tracking import address
    from lstm_lm.ui import results, run_address, terminal
    from lstm_lm.wording import make_command

    finished, existed = runner.run(changes, name)

    rows = {f"{name}, {split}": metrics for split, metrics in finished.metrics().items()}
    settings = loading.check(finished.params())
    units = dict.fromkeys(rows, str(settings.vocab.unit))
    own, note = _own_results(mask_values(settings.download.source.model_dump()))
    if own:
        rows, units = {**rows, **own}, {**units, **dict.fromkeys(own, trained_unit())}
    terminal.print()
    if existed:
        terminal.print(f"the experiment {finished.name} with these parameters, this code and this text already exists")
    results.show_models(rows, units)
    if note:
        terminal.print(note)
    for line in run_address.run_lines(address.uri(loading.load().tracking), finished.run_id()):
        terminal.verbatim(line)
    terminal.heading("next steps")
    terminal.commands(
        [
            ("make ui", "shows both runs on a leaderboard, and compares them"),
            ("make compare", "shows the experiments based on the last commit in a table"),
            (make_command("plots", EXPERIMENTS=finished.name), "draws the curves of both on a page"),
            (make_command("promote", RUN=finished.name), "makes its model the champion, the one to use"),
            (f"dvc exp apply {finished.name}", "copies its parameters and its model into this checkout"),
        ]
    )


def _own_results(source: object) -> tuple[dict[str, Any], str | None]:
    """Return the held-out metrics of this checkout's model, to show beside others.

    Args:
        source: where the text of the others is from, without secrets.
    Returns:
        `{"this checkout, test": {"perplexity": ...}, ...}`, empty without a model or if its text is another one; then a sentence that
        says the latter, else None.
    """
    from lstm_lm.ui import results

    file = Path(results.METRICS_FILE)
    if not file.exists():
        return {}, None
    if source != _text_source():
        return {}, "The model of this checkout is of another text: its results do not compare with these."
    return {f"this checkout, {split}": metrics for split, metrics in json.loads(file.read_text(encoding="utf-8")).items()}, None


def _text_source() -> object:
    """Return where the text of this checkout is from, without secrets: of what stage download has fetched, else of params.yaml."""
    from lstm_lm import paths
    from lstm_lm.config import loading
    from lstm_lm.io.addresses import mask_values
    from lstm_lm.text.sources import documents

    if paths.SOURCE.exists():
        return documents.load_source(paths.SOURCE).source
    return mask_values(loading.load().download.source.model_dump())
