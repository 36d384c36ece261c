"""Experiments in an isolated copy: DVC runs the pipeline with other parameters in a temporary folder, and the checkout stays as it is."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_lm.config import keys, loading, standard_corpora
from lstm_lm.errors import SettingError, Terminated, UserError
from lstm_lm.experiments import dvc_program, isolated_copy
from lstm_lm.io import dvc_records, git
from lstm_lm.ui import terminal

# DVC sets them for the stages of an experiment. Left over from elsewhere, they would make any run look like that experiment.
LEFT_OVER = ("DVC_EXP_BASELINE_REV", "DVC_EXP_NAME", "DVC_ROOT", "DVC_STAGE")
REFERENCE, MISSING = "${", "???"  # in Hydra: a reference to another key, a value to be given


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

    def params(self) -> dict[str, Any]:
        """Return its params.yaml."""
        return loading.parse(_git("show", f"{self.rev}:./params.yaml"), "params.yaml")

    def run_id(self) -> str:
        """Return the MLflow run of its training."""
        return str(json.loads(self.read("models/run.json"))["run_id"])

    def digests(self, roots: Sequence[str]) -> dict[str, str]:
        """Return DVC's digests of what its stages depended on below the roots, by path."""
        stages = loading.parse(_git("show", f"{self.rev}:./dvc.lock"), "dvc.lock")["stages"].values()
        deps = [dep for stage in stages for dep in stage.get("deps", [])]
        return {dep["path"]: dep[dep["hash"]] for dep in deps if any(Path(dep["path"]).is_relative_to(root) for root in roots)}

    def read(self, path: str) -> str:
        """Return the text of one of its outputs.

        Raises:
            UserError: it is not on this machine.
        """
        from dvc.repo import Repo

        try:
            with Repo() as repo, repo.switch(self.rev):  # dvc.api would clone the repository, and look from its root
                return str(repo.dvcfs.read_text(path, encoding="utf-8"))
        except Exception:  # of DVC, which has several for what is missing
            raise UserError(missing_results_problem(self.name)) from None


def missing_results_problem(name: str) -> str:
    """Say that the outputs of an experiment, or of a Git revision, are not on this machine."""
    return (
        f"the results of {name} are not in DVC's cache, because they were made on another machine or not at all: "
        "get them with dvc pull, those of an experiment with dvc exp pull"
    )


def experiments_of_last_commit() -> list[Experiment]:
    """List the finished experiments that are based on the last commit, the newest first.

    Raises:
        UserError: this is no Git repository with a commit.
    """
    head = _git("rev-parse", "HEAD").strip()
    refs = _git("for-each-ref", "--sort=-creatordate", "--format=%(refname:lstrip=4) %(objectname)", f"refs/exps/{head[:2]}/{head[2:]}")
    return [Experiment(*line.rsplit(" ", 1)) for line in refs.splitlines()]


def run(changes: Mapping[str, Any], name: str, targets: Sequence[str] = ()) -> tuple[Experiment, bool]:
    """Run the pipeline with some parameters changed.

    Args:
        changes: `{"train.epochs": 10, ...}`, already checked.
        name: of the experiment; a number is added if another experiment has that name.
        targets: stages to run, with the stages they depend on; none: all.
    Returns:
        The experiment, and whether it already existed with the same name, parameters, code and text.
    Raises:
        UserError: this is not a Git repository with a commit, the text is not in data/own, or a stage failed, which has printed its
            own error.
    """
    isolated_copy.check_place()
    before = loading.read("params.yaml")
    after = keys.with_changes(before, changes)
    if line := standard_corpora.missing_text_line(loading.check(after).download.source):
        raise UserError(line)
    existing = _find_same(name, after)
    if existing:
        return existing, True
    name = _free_name(name)
    command = ["exp", "run", "--temp", "--name", name, *targets]
    for change in _checked_overrides(changes, before, after):
        command += ["--set-param", change]
    with tempfile.TemporaryDirectory() as folder:
        if missing := isolated_copy.find_missing():
            listing = Path(folder) / "paths"
            listing.write_text("\0".join(missing), encoding="utf-8", errors="surrogateescape")
            command += ["--copy-paths-in", str(listing)]
        code = run_dvc(command)
    experiment = _find(name)
    if code or experiment is None:
        raise UserError(f"the experiment {name} failed: see above (the checkout is unchanged)")
    return experiment, False


def run_dvc(arguments: Sequence[str]) -> int:
    """Run a dvc command to its end, with this Python as the `python` of the stages. What a killed dvc has left is repaired first.

    Ctrl-C reaches the stage, which stops at a safe point. This process waits for it.

    Returns:
        The exit code.
    """
    dvc_records.repair(Path.cwd(), terminal.warning)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    env = {name: value for name, value in git.environment().items() if name not in LEFT_OVER} | {"PATH": path}
    dvc = subprocess.Popen([sys.executable, dvc_program.__file__, *arguments], env=env)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return dvc.wait()
    except Terminated:
        dvc.terminate()  # the stage notices, and stops at a safe point
        dvc.wait()
        raise
    finally:
        signal.signal(signal.SIGINT, before)


def _checked_overrides(changes: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Write changes as `_overrides` does, and check that DVC will read them as they are meant.

    Raises:
        SettingError: DVC cannot read a text in params.yaml.
    """
    from dvc.utils.hydra import apply_overrides

    overrides = list(_overrides(changes, before))
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "params.yaml"
        shutil.copyfile("params.yaml", copy)
        try:
            apply_overrides(copy, overrides)
            is_exact = loading.read(copy) == after
        except Exception:  # of DVC, Hydra or OmegaConf
            is_exact = False
    if not is_exact:
        texts = {name: repr(value) for name, value in keys.flatten_sections(after).items()}
        names = [name for name, text in texts.items() if REFERENCE in text or MISSING in text]
        raise SettingError(", ".join(names), f"{REFERENCE} or {MISSING} in it cannot go through DVC's experiments as text: change it")
    return overrides


def _overrides(changes: Mapping[str, Any], before: Mapping[str, Any]) -> Iterator[str]:
    """Write changes in the grammar of `dvc exp run --set-param`, which is Hydra's.

    DVC would resolve each `${...}` in the values that do not change, so these are set too.
    """
    kept = {name: value for name, value in keys.flatten_sections(before).items() if name not in changes and REFERENCE in repr(value)}
    for name, value in (kept | dict(changes)).items():
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
        return "'" + quoted.replace(REFERENCE, "\\" + REFERENCE) + "'"
    return json.dumps(value)


def _find_same(name: str, values: Mapping[str, Any]) -> Experiment | None:
    """Find the experiment NAME, NAME-2, ... of this commit that had these parameters, and the present code and text."""
    roots = isolated_copy.input_roots()
    digests: dict[str, str] = {}
    for candidate in _experiments(name):
        if loading.parse(_git("show", f"{candidate.rev}:./params.yaml"), "params.yaml") != values:
            continue
        changed = _git("diff", "--name-only", "--relative", "-z", "--diff-filter=d", candidate.rev, "--", *roots, "dvc.yaml")
        deleted = _git("diff", "--name-only", "--relative", "-z", "--diff-filter=D", candidate.rev, "--", *roots).split("\0")[:-1]
        if changed or not all(os.path.lexists(name) for name in deleted):  # the others Git does not track, but DVC added them
            continue
        digests = digests or isolated_copy.digest_inputs(roots)  # also of files that Git does not track
        if all(digests.get(path) == digest for path, digest in candidate.digests(roots).items()):
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
    return git.run_checked(*arguments, requirement=isolated_copy.REQUIREMENT)
