"""Run the systems that are compared as worker processes, one at a time."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import environments
import processes

PEERS = Path(__file__).parent / "peers"
PAUSE_SECONDS = 0.3  # between two measurements, until the threads of the previous worker are asleep
ERROR_LENGTH = 120  # characters of an error message that fit into a table

Settings = dict[str, Any]
Answer = dict[str, Any]


@dataclass
class Peer:
    """A system under comparison: a script in peers/ with its own Python and settings.

    Attributes:
        name: its label in the tables.
        script: file name in peers/.
        settings: passed to the script as JSON.
        python: path of the interpreter, or a function that returns it or raises environments.Unavailable.
        environment: variables set in addition to this process's own; GPUs are hidden from all systems.
        ready: the worker's first answer, once it is built and warm.
        results: the worker's answer in each round.
        peak_mib: peak memory in MiB.
        problem: why there is no measurement, or None.
    """

    name: str
    script: str
    settings: Settings
    python: str | Callable[[], str] = sys.executable
    environment: dict[str, str] = field(default_factory=dict)
    ready: Answer = field(default_factory=dict)
    results: list[Answer] = field(default_factory=list)
    peak_mib: float | None = None
    problem: str | None = None
    _process: subprocess.Popen[str] | None = None
    _errors: IO[str] | None = None

    @property
    def answers(self) -> list[Answer]:
        """The results of the rounds that did not fail."""
        return [result for result in self.results if result]

    def start(self) -> None:
        """Start the worker and wait until it is ready."""
        try:
            python = self.python() if callable(self.python) else self.python
        except environments.Unavailable as error:
            self.problem = str(error)
            return
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 (stop() closes it)
        self._process = subprocess.Popen(
            [python, str(PEERS / self.script), json.dumps(self.settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env=processes.environment({"PYTHONDONTWRITEBYTECODE": "1"}, self.environment),
        )
        self.ready = self._receive(self._process)

    def run_round(self, steps: int) -> None:
        """Run some steps while all other workers are idle, and record the result."""
        if self.problem is not None or self._process is None or self._process.stdin is None:
            return
        time.sleep(PAUSE_SECONDS)
        try:
            self._process.stdin.write(f"{steps}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # the missing answer is reported as the problem
        self.results.append(self._receive(self._process))

    def stop(self) -> None:
        """Stop the worker and record its peak memory."""
        process, self._process = self._process, None
        if process is None or process.stdin is None or process.stdout is None:
            return
        if self.problem is None:
            process.stdin.close()
            self.peak_mib = max(self.peak_mib or 0, self._receive(process).get("peak_mib", 0))
        else:
            process.kill()
        process.wait()
        process.stdout.close()
        if self._errors:
            self._errors.close()

    def _receive(self, process: subprocess.Popen[str]) -> Answer:
        """Return the worker's next answer. If the worker has ended, record why and return {}."""
        line = process.stdout.readline() if process.stdout else ""
        if line:
            answer: Answer = json.loads(line)
            return answer
        code = process.wait()
        output = ""
        if self._errors:
            self._errors.seek(0)
            output = self._errors.read()
        self.problem = processes.failure(code, output, ERROR_LENGTH)
        log(f"{self.name}: {self.problem}")
        return {}


def run_interleaved(peers: Sequence[Peer], rounds: int, steps: int | Callable[[Peer], int]) -> None:
    """Measure all peers in each round, one after the other, with all workers kept alive.

    Args:
        peers: the systems; their results are recorded in them.
        rounds: how many times each is measured.
        steps: how many steps a round has, or a function that returns the number for a peer.
    """
    try:
        for peer in peers:
            log(f"  {peer.name}: starting")
            peer.start()
        for number in range(rounds):
            log(f"  round {number + 1} of {rounds}")
            # The order rotates, so that no peer always runs on a processor heated by the same predecessor.
            for i in range(len(peers)):
                peer = peers[(i + number) % len(peers)]
                peer.run_round(steps(peer) if callable(steps) else steps)
    finally:
        for peer in peers:
            peer.stop()


def run_separately(peers: Sequence[Peer], rounds: int, steps: int) -> None:
    """Measure like `run_interleaved`, with one process alive at a time: for peers that don't fit into memory together."""
    for number in range(rounds):
        for peer in peers:
            if peer.problem is None:
                log(f"  round {number + 1} of {rounds}: {peer.name}")
                try:
                    peer.start()
                    peer.run_round(steps)
                finally:
                    peer.stop()


def log(line: str) -> None:
    """Print a line of progress to stderr."""
    print(line, file=sys.stderr, flush=True)
