"""The command line: every command, and how mistakes in a command are reported."""

import sys
from collections.abc import Sequence

import typer

from lstm_lm.commands import (
    ablation,
    check,
    clean_scratch,
    compare,
    docs,
    drift,
    ensemble,
    experiment,
    export_serving,
    mlflow_run,
    next_words,
    plots,
    promote,
    report,
    resend,
    sample,
    score,
    search,
    serve,
    server_options,
    summary,
    tensorboard,
    ui,
    usage_errors,
    use_preset,
)
from lstm_lm.tracking.guard import guarded_command
from lstm_lm.ui import program

PROGRAM = "python src/cli.py"
USAGE_ERROR = 2  # exit code

# An exception that is no user error is a bug: Python's own trace says more than a decorated one.
app = typer.Typer(
    help="Use, compare, experiment with and serve the language model of this checkout. To train it, run `make repro` or `dvc repro`.",
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.command("sample", rich_help_panel="Use the model")(sample.with_generation_options(sample.sample))
app.command("score", rich_help_panel="Use the model")(score.score)
app.command("next", rich_help_panel="Use the model")(next_words.next_words)
app.command("serve", rich_help_panel="Use the model")(server_options.with_server_options(serve.serve))
app.command("drift", rich_help_panel="Use the model")(drift.drift)
app.command("export-serving", rich_help_panel="Use the model")(export_serving.export_serving)
app.command("models", rich_help_panel="Choose the model to serve")(promote.models)
app.command("promote", rich_help_panel="Choose the model to serve")(promote.promote)
app.command("rollback", rich_help_panel="Choose the model to serve")(promote.rollback)
app.command("ui", rich_help_panel="Compare")(ui.ui)
app.command("tensorboard", rich_help_panel="Compare")(tensorboard.tensorboard)
app.command("report", rich_help_panel="Compare")(report.report)
app.command("compare", rich_help_panel="Compare")(compare.compare)
app.command("plots", rich_help_panel="Compare")(plots.plots)
app.command("resend", rich_help_panel="Compare")(resend.resend)
app.command("experiment", rich_help_panel="Experiment")(experiment.experiment)
app.command("ensemble", rich_help_panel="Experiment")(ensemble.ensemble)
app.command("search", rich_help_panel="Experiment")(search.search)
app.command("ablation", rich_help_panel="Experiment")(ablation.ablation)
app.command("presets", rich_help_panel="Experiment")(ablation.presets)
app.command("use-preset", rich_help_panel="Experiment")(use_preset.use_preset)
app.command("clean-scratch", rich_help_panel="Experiment")(clean_scratch.clean_scratch)
app.command("docs", rich_help_panel="Develop")(docs.docs)
app.command("check", rich_help_panel="Called by make and MLflow")(check.check)
app.command("summary", rich_help_panel="Called by make and MLflow")(summary.summary)
app.command(
    "mlflow-run",
    rich_help_panel="Called by make and MLflow",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)(mlflow_run.mlflow_run)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that `arguments` name; a mistake in them is one line on stderr and exit code 2.

    Args:
        arguments: of the command line, without the program; None: those of this process.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    command = typer.main.get_command(app)
    try:
        with command.make_context(PROGRAM, given) as context, guarded_command():
            command.invoke(context)
    except typer.Exit as ended:
        sys.exit(ended.exit_code)
    except typer.TyperException as error:
        failed_in = getattr(error, "ctx", None)
        path = failed_in.command_path if failed_in else PROGRAM
        program.leave(f"error: {usage_errors.explain(error)} (help: {path} --help)", USAGE_ERROR)
