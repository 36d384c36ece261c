"""Kill the pipeline and disturb its MLflow server at random moments, and compare what is made with an undisturbed run.

    python tests/fault_trials.py --kills 50 --outages 20 --seed 1

runs real pipelines on a small text. Each trial depends only on the seed and on its name: `--only kill-3` repeats one.
"""

import argparse
import itertools
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import kill_trials
import outage_trials
from conftest import PROJECT, run
from kill_trials import Outcome

KILLS_PER_TRIAL = 5


@dataclass(frozen=True)
class Trial:
    """One line of the final table.

    Attributes:
        name: of the trial.
        what: its faults.
        outcome: what was seen.
        seconds: how long it took.
    """

    name: str
    what: list[str]
    outcome: Outcome
    seconds: float


def make_base(folder: Path, epochs: int) -> Path:
    """Create a project with the empty tables of an MLflow store, which take seconds to create."""
    folder.mkdir()
    kill_trials.make_project(folder, epochs)
    code = "from lstm_lm.config import loading; from lstm_lm.tracking import store; store.connect(loading.load().tracking)"
    run(["python", "-c", code], folder, PYTHONPATH="src")
    return folder


def kill_names(count: int) -> list[tuple[str, int]]:
    """Return (name of a trial, its kills) of all trials with kills."""
    trials = -(-count // KILLS_PER_TRIAL)
    return [(f"kill-{number + 1}", count // trials + (number < count % trials)) for number in range(trials)]


def timed(name: str, what: list[str], run_trial: Callable[[], Outcome]) -> Trial:
    """Run a trial and print what was seen."""
    start = time.monotonic()
    try:
        outcome = run_trial()
    except Exception as error:  # the other trials are not in vain
        outcome = Outcome(0, [], [f"{type(error).__name__}: {error}"])
    seconds = time.monotonic() - start
    print(f"{name}: {'; '.join(what)}: {'; '.join(outcome.problems) or 'as undisturbed'} ({seconds:.0f} s)", flush=True)
    return Trial(name, what, outcome, seconds)


def show(trials: list[Trial], seconds: float) -> None:
    """Print the table of all trials."""
    print(f"\n{'trial':<10}  {'seconds':>7}  {'result':<14}  faults")
    for trial in trials:
        result = "FAILED" if trial.outcome.problems else "as undisturbed"
        heads = [f"{trial.name:<10}  {trial.seconds:7.0f}  {result:<14}", *[" " * 35] * len(trial.what)]
        for head, what in zip(heads, trial.what, strict=False):
            print(f"{head}  {what}")
    failed = [trial for trial in trials if trial.outcome.problems]
    for trial in failed:
        print(f"{trial.name} FAILED: {'; '.join(trial.outcome.problems)}")
    faults, planned = sum(trial.outcome.faults for trial in trials), sum(len(trial.what) for trial in trials)
    print(f"{len(trials)} trials with {faults} of {planned} faults in time: {len(failed)} failed, {seconds / 60:.0f} min")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=50, help="number of kills (default: %(default)s)")
    parser.add_argument("--outages", type=int, default=20, help="number of outages of the MLflow server (default: %(default)s)")
    parser.add_argument("--epochs", type=int, default=20, help="epochs of about 120 steps each (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the random moments (default: %(default)s)")
    parser.add_argument("--only", metavar="NAME", help="run only this trial, such as kill-3")
    parser.add_argument("--keep", metavar="FOLDER", help="work in this new folder and keep it")
    args = parser.parse_args()
    sys.path.append(str(PROJECT / "src"))
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(args.keep or temporary).resolve()
        folder.mkdir(exist_ok=True)
        trials = list(run_trials(args, folder))
    show(trials, time.monotonic() - start)
    sys.exit(any(trial.outcome.problems for trial in trials))


def run_trials(args: argparse.Namespace, folder: Path) -> Iterator[Trial]:
    """Run all trials in a folder."""
    base, reference = make_base(folder / "base", args.epochs), folder / "reference"
    run(["cp", "-r", str(base), str(reference)], folder)
    seconds = kill_trials.stage_seconds(reference, folder / "reference.log")
    print(f"seed {args.seed}; undisturbed: {', '.join(f'{stage} {value:.0f} s' for stage, value in seconds.items())}", flush=True)
    for name, kills in kill_names(args.kills):
        if args.only in (None, name):
            moments = kill_trials.draw_moments(random.Random(f"{args.seed} {name}"), kills)
            trial = partial(kill_trials.run_trial, base, reference, folder / name, moments, seconds)
            yield timed(name, [str(moment) for moment in moments], trial)
    kinds = [
        (f"outage-{number + 1}", kind) for number, kind in zip(range(args.outages), itertools.cycle(outage_trials.KINDS), strict=False)
    ]
    kinds = [(name, kind) for name, kind in kinds if args.only in (None, name)]
    if not kinds:
        return
    run(["python", "-m", "dvc", "repro", "batching"], base)
    (folder / "server").mkdir()
    with outage_trials.running_server(folder / "server") as disturbance:
        for name, kind in kinds:
            outage = outage_trials.draw_outage(random.Random(f"{args.seed} {name}"), kind)
            trial = partial(outage_trials.run_trial, base, reference, folder / name, [outage], disturbance, seconds)
            yield timed(name, [str(outage)], trial)


if __name__ == "__main__":
    main()
