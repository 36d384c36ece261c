"""The MLflow tracking store: its address, whether it can be reached, and its experiment."""

from __future__ import annotations

import logging
import os
import re
import socket
from typing import TYPE_CHECKING

from lstm_lm.errors import SettingError, UserError
from lstm_lm.paths import project_root
from lstm_lm.tracking import comparison_view

if TYPE_CHECKING:
    from mlflow import MlflowClient

    from lstm_lm.config.schema import Tracking

DESCRIPTION_TAG = "mlflow.note.content"
DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
PROBE_SECONDS = 5  # how long a tracking server may take to answer
MAX_REASON_LENGTH = 200  # characters of an error that a message repeats


def uri(settings: Tracking) -> str:
    """Return the tracking store's address: MLFLOW_TRACKING_URI, else `tracking.uri`, else a SQLite file in the project."""
    return os.environ.get("MLFLOW_TRACKING_URI") or settings.uri or f"sqlite:///{project_root() / 'mlflow.db'}"


def is_server(address: str) -> bool:
    """Whether an address is that of an MLflow server, as opposed to a database."""
    return address.startswith(("http://", "https://"))


def connect(settings: Tracking) -> MlflowClient:
    """Return a client of the store.

    Raises:
        UserError: no server answers within seconds, or MLflow cannot use the address.
    """
    address = uri(settings)
    probe(settings)
    import mlflow
    from sqlalchemy.exc import SQLAlchemyError

    for name in ("alembic", "mlflow.store.db.utils", "mlflow.tracking._model_registry.client"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        client = mlflow.MlflowClient(address, address)
        client.search_experiments(max_results=1)  # creates the tables of a new database
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, ImportError, OSError) as error:
        raise UserError(
            f"the tracking store {mask_password(address)} cannot be used: {first_line(error)} (see params.yaml: tracking.uri)"
        ) from None
    return client


def probe(settings: Tracking) -> None:
    """Check that something listens at the store's address. MLflow itself would retry for minutes.

    Raises:
        UserError: nothing does.
    """
    address = uri(settings)
    import requests
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        if is_server(address):
            if requests.get(f"{address.rstrip('/')}/health", timeout=PROBE_SECONDS).status_code >= 500:
                raise requests.RequestException
        elif (database := make_url(address)).host and (port := database.port or DATABASE_PORTS.get(database.get_backend_name())):
            socket.create_connection((database.host, port), timeout=PROBE_SECONDS).close()
    except ArgumentError:
        return  # `connect` reports an address that MLflow does not know
    except (requests.RequestException, OSError):
        raise UserError(
            f"no MLflow server answers at {mask_password(address)}: start it, or change params.yaml: tracking.uri or MLFLOW_TRACKING_URI"
        ) from None


def mask_password(address: str) -> str:
    """Hide the password of an address such as `postgresql://user:password@host/database`."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", address)


def first_line(error: BaseException) -> str:
    """The first line of an error's message, shortened, or the name of its class if it has no message."""
    return (str(error).splitlines() or [type(error).__name__])[0][:MAX_REASON_LENGTH]


def experiment_id(client: MlflowClient, settings: Tracking) -> str:
    """Return the id of the experiment, which is created if need be.

    In a local store, its artifacts are kept in the project's folder, whichever folder a stage runs in.
    It gets a saved view that compares trainings, unless there is one already, which the user may have changed.

    Raises:
        UserError: the experiment was deleted in the store.
    """
    experiment = _get_or_create_experiment(client, settings)
    tags = client.get_experiment(experiment).tags
    if comparison_view.TAG not in tags:
        client.set_experiment_tag(experiment, comparison_view.TAG, comparison_view.view())
        if not tags.get(DESCRIPTION_TAG):
            client.set_experiment_tag(experiment, DESCRIPTION_TAG, comparison_view.description(experiment))
    return experiment


def _get_or_create_experiment(client: MlflowClient, settings: Tracking) -> str:
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(settings.experiment)
    if experiment is None:
        is_local = not uri(settings).startswith(("http://", "https://", "databricks"))
        location = (project_root() / "mlartifacts" / settings.experiment).as_uri() if is_local else None
        try:
            return str(client.create_experiment(settings.experiment, artifact_location=location))
        except MlflowException:  # another process has just created it
            experiment = client.get_experiment_by_name(settings.experiment)
    if experiment.lifecycle_stage == "deleted":
        problem = f"the experiment {settings.experiment!r} was deleted in the tracking store: restore it, or choose another name"
        raise SettingError("tracking.experiment", problem)
    return str(experiment.experiment_id)
