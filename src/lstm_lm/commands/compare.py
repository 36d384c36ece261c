"""Command `compare`: the experiments of the last commit in a table."""

from typing import Annotated

import typer


def compare(markdown: Annotated[bool, typer.Option("--markdown", help="print Markdown tables")] = False) -> None:
    """Compare the experiments based on the last commit, the best first. Models that cannot be compared are in separate tables."""
    from lstm_lm.experiments import comparison
    from lstm_lm.ui import markdown as pages
    from lstm_lm.ui import terminal

    models = comparison.read_all()
    tables = comparison.tables(models)
    for i, table in enumerate(tables):
        if i:
            terminal.print()
        if markdown:
            terminal.verbatim(pages.table([column.title for column in table.columns()], table.rows()))
        else:
            terminal.table(table.columns(), table.rows(), where="make compare OPTIONS=--markdown")
    for line in [*comparison.outdated(models), *comparison.notes(tables)]:
        terminal.print(f"\n{line}")
    baseline = comparison.baseline()
    changes = {model.name: changed for model in models if (changed := comparison.changes(model, baseline))}
    if changes:
        terminal.heading("what differs from params.yaml of the last commit")
        terminal.commands(list(changes.items()))
    if all(model.name in (comparison.CHECKOUT, comparison.COMMIT) for model in models):
        terminal.print("\nNo experiments are based on the last commit yet: make experiment PRESET=... makes one.")
    if comparison.has_queue():
        terminal.print("\ndvc queue status lists the experiments that are queued, running or failed.")
