"""The command of `make test-faults`, which is too long for the suite. Its trials are in tests/pipeline/test_resume.py."""

import os
import subprocess
import sys

import kill_trials
from conftest import PROJECT
from lstm_lm.experiments import dvc_program


def test_the_command_runs_as_the_makefile_calls_it() -> None:
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "tests/fault_trials.py", "--help"], cwd=PROJECT, env=env, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "--kills" in done.stdout) == (0, True), done.stderr


def test_the_kills_know_the_program_that_runs_dvc() -> None:
    assert dvc_program.__file__.endswith(f"/{kill_trials.DVC_PROGRAM}")
