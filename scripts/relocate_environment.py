"""Adapt a virtual environment to its new place, after its project was moved, renamed or copied: its programs name their Python by path.

usage: relocate_environment.py VENV OLD, with the environment's own Python. OLD is the path at which it was created.
"""

import shlex
import sys
import venv
from pathlib import Path

INTERPRETER = r"""#!/bin/sh
'''exec' {python} "$0" "$@"
' '''
"""


def relocate(environment: Path, old: str) -> None:
    """Make the programs of an environment run its own Python again.

    Args:
        environment: absolute path of its folder.
        old: the path at which it was created.
    """
    for program in sorted((environment / "bin").iterdir()):
        if not program.is_symlink() and program.is_file() and (text := program.read_bytes()).startswith(b"#!"):
            head, rest = _split(text)
            if old.encode() in head:
                # The first line of a script has no room for a long path, and none for one with a space.
                program.write_bytes(INTERPRETER.format(python=shlex.quote(f"{environment}/bin/python")).encode() + rest)
    # Its configuration and the scripts that activate it.
    venv.EnvBuilder(symlinks=True).create(environment)


def _split(text: bytes) -> tuple[bytes, bytes]:
    """Split a program into the lines that name its interpreter, and the rest."""
    lines = text.split(b"\n", 3)
    number = 3 if lines[0] == b"#!/bin/sh" and lines[1:2] and lines[1].startswith(b"'''exec' ") else 1
    parts = text.split(b"\n", number)
    return b"\n".join(parts[:number]), parts[number] if len(parts) > number else b""


if __name__ == "__main__":
    relocate(Path(sys.argv[1]).absolute(), sys.argv[2])
