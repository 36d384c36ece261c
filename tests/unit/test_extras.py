import subprocess
import sys
import venv
from pathlib import Path

import pytest

from conftest import PROJECT
from lstm_lm.io import extras
from lstm_lm.tracking import faults


def test_the_command_names_the_python_that_lacks_the_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    options = "-m uv pip install -c requirements.lock -r pyproject.toml --extra gs"
    monkeypatch.setattr(sys, "executable", str(tmp_path / ".venv/bin/python"))
    assert extras.install_command("gs") == f".venv/bin/python {options}"
    monkeypatch.setattr(sys, "executable", "/opt/my envs/lm/bin/python")
    assert extras.install_command("gs") == f"'/opt/my envs/lm/bin/python' {options}"


def test_uv_takes_that_environment_even_beside_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    venv.create(tmp_path / ".venv", with_pip=False)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    for name in ("requirements.lock", "pyproject.toml"):
        (tmp_path / name).write_text((PROJECT / name).read_text())
    # All packages of this extra are here: nothing is fetched or changed.
    command = extras.install_command("tensorboard") + " --offline --dry-run"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)
    assert f"environment at: {sys.prefix}\n" in done.stderr


def test_a_store_without_its_packages_names_their_extra() -> None:
    error = ModuleNotFoundError("No module named 'google'", name="google.cloud.storage")
    assert faults.explain(error) == (faults.Fault.SETUP, f"the package google is not installed: run {extras.install_command('gs')}")
