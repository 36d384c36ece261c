"""Run git."""

import os
import subprocess
from pathlib import Path

from lstm_lm.errors import UserError

# A Git hook, `git rebase --exec` and the like set them. They name the repository, so git would look there and not in the folder it runs in.
REPOSITORY_VARIABLES = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_DIR",
    "GIT_GRAFT_FILE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_NAMESPACE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)


def environment() -> dict[str, str]:
    """Return the environment without the variables by which a Git hook names its repository."""
    return {name: value for name, value in os.environ.items() if name not in REPOSITORY_VARIABLES}


def run(*args: str, cwd: str | Path | None = None) -> str | None:
    """Return what a git command prints, or None if it fails: there is no git, no repository, or not what was asked for.

    Names of files that are not UTF-8 come back as Python's file functions take them.
    """
    try:
        return _run(args, cwd)
    except (OSError, subprocess.CalledProcessError):
        return None


def uncommitted(*paths: str) -> list[str]:
    """Return the files below the paths that differ from the last commit or are not in it, relative to the current folder.

    Files that Git ignores do not count. Without a repository there are none.
    """
    listed = run("ls-files", "-z", "--modified", "--others", "--exclude-standard", "--", *paths)
    staged = run("diff", "--cached", "--name-only", "--relative", "-z", "--", *paths)
    return sorted({name for names in (listed, staged) if names for name in names.split("\0") if name})


def run_checked(*args: str, cwd: str | Path | None = None, requirement: str = "a Git repository is needed", text: str = "") -> str:
    """Return what a git command prints.

    Args:
        args: the command and its arguments.
        cwd: where to run it.
        requirement: what the caller needs, the beginning of the error message.
        text: for the command's standard input.
    Raises:
        UserError: git failed; the message ends with git's last line.
    """
    try:
        return _run(args, cwd, text)
    except FileNotFoundError:
        raise UserError(f"{requirement}, but git is not installed") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        raise UserError(f"{requirement}, but git {args[0]} says: {lines[-1] if lines else ''}") from None


def _run(args: tuple[str, ...], cwd: str | Path | None, text: str = "") -> str:
    done = subprocess.run(
        ["git", *args],
        cwd=cwd,
        env=environment(),
        input=text,
        capture_output=True,
        encoding="utf-8",
        errors="surrogateescape",
        check=True,
    )
    return done.stdout
