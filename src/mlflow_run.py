"""What `mlflow run .` runs: the pipeline, into the one run that MLflow has made for it.

`-P stage=...` chooses the last stage to run; any other `-P section.key=value` changes a parameter for this run, which then goes
on beside the checkout as a DVC experiment.
"""

import argparse
import json
import os
from pathlib import Path

from lstm_lm.config import keys, loading
from lstm_lm.errors import UserError
from lstm_lm.experiments import runner
from lstm_lm.tracking import mirroring, store
from lstm_lm.tracking.run import Run
from lstm_lm.ui import console

TRAINING = ("train", "evaluate-sample")  # the stages after which there is a trained model


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--stage", default="evaluate-sample", help="the last stage to run (default: %(default)s)")
    chosen, rest = parser.parse_known_args()
    if len(rest) % 2 or not all(name.startswith("--") for name in rest[::2]):
        raise UserError(f"cannot read {' '.join(rest)}: give parameters as -P section.key=value")
    changes = {name.removeprefix("--"): keys.parse_value(value) for name, value in zip(rest[::2], rest[1::2], strict=True)}
    stages = list(loading.read("dvc.yaml")["stages"])
    if chosen.stage not in stages:
        raise UserError(f"-P stage={chosen.stage}: there is no such stage; there are: {', '.join(stages)}")
    settings = loading.check(keys.with_changes(loading.read("params.yaml"), changes), "params.yaml with -P" if changes else "params.yaml")
    client = store.connect(settings.tracking)
    run_id = os.environ.get("MLFLOW_RUN_ID")
    if not run_id:
        raise UserError("this is what `mlflow run .` runs; without MLflow, run: dvc repro")

    if changes:
        name = f"mlflow-{run_id[:8]}"
        experiment, _ = runner.run(changes, name, [chosen.stage])
        trained_by = experiment.run_id() if chosen.stage in TRAINING else None
        figures = experiment.metrics() if trained_by else {}
    else:
        if runner.run_dvc(["repro", chosen.stage]):
            raise UserError("the pipeline failed: see above")
        trained_by = read("models/run.json")["run_id"] if chosen.stage in TRAINING else None
        figures = read("reports/metrics.json")

    run = Run(client, run_id)
    if trained_by is None:
        run.adopt(settings)
        run.log_params(keys.flatten(settings))
        print(f"ran up to {chosen.stage}: nothing was trained")
    elif trained_by != run_id:
        known = mirroring.mirror(run, trained_by, settings, figures)
        shown = "and shows its figures" if known else "which this store does not know, and shows the figures of reports/metrics.json"
        print(f"this run mirrors run {trained_by}, in which the training was done, {shown}")


def read(path):
    return json.loads(Path(path).read_text(encoding="utf-8")) if Path(path).exists() else {}


if __name__ == "__main__":
    console.run(main)
