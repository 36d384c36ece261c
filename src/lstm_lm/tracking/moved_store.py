"""A SQLite store whose folder was moved, renamed or copied, as with the whole project: MLflow keeps absolute paths of artifacts.

The artifacts of a SQLite store are beside it, in `mlartifacts/`. Those that are elsewhere on purpose stay where they are.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import unquote, urlsplit

from lstm_lm.tracking.address import ARTIFACTS, sqlite_path
from lstm_lm.ui import terminal

FOLDERS = (ARTIFACTS, "mlruns")  # beside the database; MLflow itself puts its experiment `Default` into the second one
ROOT_TAG = "lstm_lm.store_folder"  # of an experiment: the folder of the store when it was created
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
)
BUSY_SECONDS = 30  # how long to wait for another process that writes to the database


def correct(address: str) -> None:
    """Make the artifacts of a SQLite store those beside it, and say so if that is a change.

    Args:
        address: of the store.
    """
    database = sqlite_path(address)
    if database is None:
        return
    for former in correct_locations(database):
        terminal.note(f"{database.name} was in {former} before: its artifacts are those in {database.parent} now")


def tags(address: str, location: str | None) -> dict[str, str]:
    """Return the tags of a new experiment: where it is, if it keeps its artifacts beside a SQLite store."""
    database = sqlite_path(address)
    is_beside = database is not None and location is not None and location.startswith(f"{(database.parent / ARTIFACTS).as_uri()}/")
    return {ROOT_TAG: str(database.parent)} if database is not None and is_beside else {}


def correct_locations(database: Path) -> list[Path]:
    """Replace the folders that a SQLite store was in by the one that it is in.

    Returns:
        The former folders; empty if nothing had to be changed.
    """
    if not database.is_file() or database.stat().st_size == 0:
        return []
    root = database.parent
    with closing(sqlite3.connect(database, timeout=BUSY_SECONDS, isolation_level=None)) as connection:
        if not former_roots(connection, root):
            return []
        connection.execute("BEGIN IMMEDIATE")  # other processes wait, and then find nothing to change
        former = former_roots(connection, root)
        for folder in former:
            _replace_prefix(connection, folder, root)
        connection.execute("COMMIT")
    return former


def former_roots(connection: sqlite3.Connection, root: Path) -> list[Path]:
    """Return the folders that the store was in when its experiments were created, other than the present one.

    A copy is told from a store whose artifacts are elsewhere on purpose by the artifacts that were copied with it.
    """
    if not connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'logged_models'").fetchall():
        return []
    experiments = connection.execute("SELECT experiment_id, name, artifact_location FROM experiments").fetchall()
    tags = dict(connection.execute("SELECT experiment_id, value FROM experiment_tags WHERE key = ?", (ROOT_TAG,)).fetchall())
    found = set()
    for number, name, location in experiments:
        former = _root_of(location or "", name)
        if former is None or former == root or (former.exists() and former.samefile(root)):  # the same folder by another path
            continue
        was_moved = tags.get(number) == str(former) and not former.exists()
        if was_moved or (root / ARTIFACTS / name).is_dir():
            found.add(former)
    return sorted(found)


def _root_of(location: str, experiment: str) -> Path | None:
    """Return the folder of the store that an experiment's artifacts were beside, or None if they were not."""
    if not location.startswith(("file:", "/")):
        return None
    path = Path(unquote(urlsplit(location).path) if location.startswith("file:") else location)
    return path.parent.parent if path.parent.name == ARTIFACTS and path.name == experiment else None


def _replace_prefix(connection: sqlite3.Connection, old: Path, new: Path) -> None:
    for table, column in COLUMNS:
        for folder in FOLDERS:
            for before, after in (
                (f"{(old / folder).as_uri()}/", f"{(new / folder).as_uri()}/"),
                (f"{old / folder}/", f"{new / folder}/"),
            ):
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE substr({column}, 1, ?) = ?",
                    (after, len(before) + 1, len(before), before),
                )
    connection.execute("UPDATE experiment_tags SET value = ? WHERE key = ? AND value = ?", (str(new), ROOT_TAG, str(old)))
