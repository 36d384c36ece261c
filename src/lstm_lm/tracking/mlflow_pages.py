"""MLflow's pages over a tracking store, served by this process.

`mlflow ui` serves the same application. It starts two more processes, logs every request, and opens in a browser that has not been there
before as a tool for applications of language models: without the model registry, with the panel of its assistant open. This module serves
MLflow's application itself, and puts other defaults into its first page.
"""

from __future__ import annotations

import json
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from fastapi import FastAPI

GRACE_SECONDS = 3  # for requests that run when the server is stopped
# What a browser keeps for MLflow's pages. A person who has chosen something else there keeps it.
DEFAULTS = {
    "mlflow.workflowType_v1": '"machine_learning"',  # pages for training models, instead of those for agents and prompts
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",  # the assistant does not open by itself
    "_mlflow_model_registry_promo_modal_dismissed_v1": "true",  # an advertisement that covers the list of registered models
}
NO_USAGE_DATA = {
    "mlflow.settings.telemetry.enabled_v1": "false",
    "mlflow.telemetry.info.alert.dismissed_v1": "true",  # the banner that says that usage data is collected
}


def serve(address: str, host: str, port: int, environment: Mapping[str, str], ready: Callable[[], None]) -> None:
    """Serve MLflow's pages until a signal comes, which then ends the process as if nothing had handled it.

    Args:
        address: of the tracking store, a database.
        host: to listen on.
        port: to listen on.
        environment: of the server: MLflow reads the names of hosts that it answers there.
        ready: called once requests are answered.
    """
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    # MLflow's command line hands its options to its application in these. The address is in no command line, which every user of this
    # machine can read: it may hold a password.
    os.environ.update(
        {
            **environment,
            "_MLFLOW_SERVER_FILE_STORE": address,
            "_MLFLOW_SERVER_REGISTRY_STORE": address,
            "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/",
            "_MLFLOW_SERVER_ARTIFACT_DESTINATION": "./mlartifacts",
            "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
            "_MLFLOW_SGI_NAME": "uvicorn",
            "_MLFLOW_IN_JOB_EXECUTOR": "false",
        }
    )
    import uvicorn

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                ready()

    config = uvicorn.Config(
        _application(),
        host=host,
        port=port,
        log_config=None,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )
    Server(config).run()


def _application() -> FastAPI:
    """Return MLflow's application, with our defaults in its first page. Its checks of hosts and origins come before any page."""
    from starlette.requests import Request
    from starlette.responses import HTMLResponse, Response
    from starlette.routing import Route

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "starlette.middleware.wsgi is deprecated")  # by MLflow
        from mlflow import server
        from mlflow.server.fastapi_app import app
    from mlflow.telemetry.utils import is_telemetry_disabled

    defaults = {**DEFAULTS, **(NO_USAGE_DATA if is_telemetry_disabled() else {})}
    page = with_defaults((Path(str(server.app.static_folder)) / "index.html").read_text(encoding="utf-8"), defaults)

    async def first_page(request: Request) -> Response:
        return HTMLResponse(page, headers={"Cache-Control": "no-cache"})

    application: FastAPI = app
    application.router.routes.insert(0, Route("/", first_page))
    return application


def with_defaults(page: str, defaults: Mapping[str, str]) -> str:
    """Return an HTML page that first puts values into the browser's local storage, under names that have none there."""
    script = (
        f"for (const [name, value] of Object.entries({json.dumps(defaults)})) "
        "if (localStorage.getItem(name) === null) localStorage.setItem(name, value);"
    )
    return page.replace("<head>", f"<head><script>try {{ {script} }} catch {{}}</script>", 1)  # storage may be forbidden


def sends_usage_data() -> bool:
    """Whether MLflow may send usage data: its user has said so, against our default."""
    from mlflow.telemetry.utils import is_telemetry_disabled

    return not is_telemetry_disabled()
