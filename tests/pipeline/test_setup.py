"""scripts/setup.sh on machines that lack something: one line and exit code 1. That it works is what runs these tests."""

import shutil
import subprocess
import sys

import pytest

from conftest import PROJECT, copy_project, environment, run

TOO_OLD = 'test "$1" = --version && echo Python 3.8.1 || exit 1'
NO_VENV = 'case "$2" in *version_info*) exit 0;; *) exit 1;; esac'


@pytest.mark.parametrize(
    ("python3", "arguments", "message"),
    [
        (TOO_OLD, [], "Python 3.11, 3.12 or 3.13 is needed, but here is Python 3.8.1"),
        (TOO_OLD, ["python3"], "PYTHON=python3 is Python 3.8.1: Python 3.11, 3.12 or 3.13 is needed"),
        (TOO_OLD, ["nonsense"], "PYTHON=nonsense: no such program"),
        (NO_VENV, [], "python3 has no venv module: install it"),
    ],
)
def test_what_is_missing_is_said_in_one_line(tmp_path, python3, arguments, message):
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/python3").write_text(f"#!/bin/sh\n{python3}\n")
    (tmp_path / "bin/python3").chmod(0o755)
    for name in ("cmp", "sh"):
        (tmp_path / "bin" / name).symlink_to(shutil.which(name))
    script = ["sh", str(PROJECT / "scripts/setup.sh"), str(tmp_path / "venv"), *arguments]
    done = subprocess.run(script, cwd=PROJECT, env=environment(PATH=str(tmp_path / "bin")), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_folder_that_was_not_made_here_is_left_alone(tmp_path):
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv/mine.txt").write_text("precious")
    done = subprocess.run(["sh", "scripts/setup.sh", str(tmp_path / "venv")], cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "was not made by make: remove it, or name another folder with VENV=..." in done.stderr
    assert (tmp_path / "venv/mine.txt").read_text() == "precious"


def test_an_environment_that_fits_the_lock_is_left_alone(tmp_path):
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(shutil.which("python3"))
    shutil.copy(PROJECT / "requirements.lock", venv / "requirements.lock")
    before = sorted(venv.rglob("*"))
    subprocess.run(["sh", "scripts/setup.sh", str(venv)], cwd=PROJECT, check=True)
    assert sorted(venv.rglob("*")) == before


def test_the_page_of_plots_is_made_where_it_is_missing(tmp_path):
    """Also when another checkout made the environment."""
    project, venv = copy_project(tmp_path / "project"), tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (venv / "bin/python").chmod(0o755)
    shutil.copy(PROJECT / "requirements.lock", venv / "requirements.lock")
    page = project / ".dvc/plots.html"
    run(["sh", "scripts/setup.sh", str(venv)], project)
    assert "{plot_divs}" in page.read_text()
    assert run(["git", "status", "--porcelain"], project).stdout == ""
    page.write_text("mine")
    run(["sh", "scripts/setup.sh", str(venv)], project)
    assert page.read_text() == "mine"


def test_the_lock_has_names_versions_and_hashes_and_no_addresses():
    lines = (PROJECT / "requirements.lock").read_text().splitlines()
    assert all("://" not in line and not line.startswith("-") for line in lines)
    pins = [line for line in lines if not line.startswith(" ")]
    assert all("==" in line for line in pins)
    assert sum(line.startswith("    --hash=sha256:") for line in lines) >= len(pins) > 100
