"""Run a function as a program: a user error is one line on stderr, never a stack trace."""

import gc
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from lstm_lm.errors import Interrupted, Terminated, UserError
from lstm_lm.io import file_errors, interruption, memory, output, utf8
from lstm_lm.ui import terminal

OWN_PACKAGES = ("lstm_lm", "lstm_lm_serving")
INTERRUPTED = 130  # exit code of a program that Ctrl-C ended
SIGNALS = (signal.SIGTERM, signal.SIGHUP)  # of `kill`, and of a terminal that is closed


def run(main: Callable[[], object]) -> None:
    """Call `main` as a program.

    A `UserError`, a file that cannot be read or written, or too little memory becomes one line on stderr and exit code 1. Ctrl-C
    becomes exit code 130, SIGTERM 143, SIGHUP 129; a SIGHUP that comes later changes nothing. When nobody reads standard output any
    more, the program ends silently with 141.
    """
    utf8.ensure()
    output.prepare()
    # TensorFlow builds graphs of so many Python objects that looking for garbage as often as by default takes a tenth of the start-up.
    gc.set_threshold(50_000, 50, 50)
    interruption.end_with_dvc()
    for number in SIGNALS:
        if signal.getsignal(number) == signal.SIG_DFL:  # not ignored, as because of nohup
            signal.signal(number, _terminate)
    try:
        _call(main)
    except (Exception, KeyboardInterrupt) as error:
        if (ending := _ending(error)) is None:
            raise
        leave(*ending)


def _ending(error: BaseException) -> tuple[str, int] | None:
    """Return the last line and the exit code for what a program raised, or None for a bug."""
    if isinstance(error, Terminated):
        return error.message, error.code
    if isinstance(error, KeyboardInterrupt):
        return "stopped", INTERRUPTED
    if isinstance(error, Interrupted):
        return str(error), error.code
    if isinstance(error, ModuleNotFoundError) and (missing := missing_package_line(error)):
        return f"error: {missing}", 1
    line = str(error) if isinstance(error, UserError) else file_errors.line(error) or memory.out_of_memory_line(error)
    return (f"error: {line}{_restore_hint()}", 1) if line else None


def missing_package_line(error: ModuleNotFoundError) -> str | None:
    """Return one line for a package that this Python lacks, which then is not that of the project; None for a module of our own: a bug."""
    package = (error.name or "").partition(".")[0]
    if not package or package in OWN_PACKAGES:
        return None
    return (
        f"this Python ({sys.executable}) has no package {package}: activate the project's environment first, "
        "with: source .venv/bin/activate (make setup creates it)"
    )


def _call(main: Callable[[], object]) -> None:
    """Call `main`, and print to the end what it has printed."""
    try:
        main()
    finally:
        sys.stdout.flush()
    if failed := output.failure():  # in another thread
        raise output.terminated(failed)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    if signal.getsignal(signal.SIGHUP) == _terminate:
        signal.signal(signal.SIGHUP, interruption.ignore)  # a terminal that is closed sends it more than once
    raise Terminated("stopped", 128 + number)


def leave(line: str, code: int) -> NoReturn:
    """Print a last line to stderr, unless it is empty, and end the process.

    The interpreter's own shutdown is skipped, because it crashes now and then while TensorFlow's threads run.
    """
    try:
        sys.stdout.flush()
        if line:
            print(terminal.wrapped(line) if sys.stderr.isatty() else line, file=sys.stderr)
        sys.stderr.flush()
    finally:
        os._exit(code)


def _restore_hint() -> str:
    """How to restore the outputs that `dvc repro` removed before it ran this stage, if an earlier run had made any."""
    stage = os.environ.get("DVC_STAGE")
    lock = Path("dvc.lock")
    # An experiment runs in a copy: the outputs of the checkout are still there.
    is_copy = Path(os.environ.get("DVC_ROOT", ".")).resolve() != Path.cwd().resolve()
    if not stage or is_copy or not lock.exists() or f"\n  {stage}:\n" not in lock.read_text(encoding="utf-8"):
        return ""
    return (
        " [to get the earlier results back, undo your changes to parameters and text, and run: make repro; "
        f"to get back only the outputs of this stage, run: dvc checkout --force {stage}]"
    )
