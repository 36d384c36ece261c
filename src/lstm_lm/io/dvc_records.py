"""DVC's own records, as a killed dvc may leave them: dvc.lock, the list of locked files, and the runs it remembers.

DVC overwrites the first two in place. Killed while it does, it leaves a file that it then refuses to read, and every later `dvc repro`
fails. So it does if it finds the folder of a remembered run empty, which it leaves if it is killed before it writes the file in it.
"""

import contextlib
import fcntl
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from lstm_lm.io import atomic, git

Report = Callable[[str], None]

LOCK_FILE = "dvc.lock"
RWLOCKS = (".dvc/tmp/rwlock", ".dvc/tmp/exps/rwlock")  # of the pipeline, and of experiments
RUNS = ".dvc/cache/runs"
# DVC holds the first when it writes dvc.lock or a record of a run, the others when it writes the file of RWLOCKS next to them.
GUARDS = (".dvc/tmp/lock", *(f"{name}.lock" for name in RWLOCKS))
WAIT_SECONDS = 3
CLOCK_SECONDS = 1  # by how much a process may seem to be younger than what it wrote


def repair(root: Path, report: Report) -> None:
    """Repair what a killed dvc left half-written. Nothing is changed while another dvc is at work in this project.

    Args:
        root: folder of the project.
        report: is called with a line for each repair.
    """
    if not (root / ".dvc").is_dir():
        return
    with _guarded(root) as is_free:
        if is_free:
            for name in RWLOCKS:
                _repair_rwlock(root, name, report)
            _repair_lock_file(root, report)
            _repair_runs(root / RUNS, report)


@contextlib.contextmanager
def _guarded(root: Path) -> Iterator[bool]:
    """Hold DVC's guards while the block runs; the value is whether they were free."""
    with contextlib.ExitStack() as files:
        opened = []
        (root / GUARDS[0]).parent.mkdir(exist_ok=True)
        for path in (root / name for name in GUARDS):
            if path.parent.is_dir():
                opened.append(files.enter_context(path.open("a")))
        yield all(map(_acquire, opened))  # closing the files releases them


def _acquire(file: IO[str]) -> bool:
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.1)
        except OSError:  # a file system without locks: DVC itself then runs without any
            return True


def _repair_rwlock(root: Path, name: str, report: Report) -> None:
    """Remove a list of locked files if it cannot be read, or the entries of processes that are gone."""
    path = root / name
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
        written = path.stat().st_mtime
    except FileNotFoundError:
        return
    entries = _parse_rwlock(text)
    if entries is None:
        # Which process held what is lost, but the one that was writing it is dead.
        path.unlink()
        report(f"{name} was left incomplete by a dvc that was killed: removed it")
        return
    alive = {
        mode: {
            locked: left for locked, holders in of_mode.items() if (left := [holder for holder in holders if _may_hold(holder, written)])
        }
        for mode, of_mode in entries.items()
    }
    if alive != entries:
        single = {locked: holders[0] for locked, holders in alive.get("write", {}).items()}
        atomic.write_json(path, {"read": alive.get("read", {}), "write": single})
        report(f"{name} listed files as locked by a dvc that is gone: removed them from it")


def _parse_rwlock(text: str) -> dict[str, dict[str, list[dict[str, Any]]]] | None:
    """Return {"read" or "write": {path: [{"pid": ..., "cmd": ...}]}}, or None if this is not such a file."""
    try:
        modes = json.loads(text)
        parsed = {
            mode: {path: holders if isinstance(holders, list) else [holders] for path, holders in of_mode.items()}
            for mode, of_mode in modes.items()
        }
        holders = [holder for of_mode in parsed.values() for some in of_mode.values() for holder in some]
        is_valid = set(parsed) <= {"read", "write"} and all(
            isinstance(holder["pid"], int) and isinstance(holder["cmd"], str) for holder in holders
        )
    except (ValueError, AttributeError, TypeError, KeyError):
        return None
    return parsed if is_valid else None


def _may_hold(holder: dict[str, Any], written: float) -> bool:
    """Whether a process is the one that was listed, and not another one that got its number later.

    Args:
        holder: {"pid": its number, "cmd": its command}.
        written: when the list was last written.
    """
    import psutil

    try:
        process = psutil.Process(holder["pid"])
        command = " ".join(process.cmdline())
        arguments = holder["cmd"].partition(" ")[2]  # the program itself is listed by another name
        return process.create_time() < written + CLOCK_SECONDS and arguments in command
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:  # another user's process
        return True


def _repair_lock_file(root: Path, report: Report) -> None:
    """Replace a dvc.lock that DVC cannot read by that of the last commit, or else remove it.

    DVC finds the results of stages that had finished since in its cache, so that they do not run again.
    """
    path = root / LOCK_FILE
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    if is_valid_lock(text):
        return
    committed = git.run("show", f"HEAD:./{LOCK_FILE}", cwd=root)
    if committed is not None and is_valid_lock(committed):
        atomic.write_text(path, committed)
        repair = "restored the version of the last commit"
    else:
        path.unlink()
        repair = "removed it"
    if "\n<<<<<<< " in f"\n{text}":
        report(f"{LOCK_FILE} contained the markers of a merge conflict: {repair}; what later runs made is taken from DVC's cache")
    else:
        report(f"{LOCK_FILE} was left incomplete by a dvc that was killed: {repair}; what later runs made is taken from DVC's cache")


def is_valid_lock(text: str) -> bool:
    """Whether DVC accepts this as the content of dvc.lock."""
    from dvc.schema import COMPILED_LOCKFILE_SCHEMA
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError
    from voluptuous import Invalid

    try:
        COMPILED_LOCKFILE_SCHEMA(YAML(typ="safe").load(text))
    except (YAMLError, Invalid, ValueError):
        return False
    return True


def _repair_runs(folder: Path, report: Report) -> None:
    """Remove incomplete records of runs, and folders that are empty without them."""
    removed = 0
    for run in folder.glob("??/*/"):
        for record in run.iterdir():
            if not _is_complete_record(record):
                record.unlink()
                removed += 1
        if not any(run.iterdir()):
            run.rmdir()
            removed += 1
    if removed:
        report(f"{RUNS} contained incomplete records of a dvc that was killed: removed them")


def _is_complete_record(path: Path) -> bool:
    """Whether DVC has completed a record: then it has its final name, and its last line ends."""
    return not path.name.endswith(".tmp") and path.read_bytes().endswith(b"\n")
