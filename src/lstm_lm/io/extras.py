"""Packages that not everyone needs: the extras of pyproject.toml, and NVIDIA's libraries, a dependency group with its own lock."""

import importlib.metadata
import shlex
import sys
from pathlib import Path

CUDA_PACKAGE = "nvidia-cudnn-cu12"  # one of those of requirements-cuda.lock


def python() -> str:
    """Return this Python as one types it in the project's folder: `.venv/bin/python`, or a whole path if it is elsewhere."""
    path, here = Path(sys.executable), Path.cwd()
    return shlex.quote(str(path.relative_to(here) if path.is_relative_to(here) else path))


def install_command(extra: str) -> str:
    """Return the command that adds an extra to the environment of this Python.

    Args:
        extra: one of `project.optional-dependencies`. The group `cuda` is none of them: `make setup EXTRAS=cuda` adds it.

    Not `uv pip install`: uv would look for an environment, and take .venv before its own.
    """
    return f"{python()} -m uv pip install -c requirements.lock -r pyproject.toml --extra {extra}"


def has_cuda() -> bool:
    """Whether NVIDIA's libraries are installed, those of `make setup EXTRAS=cuda`."""
    try:
        return bool(importlib.metadata.version(CUDA_PACKAGE))
    except importlib.metadata.PackageNotFoundError:
        return False
