"""Run a function as a program: a user error is one line on stderr, never a stack trace."""

import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from lstm_lm.errors import Interrupted, UserError

DISK_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
INTERRUPTED = 130  # exit code of a program that Ctrl-C ended


def run(main: Callable[[], object]) -> None:
    """Call `main` as a program.

    A `UserError`, or a file that cannot be read or written, becomes one line on stderr and exit code 1. Ctrl-C becomes exit code 130.
    """
    # The output of a stage is read live through pipes too (CI logs), so each line is flushed as it is printed.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(line_buffering=True)
    try:
        main()
    except UserError as error:
        leave(f"error: {error}{_restore_hint()}", 1)
    except OSError as error:
        if error.errno in DISK_FULL:
            leave(f"error: {error.strerror}: free some disk space at {Path.cwd()} and run this again{_restore_hint()}", 1)
        if error.filename is None:
            raise
        is_output = str(error.filename).startswith(("data/", "models/", "reports/"))
        origin = " (an output of the pipeline; to create it, run: dvc repro)" if is_output else ""
        leave(f"error: {error.filename}: {error.strerror}{origin}{_restore_hint()}", 1)
    except Interrupted as interrupted:
        leave(str(interrupted), interrupted.code)
    except KeyboardInterrupt:
        leave("stopped", INTERRUPTED)


def leave(line: str, code: int) -> NoReturn:
    """Print a last line to stderr and end the process.

    The interpreter's own shutdown is skipped, because it crashes now and then while TensorFlow's threads run.
    """
    print(line, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
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
        " [dvc checkout restores the earlier outputs, git checkout reports/ the earlier reports; "
        "dvc repro restores both if you undo your changes to parameters and text]"
    )
