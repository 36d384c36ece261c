"""The peers' environments, made once in .bench/: TensorFlow 1.15 on a Python 3.7, and PyTorch."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parent / ".bench"


class Missing(Exception):
    """A peer cannot be had here; the message says why."""


def main_python():
    """This project's own, which has Keras and scikit-learn too."""
    return sys.executable


def torch():
    """The Python that has PyTorch.

    Raises:
        Missing
    """
    return _environment("torch", sys.executable)


def tf1():
    """The Python that has TensorFlow 1.15.

    Raises:
        Missing
    """
    python = _python37()
    if python is None:
        raise Missing("no Python 3.7 here: neither python3.7 on PATH nor one of pyenv's")
    return _environment("tf1", python)


def _environment(name, python):
    """The environment .bench/NAME with requirements-NAME.txt in it, made if it is not there or the file has changed."""
    folder, wanted = FOLDER / name, HERE / f"requirements-{name}.txt"
    made, stamp = folder / "bin" / "python", folder / wanted.name
    if stamp.exists() and stamp.read_bytes() == wanted.read_bytes() and _runs(made):
        return str(made)
    print(f"setting up .bench/{name} (once, some minutes) ...", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    pip = [str(made), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement", str(wanted)]
    for command in ([python, "-m", "venv", str(folder)], pip):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise Missing(f"{wanted.name} cannot be installed: {lines[-1][:200]}")
    shutil.copyfile(wanted, stamp)
    return str(made)


def _python37():
    candidates = [shutil.which("python3.7")]
    if shutil.which("pyenv"):
        versions = _output(["pyenv", "versions", "--bare"]).split()
        candidates += [f"{_output(['pyenv', 'prefix', version])}/bin/python" for version in versions if version.startswith("3.7.")]
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates += sorted(map(str, root.glob("versions/3.7.*/bin/python")))
    # A shim of pyenv is on PATH also when it leads nowhere.
    return next((each for each in candidates if each and _runs(each, "import sys, venv; assert sys.version_info[:2] == (3, 7)")), None)


def _output(command):
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _runs(python, code=""):
    try:
        return subprocess.run([python, "-c", code], capture_output=True, check=False).returncode == 0
    except OSError:
        return False
