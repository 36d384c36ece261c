"""From logged prompts to a training: a text in data/own, and a preset that trains the champion further on it."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_lm.errors import UserError
from lstm_lm.io import atomic
from lstm_lm.serving.prompts.files import LoggedPrompt

OWN, RAW = Path("data/own"), Path("data/raw")
NAME = "prompts"  # of the preset
PRESET = Path(f"presets/{NAME}.yaml")
HEADER = "# Made by `python src/cli.py drift --export`: trains the champion further, on the text of data/raw and on logged prompts."
IGNORED = f"{NAME}*.txt"  # in data/own, see .gitignore
FINE_TUNING = 0.1  # of the learning rate


@dataclass(frozen=True)
class Exported:
    """What `write` wrote: so many different prompts, and so many documents of data/raw that were copied to data/own."""

    prompts: int
    documents: int


def check(file: Path) -> None:
    """Check where the text is to be written.

    Raises:
        UserError: not into data/own, whose files are the text of the training, or the preset is somebody else's.
    """
    if file.suffix != ".txt" or OWN.resolve() not in file.resolve().parents:
        raise UserError(f"--export {file}: must be a file in {OWN}, ending in .txt, such as {OWN}/prompts.txt")
    if PRESET.exists() and not PRESET.read_text(encoding="utf-8").startswith(HEADER):
        raise UserError(f"{PRESET} is a preset of your own, which --export would overwrite: rename it first")


def write(file: Path, prompts: Sequence[LoggedPrompt], settings: Mapping[str, Any]) -> Exported:
    """Write the prompts as a document, the rest of the text beside it, and the preset.

    Args:
        file: that `check` accepted.
        prompts: in order of time.
        settings: of params.yaml.
    """
    from lstm_lm.config import yaml_files
    from lstm_lm.text import splits

    lines = dict.fromkeys(text for prompt in prompts if (text := prompt.prompt.strip()))
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(file, "".join(f"{line}\n" for line in lines))
    documents = 0 if _is_own(settings) else _copy(RAW, OWN)
    spans = splits.load("data/vocab/splits.json")
    held_out = {name: sorted({span.document for span in spans[name]}) for name in ("validation", "test")}
    has_whole = not {span.document for span in spans["train"]} & {name for names in held_out.values() for name in names}
    preset = make_preset(settings, held_out if has_whole else None)
    stream = io.BytesIO()
    yaml_files.editor().dump(preset, stream)
    atomic.write_text(PRESET, f"{HEADER}\n{stream.getvalue().decode()}")
    return Exported(len(lines), documents)


def _is_own(settings: Mapping[str, Any]) -> bool:
    """Return whether params.yaml trains on all that is in data/own."""
    return bool(settings["download"]["source"] == {"path": str(OWN)})


def make_preset(settings: Mapping[str, Any], held_out: Mapping[str, Sequence[str]] | None) -> dict[str, dict[str, Any]]:
    """Return the changes to params.yaml.

    Args:
        settings: of params.yaml.
        held_out: {"validation": documents, "test": documents}, so that these stay what they are and results can be compared; None: the ends
            of documents are held out.
    """
    changes: dict[str, dict[str, Any]] = {"download": {"source": {"path": str(OWN)}}}
    if held_out is not None:
        changes["vocab"] = {name: [pattern_of(document) for document in documents] for name, documents in held_out.items()}
    changes["train"] = {
        "init_from": f"models:/{settings['tracking']['registered_model']}@champion",
        "learning_rate": float(f"{FINE_TUNING * settings['train']['learning_rate']:.3g}"),
    }
    return changes


def pattern_of(document: str) -> str:
    r"""Return the pattern, as in .gitignore, that matches this document alone: `[old] a.txt` -> `/\[old\]\ a.txt`."""
    return "/" + re.sub(r"([\\*?\[\]!# ])", r"\\\1", document)


def _is_ignored(file: Path) -> bool:
    """Return whether .gitignore names a file of prompts: prompts*.txt in data/own."""
    return file.resolve().parent == OWN.resolve() and file.match(IGNORED)


def notes(file: Path, settings: Mapping[str, Any]) -> list[str]:
    """What one should know of the file of prompts before the next step.

    Args:
        file: that was written.
        settings: of params.yaml.
    """
    hidden = "Git ignores it" if _is_ignored(file) else f"Git does not ignore it, as it does {OWN / IGNORED}: do not commit it"
    lines = [f"{file} is private: {hidden}."]
    if _is_own(settings):
        lines.append(f"make repro in this checkout trains on it too, because download.source is {OWN}: move it away if it should not.")
    return lines


def _copy(source: Path, target: Path) -> int:
    """Copy the documents of data/raw that are not there yet."""
    copied = 0
    for path in sorted(source.rglob("*.txt")):
        place = target / path.relative_to(source)
        if not place.exists():
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            copied += 1
    return copied
