"""Damaged files in DVC's cache, as a power failure or a full disk may leave them.

DVC trusts a read-only file in its cache without reading it: it would restore a damaged one, and report that nothing has changed.
"""

import contextlib
import hashlib
import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO

from lstm_lm.io import atomic

Report = Callable[[str], None]

CACHE = ".dvc/cache/files/md5"
MARKER = ".dvc/tmp/lstm_lm_verified.json"
READ_ONLY = 0o444  # DVC's mode of a complete file
# What was verified may have been only in memory then, and be lost in a power failure: files this young are verified again.
SETTLED_SECONDS = 60
ABANDONED_SECONDS = 3600  # a temporary file to which nothing was written for so long


def repair(root: Path, report: Report) -> None:
    """Verify the files that DVC has added to its cache since the last time.

    Damaged ones are restored from the pipeline's outputs if these are whole, or else removed.

    Args:
        root: folder of the project.
        report: is called with a line for each kind of repair.
    """
    marker, cache, started = root / MARKER, root / CACHE, time.time()
    if not cache.is_dir():
        return
    since = _verified_until(marker)
    damaged = [path for path in _objects(cache) if path.stat().st_mtime > since and not _is_whole(path)]
    if damaged:
        _replace(root, damaged, report)
    for path in cache.glob("??/.*.tmp"):
        if path.stat().st_mtime < started - ABANDONED_SECONDS:
            path.unlink(missing_ok=True)
    marker.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_json(marker, {"time": started - SETTLED_SECONDS})


def _verified_until(marker: Path) -> float:
    try:
        return float(json.loads(marker.read_text(encoding="utf-8"))["time"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _objects(cache: Path) -> Iterator[Path]:
    """Yield the files of the cache, without DVC's temporary ones."""
    return (path for path in cache.glob("??/*") if len(path.name.removesuffix(".dir")) == 30 and path.is_file())


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, _md5).hexdigest()


def _md5(content: bytes = b"") -> "hashlib._Hash":
    return hashlib.md5(content, usedforsecurity=False)


def _is_whole(path: Path) -> bool:
    """Whether a file of the cache has the content that it is named after."""
    return _digest(path) == path.parent.name + path.name.removesuffix(".dir")


def _replace(root: Path, damaged: list[Path], report: Report) -> None:
    """Replace damaged files of the cache by the outputs they are copies of, and remove the others."""
    outputs = _outputs(root)
    sources = _sources(root, outputs)
    restored = 0
    for path in damaged:
        path.unlink()
        if source := sources.get(path.parent.name + path.name):
            atomic.replace_file(path, source)
            path.chmod(READ_ONLY)
            restored += 1
    if restored:
        report(f"DVC's cache ({CACHE}) contained damaged files: restored {restored} from the pipeline's outputs")
    if lost := len(damaged) - restored:
        # DVC remembers the digest of an output with its time. It must read again what may have come from a damaged file.
        for file in _files(root, outputs):
            with contextlib.suppress(OSError):
                os.utime(file)
        report(f"DVC's cache ({CACHE}) contained damaged files: removed {lost}; DVC runs a stage again if it needs them")


def _outputs(root: Path) -> list[str]:
    """Return the paths of the pipeline's outputs."""
    from ruamel.yaml import YAML

    stages = YAML(typ="safe").load((root / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    entries = [entry for stage in stages.values() for kind in ("outs", "metrics", "plots") for entry in stage.get(kind, [])]
    return [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]


def _files(root: Path, outputs: list[str]) -> list[Path]:
    """Return the files of outputs."""
    paths = [root / output for output in outputs]
    return [file for path in paths for file in ([path] if path.is_file() else sorted(path.rglob("*"))) if file.is_file()]


def _sources(root: Path, outputs: list[str]) -> dict[str, Callable[[IO[bytes]], object]]:
    """Return what the cache should contain for the outputs as they are: {name: function that writes the content}."""
    sources: dict[str, Callable[[IO[bytes]], object]] = {}
    for output in outputs:
        folder, listing = root / output, []
        for file in _files(root, [output]):
            digest = _digest(file)
            sources[digest] = partial(_copy, file)
            if folder.is_dir():
                listing.append({"md5": digest, "relpath": file.relative_to(folder).as_posix()})
        if listing:  # how DVC writes the list of a folder's files
            content = json.dumps(sorted(listing, key=lambda entry: entry["relpath"]), sort_keys=True).encode()
            sources[f"{_md5(content).hexdigest()}.dir"] = partial(_write, content)
    return sources


def _copy(source: Path, file: IO[bytes]) -> None:
    with source.open("rb") as opened:
        shutil.copyfileobj(opened, file)


def _write(content: bytes, file: IO[bytes]) -> None:
    file.write(content)
