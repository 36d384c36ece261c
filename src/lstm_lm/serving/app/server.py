"""A process that serves: it loads the models, answers requests, and stops without dropping one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import uvicorn

from lstm_lm.serving.app import application, log, models, sources
from lstm_lm.serving.app.metrics import Metrics
from lstm_lm.serving.app.models import Models
from lstm_lm.serving.app.operations import Operations
from lstm_lm.serving.app.problems import Problem
from lstm_lm.serving.app.prompt_log import PromptLog
from lstm_lm.serving.app.settings import ServerSettings, api_key
from lstm_lm.serving.prompts.files import PromptWriter

THREADS = 256  # requests that may wait for the engine in threads at once
ARENAS = 2  # heaps of the process: one is mostly the decode loop's
SWITCH_SECONDS = 0.001  # for which a thread may keep the others waiting, such as one that loads a model
ANSWER_SECONDS = 5  # after the limit of a shutdown, for answers to requests that are not complete
UPDATE_SECONDS = 1.0  # between two updates of the metrics
MLFLOW_SERVER = "__pyfunc_model_path__"  # environment variable by which the MLflow model knows that it is in a server


class _Uvicorn(uvicorn.Server):
    """Signals are handled here: uvicorn would end the process by the signal that stopped it."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def listen(settings: ServerSettings) -> socket.socket:
    """Return a socket with the server's address. It does not listen yet: clients are refused until a model is loaded.

    Raises:
        OSError: the address is taken.
    """
    family, kind, protocol, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[
        0
    ]
    bound = socket.socket(family, kind, protocol)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(address)
    bound.set_inheritable(True)
    return bound


def run(settings: ServerSettings, bound: socket.socket, ready: Callable[[], None], reload_others: Callable[[], None] | None = None) -> None:
    """Load the models and serve until a signal comes: SIGTERM and SIGINT stop the server, SIGHUP reloads.

    Args:
        settings: of the server.
        bound: of `listen`.
        ready: called once requests are answered.
        reload_others: asks other workers to reload too.
    Raises:
        UserError: a model cannot be found or loaded.
    """
    _prepare()
    sys.setswitchinterval(SWITCH_SECONDS)
    started = time.perf_counter()
    served = [models.load(source) for source in settings.named]
    for model, model_id in zip(served, sources.ids([model.resolved for model in served]), strict=True):
        model.id = model_id
    log.start()
    seconds = round(time.perf_counter() - started, 1)
    for model in served:
        log.event("loaded", model=model.id, address=model.resolved.address, fingerprint=model.fingerprint, seconds=seconds)
    try:
        asyncio.run(_serve(settings, bound, served, (ready, reload_others)))
    finally:
        log.stop()


def _prepare() -> None:
    """Set up TensorFlow before a model is loaded."""
    from lstm_lm.io import memory, quiet

    memory.keep_freed()
    memory.limit_arenas(ARENAS)
    os.environ.setdefault(MLFLOW_SERVER, "lstm_lm")
    with quiet.tensorflow_import():
        import tensorflow as tf
    # The first request would wait for these.
    import mlflow.pyfunc.scoring_server  # noqa: F401
    import pyarrow.parquet  # noqa: F401

    # Generating one word is too little work to share between threads, and requests share the batch anyway.
    tf.config.threading.set_intra_op_parallelism_threads(1)


async def _serve(
    settings: ServerSettings,
    bound: socket.socket,
    served: list[models.ServedModel],
    callbacks: tuple[Callable[[], None], Callable[[], None] | None],
) -> None:
    ready, reload_others = callbacks
    prompt_log = PromptLog(PromptWriter(settings.log_prompts, settings.log_prompts_bytes)) if settings.log_prompts else None
    held = Models(settings.named, served, prompt_log)
    operations = Operations(held, Metrics(), reload_others, settings.example_prompts)
    with ThreadPoolExecutor(THREADS, thread_name_prefix="request") as executor:
        app = application.build(operations, settings, api_key(), executor)
        server = _Uvicorn(_uvicorn_config(app, settings))
        running = Running(server, operations, settings)
        running.handle_signals()
        updating = asyncio.create_task(_update(operations))
        announcing = asyncio.create_task(_announce(server, ready))
        await server.serve([bound])
        running.has_ended = True
        updating.cancel()
        announcing.cancel()
        if not server.force_exit:
            held.close()
    log.event("stopped", process=os.getpid())


def _uvicorn_config(app: object, settings: ServerSettings) -> uvicorn.Config:
    return uvicorn.Config(
        app,  # type: ignore[arg-type]  # an ASGI application
        log_config=None,
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=int(settings.shutdown_seconds) + ANSWER_SECONDS,
    )


async def _announce(server: uvicorn.Server, ready: Callable[[], None]) -> None:
    while not server.started:
        await asyncio.sleep(0.01)
    log.event("ready", process=os.getpid())
    ready()


async def _update(operations: Operations) -> None:
    while True:
        await asyncio.sleep(UPDATE_SECONDS)
        operations.metrics.update(operations.models)


class Running:
    """A server that runs, and what signals do to it."""

    def __init__(self, server: uvicorn.Server, operations: Operations, settings: ServerSettings) -> None:
        """Take the server.

        Args:
            server: of uvicorn.
            operations: answers /readyz.
            settings: of the server.
        """
        self.server, self.operations, self.settings = server, operations, settings
        self.has_ended = False  # all requests are answered: only the models are left to close
        self._tasks: set[asyncio.Task[None]] = set()

    def handle_signals(self) -> None:
        """Take over the signals of this process."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self.drain)
        if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as in a worker, whose parent handles Ctrl-C
            loop.add_signal_handler(signal.SIGINT, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self.reload)

    def drain(self) -> None:
        """Tell load balancers by /readyz to send no more requests, and stop a moment later."""
        if not self.operations.is_draining:
            self._report(self.settings.shutdown_seconds)
            self.operations.is_draining = True
            asyncio.get_running_loop().call_later(self.settings.drain_seconds, self._stop_unless_stopping)

    def stop(self) -> None:
        """Accept no more requests, and end when those that run are answered. At the second call, end at once."""
        if self.has_ended:
            return
        is_second = self.server.should_exit
        seconds = 0.0 if is_second else self.settings.shutdown_seconds
        if is_second or not self.operations.is_draining:
            self._report(seconds)
        self.operations.is_draining = True
        self.server.force_exit = is_second
        self.server.should_exit = True
        asyncio.get_running_loop().call_later(seconds, lambda: self._start(self._end_requests()))

    def _stop_unless_stopping(self) -> None:
        if not self.server.should_exit:
            self.stop()

    def _report(self, seconds: float) -> None:
        """Log how long requests that run may take."""
        log.event("stopping", process=os.getpid(), requests=len(self.server.server_state.tasks), seconds=seconds)

    def reload(self) -> None:
        """Reload in the background."""
        self._start(self._reload())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _end_requests(self) -> None:
        """Answer what still runs: that it will not be complete."""
        if self.has_ended:
            return
        for model in self.operations.models.served:
            await asyncio.to_thread(model.engine.close)

    async def _reload(self) -> None:
        with contextlib.suppress(Problem):  # which is in the log
            try:
                await self.operations.models.reload()
            except Exception as error:
                log.event("reload failed", logging.ERROR, error)
