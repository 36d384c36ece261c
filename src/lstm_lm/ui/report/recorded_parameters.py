"""The parameters that the files of models/ and reports/ were made with. params.yaml may have changed since; dvc.lock has not."""

from pathlib import Path
from typing import Any

from lstm_lm.config import loading

LOCK_FILE = "dvc.lock"
PARAMS_FILE = "params.yaml"


def load(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the parameters that DVC has recorded for the stages.

    Args:
        folder: of the project.
    Returns:
        `{section: {key: value}}`, as in params.yaml; empty if nothing is recorded.
    Raises:
        UserError: dvc.lock is not valid YAML.
    """
    path = folder / LOCK_FILE
    if not path.exists():
        return {}
    parameters: dict[str, dict[str, Any]] = {}
    for stage in (loading.read(path).get("stages") or {}).values():
        for name, value in ((stage.get("params") or {}).get(PARAMS_FILE) or {}).items():
            section, _, key = name.partition(".")
            if key:  # a stage that depends on a single parameter
                parameters.setdefault(section, {})[key] = value
            elif isinstance(value, dict):
                parameters.setdefault(section, {}).update(value)
    return parameters
