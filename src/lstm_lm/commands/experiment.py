"""Command `experiment`: run a preset in an isolated copy of the checkout."""

import json
from pathlib import Path
from typing import Annotated

import typer


def experiment(preset: Annotated[str, typer.Argument(help="name of a file in presets/, without .yaml")]) -> None:
    """Run the pipeline with the parameters of a preset, in an isolated copy: this checkout stays as it is."""
    from lstm_lm.config import keys, loading, presets
    from lstm_lm.experiments import runner
    from lstm_lm.ui import results, terminal

    changes = presets.load(preset)
    loading.check(keys.with_changes(loading.read("params.yaml"), changes), f"params.yaml with presets/{preset}.yaml")
    finished, existed = runner.run(changes, preset)

    rows = {f"{preset}, {split}": metrics for split, metrics in finished.metrics().items()}
    metrics_file = Path(results.METRICS_FILE)
    if metrics_file.exists():
        own = json.loads(metrics_file.read_text(encoding="utf-8"))
        rows |= {f"this checkout, {split}": metrics for split, metrics in own.items()}
    terminal.print()
    if existed:
        terminal.print(f"the experiment {finished.name} with these parameters, this code and this text already exists")
    results.show_held_out(rows)
    terminal.print()
    terminal.verbatim(f"MLflow run {finished.run_id()}")
    terminal.heading("next steps")
    terminal.commands(
        [
            ("make ui", "prints the address of a page that compares both runs"),
            ("make compare", "shows the experiments based on the last commit in a table"),
            (f"dvc plots diff HEAD {finished.name}", "plots the curves of both"),
            (f"make promote RUN={finished.name}", "makes its model the champion, instead of that of `make repro`"),
            (f"dvc exp apply {finished.name}", "copies its parameters and its model into this checkout"),
        ]
    )
