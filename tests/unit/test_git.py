import os
import subprocess
import sys

import pytest

from conftest import COMMIT, PROJECT
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


def test_git_looks_in_its_folder_also_when_a_hook_of_another_repository_started_it(tmp_path, monkeypatch):
    for name in ("ours", "theirs"):
        subprocess.run(["git", "init", "-q", tmp_path / name], check=True)
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "theirs/.git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path / "theirs"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "theirs/.git/index"))
    assert git.run("rev-parse", "--show-toplevel", cwd=tmp_path / "ours") == f"{tmp_path / 'ours'}\n"
    assert git.run_checked("rev-parse", "--show-toplevel", cwd=tmp_path / "ours") == f"{tmp_path / 'ours'}\n"
    (tmp_path / "ours/mine").touch()
    assert git.run("ls-files", "--others", cwd=tmp_path / "ours") == "mine\n"


def test_what_is_not_in_the_last_commit_is_listed(tmp_path, monkeypatch):
    project = tmp_path / "project"  # a sub-folder of the repository
    (project / "data").mkdir(parents=True)
    monkeypatch.chdir(project)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git.uncommitted(".") == []
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    for name in ("same", "changed", "deleted", "data/staged", "data/other"):
        (project / name).write_text("text")
    (tmp_path / ".gitignore").write_text("*.log\n")
    assert git.uncommitted("same") == ["same"]  # before the first commit
    subprocess.run(["git", "add", "--all", tmp_path], check=True)
    assert git.uncommitted("same") == ["same"]
    subprocess.run([*COMMIT, "first"], check=True)
    assert git.uncommitted(".") == []
    (project / "changed").write_text("another text")
    (project / "deleted").unlink()
    (project / "data/staged").write_text("another text")
    subprocess.run(["git", "add", "data/staged"], check=True)
    for name in ("data/new", "data/ignored.log", "../outside"):
        (project / name).touch()
    assert git.uncommitted(".") == ["changed", "data/new", "data/staged", "deleted"]
    assert git.uncommitted("data", "same") == ["data/new", "data/staged"]


def test_names_that_are_not_utf8_come_back_as_python_takes_them(tmp_path):
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    name = os.fsdecode(b"caf\xe9")
    (tmp_path / name).touch()
    assert git.run("ls-files", "-z", "--others", cwd=tmp_path) == f"{name}\0"


@pytest.mark.slow
def test_the_suite_leaves_the_repository_of_a_hook_alone_that_runs_it(tmp_path):
    """As `make test` in a pre-commit hook: the helpers of the tests create repositories and commit to them."""
    theirs = tmp_path / "theirs"
    subprocess.run(["git", "init", "-q", theirs], check=True)
    (theirs / "file").touch()
    subprocess.run(["git", "add", "file"], cwd=theirs, check=True)
    index = (theirs / ".git/index").read_bytes()
    test = "tests/pipeline/test_setup.py::test_the_page_for_plots_is_created_where_it_is_missing"  # copies the project and commits it
    hook = {"GIT_DIR": str(theirs / ".git"), "GIT_INDEX_FILE": str(theirs / ".git/index"), "GIT_WORK_TREE": str(theirs), "GIT_PREFIX": ""}
    command = [sys.executable, "-m", "pytest", "-q", "-n0", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, cwd=PROJECT, env={**os.environ, **hook}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert (theirs / ".git/index").read_bytes() == index
    assert git.run("rev-parse", "--verify", "--quiet", "HEAD", cwd=theirs) is None
