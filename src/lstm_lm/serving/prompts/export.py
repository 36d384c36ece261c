"""From logged prompts to a training: a text in data/own, and a preset that trains the champion further on it."""

from __future__ import annotations

import codecs
import filecmp
import io
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lstm_lm.errors import SettingError, UserError
from lstm_lm.io import atomic
from lstm_lm.paths import OWN_TEXT, RAW, SPLITS
from lstm_lm.serving.prompts.files import LoggedPrompt
from lstm_lm.wording import listed

NAME = "prompts"  # of the preset
PRESET = Path(f"presets/{NAME}.yaml")
MADE_BY = re.compile("# Made by `[^`]* drift")  # how a preset begins that may be replaced, by any version of this command
HEADER = '# Made by `make drift OPTIONS="--export FILE"`: trains the champion further, on the text of data/raw and on logged prompts.'
WITH_PROMPTS = OWN_TEXT / "with-prompts"  # has the documents of data/raw too
IGNORED = f"{NAME}*.txt"  # in data/own, see .gitignore
FINE_TUNING = 0.1  # of the learning rate
MAX_LISTED = 5  # files in a note


@dataclass(frozen=True)
class Exported:
    """What `write` wrote: so many different prompts, and so many documents of data/raw that were copied beside them."""

    prompts: int
    documents: int


def folder_of(settings: Mapping[str, Any]) -> Path:
    """Return the folder of the text that the preset trains on.

    It is that of `download.source`, if this is a folder in data/own: its text is there already. Any other text is copied, into a folder of
    its own, because what else is in data/own is not the text of this model.

    Args:
        settings: of params.yaml.
    """
    return WITH_PROMPTS if _is_copied(settings) else Path(settings["download"]["source"]["path"])


def check(file: Path, settings: Mapping[str, Any]) -> None:
    """Check where the text is to be written.

    Args:
        file: where.
        settings: of params.yaml.
    Raises:
        UserError: not into the folder of the text, or over a document of it; or the preset is somebody else's.
    """
    from lstm_lm.text.sources.cleaning import check_encoding
    from lstm_lm.text.sources.files import unwanted

    folder = folder_of(settings)
    check_encoding(settings["download"]["encoding"])
    if not _is_copied(settings) and not folder.is_dir():
        raise SettingError("download.source.path", f"{folder}: must be a folder for --export, which adds a file: move the text into one")
    if file.suffix != ".txt" or folder.resolve() not in file.resolve().parents or unwanted(_document(file, folder)) is not None:
        raise UserError(f"--export {file}: must be a file in {folder}, ending in .txt, such as {folder}/{NAME}.txt")
    preset = PRESET.read_text(encoding="utf-8") if PRESET.exists() else HEADER
    if not MADE_BY.match(preset):
        raise UserError(f"{PRESET} is a preset of your own, which --export would overwrite: rename it first")
    if file.exists() and _header(file) not in preset:
        raise UserError(f"--export {file}: already exists, and is not what the last --export wrote: choose another name, or remove it")
    document = _document(file, folder)
    held_out = _held_out() if SPLITS.exists() else None
    if (_is_copied(settings) and (RAW / document).exists()) or (held_out and document in {*held_out["validation"], *held_out["test"]}):
        raise UserError(f"--export {file}: {document} is a document of the text already: choose another name")


def write(file: Path, prompts: Sequence[LoggedPrompt], settings: Mapping[str, Any]) -> Exported:
    """Write the prompts as a document, the text beside it unless it is there already, and the preset.

    Args:
        file: that `check` accepted.
        prompts: in order of time.
        settings: of params.yaml.
    """
    from lstm_lm.config import yaml_files

    lines = dict.fromkeys(text for prompt in prompts if (text := prompt.prompt.strip()))
    # A mark says the encoding of this file. Copies are UTF-8, and so is what the preset expects of them.
    mark = "" if _is_copied(settings) or _is_utf8(settings) else "\ufeff"
    file.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_text(file, mark + "".join(f"{line}\n" for line in lines))
    documents = _copy(RAW, WITH_PROMPTS) if _is_copied(settings) else 0
    stream = io.BytesIO()
    yaml_files.editor().dump(make_preset(settings, _held_out()), stream)
    atomic.write_text(PRESET, f"{HEADER}\n{_header(file)}{stream.getvalue().decode()}")
    return Exported(len(lines), documents)


def _is_copied(settings: Mapping[str, Any]) -> bool:
    """Return whether the text is elsewhere than in data/own."""
    return "path" not in settings["download"]["source"]


def _is_utf8(settings: Mapping[str, Any]) -> bool:
    return codecs.lookup(settings["download"]["encoding"]).name == "utf-8"


def _document(file: Path, folder: Path) -> str:
    """Return the name of the document that a file in a folder becomes."""
    return file.resolve().relative_to(folder.resolve()).as_posix()


def _header(file: Path) -> str:
    """Return the line of the preset by which the next export knows that it may replace this file."""
    return f"# The prompts are in {OWN_TEXT / _document(file, OWN_TEXT)}.\n"


def _held_out() -> dict[str, list[str]] | None:
    """Return the documents that are held out as a whole, or None if the ends of documents are."""
    from lstm_lm.text import splits

    spans = splits.load(SPLITS)
    held_out = {name: sorted({span.document for span in spans[name]}) for name in ("validation", "test")}
    is_whole = not {span.document for span in spans["train"]} & {name for names in held_out.values() for name in names}
    return held_out if is_whole else None


def make_preset(settings: Mapping[str, Any], held_out: Mapping[str, Sequence[str]] | None) -> dict[str, dict[str, Any]]:
    """Return the changes to params.yaml.

    Args:
        settings: of params.yaml.
        held_out: {"validation": documents, "test": documents}, so that these stay what they are and results can be compared; None: the ends
            of documents are held out, and stay so with one document more.
    """
    download: dict[str, Any] = {"source": settings["download"]["source"]}
    if _is_copied(settings):
        download = {"source": {"path": str(WITH_PROMPTS)}} | ({} if _is_utf8(settings) else {"encoding": "utf-8"})
    changes = {"download": download}
    if held_out is not None:
        changes["vocab"] = {name: [pattern_of(document) for document in documents] for name, documents in held_out.items()}
    elif settings["vocab"]["split_by"] != "spans":
        changes["vocab"] = {"split_by": "spans"}
    changes["train"] = {
        "init_from": f"models:/{settings['tracking']['registered_model']}@champion",
        "learning_rate": float(f"{FINE_TUNING * settings['train']['learning_rate']:.3g}"),
    }
    return changes


def pattern_of(document: str) -> str:
    r"""Return the pattern, as in .gitignore, that matches this document alone: `[old] a.txt` -> `/\[old\]\ a.txt`."""
    return "/" + re.sub(r"([\\*?\[\]!# ])", r"\\\1", document)


def _is_ignored(file: Path) -> bool:
    """Return whether .gitignore names a file of prompts: prompts*.txt in data/own, or all in the folder of copies."""
    place = file.resolve()
    return WITH_PROMPTS.resolve() in place.parents or (place.parent == OWN_TEXT.resolve() and file.match(IGNORED))


def notes(file: Path, settings: Mapping[str, Any]) -> list[str]:
    """What one should know of the file of prompts before the next step.

    Args:
        file: that was written.
        settings: of params.yaml.
    """
    folder = folder_of(settings)
    hidden = "Git ignores it" if _is_ignored(file) else f"Git does not ignore it, as it does {OWN_TEXT / IGNORED}: do not commit it"
    lines = [f"{file} is private: {hidden}."]
    if not _is_copied(settings):
        lines.append(f"make repro in this checkout trains on it too, because download.source is {folder}: move it away if it should not.")
    elif others := _others(file):
        lines.append(f"{folder} also has {listed(others, MAX_LISTED)}: remove what the model should not be trained on.")
    return lines


def _others(file: Path) -> list[str]:
    """Return the names of the files in the folder of copies that are neither copies nor this one, such as other prompts."""
    from lstm_lm.text.sources.files import unwanted

    names = sorted(path.relative_to(WITH_PROMPTS).as_posix() for path in WITH_PROMPTS.rglob("*") if path.is_file())
    return [name for name in names if name != _document(file, WITH_PROMPTS) and not (RAW / name).exists() and unwanted(name) is None]


def _copy(source: Path, target: Path) -> int:
    """Copy the documents of data/raw that are not there as they are now."""
    copied = 0
    for path in sorted(source.rglob("*.txt")):
        place = target / path.relative_to(source)
        if not (place.is_file() and filecmp.cmp(path, place, shallow=False)):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)
            copied += 1
    return copied
