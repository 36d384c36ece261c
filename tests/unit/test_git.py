import subprocess

import pytest

from lstm_lm.errors import UserError
from lstm_lm.io import git


def test_output_is_returned_and_a_failure_is_none(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git.run("rev-parse", "--git-dir", cwd=tmp_path) is None
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    assert git.run("rev-parse", "--git-dir", cwd=tmp_path) == ".git\n"
    assert git.run_checked("rev-parse", "--git-dir", cwd=tmp_path) == ".git\n"


def test_a_checked_failure_reports_the_requirement_and_the_message_of_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(UserError, match=r"^experiments need a repository, but git log says: fatal: not a git repository") as error:
        git.run_checked("log", cwd=tmp_path, requirement="experiments need a repository")
    assert "\n" not in str(error.value)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git.run("log") is None
    with pytest.raises(UserError, match="but git is not installed"):
        git.run_checked("log")
