"""Command `ui`: MLflow's pages over this project's runs."""

import os
from typing import Annotated

import typer

from lstm_lm.errors import UserError


def ui(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on", min=1, max=65_535)] = 5000,
    allowed_hosts: Annotated[
        str, typer.Option(help="other names or addresses under which browsers reach this server, separated by commas; *: any (unsafe)")
    ] = "",
) -> None:
    """Start MLflow's web interface for this project's runs, and print the address of a page that compares all trainings."""
    from lstm_lm.commands import servers
    from lstm_lm.config import loading
    from lstm_lm.io.addresses import mask
    from lstm_lm.tracking import comparison_view, store
    from lstm_lm.ui import terminal

    settings = loading.load().tracking
    store_address = store.uri(settings)
    if store.is_server(store_address):
        raise UserError(f"the tracking store is a server with its own web interface: open {mask(store_address)}")
    servers.check_can_listen("mlflow", host, port, "make ui PORT=...")
    experiment = store.experiment_id(store.connect(settings), settings)
    address, page = servers.url(host, port), comparison_view.address(experiment)
    terminal.print(f"starting MLflow on {address}, ready in about 20 seconds. Ctrl-C stops it. This page compares all trainings:")
    terminal.verbatim(f"  {address}/{page}")
    if others := servers.remote_urls(host, port):
        terminal.print(
            "On other machines open one of these. Other names and addresses are answered with 403 unless --allowed-hosts has them:"
        )
        for other in others:
            terminal.verbatim(f"  {other}/{page}")
    # Otherwise MLflow starts task runners that nothing here uses, and takes twice as long to start.
    environment = {
        **store.environment(settings),
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        # By the environment, not by options: every user of this machine can read a command line, and an address may hold a password.
        "MLFLOW_BACKEND_STORE_URI": store_address,
        "MLFLOW_SERVER_ALLOWED_HOSTS": servers.allowed_hosts(host, port, allowed_hosts),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": servers.allowed_origins(host, port, allowed_hosts),
    }
    os.execvpe("mlflow", ["mlflow", "ui", "--workers", "1", "--host", host, "--port", str(port)], environment)
