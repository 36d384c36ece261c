"""Experiments in an isolated copy: DVC runs the pipeline with other parameters in a temporary folder, and the checkout stays as it is."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_lm.config import keys, loading
from lstm_lm.errors import Terminated, UserError
from lstm_lm.io import git
from lstm_lm.paths import OWN_TEXT


@dataclass(frozen=True)
class Experiment:
    """A finished experiment.

    Attributes:
        name: in DVC.
        rev: its commit.
    """

    name: str
    rev: str

    def metrics(self) -> dict[str, Any]:
        """Return the content of its reports/metrics.json."""
        metrics: dict[str, Any] = json.loads(_git("show", f"{self.rev}:./reports/metrics.json"))
        return metrics

    def run_id(self) -> str:
        """Return the MLflow run of its training."""
        return str(json.loads(self.read("models/run.json"))["run_id"])

    def read(self, path: str) -> str:
        """Return the text of one of its outputs."""
        import dvc.api

        return str(dvc.api.read(path, repo=".", rev=self.rev))


def run(changes: Mapping[str, Any], name: str, targets: Sequence[str] = ()) -> tuple[Experiment, bool]:
    """Run the pipeline with some parameters changed.

    Args:
        changes: `{"train.epochs": 10, ...}`, already checked.
        name: of the experiment; a number is added if another experiment has that name.
        targets: stages to run, with the stages they depend on; none: all.
    Returns:
        The experiment, and whether it already existed with the same name, parameters, code and text.
    Raises:
        UserError: this is not a Git repository with a commit, or a stage failed, which has printed its own error.
    """
    before = loading.read("params.yaml")
    after = keys.with_changes(before, changes)
    existing = _find_same(name, after)
    if existing:
        return existing, True
    name = _free_name(name)
    command = ["exp", "run", "--temp", "--name", name, *targets]
    for change in _overrides(changes, before):
        command += ["--set-param", change]
    if "path" in after["download"]["source"]:  # DVC copies what Git knows, and the user's own text may be unknown to it
        untracked = _git("ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory", str(OWN_TEXT))
        for path in filter(None, untracked.split("\0")):
            command += ["--copy-paths", path.rstrip("/")]
    code = run_dvc(command)
    experiment = _find(name)
    if code or experiment is None:
        raise UserError(f"the experiment {name} failed: see above (the checkout is unchanged)")
    return experiment, False


def run_dvc(arguments: Sequence[str]) -> int:
    """Run a dvc command to its end, with this Python as the `python` of the stages.

    Ctrl-C reaches the stage, which stops at a safe point. This process waits for it.

    Returns:
        The exit code.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    dvc = subprocess.Popen([sys.executable, "-m", "dvc", *arguments], env={**os.environ, "PATH": path})
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return dvc.wait()
    except Terminated:
        dvc.terminate()  # the stage notices, and stops at a safe point
        dvc.wait()
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def _overrides(changes: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    """Write changes in the grammar of `dvc exp run --set-param`, which is Hydra's."""
    for name, value in changes.items():
        section, key = keys.split(name)
        old = before.get(section, {}).get(key)
        add = ""
        if isinstance(value, dict) and isinstance(old, dict):  # Hydra merges mappings: the old keys are removed first
            yield from (f"~{name}.{removed}" for removed in old if removed not in value)
            add = "++"
        yield f"{add}{name}={_hydra(value)}"


def _hydra(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_hydra(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_hydra, value)) + "]"
    if isinstance(value, str):
        # A backslash escapes only before a quote, and ${ would refer to another key.
        quoted = re.sub(r"(\\*)('|$)", lambda match: match[1] * 2 + ("\\'" if match[2] else ""), value)
        return "'" + quoted.replace("${", "\\${") + "'"
    return json.dumps(value)


def _find_same(name: str, values: Mapping[str, Any]) -> Experiment | None:
    """Find the experiment NAME, NAME-2, ... of this commit that had these parameters, and the present code and text."""
    inputs = ["src", "dvc.yaml", *([str(OWN_TEXT)] if "path" in values["download"]["source"] else [])]
    for candidate in _experiments(name):
        if loading.parse(_git("show", f"{candidate.rev}:./params.yaml"), "params.yaml") == values:
            untracked = _git("ls-files", "--others", "--exclude-standard", *inputs)
            if not untracked and not _git("diff", "--name-only", candidate.rev, "--", *inputs):
                return candidate
    return None


def _experiments(name: str) -> Iterator[Experiment]:
    """Yield the experiments NAME, NAME-2, NAME-3, ... of this commit."""
    number, experiment = 1, _find(name)
    while experiment:
        yield experiment
        number += 1
        experiment = _find(f"{name}-{number}")


def _free_name(name: str) -> str:
    count = sum(1 for _ in _experiments(name))
    return f"{name}-{count + 1}" if count else name


def _find(name: str) -> Experiment | None:
    """Find an experiment of this commit by its name."""
    head = _git("rev-parse", "HEAD").strip()
    rev = _git("for-each-ref", "--format=%(objectname)", f"refs/exps/{head[:2]}/{head[2:]}/{name}").strip()
    return Experiment(name, rev) if rev else None


def _git(*arguments: str) -> str:
    return git.run_checked(*arguments, requirement="experiments need a Git repository with a commit")
