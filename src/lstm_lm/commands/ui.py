"""Command `ui`: MLflow's pages over this project's runs."""

import os
from typing import Annotated

import typer

from lstm_lm.errors import UserError


def ui(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on")] = 5000,
) -> None:
    """Start MLflow's web interface for this project's runs, and print the address of a page that compares all trainings."""
    from lstm_lm.commands.servers import check_can_listen
    from lstm_lm.config import loading
    from lstm_lm.tracking import comparison_view, store
    from lstm_lm.ui import terminal

    settings = loading.load().tracking
    store_address = store.uri(settings)
    if store_address.startswith(("http://", "https://")):
        raise UserError(f"the tracking store is a server with its own web interface: open {store_address}")
    check_can_listen("mlflow", host, port, "make ui PORT=...")
    experiment = store.experiment_id(store.connect(settings), settings)
    address = f"http://{host}:{port}"
    terminal.print(f"starting MLflow on {address}, ready in about 20 seconds. Ctrl-C stops it. This page compares all trainings:")
    terminal.verbatim(f"  {address}/{comparison_view.address(experiment)}")
    # Otherwise MLflow starts task runners that nothing here uses, and takes twice as long to start.
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    command = ["mlflow", "ui", "--workers", "1", "--host", host, "--port", str(port), "--backend-store-uri", store_address]
    os.execvp("mlflow", command)
