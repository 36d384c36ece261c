import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import PROJECT
from lstm_lm.commands import promote
from lstm_lm.errors import UserError
from lstm_lm.io import dvc_cache
from lstm_lm.tracking import guard
from lstm_lm.tracking.guard import Place, StoreError

RUN = '{"run_id": "0123"}'
DIGEST = "5e0b2e6b5f6f9d6c9a1f6b3c2d1e0f00"
LOCK = f"""\
schema: '2.0'
stages:
  train:
    cmd: python src/train.py
    outs:
    - {{path: models/run.json, hash: md5, md5: {DIGEST}, size: {len(RUN)}}}
"""


def git(*arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@localhost"]
    return subprocess.run(["git", *identity, *arguments], check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with an experiment, `slow`, whose outputs DVC's cache does not have."""
    monkeypatch.chdir(tmp_path)
    git("init", "-q")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    (tmp_path / ".gitignore").write_text(".dvc/cache\n.dvc/tmp\n")
    (tmp_path / "dvc.yaml").write_text("stages:\n  train:\n    cmd: python src/train.py\n    outs: [models/run.json]\n")
    (tmp_path / "dvc.lock").write_text(LOCK)
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    git("add", "--all")
    git("commit", "-qm", "first")
    head = git("rev-parse", "HEAD")
    git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/slow", git("commit-tree", f"{head}^{{tree}}", "-p", head, "-m", "slow"))
    return tmp_path


def test_an_experiment_whose_results_are_elsewhere_is_no_fault_of_the_store(project: Path) -> None:
    with pytest.raises(UserError) as raised, guard.guarded(Place("sqlite:///mlflow.db")):
        promote._run_of_experiment("slow")
    assert not isinstance(raised.value, StoreError)
    assert str(raised.value).startswith(
        "promote slow: the results of slow are not in DVC's cache, because they were made on another machine"
    )
    assert str(raised.value).endswith("with dvc exp pull, or name its MLflow run, which make ui shows")


def test_the_run_of_an_experiment_is_in_its_results(project: Path) -> None:
    path = project / dvc_cache.CACHE / DIGEST[:2] / DIGEST[2:]
    path.parent.mkdir(parents=True)
    path.write_text(RUN)
    assert promote._run_of_experiment("slow") == "0123"
    assert promote._run_of_experiment("unknown") is None


def test_without_git_there_are_no_experiments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert promote._run_of_experiment("slow") is None
