"""Workers that are alive side by side, and take turns."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import environments

PEERS = Path(__file__).parent / "peers"
REST = 0.3  # seconds between two turns, for the threads of the one before to fall asleep


@dataclass
class Peer:
    """Something to be compared: a script of peers/, with a Python and with settings of its own.

    Attributes:
        name: as the tables call it. script: in peers/. python: path, or a function that returns it or raises Missing.
        settings: a dict. environment: variables to be set.
        ready: what it told when it was ready. rounds: what it told after each turn. peak_mib: most memory it held.
        problem: why it has no figures, or None.
    """

    name: str
    script: str
    settings: dict
    python: object = sys.executable
    environment: dict = field(default_factory=dict)
    ready: dict = field(default_factory=dict)
    rounds: list = field(default_factory=list)
    peak_mib: float | None = None
    problem: str | None = None
    process: subprocess.Popen | None = None

    def start(self):
        """Start the worker and wait until it is ready."""
        try:
            python = self.python() if callable(self.python) else self.python
        except environments.Missing as missing:
            self.problem = str(missing)
            return
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        self.process = subprocess.Popen(
            [python, str(PEERS / self.script), json.dumps(self.settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            text=True,
            env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **self.environment},
        )
        self.ready = self._answer()

    def turn(self, steps):
        """Let it do so many steps, alone."""
        if self.problem is None:
            time.sleep(REST)
            try:
                self.process.stdin.write(f"{steps}\n")
                self.process.stdin.flush()
            except BrokenPipeError:
                pass  # the missing answer is the problem to be told
            self.rounds.append(self._answer())

    def stop(self):
        """End it, and learn how much memory it took."""
        if self.process is None:
            return
        if self.problem is None:
            self.process.stdin.close()
            self.peak_mib = max(self.peak_mib or 0, self._answer().get("peak_mib", 0))
        else:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()
        self.process = None

    def _answer(self):
        line = self.process.stdout.readline()
        if line:
            return json.loads(line)
        code = self.process.wait()
        self.errors.seek(0)
        lines = [line for line in self.errors.read().splitlines() if line.strip()]
        self.problem = f"ended with {code}: {lines[-1].strip()[:120] if lines else 'no message'}"
        print(f"{self.name}: {self.problem}", file=sys.stderr)
        return {}


def alternate(peers, rounds, steps):
    """All alive at once; in each round each does `steps` steps, alone, while the others are blocked.

    Args:
        steps: a number, or a function of a peer that gives its own.
    """
    try:
        for peer in peers:
            say(f"  {peer.name}: starting")
            peer.start()
        for number in range(rounds):
            say(f"  round {number + 1} of {rounds}")
            # Nobody is always the one after the same neighbour's heat.
            for i in range(len(peers)):
                peer = peers[(i + number) % len(peers)]
                peer.turn(steps(peer) if callable(steps) else steps)
    finally:
        for peer in peers:
            peer.stop()
    return peers


def alternate_apart(peers, rounds, steps):
    """As `alternate`, with one process alive at a time: for peers that do not fit into memory together."""
    for number in range(rounds):
        for peer in peers:
            if peer.problem is None:
                say(f"  round {number + 1} of {rounds}: {peer.name}")
                try:
                    peer.start()
                    peer.turn(steps)
                finally:
                    peer.stop()
    return peers


def say(line):
    print(line, file=sys.stderr, flush=True)


def median(values):
    """None of none."""
    values = list(values)
    return statistics.median(values) if values else None


def ratios(ours, theirs):
    """How many times as long theirs took, round by round: (median, least, most), or None without figures.

    Args:
        ours, theirs: lists of seconds, one a round.
    """
    each = [their / our for our, their in zip(ours, theirs, strict=False)]
    return (statistics.median(each), min(each), max(each)) if each else None


def run(command, folder, environment=None, most_mib=None):
    """Run a command to its end.

    Args:
        most_mib: memory at which it is killed.
    Returns:
        (seconds, peak MiB of the process itself)
    Raises:
        RuntimeError: it failed, or needed too much memory.
    """
    with tempfile.TemporaryFile("w+") as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, env={**os.environ, **(environment or {})}, stdout=output, stderr=subprocess.STDOUT)
        killed = False
        while True:
            pid, status, used = os.wait4(process.pid, os.WNOHANG)
            if pid:
                break
            if most_mib and not killed and _resident_mib(process.pid) > most_mib:
                process.kill()
                killed = True
            time.sleep(0.005)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if killed:
            raise RuntimeError(f"more than {most_mib / 1024:.0f} GiB of memory")
        if process.returncode:
            output.seek(0)
            lines = output.read().strip().splitlines() or ["no message"]
            raise RuntimeError(f"ended with {process.returncode}: {lines[-1][:200]}")
        return seconds, used.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def _resident_mib(pid):
    import psutil

    try:
        return psutil.Process(pid).memory_info().rss / (1 << 20)
    except psutil.Error:
        return 0
