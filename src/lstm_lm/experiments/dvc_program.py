"""Run dvc as this project's commands do. usage: python dvc_program.py ARGUMENT ...

It writes its configuration files in UTF-8. An experiment in an isolated copy writes the path of the cache into a file, which DVC by itself
does in ASCII: in a project whose path has other letters, it fails.

It prints no advice on what to type next: `git add`, `dvc push`, `dvc exp apply`. The commands end with their own next steps, and two kinds
of advice leave people wondering which to follow.

The commits that it makes for experiments, which nobody sees, have an author also where Git knows no name and address. DVC by itself fails
there as soon as a file is changed.

Where an argument is `--copy-paths-in FILE`, the file names the paths to copy, one a NUL: a command line has no room for thousands.
"""

import functools
import logging
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import configobj


def expand(arguments: list[str]) -> list[str]:
    """Replace `--copy-paths-in FILE` by `--copy-paths PATH` for each path."""
    if "--copy-paths-in" not in arguments:
        return arguments
    at = arguments.index("--copy-paths-in")
    paths = Path(arguments[at + 1]).read_text(encoding="utf-8", errors="surrogateescape").split("\0")
    return [*arguments[:at], *(word for path in paths for word in ("--copy-paths", path)), *arguments[at + 2 :]]


def name_author() -> None:
    """Name an author of commits where Git has none."""
    for key, value in (("name", "dvc"), ("email", "dvc@localhost")):
        if not _git_setting(f"user.{key}"):
            for role in ("AUTHOR", "COMMITTER"):
                os.environ.setdefault(f"GIT_{role}_{key.upper()}", value)


def _git_setting(name: str) -> str:
    """Return a setting of Git, or "" without it or without Git."""
    try:
        return subprocess.run(["git", "config", name], capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def leave_out_advice() -> None:
    """Make DVC print no advice. Everything else that it prints stays."""
    from dvc.commands.repro import CmdRepro
    from dvc.repo.experiments import Experiments

    logging.getLogger("dvc.repo.scm_context").setLevel(logging.WARNING)  # its information is what to add to Git
    CmdRepro.run = _reproduce
    Experiments._log_reproduced = lambda *_, **__: None  # names the experiments that ran, and how to apply one


def _reproduce(command: Any) -> int:
    """Do what `CmdRepro.run` does, without a word on `dvc push`."""
    from dvc.commands.status import CmdDataStatus
    from dvc.ui import ui

    if not command.repo.reproduce(**command._common_kwargs, **command._repro_kwargs):
        ui.write(CmdDataStatus.UP_TO_DATE_MSG)
    return 0


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, whose modules are none of DVC's
    from dvc.cli import main

    configobj.ConfigObj.__init__ = functools.partialmethod(configobj.ConfigObj.__init__, default_encoding="utf-8")
    leave_out_advice()
    name_author()
    sys.exit(main(expand(sys.argv[1:])))
