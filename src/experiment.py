"""Run a preset beside this checkout: `python src/experiment.py cookbook` (or `make experiment PRESET=cookbook`)."""

import argparse
import json
from pathlib import Path

from lstm_lm.config import keys, loading, presets
from lstm_lm.experiments import runner
from lstm_lm.ui import console


def main():
    parser = argparse.ArgumentParser(description="Run the pipeline with the parameters of presets/NAME.yaml, beside this checkout.")
    parser.add_argument("preset", help=f"one of {', '.join(presets.names())}")
    name = parser.parse_args().preset
    changes = presets.load(name)
    loading.check(keys.with_changes(loading.read("params.yaml"), changes), f"params.yaml with presets/{name}.yaml")

    experiment, was_there = runner.run(changes, name)
    rows = {f"{name}, {split}": figures for split, figures in experiment.metrics().items()}
    here = Path("reports/metrics.json")
    if here.exists():
        rows |= {f"this checkout, {split}": figures for split, figures in json.loads(here.read_text(encoding="utf-8")).items()}
    print()
    if was_there:
        print(f"the experiment {experiment.name} is there already, with these parameters, this code and this text")
    print("\n".join(console.held_out_table(rows)))
    print(f"\nMLflow run {experiment.run_id()}")
    print("\nwhat next")
    print("  make ui                                  prints the address of a page with both runs side by side")
    print("  make compare                             the experiments of this commit in a table")
    print(f"  dvc plots diff HEAD {experiment.name:<21}the curves of both")
    print(f"  dvc exp apply {experiment.name:<27}its parameters and its model into this checkout")


if __name__ == "__main__":
    console.run(main)
