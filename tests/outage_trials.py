"""Outages of a real MLflow server while the pipeline trains and evaluates, and what must come of it."""

from __future__ import annotations

import random
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from conftest import change_params, run
from fault_proxy import Fault, FaultProxy
from kill_trials import RUN_SECONDS, Outcome, compare, compare_tracking, leftovers, start, wait_for_stage
from mlflow_server import MlflowServer

KINDS = ("killed", "suspended", "slow", "errors", "closed", "lost answers", "disk full")
PROXIED = {"slow": Fault.SLOW, "errors": Fault.ERROR, "closed": Fault.CLOSED, "lost answers": Fault.LOST}
STAGES = ("train", "evaluate-sample")
RESEND = ("python", "src/cli.py", "resend")
NO_TRACKING_SERVER = "error: no MLflow server answers at "  # what a training says that cannot start


@dataclass(frozen=True)
class Outage:
    """When and how the server fails.

    Attributes:
        kind: one of KINDS.
        stage: it begins in this stage.
        fraction: of the stage's time in the undisturbed run, until it begins.
        seconds: how long it lasts; None: until the pipeline has ended.
    """

    kind: str
    stage: str
    fraction: float
    seconds: float | None

    def __str__(self) -> str:
        lasts = "to the end" if self.seconds is None else f"for {self.seconds:.0f} s"
        return f"{self.kind} {lasts}, {self.stage} at {self.fraction:.0%} of its time"


def draw_outage(rng: random.Random, kind: str) -> Outage:
    """Draw a moment and a length. A third of the outages last until the pipeline has ended."""
    return Outage(kind, rng.choice(STAGES), rng.random(), None if rng.random() < 1 / 3 else rng.uniform(2, 20))


class Disturbance:
    """A server with a proxy before it, both of which can be made to fail.

    Args:
        server: running.
        proxy: running, to this server.
    """

    def __init__(self, server: MlflowServer, proxy: FaultProxy) -> None:
        self.server, self.proxy = server, proxy
        self._begin: dict[str, Callable[[], None]] = {"killed": server.kill, "suspended": server.suspend, "disk full": server.fill_disk}
        self._end: dict[str, Callable[[], None]] = {"killed": server.start, "suspended": server.resume, "disk full": server.free_disk}

    def begin(self, kind: str) -> None:
        """Let the server fail."""
        self.proxy.fault = PROXIED.get(kind)
        self._begin.get(kind, lambda: None)()

    def end(self, kind: str) -> None:
        """Let it work again."""
        self.proxy.fault = None
        self._end.get(kind, lambda: None)()


@contextmanager
def running_server(folder: Path) -> Iterator[Disturbance]:
    """Start an MLflow server, and a proxy before it."""
    with MlflowServer(folder) as server, FaultProxy(server.port) as proxy:
        yield Disturbance(server, proxy)


def run_trial(
    prepared: Path, reference: Path, folder: Path, outages: list[Outage], disturbance: Disturbance, seconds: dict[str, float]
) -> Outcome:
    """Run the pipeline of a new copy of a project while its server fails, send what could not be sent, and compare with an undisturbed run.

    Args:
        prepared: the project, in which the data stages have run.
        reference: the project after an undisturbed run.
        folder: of the copy. Its name becomes that of the experiment and of the registered model.
        outages: in the order in which they begin.
        disturbance: the server.
        seconds: how long each stage takes.
    """
    run(["cp", "-r", str(prepared), str(folder)], prepared.parent)
    name = folder.name
    change_params(folder, {"tracking.uri": disturbance.proxy.address, "tracking.experiment": name, "tracking.registered_model": name})
    logs = [folder.with_name(f"{name}-{number}.log") for number in range(3)]
    problems: list[str] = []
    started = time.monotonic()
    process = start(folder, logs[0])
    faults = sum(_disturb(process, logs[0], outage, disturbance, seconds) for outage in outages)
    code = process.wait(RUN_SECONDS)
    if (took := time.monotonic() - started) > (limit := allowed_seconds(seconds)):
        problems.append(f"the pipeline took {took:.0f} s, more than {limit:.0f}")
    for outage in outages:
        if outage.seconds is None:
            disturbance.end(outage.kind)
    printed = [logs[0].read_text(encoding="utf-8", errors="replace")]
    if code:
        # Only a training that has not begun may fail, because its stores are tried first.
        if NO_TRACKING_SERVER not in printed[0] or "step " in printed[0]:
            problems.append(f"the pipeline ended with {code}: {printed[0][-300:]}")
        code = start(folder, logs[1]).wait(RUN_SECONDS)
        printed.append(logs[1].read_text(encoding="utf-8", errors="replace"))
        if code:
            return Outcome(faults, printed, [*problems, f"the next run ended with {code}: {printed[-1][-300:]}"])
    code = start(folder, logs[2], RESEND).wait(RUN_SECONDS)
    printed.append(logs[2].read_text(encoding="utf-8", errors="replace"))
    if code:
        problems.append(f"resend ended with {code}: {printed[-1][-300:]}")
    problems += compare(folder, reference)
    problems += compare_tracking(disturbance.server.address, f"sqlite:///{reference / 'mlflow.db'}", name, name)
    problems += [f"left: {path.relative_to(folder)}" for path in folder.glob(".tracking/*/")]
    return Outcome(faults, printed, problems + leftovers(folder, printed))


def allowed_seconds(seconds: dict[str, float]) -> float:
    """Return how long the pipeline may take while its server fails. The machine may be half as fast as in the undisturbed run."""
    from lstm_lm.tracking.guard import START_SECONDS
    from lstm_lm.tracking.sender import END_SECONDS, MODEL_SECONDS

    return 2 * sum(seconds.values()) + START_SECONDS + END_SECONDS + MODEL_SECONDS


def _disturb(process: subprocess.Popen[bytes], log: Path, outage: Outage, disturbance: Disturbance, seconds: dict[str, float]) -> bool:
    """Wait for the moment of an outage, and let it happen, to its end if it has one before the pipeline's.

    Returns:
        Whether the pipeline was still running when it began.
    """
    wait_for_stage(process, log, outage.stage)
    _sleep(process, outage.fraction * seconds[outage.stage])
    in_time = process.poll() is None
    disturbance.begin(outage.kind)
    if outage.seconds is not None:
        _sleep(process, outage.seconds)
        disturbance.end(outage.kind)
    return in_time


def _sleep(process: subprocess.Popen[bytes], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.01)
