"""Experiments beside the checkout: DVC runs the pipeline with other parameters in a temporary folder, so that the checkout's
parameters and model stay as they are."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from lstm_lm.config import keys, loading
from lstm_lm.errors import UserError
from lstm_lm.io import git
from lstm_lm.paths import OWN_TEXT


@dataclass(frozen=True)
class Experiment:
    """A finished one. name: what `dvc exp` calls it. rev: its commit."""

    name: str
    rev: str

    def metrics(self):
        """What it wrote to reports/metrics.json."""
        return json.loads(_git("show", f"{self.rev}:./reports/metrics.json"))

    def run_id(self):
        """The MLflow run of its training."""
        return json.loads(self.read("models/run.json"))["run_id"]

    def read(self, path):
        """The text of one of its outputs."""
        import dvc.api

        return dvc.api.read(path, repo=".", rev=self.rev)


def run(changes, name, targets=()):
    """Run the pipeline with some parameters changed.

    Args:
        changes: {"train.epochs": 10, ...}, already checked.
        name: what to call the experiment; a number is added if another one has that name.
        targets: stages to run, with what they need; none: all.
    Returns:
        (Experiment, whether it was there already: the same name, parameters, code and text)
    Raises:
        UserError: this is no Git repository with a commit, or a stage failed (and has said why).
    """
    before = loading.read("params.yaml")
    after = keys.with_changes(before, changes)
    same = _same(name, after)
    if same:
        return same, True
    name = _free(name)
    command = ["exp", "run", "--temp", "--name", name, *targets]
    for change in _overrides(changes, before):
        command += ["--set-param", change]
    if "path" in after["download"]["source"]:  # a text that is not in Git would stay behind
        untracked = _git("ls-files", "-z", "--others", "--exclude-standard", "--directory", "--no-empty-directory", str(OWN_TEXT))
        command += [part for path in untracked.split("\0") if path for part in ("--copy-paths", path.rstrip("/"))]
    code = dvc_run(command)
    found = _find(name)
    if code or found is None:
        raise UserError(f"the experiment {name} failed: see above (the checkout is as it was)")
    return found, False


def dvc_run(arguments):
    """Run a command of dvc, in which a stage's `python` is this one, to its end: its exit code.

    Ctrl-C is for the stage: it stops at a safe point, and dvc and this process end after it.
    """
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    dvc = subprocess.Popen([sys.executable, "-m", "dvc", *arguments], env={**os.environ, "PATH": path})
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return dvc.wait()
    finally:
        signal.signal(signal.SIGINT, before)


def _overrides(changes, before):
    """Changes in the grammar of `dvc exp run --set-param`, which is Hydra's."""
    for name, value in changes.items():
        section, _, key = name.partition(".")
        old = before.get(section, {}).get(key)
        add = ""
        if isinstance(value, dict) and isinstance(old, dict):  # it would be merged with what is there
            yield from (f"~{name}.{gone}" for gone in old if gone not in value)
            add = "++"
        yield f"{add}{name}={_hydra(value)}"


def _hydra(value):
    if isinstance(value, dict):
        return "{" + ",".join(f"{key}:{_hydra(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_hydra, value)) + "]"
    if isinstance(value, str):
        # Backslashes count only before a quote; ${ would refer to another key.
        quoted = re.sub(r"(\\*)('|$)", lambda found: found[1] * 2 + ("\\'" if found[2] else ""), value)
        return "'" + quoted.replace("${", "\\${") + "'"
    return json.dumps(value)


def _same(name, values):
    """The experiment of this name (or name-2, ...) on this commit that had these parameters and the code and text that are here now."""
    inputs = ["src", "dvc.yaml", *([str(OWN_TEXT)] if "path" in values["download"]["source"] else [])]
    number, found = 1, _find(name)
    while found:
        if loading.parse(_git("show", f"{found.rev}:./params.yaml"), "params.yaml") == values:
            untracked = _git("ls-files", "--others", "--exclude-standard", *inputs)
            if not untracked and not _git("diff", "--name-only", found.rev, "--", *inputs):
                return found
        number += 1
        found = _find(f"{name}-{number}")
    return None


def _free(name):
    number, free = 1, name
    while _find(free):
        number += 1
        free = f"{name}-{number}"
    return free


def _find(name):
    """The experiment of a name that was made from this commit, or None."""
    head = _git("rev-parse", "HEAD").strip()
    rev = _git("for-each-ref", "--format=%(objectname)", f"refs/exps/{head[:2]}/{head[2:]}/{name}").strip()
    return Experiment(name, rev) if rev else None


def _git(*arguments: str) -> str:
    return git.run_checked(*arguments, requirement="experiments need a Git repository with a commit")
