"""Command `export-serving`: the SavedModel where TensorFlow Serving looks for it."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from lstm_lm.errors import UserError


def export_serving(
    folder: Annotated[str, typer.Argument(help="folder with the models of TensorFlow Serving; it is created if needed")],
    name: Annotated[str, typer.Option(help="name of the model there")] = "lstm_lm",
) -> None:
    """Copy the model in models/saved_model to FOLDER/NAME/VERSION, with the next version, as TensorFlow Serving expects it."""
    from lstm_lm.export.files import find_saved_model
    from lstm_lm.io import folders
    from lstm_lm.ui import terminal

    if not name or name in (".", "..") or "/" in name:
        raise UserError(f"--name = {name!r}: must be the name of a folder")
    saved_model, base = find_saved_model(), Path(folder) / name
    version = base / str(next_version(base))
    # A server watches the folder, and loads a version as soon as it is there: it must be complete.
    with folders.replaced(version) as partial:
        shutil.copytree(saved_model, partial, dirs_exist_ok=True)
    terminal.print(f"copied {saved_model} to {version}: docs/how-to/tensorflow-serving.md shows how to serve it")


def next_version(base: Path) -> int:
    """Return the number of the next version of a model: 1 if there is none."""
    taken = [int(path.name) for path in base.iterdir() if path.name.isdecimal()] if base.is_dir() else []
    return max(taken, default=0) + 1
