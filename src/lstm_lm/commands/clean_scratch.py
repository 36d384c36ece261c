"""Command `clean-scratch`: what stopped trainings and killed stages left on the disk."""

import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lstm_lm.errors import UserError

if TYPE_CHECKING:
    from lstm_lm.io.leftovers import Leftover
    from lstm_lm.io.scratch import Scratch


def clean_scratch(
    names: Annotated[list[str] | None, typer.Argument(help="folders, or keys of trainings (default: all but what is used)")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="remove without asking")] = False,
) -> None:
    """List what stopped trainings, killed stages and killed experiments left on the disk, and remove it.

    A training that runs stays, and so does the one that the next `dvc repro` resumes, unless its key is given. If it cannot be known
    which one that is, for example because of a mistake in params.yaml, every stopped training with a checkpoint stays.
    """
    from lstm_lm.io import leftovers, memory
    from lstm_lm.paths import project_root
    from lstm_lm.ui import leftovers_table, terminal

    root = project_root()
    found = leftovers.find(root)
    if not found and not names:
        terminal.print("nothing is left on the disk by stopped trainings or killed stages")
        return
    resumed = resumable_keys(root)
    selected = select(found, names, resumed)
    leftovers_table.show(found, selected, resumed)
    if not selected or not (yes or is_confirmed(len(selected), memory.gigabytes(sum(leftover.size for leftover in selected)))):
        return
    removed = [leftover for leftover in selected if leftovers.remove(root, leftover)]
    size = memory.gigabytes(sum(leftover.size for leftover in removed))
    terminal.print(f"removed {len(removed)} of {len(selected)} folders, {size} are free again")


def select(found: "list[Leftover]", names: list[str] | None, resumed: Collection[str]) -> "list[Leftover]":
    """Return what is to be removed.

    Args:
        found: all that is left.
        names: keys of trainings or folders, or nothing for all that is not used.
        resumed: see `resumable_keys`.

    Raises:
        UserError: a name is none of those found, or a process works with that folder.
    """
    if not names:
        return [leftover for leftover in found if not leftover.in_use and leftover.key not in resumed]
    by_name = {name: leftover for leftover in found for name in (str(leftover.folder), leftover.key) if name}
    selected = []
    for name in names:
        leftover = by_name.get(name.rstrip("/"))
        if leftover is None:
            raise UserError(f"{name} is no folder that a training or a stage has left: make clean-scratch lists them")
        if leftover.in_use:
            raise UserError(f"{leftover.folder} is used by a running process: wait for it to end, or stop it")
        selected.append(leftover)
    return selected


def resumable_keys(root: Path) -> set[str]:
    """Return the keys of the trainings that the next `dvc repro` may resume: one or none, or all stopped ones if that cannot be known."""
    from lstm_lm.config import loading
    from lstm_lm.io import scratch
    from lstm_lm.jobs import starting_point, train

    stopped = {each.folder.name for each in scratch.all_scratch(root) if is_stopped(each)}
    try:
        settings = loading.load()
        with starting_point.initial_weights(settings) as initial:
            key = train.training_key(settings, initial)
    except (UserError, OSError, KeyError):  # no data, mistakes in params.yaml, or no answer of the tracking store
        return stopped
    return stopped & {key}


def is_stopped(training: "Scratch") -> bool:
    """Whether a training has a checkpoint from which it can resume."""
    from lstm_lm.io.checkpoints import CHECKPOINT

    return not training.read("diverged") and (training.folder / CHECKPOINT).exists()


def is_confirmed(count: int, size: str) -> bool:
    """Ask on a terminal; elsewhere say how to answer beforehand."""
    from lstm_lm.ui import terminal

    if not sys.stdin.isatty():
        terminal.print("nothing was removed: to remove what is marked, add YES=1 (make clean-scratch YES=1) or --yes")
        return False
    return typer.confirm(f"remove {count} folders, {size}?")
