"""Files of earlier runs, read from DVC's cache by the digests that a dvc.lock records."""

import json
from pathlib import Path

from lstm_lm.io import dvc_cache

OBJECTS = "files/md5"  # in a cache


def read(root: Path, folder: str, name: str) -> bytes | None:
    """Return a file of a folder that a run has made, or None if it is not in the cache of this machine.

    Args:
        root: folder of the project.
        folder: the digest of the folder in dvc.lock, such as `3ffb70e1....dir`.
        name: of the file, relative to the folder.
    """
    try:
        cache = find_cache(root)
        listing = json.loads(_path(cache, folder).read_bytes())
        digest = next((str(entry["md5"]) for entry in listing if entry["relpath"] == name), None)
        return None if digest is None else _path(cache, digest).read_bytes()
    except (OSError, ValueError, TypeError, KeyError):
        return None


def find_cache(root: Path) -> Path:
    """Return the folder of the cache's objects, which DVC's option `cache.dir` may put elsewhere."""
    from dvc.config import Config, ConfigError

    try:
        place = Config(str(root / ".dvc"))["cache"].get("dir")
    except ConfigError:
        place = None
    return Path(place) / OBJECTS if place else root / dvc_cache.CACHE


def _path(cache: Path, digest: str) -> Path:
    return cache / digest[:2] / digest[2:]
