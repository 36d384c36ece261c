"""Addresses of the tracking store, the model registry and the artifact store, the same for every process of the project."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from lstm_lm.errors import SettingError, UserError
from lstm_lm.paths import project_root

if TYPE_CHECKING:
    from lstm_lm.config.schema import Tracking

DATABASE = "mlflow.db"
ARTIFACTS = "mlartifacts"
NOT_A_PATH = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")  # a scheme


def uri(settings: Tracking) -> str:
    """Return the tracking store's address: MLFLOW_TRACKING_URI, else `tracking.uri`, else a SQLite file in the project.

    A relative path is relative to the project's own folder, whichever folder a process runs in.

    Raises:
        UserError: the address names no place.
    """
    value = os.environ.get("MLFLOW_TRACKING_URI") or settings.uri
    return absolute(value.strip()) if value else sqlite_uri(project_root() / DATABASE)


def environment(settings: Tracking) -> dict[str, str]:
    """Return the environment for a program of MLflow: this process's, with an address that holds in any folder.

    The model registry is that of the tracking store: a version refers to a logged model, which another store does not have.
    """
    from lstm_lm.tracking import LIMITS

    ours = {name for name, value in LIMITS.items() if os.environ.get(name) == value}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
    return {**kept, "MLFLOW_TRACKING_URI": uri(settings), "MLFLOW_REGISTRY_URI": uri(settings)}


def is_server(address: str) -> bool:
    """Whether an address is that of an MLflow server, as opposed to a database."""
    return address.lower().startswith(("http://", "https://"))


def absolute(address: str) -> str:
    """Return an address whose path, if it is that of a file or a folder, is absolute.

    Raises:
        UserError: a SQLite address without a file.
    """
    if address.startswith("sqlite:"):
        return _absolute_sqlite(address)
    if address.startswith("file:"):
        parts = urlsplit(address)
        return address if parts.netloc else (project_root() / unquote(parts.path)).as_uri()
    if not NOT_A_PATH.match(address) and address != "databricks":
        return (project_root() / Path(address).expanduser()).as_uri()
    return address


def _absolute_sqlite(address: str) -> str:
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        url = make_url(address)
    except ArgumentError:
        url = None
    if url is None or url.host or not url.database or url.database == ":memory:":
        raise UserError(f"the tracking store {address} names no file: write sqlite:///mlflow.db (see params.yaml: tracking.uri)")
    _, has_query, query = address.partition("?")
    return sqlite_uri(project_root() / url.database).replace("sqlite:", f"{url.drivername}:", 1) + has_query + query


def sqlite_uri(path: Path) -> str:
    """Return the address of a SQLite file. What SQLAlchemy would read as something else in its path is escaped, and only that."""
    return f"sqlite:///{path.as_posix().replace('%', '%25').replace('?', '%3F')}"


def sqlite_path(address: str) -> Path | None:
    """Return the file of a SQLite address, or None for another store."""
    if not address.startswith("sqlite:"):
        return None
    from sqlalchemy.engine import make_url

    return Path(make_url(address).database or "")


def artifact_location(settings: Tracking) -> str | None:
    """Return where a new experiment keeps its artifacts, or None if the store decides that itself.

    `tracking.artifacts` says it; otherwise the artifacts of a SQLite store are kept beside its file.

    Raises:
        SettingError: a database on a server, for which nobody can say where its users keep files.
    """
    if settings.artifacts:
        base = absolute(settings.artifacts).rstrip("/")
        return f"{base}/{settings.experiment}"
    address = uri(settings)
    if path := sqlite_path(address):
        return (path.parent / ARTIFACTS / settings.experiment).as_uri()
    if is_server(address) or address.startswith(("databricks", "file:", "uc:")):
        return None
    raise SettingError(
        "tracking.artifacts",
        "a database on a server needs a place for artifacts that all its users reach: a shared folder, or an address such as s3://bucket/path",
    )
