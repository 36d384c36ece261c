"""Run dvc so that it writes its configuration files in UTF-8. usage: python dvc_in_utf8.py ARGUMENT ...

An experiment in an isolated copy writes the path of the cache into a file, which DVC by itself does in ASCII: in a project whose path has
other letters, it fails. Where an argument is `--copy-paths-in FILE`, the file names the paths to copy, one a NUL: a command line has no
room for thousands.
"""

import functools
import sys
from pathlib import Path

import configobj


def expand(arguments: list[str]) -> list[str]:
    """Replace `--copy-paths-in FILE` by `--copy-paths PATH` for each path."""
    if "--copy-paths-in" not in arguments:
        return arguments
    at = arguments.index("--copy-paths-in")
    paths = Path(arguments[at + 1]).read_text(encoding="utf-8", errors="surrogateescape").split("\0")
    return [*arguments[:at], *(word for path in paths for word in ("--copy-paths", path)), *arguments[at + 2 :]]


if __name__ == "__main__":
    sys.path.pop(0)  # this folder, whose modules are none of DVC's
    from dvc.cli import main

    configobj.ConfigObj.__init__ = functools.partialmethod(configobj.ConfigObj.__init__, default_encoding="utf-8")
    sys.exit(main(expand(sys.argv[1:])))
