"""The model as MLflow serves it: a pyfunc over the serving engine ("models from code").

MLflow runs this file itself when it loads the model, far from this project. So it imports nothing of the project but lstm_lm_serving,
which is logged with the model; the names, defaults and bounds of the generation options come from a table among the SavedModel's assets.

Input: a table with the column `prompt` (string). Params: the generation options, and `stop`, a list of strings before the first of which a
text ends.
Output: a table with the column `text`: each prompt and the words after it. With several samples, there is a row for each sample, those of
a prompt are neighbors, and two more columns identify them: `row` of the input and `sample`, both from 0.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from typing import Any

import mlflow
import pandas as pd
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import DEADLINE_EXCEEDED, INVALID_PARAMETER_VALUE, RESOURCE_EXHAUSTED, TEMPORARILY_UNAVAILABLE

from lstm_lm_serving.checks import refused, shown
from lstm_lm_serving.engine import Engine
from lstm_lm_serving.errors import Busy, Expired, Refused, ServingError
from lstm_lm_serving.limits import Limits
from lstm_lm_serving.stream import Stream
from lstm_lm_serving.texts import Completion, Text

SERVER = "__pyfunc_model_path__"  # environment variable set by MLflow's scoring server
SERVER_TIMEOUT = "MLFLOW_SCORING_SERVER_REQUEST_TIMEOUT"  # in seconds, after which it answers 504
MARGIN_SECONDS = 5  # a request ends so long before
LONG_SECONDS = 0.5  # a request that is estimated to take longer is long
THREADS = min(32, (os.cpu_count() or 1) + 4)  # in which MLflow's server calls `predict`: those of asyncio.to_thread
MAX_LONG_REQUESTS = THREADS // 2  # at once, so that short ones do not wait for a thread
WITHOUT_SERVER_SECONDS = 3600.0  # in a notebook or a batch job nobody waits for an answer
WHITE_SPACE = " \t\n\v\f\r"  # that no text starts or ends with


class ServedModel(mlflow.pyfunc.PythonModel):
    """The artifact `saved_model` is a folder; the table of generation options is among its assets.

    Attributes:
        engine: generates the texts; other servers than MLflow's use it directly.
    """

    engine: Engine

    def load_context(self, context: Any) -> None:
        """Load the SavedModel; MLflow calls this once in each process."""
        self._load(str(context.artifacts["saved_model"]))

    def _load(self, saved_model: str) -> None:
        seconds = WITHOUT_SERVER_SECONDS
        if SERVER in os.environ:
            seconds = max(float(os.environ.get(SERVER_TIMEOUT, "60")) - MARGIN_SECONDS, 1.0)
            _compute_in_one_thread()
        self._long_requests = threading.BoundedSemaphore(MAX_LONG_REQUESTS)
        self._saved_model = saved_model
        self.engine = Engine(saved_model, Limits(deadline_s=seconds), warm_up=SERVER in os.environ)

    def predict(self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Continue every prompt. Thread-safe: the prompts of all calls are generated together.

        Raises:
            MlflowException: one line. INVALID_PARAMETER_VALUE (400 over HTTP) for any cell or param that is not allowed, or too much to
                generate; RESOURCE_EXHAUSTED (429) if there is too much to do at the moment; DEADLINE_EXCEEDED (504).
        """
        try:
            options = dict(params or {})
            stop = options.pop("stop", ())
            texts = [Text(prompt, options, stop=stop, echo=True) for prompt in _prompts(model_input)]
            stream = self.engine.submit(texts)
            with self._room_for(stream):
                return _table(stream.result())
        except ServingError as error:
            raise MlflowException(str(error), error_code=_error_code(error)) from None

    @contextlib.contextmanager
    def _room_for(self, stream: Stream) -> Iterator[None]:
        """Let a long request have one of the few threads of MLflow's server.

        Raises:
            Busy: others have those that long requests may have.
        """
        if stream.estimated_seconds < LONG_SECONDS or not threading.current_thread().name.startswith("asyncio"):
            yield
            return
        if not self._long_requests.acquire(blocking=False):
            stream.cancel()
            raise Busy(f"{MAX_LONG_REQUESTS} long requests are being answered, which is the limit: try again later, or ask for less", 1.0)
        try:
            yield
        finally:
            self._long_requests.release()

    def __getstate__(self) -> dict[str, Any]:
        """A process that unpickles a loaded model loads the SavedModel again."""
        return {"saved_model": self._saved_model} if hasattr(self, "engine") else {}

    def __setstate__(self, state: dict[str, Any]) -> None:
        if state:
            self._load(**state)


def _prompts(model_input: Any) -> list[Any]:
    """Return the prompts of a table, or of a sequence of prompts.

    Raises:
        Refused: the table has no such column.
    """
    if not isinstance(model_input, pd.DataFrame):
        return list(model_input)
    if "prompt" not in model_input.columns:
        raise refused(f"there is no column 'prompt', only {shown(list(model_input.columns))}")
    return list(model_input["prompt"].tolist())


def _table(completions: list[Completion]) -> pd.DataFrame:
    columns: dict[str, list[Any]] = {"text": [completion.content.strip(WHITE_SPACE) for completion in completions]}
    if completions[-1].sample > 0:
        columns["row"] = [completion.text for completion in completions]
        columns["sample"] = [completion.sample for completion in completions]
    return pd.DataFrame(columns)


def _error_code(error: ServingError) -> int:
    if isinstance(error, Busy):
        return int(RESOURCE_EXHAUSTED)
    if isinstance(error, Refused):
        return int(INVALID_PARAMETER_VALUE)
    return int(DEADLINE_EXCEEDED if isinstance(error, Expired) else TEMPORARILY_UNAVAILABLE)


def _compute_in_one_thread() -> None:
    """Generating one word is too little work to share between threads.

    Only in the server: in a notebook, TensorFlow's settings are the user's.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):  # TensorFlow is in use already
        tf.config.threading.set_intra_op_parallelism_threads(1)


mlflow.models.set_model(ServedModel())
