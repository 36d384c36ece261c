"""Presets: named sets of changes to params.yaml, one file each in presets/."""

from pathlib import Path
from typing import Any

from lstm_lm.config import keys, loading
from lstm_lm.errors import UserError


def names(folder: str | Path = "presets") -> list[str]:
    """Return the names of the presets, in alphabetical order."""
    return sorted(path.stem for path in Path(folder).glob("*.yaml"))


def load(name: str, folder: str | Path = "presets") -> dict[str, Any]:
    """Read the changes of a preset.

    Returns:
        `{"train.epochs": 10, ...}`; empty for a preset that is params.yaml as shipped.
    Raises:
        UserError: there is no such preset, or the file does not hold sections with keys.
    """
    if name not in names(folder):
        raise UserError(f"PRESET={name}: there is no {folder}/{name}.yaml; the presets are {', '.join(names(folder)) or 'none'}")
    path = Path(folder) / f"{name}.yaml"
    values = loading.read(path)
    for section, entries in values.items():
        if not isinstance(entries, dict):
            raise UserError(f"{path}: {section}: must be a mapping of keys to values, as in params.yaml")
    return keys.flatten_sections(values)
