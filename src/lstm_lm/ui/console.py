"""What a person at the terminal sees: one line for a mistake, quiet libraries, readable figures."""

import contextlib
import errno
import os
import shutil
import socket
import sys
import tempfile
import time
from pathlib import Path

from lstm_lm.errors import Interrupted, UserError

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


def run(main):
    """Run a stage's `main` as a program: a `UserError`, or a file that cannot be read or written, becomes one line
    on stderr and exit code 1, Ctrl-C exit code 130."""
    # A stage's output is read live through pipes too (CI logs), so lines are flushed as they are printed.
    sys.stdout.reconfigure(line_buffering=True)
    try:
        main()
    except UserError as error:
        leave(f"error: {error}{_earlier_outputs()}", 1)
    except OSError as error:
        if error.errno in NO_ROOM:
            leave(f"error: {error.strerror}: make room for what is written to {Path.cwd()}, and run this again{_earlier_outputs()}", 1)
        if error.filename is None:
            raise
        made = " (made by the pipeline: dvc repro)" if str(error.filename).startswith(("data/", "models/", "reports/")) else ""
        leave(f"error: {error.filename}: {error.strerror}{made}{_earlier_outputs()}", 1)
    except Interrupted as stopped:
        leave(str(stopped), stopped.code)
    except KeyboardInterrupt:
        leave("stopped", 130)


def leave(line, code):
    """Show a last line and end the process, without the interpreter's own clearing up: it crashes now and then while
    TensorFlow's threads run."""
    print(line, file=sys.stderr)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def _earlier_outputs():
    """What to do about the outputs that `dvc repro` removed before it ran this stage, if it had made any earlier."""
    stage = os.environ.get("DVC_STAGE")
    lock = Path("dvc.lock")
    beside = Path(os.environ.get("DVC_ROOT", ".")).resolve() != Path.cwd().resolve()  # an experiment: the checkout keeps its own
    if not stage or beside or not lock.exists() or f"\n  {stage}:\n" not in lock.read_text(encoding="utf-8"):
        return ""
    return (
        " [earlier outputs: dvc checkout brings them back, and git checkout reports/ the reports; "
        "with the parameters and the text as they were, dvc repro does both]"
    )


@contextlib.contextmanager
def quiet_tensorflow():
    """Hold back what TensorFlow's C++ side prints while it is imported; it is shown only if the block fails.

    `TF_CPP_MIN_LOG_LEVEL` alone does not silence the lines written before its log is initialised, so the file
    descriptor itself is redirected for the duration of the block.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")  # no Keras is used here, and without it the import takes two thirds of the time
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except KeyboardInterrupt:
            raise
        except BaseException:
            os.dup2(saved, 2)
            held.seek(0)
            sys.stderr.write(held.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


@contextlib.contextmanager
def timed(seconds, what):
    """Put down under `what`, in the dict `seconds`, how long the block took."""
    began = time.perf_counter()
    yield
    seconds[what] = time.perf_counter() - began


def duration(seconds):
    """`83` -> `1 min 23 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


SAVED_MODEL_FILES = ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001", "assets/vocabulary.txt")


def trained_model():
    """The folder of this checkout's SavedModel.

    Raises:
        UserError: none has been trained yet, or it is incomplete.
    """
    folder = Path("models/saved_model")
    missing = [name for name in SAVED_MODEL_FILES if not (folder / name).is_file()]
    if not folder.exists() or len(missing) == len(SAVED_MODEL_FILES):
        raise UserError(f"there is no model in {folder}: train one first, with: make repro")
    if missing:
        raise UserError(f"the model in {folder} is incomplete: {missing[0]} is missing: restore it with dvc checkout, or: make repro")
    return folder


def check_can_serve(program, host, port, change):
    """Before a server is started: is its program on PATH, and its port a free one?

    Args:
        program: name of the program that is going to listen.
        host, port: where.
        change: what to type for another port.
    Raises:
        UserError: one line.
    """
    if not shutil.which(program):
        raise UserError(f"{program} is not on PATH: activate the environment first, with: source .venv/bin/activate")
    if not 1 <= port <= 65535:
        raise UserError(f"port {port}: must be from 1 to 65535: {change}")
    with socket.socket() as probe:
        if probe.connect_ex((host, port)) == 0:
            raise UserError(f"port {port} is taken: choose another, with: {change}")


# Figures of other ways to predict the same words, which stand in the rows of held-out splits under names of their own.
BESIDE = {
    "kneser_ney": "Kneser-Ney n-grams",
    "unigram": "unigrams",
    "dynamic_evaluation": "dynamic evaluation",
    "neural_cache": "neural cache",
}


def held_out_table(rows, beside=()):
    """Lines of a table of held-out figures.

    Args:
        rows: {label: figures of one split, as in reports/metrics.json}; others than of held-out splits are left out.
        beside: labels under which the figures of baselines and other ways to predict the same words are shown too.
    """
    rows = {label: figures for label, figures in rows.items() if "perplexity" in figures}
    width = max(22, *(len(label) + 2 for label in rows))
    lines = [
        f"{'held-out figures':<{width}}{'words':>9}{'loss':>8}{'perplexity':>12}{'95% interval':>17}{'unknown':>9}{'adjusted ppl':>14}"
        f"{'bits/char':>11}"
    ]
    for label, figures in rows.items():
        low, high = figures.get("perplexity_low"), figures.get("perplexity_high")
        interval = "" if low is None else f"{low:.2f}-{high:.2f}"
        lines.append(
            f"{label:<{width}}{figures['words']:>9,}{figures['loss']:>8.3f}{figures['perplexity']:>12.2f}{interval:>17}"
            f"{figures['oov_rate']:>9.2%}{figures['adjusted_perplexity']:>14.1f}{figures['bits_per_character']:>11.3f}"
        )
        for name, words in BESIDE.items() if label in beside else ():
            if f"{name}_perplexity" in figures:
                lines.append(
                    f"  {words:<{width - 2}}{'':>9}{figures[f'{name}_loss']:>8.3f}{figures[f'{name}_perplexity']:>12.2f}{'':>26}"
                    f"{figures[f'{name}_adjusted_perplexity']:>14.1f}{figures[f'{name}_bits_per_character']:>11.3f}"
                )
    return lines


def written_table(figures):
    """Lines that tell what the figures of written texts and of test text are, and how far training text is known better than held-out text.

    Args:
        figures: as in reports/metrics.json.
    """
    lines = []
    if "generalization_gap" in (validation := figures.get("validation", {})):
        loss, gap = validation["training_text_loss"], validation["generalization_gap"]
        lines.append(f"training text costs {loss:.3f} nats a word, validation text {gap:.3f} more")
    if samples := figures.get("samples"):
        names = {"repetition_4": "repeated", "distinct_1": "distinct-1", "distinct_2": "distinct-2", "copied_4": "copied 4-grams"}
        names["copied_8"] = "copied 8-grams"
        lines += ["", f"{'texts':<22}" + "".join(f"{title:>16}" for title in names.values())]
        for label, prefix in ((f"written, {samples['words']:,} words", ""), ("as much test text", "test_text_")):
            cells = [samples.get(f"{prefix}{name}") for name in names]
            shown = [
                "-" if cell is None else f"{cell:.3f}" if "distinct" in name else f"{cell:.2%}"
                for name, cell in zip(names, cells, strict=True)
            ]
            lines.append(f"{label:<22}" + "".join(f"{cell:>16}" for cell in shown))
    return lines
