"""What dvc.lock records of the pipeline's outputs."""

import hashlib
from pathlib import Path

LOCK_FILE = "dvc.lock"


def recorded_md5(root: Path, output: str) -> str | None:
    """Return the MD5 that dvc.lock has for a file, or None if there is none.

    Args:
        root: folder of the project.
        output: path of the file, as in dvc.yaml.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        content = YAML(typ="safe").load((root / LOCK_FILE).read_text(encoding="utf-8"))
        outputs = [entry for stage in content["stages"].values() for entry in stage.get("outs", [])]
        return next((str(entry["md5"]) for entry in outputs if entry["path"] == output and "md5" in entry), None)
    except (OSError, ValueError, YAMLError, TypeError, KeyError, AttributeError):  # `check` repairs it, and says so
        return None


def is_recorded(root: Path, output: str) -> bool | None:
    """Whether a file is the one that dvc.lock records; None if it records none."""
    recorded = recorded_md5(root, output)
    if recorded is None:
        return None
    with (root / output).open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest() == recorded
