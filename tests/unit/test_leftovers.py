import io
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from conftest import PROJECT, environment
from lstm_lm.commands import clean_scratch
from lstm_lm.errors import UserError
from lstm_lm.io import leftovers
from lstm_lm.io.checkpoints import Checkpoints
from lstm_lm.io.scratch import Scratch

HOLD = """
import os, sys
from pathlib import Path
from lstm_lm.io import folders
from lstm_lm.io.scratch import Scratch
root = Path(sys.argv[1])
os.chdir(root / ".dvc/tmp/exps/standalone/tmp1")
with Scratch(root, "a").lock(), folders.replaced(root / "data/raw") as partial:
    print(partial.name, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A project with three trainings, a stage's partial folder and the copy of an experiment."""
    for key, fact in (("a", ""), ("b", "diverged"), ("c", "ended")):
        scratch = Scratch(tmp_path, key)
        scratch.folder.mkdir(parents=True)
        scratch.write("run", {"run_id": f"run-{key}"})
        if fact:
            scratch.write(fact, {"message": ""})
    checkpoints = Checkpoints(tmp_path / ".training/a", 1)
    checkpoints.save({"weights": np.zeros(100_000)}, {"step": 1200})
    checkpoints.close()
    old = time.time() - 3600
    for name in ("data/.vocab-x", ".dvc/tmp/exps/standalone/tmp1"):
        (tmp_path / name).mkdir(parents=True)
        os.utime(tmp_path / name, (old, old))
    (tmp_path / "data/raw").mkdir()
    return tmp_path


def by_folder(root: Path) -> dict[str, leftovers.Leftover]:
    return {str(leftover.folder): leftover for leftover in leftovers.find(root)}


def test_each_folder_is_found_with_its_size_age_step_run_and_reason(root: Path) -> None:
    found = by_folder(root)
    assert set(found) == {".training/a", ".training/b", ".training/c", "data/.vocab-x", ".dvc/tmp/exps/standalone/tmp1"}
    training = found[".training/a"]
    assert (training.step, training.run_id) == (1200, "run-a")
    assert training.reason == "stopped; the same parameters, code and data resume it"
    assert 800_000 <= training.size < 1_000_000
    assert training.age < 60
    assert found["data/.vocab-x"].age >= 3600
    assert found[".training/b"].reason == "diverged"
    assert found[".training/c"].reason == "finished; not evaluated"
    assert not any(leftover.in_use for leftover in found.values())


def test_what_a_process_uses_is_never_removed(root: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, root],
        env=environment(PYTHONPATH=str(PROJECT / "src")),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        partial = f"data/{process.stdout.readline().strip()}"
        found = by_folder(root)
        used = {".training/a", partial, ".dvc/tmp/exps/standalone/tmp1"}
        assert {name for name, leftover in found.items() if leftover.in_use} == used
        for name in used:
            with pytest.raises(UserError, match=f"{name} is used by a running process"):
                clean_scratch.select(list(found.values()), [name], ())
        assert not any(leftovers.remove(root, found[name]) for name in used)
        assert all((root / name).is_dir() for name in used)
        kept = {str(leftover.folder) for leftover in clean_scratch.select(list(found.values()), None, ())}
        assert kept == set(found) - used
    finally:
        process.communicate("", timeout=30)


def test_the_training_that_is_resumed_next_stays_unless_it_is_named(root: Path) -> None:
    found = leftovers.find(root)
    assert "a" not in {leftover.key for leftover in clean_scratch.select(found, None, {"a"})}
    assert [leftover.key for leftover in clean_scratch.select(found, ["a"], {"a"})] == ["a"]
    with pytest.raises(UserError, match="nonsense is no folder that a training or a stage has left"):
        clean_scratch.select(found, ["nonsense"], {"a"})


def test_the_command_lists_first_and_removes_what_it_has_listed(
    root: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(root)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    clean_scratch.clean_scratch()
    out = capsys.readouterr().out
    assert "nothing was removed: to remove what is marked, add YES=1 " in out
    marked = {line.partition(".training/")[2][:1] for line in out.splitlines() if line.startswith("x") and ".training/" in line}
    assert marked == {"b", "c"}
    clean_scratch.clean_scratch(["b"], yes=True)
    assert "removed 1 of 1 folders, 0.0 GB are free again" in capsys.readouterr().out
    clean_scratch.clean_scratch(yes=True)
    assert "removed 3 of 3 folders" in capsys.readouterr().out
    # Without params.yaml nobody knows whether the next training resumes it.
    assert (root / ".training/a/checkpoint.npz").exists()
    clean_scratch.clean_scratch(["a"], yes=True)
    assert "removed 1 of 1 folders" in capsys.readouterr().out
    clean_scratch.clean_scratch()
    assert capsys.readouterr().out == "nothing is left on the disk by stopped trainings or killed stages\n"
