"""Run git."""

import subprocess
from pathlib import Path

from lstm_lm.errors import UserError


def run(*args: str, cwd: str | Path | None = None) -> str | None:
    """Return what a git command prints, or None if it fails: there is no git, no repository, or not what was asked for."""
    try:
        return subprocess.run(["git", *args], capture_output=True, text=True, check=True, cwd=cwd).stdout
    except (OSError, subprocess.CalledProcessError):
        return None


def run_checked(*args: str, cwd: str | Path | None = None, requirement: str = "a Git repository is needed") -> str:
    """Return what a git command prints.

    Args:
        args: the command and its arguments.
        cwd: where to run it.
        requirement: what the caller needs, the beginning of the error message.
    Raises:
        UserError: git failed; the message ends with git's last line.
    """
    try:
        return subprocess.run(["git", *args], capture_output=True, text=True, check=True, cwd=cwd).stdout
    except FileNotFoundError:
        raise UserError(f"{requirement}, but git is not installed") from None
    except subprocess.CalledProcessError as error:
        lines = error.stderr.strip().splitlines()
        raise UserError(f"{requirement}, but git {args[0]} says: {lines[-1] if lines else ''}") from None
