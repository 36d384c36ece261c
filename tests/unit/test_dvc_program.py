import sys
from pathlib import Path

import pytest

from conftest import COMMIT, run
from lstm_lm.experiments import dvc_program

DVC_YAML = """\
stages:
  copy:
    cmd: cp source result
    deps: [source]
    outs: [result]
"""
ADVICE = ("To track the changes", "git add", "autostage", "dvc push", "dvc exp apply", "Ran experiment")


@pytest.fixture
def pipeline(tmp_path: Path) -> Path:
    """A repository with a pipeline of one stage, committed before it has run."""
    run(["git", "init", "--quiet"], tmp_path)
    run([sys.executable, "-m", "dvc", "init", "--quiet"], tmp_path)
    (tmp_path / "dvc.yaml").write_text(DVC_YAML)
    (tmp_path / "source").write_text("text")
    (tmp_path / ".gitignore").write_text("/result\n")
    run(["git", "add", "--all"], tmp_path)
    run([*COMMIT, "first"], tmp_path)
    return tmp_path


def dvc(folder: Path, *arguments: str) -> str:
    """Run the program where Git knows no user, in the home folder either, which libgit2 reads for DVC."""
    return run([sys.executable, dvc_program.__file__, *arguments], folder, HOME=str(folder.parent)).stdout


def test_dvc_reports_what_it_does_and_gives_no_advice(pipeline: Path) -> None:
    printed = [dvc(pipeline, "repro"), dvc(pipeline, "repro")]
    assert "Running stage 'copy'" in printed[0]
    assert printed[1].splitlines()[-1] == "Data and pipelines are up to date."
    (pipeline / "source").write_text("another text")  # DVC commits it
    printed.append(dvc(pipeline, "exp", "run", "--temp", "--name", "other"))
    assert "Running stage 'copy'" in printed[2]
    assert run(["git", "for-each-ref", "refs/exps"], pipeline).stdout.split()[-1].endswith("/other")
    assert [advice for advice in ADVICE if advice in "".join(printed)] == []


def test_a_failed_stage_is_reported_as_dvc_does(pipeline: Path) -> None:
    (pipeline / "source").unlink()
    done = run([sys.executable, dvc_program.__file__, "repro"], pipeline, check=False)
    assert done.returncode
    assert "ERROR: failed to reproduce 'copy'" in done.stdout
