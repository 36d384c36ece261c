"""Command `ui`: MLflow's pages over this project's runs."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence


def ui(
    host: Annotated[str, typer.Option(help="address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="port to listen on", min=1, max=65_535)] = 5000,
    allowed_hosts: Annotated[
        str, typer.Option(help="other names or addresses under which browsers reach this server, separated by commas; *: any (unsafe)")
    ] = "",
) -> None:
    """Start MLflow's web interface for this project's runs, and print the address of the leaderboard of all trainings."""
    from lstm_lm.commands import servers
    from lstm_lm.config import loading
    from lstm_lm.errors import UserError
    from lstm_lm.io.addresses import mask
    from lstm_lm.tracking import mlflow_pages, store
    from lstm_lm.tracking.views import catalog
    from lstm_lm.ui import terminal

    settings = loading.load().tracking
    store_address = store.uri(settings)
    if store.is_server(store_address):
        raise UserError(f"the tracking store is a server with its own web interface: open {mask(store_address)}")
    servers.check_can_listen(host, port, "make ui PORT=...")
    terminal.print("starting MLflow ...")
    client = store.connect(settings)
    experiment = store.experiment_id(client, settings)
    is_empty = not client.search_runs([experiment], max_results=1)
    page = catalog.LEADERBOARD.address(experiment)
    addresses = [f"{address}/{page}" for address in (servers.url(host, port), *servers.remote_urls(host, port))]
    environment = {
        **store.environment(settings),
        # Otherwise MLflow starts task runners that nothing here uses.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_SERVER_ALLOWED_HOSTS": servers.allowed_hosts(host, port, allowed_hosts),
        "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS": servers.allowed_origins(host, port, allowed_hosts),
    }
    mlflow_pages.serve(
        store_address, host, port, environment, lambda: announce(addresses, is_empty, sends_usage_data=mlflow_pages.sends_usage_data())
    )


def announce(addresses: "Sequence[str]", is_empty: bool, *, sends_usage_data: bool) -> None:
    """Print what to open, the address on this machine last.

    Args:
        addresses: of the leaderboard: on this machine, then on others.
        is_empty: whether there is no training yet.
        sends_usage_data: whether MLflow may do so.
    """
    from lstm_lm.ui import terminal

    local, *remote = addresses
    if is_empty:
        terminal.print("There is no training yet. In another terminal, run: make repro. It appears on this page within half a minute.")
    if not sends_usage_data:
        terminal.print("MLflow sends no usage data, whatever its pages say: its telemetry is off here.")
    if remote:
        terminal.print(
            "On other machines open one of these. Other names and addresses are answered with 403 unless --allowed-hosts has them:"
        )
        for address in remote:
            terminal.verbatim(f"  {address}")
    terminal.print("Ready (Ctrl-C stops). The leaderboard of all trainings:")
    terminal.verbatim(f"  {local}")
