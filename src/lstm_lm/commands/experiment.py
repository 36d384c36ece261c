"""Command `experiment`: run a preset in an isolated copy of the checkout."""

import json
from pathlib import Path
from typing import Annotated

import typer


def experiment(preset: Annotated[str, typer.Argument(help="name of a file in presets/, without .yaml")]) -> None:
    """Run the pipeline with the parameters of a preset, in an isolated copy: this checkout stays as it is."""
    from lstm_lm.commands.trained_unit import trained_unit
    from lstm_lm.config import keys, loading, presets
    from lstm_lm.experiments import runner
    from lstm_lm.tracking import address
    from lstm_lm.ui import results, run_address, terminal
    from lstm_lm.wording import make_command

    changes = presets.load(preset)
    loading.check(keys.with_changes(loading.read("params.yaml"), changes), f"params.yaml with presets/{preset}.yaml")
    finished, existed = runner.run(changes, preset)

    rows = {f"{preset}, {split}": metrics for split, metrics in finished.metrics().items()}
    units = dict.fromkeys(rows, str(finished.params()["vocab"]["unit"]))
    metrics_file = Path(results.METRICS_FILE)
    if metrics_file.exists():
        own = {f"this checkout, {split}": metrics for split, metrics in json.loads(metrics_file.read_text(encoding="utf-8")).items()}
        rows, units = {**rows, **own}, {**units, **dict.fromkeys(own, trained_unit())}
    terminal.print()
    if existed:
        terminal.print(f"the experiment {finished.name} with these parameters, this code and this text already exists")
    results.show_models(rows, units)
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
