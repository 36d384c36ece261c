"""Run a command to its end, with its time and memory measured."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

POLL_SECONDS = 0.005
CPU_ONLY = {"CUDA_VISIBLE_DEVICES": ""}  # some of the systems could use a GPU, and others could not


@dataclass(frozen=True)
class Usage:
    """What a command used.

    Attributes:
        seconds: wall-clock time.
        peak_mib: peak memory of the process itself, without its children.
    """

    seconds: float
    peak_mib: float


def environment(*changes: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a measured process: this process's own, without GPUs, with changes."""
    variables = {**os.environ, **CPU_ONLY}
    for each in changes:
        variables.update(each)
    return variables


def run(command: Sequence[str], folder: Path, variables: Mapping[str, str] | None = None, max_mib: float | None = None) -> Usage:
    """Run a command and wait for it.

    Args:
        command: program and arguments.
        folder: its working directory.
        variables: set in addition to `environment()`.
        max_mib: resident memory in MiB above which the command is killed.

    Raises:
        RuntimeError: the command failed or needed too much memory.
    """
    with tempfile.TemporaryFile("w+") as output:
        start = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env=environment(variables or {}), stdout=output, stderr=subprocess.STDOUT)
        killed = False
        while True:
            # wait4 reports the memory of this one child.
            pid, status, usage = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if max_mib and not killed and resident_mib(process.pid) > max_mib:
                process.kill()
                killed = True
            time.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if killed and max_mib:
            raise RuntimeError(f"more than {max_mib / 1024:.0f} GiB of memory")
        if process.returncode:
            output.seek(0)
            raise RuntimeError(failure(process.returncode, output.read(), length=200))
        return Usage(seconds, usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10))


def failure(code: int, output: str, length: int) -> str:
    """Describe a failed process by its exit code and the last line of its output, at most `length` characters of it."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return f"exit code {code}: {lines[-1][:length] if lines else 'no message'}"


def resident_mib(pid: int) -> float:
    """Return the resident memory of a process in MiB, 0 if it has ended."""
    try:
        return psutil.Process(pid).memory_info().rss / (1 << 20)
    except psutil.Error:
        return 0
