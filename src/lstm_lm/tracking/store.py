"""The MLflow tracking store: where it is, whether it answers, and its experiment."""

import logging
import os
import re
import socket

from lstm_lm.errors import UserError
from lstm_lm.paths import project_root
from lstm_lm.tracking import comparison_view

NOTE = "mlflow.note.content"
DATABASE_PORTS = {"postgresql": 5432, "mysql": 3306, "mssql": 1433}
PROBE_SECONDS = 5  # for a tracking server to answer


def uri(settings):
    """The tracking store: MLFLOW_TRACKING_URI, else `tracking.uri`, else a SQLite file in the project."""
    return os.environ.get("MLFLOW_TRACKING_URI") or settings.uri or f"sqlite:///{project_root() / 'mlflow.db'}"


def connect(settings):
    """A client of the store.

    Raises:
        UserError: a server does not answer, within seconds; or the address is not one MLflow knows.
    """
    address = uri(settings)
    probe(settings)
    import mlflow
    from sqlalchemy.exc import SQLAlchemyError

    for name in ("alembic", "mlflow.store.db.utils", "mlflow.tracking._model_registry.client"):
        logging.getLogger(name).setLevel(logging.WARNING)
    try:
        client = mlflow.MlflowClient(address, address)
        client.search_experiments(max_results=1)  # a new database gets its tables here
    except (mlflow.exceptions.MlflowException, SQLAlchemyError, ImportError, OSError) as error:
        raise UserError(
            f"the tracking store {without_password(address)} cannot be used: {str(error).splitlines()[0]} (see params.yaml: tracking.uri)"
        ) from None
    return client


def probe(settings):
    """Ask whether anybody listens at the store's address, because MLflow itself would go on asking for minutes.

    Raises:
        UserError: nobody does.
    """
    address = uri(settings)
    import requests
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        if address.startswith(("http://", "https://")):
            if requests.get(f"{address.rstrip('/')}/health", timeout=PROBE_SECONDS).status_code >= 500:
                raise requests.RequestException
        elif (database := make_url(address)).host and (port := database.port or DATABASE_PORTS.get(database.get_backend_name())):
            socket.create_connection((database.host, port), timeout=PROBE_SECONDS).close()
    except ArgumentError:
        return  # MLflow says which addresses it knows
    except (requests.RequestException, OSError):
        raise UserError(
            f"no MLflow server answers at {without_password(address)}: start it, or change params.yaml: tracking.uri or MLFLOW_TRACKING_URI"
        ) from None


def without_password(address):
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", address)


def experiment_id(client, settings):
    """The experiment's id; a new one in a local store keeps its artifacts under the project, wherever a stage runs.

    It has a saved view in which trainings are compared; one that its user has changed stays as it is.
    """
    found = _get_or_create_experiment(client, settings)
    tags = client.get_experiment(found).tags
    if comparison_view.TAG not in tags:
        client.set_experiment_tag(found, comparison_view.TAG, comparison_view.view())
        if not tags.get(NOTE):
            client.set_experiment_tag(found, NOTE, comparison_view.note(found))
    return found


def _get_or_create_experiment(client, settings):
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(settings.experiment)
    if found is None:
        local = not uri(settings).startswith(("http://", "https://", "databricks"))
        where = (project_root() / "mlartifacts" / settings.experiment).as_uri() if local else None
        try:
            return client.create_experiment(settings.experiment, artifact_location=where)
        except MlflowException:  # another process made it meanwhile
            found = client.get_experiment_by_name(settings.experiment)
    if found.lifecycle_stage == "deleted":
        raise UserError(
            f"params.yaml: tracking.experiment = {settings.experiment}: this experiment was deleted in the tracking store: "
            f"restore it or choose another name"
        )
    return found.experiment_id
