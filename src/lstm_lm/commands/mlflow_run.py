"""Command `mlflow-run`: what `mlflow run .` calls."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from lstm_lm.errors import UserError

TRAINED_BY = ("train", "evaluate-sample")  # the stages after which there is a trained model


def mlflow_run(
    context: typer.Context,
    stage: Annotated[str, typer.Option(help="last stage to run")] = "evaluate-sample",
) -> None:
    """Run the pipeline in the MLflow run that `mlflow run .` has created.

    `-P stage=...` sets the last stage. Any other `-P section.key=value` changes a parameter for this run, which then runs as a DVC
    experiment in an isolated copy of the checkout.
    """
    from lstm_lm.config import keys, loading
    from lstm_lm.tracking import mirroring, store
    from lstm_lm.tracking.evaluation import flatten_metrics
    from lstm_lm.tracking.queued_run import QueuedRun
    from lstm_lm.tracking.run import masked_params, mlflow_run_id
    from lstm_lm.ui import terminal

    changes = parameter_changes(context.args)
    stages = list(loading.read("dvc.yaml")["stages"])
    if stage not in stages:
        raise UserError(f"-P stage={stage}: unknown stage; the stages are {', '.join(stages)}")
    settings = loading.check(keys.with_changes(loading.read("params.yaml"), changes), "params.yaml with -P" if changes else "params.yaml")
    client = store.connect(settings.tracking)
    run_id = mlflow_run_id(client, settings.tracking)
    if not run_id:
        raise UserError("only `mlflow run .` calls this command; without MLflow, run: make repro")

    trained_in, metrics = run_pipeline(stage, changes, run_id)
    if trained_in == run_id:
        return
    run = QueuedRun(settings.tracking, run_id, client)
    run.record(mirroring.adoption(settings))
    if trained_in is None:
        run.log_params(keys.flatten(settings))
        run.send()
        terminal.print(f"ran up to {stage}: nothing was trained")
        return
    mirrored = {"source_id": trained_in, "params": masked_params(keys.flatten(settings)), "metrics": flatten_metrics(metrics)}
    run.record({"kind": "mirror", **mirrored})
    run.send()
    shown = {
        True: ", and shows its metrics",
        False: ", which is not in this tracking store, and shows the metrics in reports/metrics.json",
        None: "",
    }[run.result("mirror")]
    terminal.print(f"this run mirrors run {trained_in}, in which the model was trained{shown}")


def parameter_changes(arguments: list[str]) -> dict[str, Any]:
    """Return {"section.key": value} of `--section.key value ...`, as MLflow adds them to its command.

    Raises:
        UserError: the arguments are no such pairs.
    """
    from lstm_lm.config import keys

    if len(arguments) % 2 or not all(name.startswith("--") for name in arguments[::2]):
        raise UserError(f"cannot read {' '.join(arguments)}: give parameters as -P section.key=value")
    return {name.removeprefix("--"): keys.parse_value(value) for name, value in zip(arguments[::2], arguments[1::2], strict=True)}


def run_pipeline(stage: str, changes: dict[str, Any], run_id: str) -> tuple[str | None, dict[str, Any]]:
    """Run the pipeline up to a stage: in place, or with changed parameters as an experiment.

    Returns:
        (id of the MLflow run in which the model was trained, None if the stage comes before training; metrics of the held-out splits)
    """
    from lstm_lm.experiments import runner

    has_model = stage in TRAINED_BY
    if changes:
        experiment, _ = runner.run(changes, f"mlflow-{run_id[:8]}", [stage])
        return (experiment.run_id(), experiment.metrics()) if has_model else (None, {})
    if runner.run_dvc(["repro", stage]):
        raise UserError("the pipeline failed: see above")
    return _read_json("models/run.json")["run_id"] if has_model else None, _read_json("reports/metrics.json")


def _read_json(path: str) -> dict[str, Any]:
    file = Path(path)
    values: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    return values
