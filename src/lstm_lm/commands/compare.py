"""Command `compare`: the experiments of the last commit in a table."""

import typer

METRICS = r"(validation|test)[.]perplexity|test[.](adjusted_perplexity|bits_per_character)"
PARAMS = r"(.*:)?(batching[.]recipe|model[.]hidden_size|train[.](epochs|learning_rate))"


def compare() -> None:
    """Show the experiments based on the last commit in a Markdown table."""
    from lstm_lm.experiments import runner

    code = runner.run_dvc(["exp", "show", "--md", "--drop", ".*", "--keep", f"^(Experiment|Created|State|{METRICS}|{PARAMS})$"])
    raise typer.Exit(code)
