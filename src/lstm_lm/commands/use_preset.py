"""Command `use-preset`: write the values of a preset into params.yaml."""

from pathlib import Path
from typing import Annotated

import typer

from lstm_lm.wording import counted


def use_preset(
    preset: Annotated[str, typer.Argument(help="name of a file in presets/, without .yaml")],
    file: Annotated[Path, typer.Option(help="file to change")] = Path("params.yaml"),
) -> None:
    """Write the values of a preset into params.yaml. Comments and all other lines stay as they are."""
    from lstm_lm.config import keys, loading, presets
    from lstm_lm.ui import terminal

    changes = presets.load(preset)
    before = loading.read(file)
    loading.check(keys.with_changes(before, changes), f"{file} with presets/{preset}.yaml")
    differing = {key: value for key, value in changes.items() if keys.with_changes(before, {key: value}) != before}
    set_values(file, differing)
    values = counted(len(differing), "value set to that", "values set to those")
    terminal.print(f"{file}: {values} of presets/{preset}.yaml" if differing else f"{file}: nothing to change")


def set_values(path: Path, changes: dict[str, object]) -> None:
    """Set dotted keys in a YAML file, atomically. Comments stay.

    Args:
        path: of the file.
        changes: {"train.epochs": 10, ...}; their sections exist.
    """
    from lstm_lm.config import yaml_files
    from lstm_lm.io import atomic

    yaml = yaml_files.editor()
    document = yaml.load(path.read_text(encoding="utf-8"))
    for name, value in changes.items():
        section, _, key = name.partition(".")
        document[section][key] = _in_one_line(value)
    atomic.replace_file(path, lambda stream: yaml.dump(document, stream))


def _in_one_line(value: object) -> object:
    """Return a value for a YAML file in which lists and mappings are written in one line, as `[a, b]`."""
    from ruamel.yaml.comments import CommentedMap, CommentedSeq

    if not isinstance(value, (list, dict)):
        return value
    flow = CommentedSeq(value) if isinstance(value, list) else CommentedMap(value)
    flow.fa.set_flow_style()
    return flow
