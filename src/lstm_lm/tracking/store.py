"""The MLflow tracking store: whether it can be used, and its experiment."""

from __future__ import annotations

import logging
import os
import re
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from lstm_lm.errors import SettingError
from lstm_lm.io import locks
from lstm_lm.io.addresses import mask
from lstm_lm.paths import project_root
from lstm_lm.tracking import CALL_SECONDS, conflicts, moved_store
from lstm_lm.tracking.address import artifact_location, environment, is_server, sqlite_path, sqlite_uri, uri
from lstm_lm.tracking.faults import Fault
from lstm_lm.tracking.guard import START_SECONDS, Place, StoreError, bounded, guarded
from lstm_lm.tracking.views import catalog
from lstm_lm.ui import terminal

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from lstm_lm.config.schema import Tracking

T = TypeVar("T")

__all__ = ["artifact_location", "connect", "environment", "experiment_id", "is_server", "probe", "sqlite_uri", "uri"]

DESCRIPTION_TAG = "mlflow.note.content"
MLFLOW_MAJOR = 3  # older servers lack what this version of MLflow asks for
CREATE_SECONDS = 10  # how long another process may take to create the tables of a new database
DATABASES = ("sqlite", "postgresql", "mysql", "mssql")
BEING_CREATED = re.compile(
    "already exists|duplicate column|out-of-date|UNIQUE constraint|duplicate key|no such table|Can't locate revision|is locked"
)
CHECK_FILE = "store_check.txt"
OURS = ("alembic", "mlflow.store.db.utils", "mlflow.store.tracking.sqlalchemy_store", "mlflow.tracking._model_registry.client")


def place(settings: Tracking) -> Place:
    """Return the tracking store, for messages about it."""
    return Place(uri(settings))


def connect(settings: Tracking) -> MlflowClient:
    """Return a client of the store, which has answered a first call.

    Raises:
        StoreError: no store answers within seconds, or MLflow cannot use the address.
    """
    address = place(settings)
    with guarded(address):
        import mlflow  # noqa: F401 (takes seconds, which are not the store's)
    if os.environ.get("MLFLOW_REGISTRY_URI", address.address) != address.address:
        terminal.note("MLFLOW_REGISTRY_URI is ignored: this project's models are registered in the tracking store")
    # The tables of a new SQLite file are created at once, and another process may have to be waited for.
    return bounded(lambda: _connect(settings), address, START_SECONDS if sqlite_path(address.address) is None else 5 * START_SECONDS)


def probe(settings: Tracking) -> None:
    """Check, before anything slow starts, that the store can be used. A SQLite file is only looked at: opening it imports MLflow.

    Raises:
        StoreError: it cannot.
    """
    path = sqlite_path(uri(settings))
    if path is None:
        connect(settings)
        return
    with guarded(place(settings)):
        nearest = path if path.exists() else path.parent
        if not os.access(nearest, os.W_OK):
            raise PermissionError(13, "no right to write" if nearest.exists() else "no such folder", str(nearest))


def _connect(settings: Tracking) -> MlflowClient:
    address = uri(settings)
    import mlflow

    for name in OURS:
        logging.getLogger(name).setLevel(logging.WARNING)
    if is_server(address):
        _check_server(address)
    elif address.partition(":")[0].partition("+")[0] in DATABASES:
        _try_database(address)

    moved_store.correct(address)

    def first_call() -> MlflowClient:
        client = mlflow.MlflowClient(address, address)
        client.search_experiments(max_results=1)
        return client

    with _default_artifacts(address), _opening(address), _without_escaped_folder(address):
        client = _retry_creation(first_call)
    conflicts.repeat_on_conflict(client)
    return client


def _check_server(address: str) -> None:
    """Ask a server for its version, through MLflow's own client, which knows the user's certificates and tokens."""
    from mlflow.utils.credentials import get_default_host_creds
    from mlflow.utils.rest_utils import http_request

    warnings.filterwarnings("ignore", "Unverified HTTPS request")  # by MLFLOW_TRACKING_INSECURE_TLS, the user's own choice
    answer = http_request(get_default_host_creds(address), "/version", "GET", timeout=CALL_SECONDS, max_retries=0)
    version = re.match(r"(\d+)\.\d", answer.text) if answer.status_code == 200 else None
    if version and int(version[1]) < MLFLOW_MAJOR:
        reason = f"it is MLflow {answer.text.strip()}, and this project needs a server of MLflow {MLFLOW_MAJOR}"
        raise StoreError(
            f"the MLflow server at {mask(address)} is version {answer.text.strip()}: this project needs version {MLFLOW_MAJOR} "
            f"or later: upgrade the server, or change params.yaml: tracking.uri or MLFLOW_TRACKING_URI",
            Fault.SETUP,
            reason,
        )


@contextmanager
def _default_artifacts(address: str) -> Iterator[None]:
    """Let the experiment `Default`, which MLflow adds to a new database, keep its artifacts beside the store, not in the current folder."""
    from mlflow.tracking._tracking_service.utils import _SERVER_ARTIFACT_ROOT_ENV_VAR as VARIABLE

    if VARIABLE in os.environ:
        yield
        return
    path = sqlite_path(address)
    os.environ[VARIABLE] = ((path.parent if path else project_root()) / "mlruns").as_uri()
    try:
        yield
    finally:
        os.environ.pop(VARIABLE, None)


def _try_database(address: str) -> None:
    """Connect to a database once. MLflow itself would retry for minutes, whatever the error is."""
    import sqlalchemy

    engine = sqlalchemy.create_engine(address)
    with engine.connect():
        pass
    engine.dispose()


@contextmanager
def _opening(address: str) -> Iterator[None]:
    """Let one process at a time open a SQLite store: two that create its tables at once damage it.

    MLflow has a lock too, in a folder for temporary files, which need not be the same for all processes.
    """
    path = sqlite_path(address)
    with ExitStack() as held:
        if path is not None:
            with suppress(OSError):  # a folder in which nothing can be written has no tables to create
                busy = f"the tracking store {path} is being created by {{holder}}: wait for it to end"
                held.enter_context(locks.exclusive(path.with_name(f"{path.name}-open.lock"), busy, START_SECONDS))
        yield


@contextmanager
def _without_escaped_folder(address: str) -> Iterator[None]:
    """Remove the empty folder that MLflow creates beside that of a SQLite file whose path has to be escaped."""
    path = sqlite_path(address)
    created = Path(address.partition(":///")[2].partition("?")[0]).parent
    is_wrong = path is not None and created != path.parent and not created.exists()
    try:
        yield
    finally:
        if is_wrong:
            with suppress(OSError):
                os.removedirs(created)


def _retry_creation(first_call: Callable[[], T]) -> T:
    """Make a first call, which creates the tables of a new database. Another process may be doing that now."""
    deadline = time.monotonic() + CREATE_SECONDS
    while True:
        try:
            return first_call()
        except Exception as error:
            if not BEING_CREATED.search(str(error)) or time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def experiment_id(client: MlflowClient, settings: Tracking) -> str:
    """Return the id of the experiment, which is created if need be, see `address.artifact_location`.

    It gets the saved views that it lacks, and new versions of those that its user has not changed.

    Raises:
        SettingError: the experiment was deleted in the store.
        StoreError: the store fails.
    """
    with guarded(place(settings)):
        experiment = _get_or_create_experiment(client, settings)
        tags = client.get_experiment(experiment).tags
        catalog.update(client, experiment, settings.experiment, tags)
        present, description = tags.get(DESCRIPTION_TAG), catalog.description(experiment, settings.experiment)
        if present is None or (present != description and catalog.is_description(present)):
            client.set_experiment_tag(experiment, DESCRIPTION_TAG, description)
        return experiment


def _get_or_create_experiment(client: MlflowClient, settings: Tracking) -> str:
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(settings.experiment)
    if experiment is None:
        try:
            location = artifact_location(settings)
            tags = moved_store.tags(uri(settings), location)
            return str(client.create_experiment(settings.experiment, artifact_location=location, tags=tags))
        except MlflowException:  # another process may just have created it, or the answer was lost
            experiment = client.get_experiment_by_name(settings.experiment)
            if experiment is None:
                raise
    if experiment.lifecycle_stage == "deleted":
        problem = f"the experiment {settings.experiment!r} was deleted in the tracking store: restore it, or choose another name"
        raise SettingError("tracking.experiment", problem)
    return str(experiment.experiment_id)


def try_artifacts(client: MlflowClient, artifact_uri: str) -> None:
    """Write a small file to the artifact store, list it, and delete it.

    Args:
        client: see `connect`.
        artifact_uri: where a run keeps its artifacts.
    Raises:
        StoreError: the store does not take it.
    """
    setting = "params.yaml: tracking.artifacts, which holds for a new tracking.experiment"
    with guarded(Place(artifact_uri, "artifact store", setting)), tempfile.TemporaryDirectory() as folder:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        file = Path(folder) / CHECK_FILE
        file.write_text("written to see whether the artifact store takes files\n", encoding="utf-8")
        repository = get_artifact_repository(artifact_uri, tracking_uri=client.tracking_uri)
        repository.log_artifact(str(file))
        if CHECK_FILE not in [item.path for item in repository.list_artifacts()]:
            raise OSError("a file that was just written is not there")
        with suppress(Exception):  # not every store can delete, and not every user may
            repository.delete_artifacts(CHECK_FILE)
