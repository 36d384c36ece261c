"""The outermost layer of the server, around an application that refuses everything before any route is reached."""

import asyncio
from typing import Any

import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from lstm_lm.serving.app.metrics import Metrics
from lstm_lm.serving.app.observing import OTHER, Observing
from lstm_lm.serving.app.problems import Problem


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    await Problem(413, "the body is too large").answer(scope["path"])(scope, receive, send)


async def get() -> None:
    pass


@pytest.mark.parametrize(
    ("method", "path", "counted"),
    [
        ("POST", "/v1/score", "/v1/score"),
        ("PUT", "/v1/score", "/v1/score"),
        ("GET", "/v1/models/a/b", "/v1/models/{name:path}"),
        ("GET", "/made/up", OTHER),
    ],
)
def test_a_request_that_is_refused_early_is_counted_for_its_route(method: str, path: str, counted: str) -> None:
    app, registry = FastAPI(), CollectorRegistry()
    app.add_api_route("/v1/score", get, methods=["POST"])
    app.add_api_route("/v1/models/{name:path}", get, methods=["GET"])
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": method, "path": path, "headers": [], "root_path": ""}
    asyncio.run(Observing(refuse, Metrics(registry), app.routes)(scope, receive, send))
    assert sent[0]["status"] == 413
    labels = {"method": method, "path": counted, "status": "413"}
    assert registry.get_sample_value("lstm_lm_http_requests_total", labels) == 1
