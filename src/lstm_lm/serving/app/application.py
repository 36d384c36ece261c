"""The application: every path of the server, and what is around it."""

from __future__ import annotations

from concurrent.futures import Executor
from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from lstm_lm.serving.app import page, records
from lstm_lm.serving.app.completions import PATH as COMPLETIONS
from lstm_lm.serving.app.completions import CompletionsEndpoint
from lstm_lm.serving.app.door import Door
from lstm_lm.serving.app.mlflow_protocol import MlflowEndpoints
from lstm_lm.serving.app.observing import Observing
from lstm_lm.serving.app.operations import Operations
from lstm_lm.serving.app.problems import Problem
from lstm_lm.serving.app.scoring import NextRequest, ScoreRequest, ScoringEndpoints
from lstm_lm.serving.app.settings import ServerSettings

# For probes of machines that know no key, and they reveal nothing.
OPEN_PATHS = ("/ping", "/health", "/healthz", "/readyz")
# What /openapi.json says of each path: a summary, and a description.
DESCRIPTIONS = {
    COMPLETIONS: ("Generate texts", "OpenAI's completions, at once or as server-sent events. Other parameters are generation options."),
    "/v1/score": ("Score texts", "The surprisal of each word in bits, the unknown words, and the metrics of held-out text."),
    "/v1/next": ("List the most probable next words", "With their probabilities under the model itself, and that of all unknown words."),
    "/v1/models": ("List the models", "As OpenAI's clients expect it, with version, fingerprint and size of the vocabulary."),
    "/v1/models/{name}": ("Describe a model", "As in the list of models."),
    "/v1/options": (
        "List the generation options",
        "Name, type, default, bounds and help of each one; `names` has those of OpenAI's protocol.",
    ),
    "/invocations": ("Predict", "MLflow's scoring protocol: a table with the column `prompt`, and generation options as `params`."),
    "/ping": ("Check that the server runs", "As of MLflow's server."),
    "/health": ("Check that the server runs", "As of MLflow's server."),
    "/version": ("Show the version of MLflow", "As of MLflow's server."),
    "/healthz": ("Check that the process answers", "If it does not, start it again."),
    "/readyz": ("Check that requests are taken", "503 while the server shuts down."),
    "/metrics": ("Show the metrics", "In the format of Prometheus."),
    "/admin/reload": ("Take new models", "Look every model up again, and replace those that have changed. No request is dropped."),
}
ENDPOINTS = f"{COMPLETIONS}, /v1/score, /v1/next, /v1/models and /v1/options"


def build(operations: Operations, settings: ServerSettings, key: bytes | None, executor: Executor) -> ASGIApp:
    """Put the application together.

    Args:
        operations: with the models.
        settings: of the server.
        key: that clients must send; None: none.
        executor: threads in which requests wait for the engine.
    """
    models = operations.models
    # Its own pages of documentation would load code from foreign hosts.
    app = FastAPI(title="lstm-lm", docs_url=None, redoc_url=None, redirect_slashes=False, openapi_url="/openapi.json")
    completions = CompletionsEndpoint(models, settings.request_seconds)
    scoring = ScoringEndpoints(models, executor)
    mlflow = MlflowEndpoints(models, executor)
    _post(app, COMPLETIONS, completions.post, models.served[0].checker.model)
    _post(app, "/v1/score", scoring.score, ScoreRequest)
    _post(app, "/v1/next", scoring.next, NextRequest)
    app.add_api_route("/v1/chat/completions", completions.chat, methods=["POST"], include_in_schema=False)
    _get(app, "/v1/models", operations.list_models)
    _get(app, "/v1/models/{name:path}", operations.describe_model)
    _get(app, "/v1/options", operations.options)
    _post(app, "/invocations", mlflow.invocations, None)
    for path in ("/ping", "/health"):
        _get(app, path, mlflow.ping)
    _get(app, "/version", mlflow.version)
    _get(app, "/healthz", operations.healthz)
    _get(app, "/readyz", operations.readyz)
    _get(app, "/metrics", operations.prometheus)
    app.add_api_route("/admin/reload", operations.reload, methods=["POST"], **_described("/admin/reload"))
    open_paths = [*OPEN_PATHS, *page.add(app)]
    app.add_exception_handler(Problem, _answer_problem)
    app.add_exception_handler(HTTPException, _answer_http_exception)
    app.add_exception_handler(Exception, _answer_failure)
    return Observing(Door(app, settings, key, open_paths), operations.metrics, app.routes)


def _get(app: FastAPI, path: str, handler: Any) -> None:
    app.add_api_route(path, handler, methods=["GET"], **_described(path))
    app.add_api_route(path, handler, methods=["HEAD"], include_in_schema=False)


def _described(path: str) -> dict[str, Any]:
    summary, description = DESCRIPTIONS[path.replace(":path", "")]
    return {"summary": summary, "description": description}


def _post(app: FastAPI, path: str, handler: Any, body: type[BaseModel] | None) -> None:
    """Add a path whose handler checks the body itself; the model describes it in /openapi.json."""
    schema = body.model_json_schema() if body else {"type": "object"}
    app.add_api_route(
        path,
        handler,
        methods=["POST"],
        **_described(path),
        openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}},
    )


async def _answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, Problem)
    return error.answer(request.url.path)


async def _answer_failure(request: Request, error: Exception) -> Response:
    """Answer when a handler fails: the error itself is only for the log, see `observing`."""
    record = records.of(request.scope)
    return Problem(500, f"internal error: see the server's log for request {record.id}").answer(request.scope["path"])


async def _answer_http_exception(request: Request, error: Exception) -> Response:
    """Answer a path or method that does not exist."""
    assert isinstance(error, HTTPException)
    path = request.scope["path"]
    message = _missing(path) if error.status_code == 404 else f"{request.method} {path[:100]}: {error.detail}"
    if error.status_code == 405:
        message = f"{request.method[:20]} is not allowed for {path[:100]}"
    return Problem(error.status_code, message, headers=dict(error.headers or {})).answer(path)


def _missing(path: str) -> str:
    """Return what to do about a path that does not exist."""
    message = f"{path[:100]} does not exist"
    if path.rstrip("/") in DESCRIPTIONS:
        return f"{message}: leave out the slash at its end"
    return f"{message}: this server has {ENDPOINTS}" if path.startswith("/v1/") else message
