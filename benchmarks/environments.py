"""The Python environments of the other systems, created once in .bench/: TensorFlow 1.15 on Python 3.7, and PyTorch."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parent / ".bench"
IS_PYTHON_37 = "import sys, venv; assert sys.version_info[:2] == (3, 7)"


class Unavailable(Exception):
    """A system cannot be installed on this machine. The message says why."""


def torch() -> str:
    """Return the path of a Python with PyTorch.

    Raises:
        Unavailable: it cannot be installed.
    """
    return _environment("torch", sys.executable)


def tf1() -> str:
    """Return the path of a Python with TensorFlow 1.15.

    Raises:
        Unavailable: it cannot be installed, or there is no Python 3.7.
    """
    python = _python37()
    if python is None:
        raise Unavailable("Python 3.7 not found: neither python3.7 on PATH nor a pyenv version")
    return _environment("tf1", python)


def _environment(name: str, python: str) -> str:
    """Return the Python of .bench/NAME. Create the environment unless it exists with the current requirements-NAME.txt."""
    folder, requirements = FOLDER / name, HERE / f"requirements-{name}.txt"
    executable, stamp = folder / "bin" / "python", folder / requirements.name
    if stamp.exists() and stamp.read_bytes() == requirements.read_bytes() and _runs(str(executable)):
        return str(executable)
    print(f"setting up .bench/{name} (once, a few minutes) ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    install = [str(executable), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", str(requirements)]
    for command in ([python, "-m", "venv", str(folder)], install):
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        if process.returncode:
            lines = process.stderr.strip().splitlines() or ["no message"]
            raise Unavailable(f"{requirements.name} cannot be installed: {lines[-1][:200]}")
    shutil.copyfile(requirements, stamp)
    return str(executable)


def _python37() -> str | None:
    """Return the path of a working Python 3.7, or None."""
    candidates = [shutil.which("python3.7")]
    if shutil.which("pyenv"):
        versions = _output(["pyenv", "versions", "--bare"]).split()
        candidates += [f"{_output(['pyenv', 'prefix', version])}/bin/python" for version in versions if version.startswith("3.7.")]
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates += sorted(map(str, root.glob("versions/3.7.*/bin/python")))
    # pyenv puts a shim on PATH even if the version behind it is not active.
    return next((path for path in candidates if path and _runs(path, IS_PYTHON_37)), None)


def _output(command: Sequence[str]) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _runs(python: str, code: str = "") -> bool:
    try:
        return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
