"""Several processes that serve on one socket, each with its own engine."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext, SpawnProcess
from types import FrameType

from lstm_lm.errors import UserError
from lstm_lm.serving.app import server
from lstm_lm.serving.app.metrics import FOLDER_VARIABLE
from lstm_lm.serving.app.settings import ServerSettings

STOP_SECONDS = 10.0  # beyond those that running requests may take
POLL_SECONDS = 0.2
RESTART_SECONDS = 1.0  # before a worker that ended is started again


class Worker:
    """A process."""

    def __init__(self, context: SpawnContext, settings: ServerSettings, bound: socket.socket) -> None:
        """Start it.

        Args:
            context: of multiprocessing.
            settings: of the server.
            bound: the socket that all workers share.
        """
        # Unlike an event of multiprocessing, a pipe leaves no semaphores behind, however this process ends.
        self._ready, ready = context.Pipe(duplex=False)
        self._is_ready = False
        self.process: SpawnProcess = context.Process(target=_work, args=(settings, bound, ready), daemon=False)
        self.process.start()
        ready.close()

    @property
    def is_ready(self) -> bool:
        """Whether it has begun to answer requests."""
        with contextlib.suppress(EOFError):  # it has ended
            self._is_ready = self._is_ready or (self._ready.poll() and self._ready.recv())
        return self._is_ready

    def close(self) -> None:
        """Release what belongs to an ended process."""
        self._ready.close()

    def signal(self, number: int) -> None:
        """Send a signal, unless the process has ended."""
        if self.process.is_alive() and self.process.pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.process.pid, number)


def _work(settings: ServerSettings, bound: socket.socket, ready: Connection) -> None:
    from lstm_lm.ui import program

    parent = os.getppid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all processes: the parent passes it on

    def serve() -> None:
        # The parent passes SIGHUP on to all workers, this one included, whose own reload runs already by then.
        server.run(settings, bound, lambda: ready.send(True), lambda: os.kill(parent, signal.SIGHUP))

    program.run(serve)
    program.leave("", 0)


class Supervisor:
    """Starts the workers, starts those again that end by themselves, and passes signals on."""

    def __init__(self, settings: ServerSettings, bound: socket.socket, ready: Callable[[], None]) -> None:
        """Take the socket.

        Args:
            settings: of the server.
            bound: of `server.listen`.
            ready: called once all workers answer requests.
        """
        self.settings, self.bound, self.ready = settings, bound, ready
        self.is_ready = False
        self.context = multiprocessing.get_context("spawn")
        self.workers: list[Worker] = []
        self.is_stopping = False

    def run(self) -> None:
        """Serve until SIGTERM or SIGINT.

        Raises:
            UserError: a worker ended before it was ready: the reason is in its own message.
        """
        with _metrics_folder():
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
            signal.signal(signal.SIGHUP, self._pass_on)
            self.workers = [self._start() for _ in range(self.settings.workers)]
            try:
                while not self.is_stopping:
                    connection.wait([worker.process.sentinel for worker in self.workers], POLL_SECONDS)
                    self._replace_ended()
                    self._announce()
            finally:
                self._end()

    def _start(self) -> Worker:
        return Worker(self.context, self.settings, self.bound)

    def _replace_ended(self) -> None:
        for number, worker in enumerate(self.workers):
            if worker.process.is_alive() or self.is_stopping:
                continue
            if not worker.is_ready:
                raise UserError("a worker could not start: see above")
            worker.close()
            time.sleep(RESTART_SECONDS)
            self.workers[number] = self._start()

    def _announce(self) -> None:
        if not self.is_ready and all(worker.is_ready for worker in self.workers):
            self.is_ready = True
            self.ready()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        """Let the workers stop, or at the second Ctrl-C end them."""
        at_once = self.is_stopping and number == signal.SIGINT
        self.is_stopping = True
        for worker in self.workers:
            worker.signal(signal.SIGKILL if at_once else signal.SIGTERM)

    def _pass_on(self, number: int, frame: FrameType | None) -> None:
        for worker in self.workers:
            if worker.is_ready:
                worker.signal(number)

    def _end(self) -> None:
        for worker in self.workers:
            worker.signal(signal.SIGTERM)
        deadline = time.monotonic() + self.settings.drain_seconds + self.settings.shutdown_seconds + STOP_SECONDS
        for worker in self.workers:
            worker.process.join(max(0.0, deadline - time.monotonic()))
            if worker.process.is_alive():
                worker.process.kill()


@contextlib.contextmanager
def _metrics_folder() -> Iterator[None]:
    """A folder in which the workers keep their metrics, so that each of them can report those of all.

    Their temporary files are there too: a worker that is killed leaves them.
    """
    with tempfile.TemporaryDirectory(prefix="lstm-lm-workers-") as folder:
        os.environ[FOLDER_VARIABLE] = os.environ["TMPDIR"] = folder
        yield
