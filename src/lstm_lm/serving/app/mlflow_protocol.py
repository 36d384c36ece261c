"""MLflow's scoring protocol: /invocations, /ping, /health and /version, by MLflow's own functions.

What its own server answers with 500, a stack trace or plain text is answered here with 4xx and one line of JSON.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Executor
from io import BytesIO
from typing import Any

from fastapi import Request, Response

from lstm_lm.serving.app import bodies, engine_stream, log, records
from lstm_lm.serving.app.models import Models, ServedModel
from lstm_lm.serving.app.problems import Problem, one_line
from lstm_lm_serving.stream import Stream, submitted

CSV, PARQUET = "text/csv", "application/vnd.apache.parquet"
INPUTS = ("dataframe_split", "dataframe_records", "instances", "inputs")
ERROR_MARK = "\nError: "  # before the model's own words in a message of MLflow
MAX_PARQUET_BYTES = 64 * 2**20  # when it is unpacked


class MlflowEndpoints:
    """Answers MLflow's clients."""

    def __init__(self, models: Models, executor: Executor) -> None:
        """Take what is served.

        Args:
            models: of the server; the first one is meant.
            executor: threads in which requests wait for the engine.
        """
        self.models, self.executor = models, executor

    async def ping(self) -> Response:
        """Whether the server runs."""
        return Response("\n", media_type="application/json")

    async def version(self) -> Response:
        """The version of MLflow."""
        from mlflow.version import VERSION

        return Response(VERSION, media_type="application/json")

    async def invocations(self, request: Request) -> Response:
        """Predict.

        Raises:
            Problem: the request is not allowed.
        """
        media_type = bodies.check_media_type(request.headers, (bodies.JSON, CSV, PARQUET))
        body = await request.body()
        with self.models.use() as model:
            streams = _Streams()
            submitted.set(streams)  # in the context of this request
            request_id = records.of(request.scope).id

            def take_prompts(prompts: list[str]) -> None:
                self.models.take_prompts(model, prompts, request_id)

            async with engine_stream.cancelled_if_client_leaves(request.receive, streams.cancel):
                return await engine_stream.in_thread(self.executor, lambda: predict(body, media_type, model, take_prompts))


class _Streams(list[Stream]):
    """The streams of the engine that a call of `predict` submits, in a thread."""

    def __init__(self) -> None:
        super().__init__()
        self._lock = threading.Lock()
        self._is_cancelled = False

    def append(self, stream: Stream) -> None:
        with self._lock:
            super().append(stream)
            if self._is_cancelled:
                stream.cancel()

    def cancel(self) -> None:
        """Cancel them, and those that are still to come."""
        with self._lock:
            self._is_cancelled = True
            for stream in self:
                stream.cancel()


class _Predicting:
    """A model for MLflow's function, which parses the request. Its prompts are taken where they are accepted."""

    def __init__(self, pyfunc: Any, take_prompts: Callable[[list[str]], None]) -> None:
        self.metadata = pyfunc.metadata
        self._pyfunc, self._take_prompts = pyfunc, take_prompts

    def predict(self, data: Any, params: dict[str, Any] | None = None) -> Any:
        predicted = self._pyfunc.predict(data, params=params)
        self._take_prompts(prompts_of(data))
        return predicted


def prompts_of(data: Any) -> list[str]:
    """Return the prompts of a table as MLflow parses it: a data frame, columns by name, rows, or one prompt."""
    if isinstance(data, str):
        return [str(data)]
    if isinstance(data, list):
        return [prompt for row in data for prompt in prompts_of(row)]
    column = data.get("prompt", [])
    return [column] if isinstance(column, str) else [str(prompt) for prompt in column]


def predict(body: bytes, media_type: str, model: ServedModel, take_prompts: Callable[[list[str]], None]) -> Response:
    """Parse a body, predict, and return the response.

    Args:
        body: of the request.
        media_type: of the body.
        model: that predicts.
        take_prompts: gets the prompts if they were accepted.
    Raises:
        Problem: the body is not allowed, or the model refuses it.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.pyfunc import scoring_server

    data = _checked(body, media_type)
    try:
        predicting = _Predicting(model.loaded.pyfunc, take_prompts)
        answer = scoring_server.invocations(data, media_type, predicting, predicting.metadata.get_input_schema())
    except MlflowException as error:
        status = error.get_http_status_code()
        if status == 500:
            log.event("predict failed", logging.ERROR, error)
        raise Problem(status, _own_words(error.message)) from None
    except (ValueError, TypeError, RecursionError, KeyError, AttributeError, OverflowError) as error:
        # What MLflow's own parser raises for input that it did not expect.
        raise Problem(400, f"the input cannot be read as a table: {type(error).__name__}: {error}") from None
    return Response(answer.response, answer.status, media_type=answer.mimetype)


def _checked(body: bytes, media_type: str) -> bytes | str | dict[str, Any]:
    """Return a body as MLflow takes it."""
    if media_type == bodies.JSON:
        values = bodies.parse_object(body)
        _check_fields(values)
        return values
    if media_type == CSV:
        return bodies.decode(body)
    _check_parquet(body)
    return body


def _check_fields(body: dict[str, Any]) -> None:
    given = [name for name in INPUTS if name in body]
    if len(given) > 1:
        raise Problem(400, f"the JSON has {' and '.join(given)}: must have exactly one of {', '.join(INPUTS)}")
    params = body.get("params")
    if params is not None and not isinstance(params, dict):
        raise Problem(400, f"params = {bodies.shown(params)}: must be an object")


def _check_parquet(body: bytes) -> None:
    """A small file may hold gigabytes when it is unpacked."""
    import pyarrow
    from pyarrow import parquet

    try:
        metadata = parquet.read_metadata(BytesIO(body))
        size = sum(metadata.row_group(number).total_byte_size for number in range(metadata.num_row_groups))
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise Problem(400, f"the body is not a Parquet file: {error}") from None
    if size > MAX_PARQUET_BYTES:
        raise Problem(413, f"the Parquet file has {size} bytes when it is unpacked: must be at most {MAX_PARQUET_BYTES}")


def _own_words(message: str) -> str:
    """Return what a message of MLflow says, without the input that it repeats."""
    if ERROR_MARK in message:
        return one_line(message.rpartition(ERROR_MARK)[2].strip())
    return one_line(message.partition("\nInput:")[0].strip())
