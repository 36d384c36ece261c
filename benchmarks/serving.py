"""The section `serving`: requests per second and latencies over HTTP, beside a model that returns a constant."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np

import driver
import generation
import processes
import systems
from driver import PEERS, Peer, Settings
from generation import Case
from lstm_lm.ui.markdown import table
from page import number
from session import Session
from timing import median

WORDS, STREAMED_WORDS = 20, 100  # of a request
REQUESTS, CLIENTS, STREAMS, ROWS = 320, 16, 64, 32
START_SECONDS = 180.0
HEADINGS = ["", "1 client: requests/s", "p50, ms", f"{CLIENTS} clients: requests/s", "p50, ms", "p99, ms", "p99 / p50"]
STREAM_HEADINGS = ["streaming", "measured", "compared with"]


@dataclass
class Served:
    """A server under comparison.

    Attributes:
        name: label in the table.
        command: that starts it; its address is added.
        body: makes the JSON of a request from its number.
        path: where requests go.
        latencies: {clients: seconds of each request, of all rounds}.
        rates: {clients: requests/s of each round}.
    """

    name: str
    command: list[str]
    path: str
    body: Callable[[int], Any]
    address: str = ""
    latencies: dict[int, list[float]] = field(default_factory=dict)
    rates: dict[int, list[float]] = field(default_factory=dict)


def serving(session: Session, settings: Settings | None = None) -> str:
    """Measure the servers with 1 and with 16 clients, and streams of our own server."""
    settings = {**(settings or {**systems.settings_of(), "vocabulary": generation.DEFAULT_VOCABULARY}), "precision": "float32"}
    requests = session.pick(REQUESTS, 32)
    with tempfile.TemporaryDirectory() as folder:
        driver.log("  writing the models")
        make_models(settings, Path(folder))
        servers = servers_of(Path(folder))
        cases = [asdict(Case("batch", ROWS, STREAMED_WORDS))]
        batch_settings = {**settings, "cases": cases, "threads": 1, "folder": str(Path(folder, "batch"))}
        batch = Peer("a batch", "ours_text.py", batch_settings, environment=systems.SOURCE_PATH)
        streamed, first_words = [], []
        with contextlib.ExitStack() as stack:
            for server in servers:
                driver.log(f"  {server.name}: starting")
                stack.enter_context(running(server, Path(folder)))
            batch.start()
            stack.callback(batch.stop)
            for round_ in range(session.rounds):
                driver.log(f"  round {round_ + 1} of {session.rounds}")
                for i in range(len(servers)):
                    measure(servers[(i + round_) % len(servers)], requests)
                batch.run_round(1)
                streamed.append(asyncio.run(stream(servers[-1].address, STREAMS, STREAMED_WORDS)))
                first_words.append(asyncio.run(stream(servers[-1].address, CLIENTS, STREAMED_WORDS)))
    return f"{table(HEADINGS, [row(server) for server in servers])}\n\n{_streams(batch, streamed, first_words)}\n\n{_note(requests)}"


def make_models(settings: Settings, folder: Path) -> None:
    """Write the MLflow models `ours` and `constant`."""
    environment = processes.environment(systems.SOURCE_PATH, {"TF_CPP_MIN_LOG_LEVEL": "3", "MLFLOW_DISABLE_TELEMETRY": "true"})
    command = [sys.executable, str(PEERS / "served_models.py"), json.dumps(settings), str(folder)]
    subprocess.run(command, check=True, env=environment, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def servers_of(folder: Path) -> list[Served]:
    """Return the servers. The last one is our own."""

    def table_of(i: int) -> Any:
        return {"dataframe_split": {"columns": ["prompt"], "data": [[prompt(i)]]}, "params": {"max_words": WORDS, "seed": i}}

    def completion(i: int) -> Any:
        return {"prompt": prompt(i), "max_tokens": WORDS, "seed": i}

    mlflow = [str(Path(sys.executable).with_name("mlflow")), "models", "serve", "--env-manager", "local", "-m"]
    own = [sys.executable, str(systems.PROJECT / "src/cli.py"), "serve", "--model", str(folder / "ours")]
    return [
        Served("`mlflow models serve`, a model that returns a constant", [*mlflow, str(folder / "constant")], "/invocations", table_of),
        Served("`mlflow models serve`, ours", [*mlflow, str(folder / "ours")], "/invocations", table_of),
        Served("`make serve`, ours, `/v1/completions`", own, "/v1/completions", completion),
    ]


def prompt(i: int) -> str:
    """Return a prompt of four words, different for each number."""
    return " ".join(f"w{1 + (i * 7 + word * 31) % 1000}" for word in range(4))


@contextlib.contextmanager
def running(server: Served, folder: Path) -> Iterator[None]:
    """Start a server on a free port, wait until it answers, and stop it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server.address = f"http://127.0.0.1:{port}"
    log = (folder / f"server-{port}.log").open("wb")
    # mlflow starts a program that is in the same environment.
    environment = processes.environment({"PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])})
    command = [*server.command, "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True, cwd=systems.PROJECT, env=environment)
    try:
        _wait(server, process, Path(log.name))
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)
        log.close()


def _wait(server: Served, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not asyncio.run(_answers(f"{server.address}/ping")):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{server.name} did not start: {log.read_text(errors='replace')[-500:]}")
        time.sleep(0.5)


async def _answers(url: str) -> bool:
    try:
        async with aiohttp.ClientSession() as client, client.get(url) as answer:
            return answer.status == 200
    except aiohttp.ClientError:
        return False


def measure(server: Served, requests: int) -> None:
    """Measure a server with 1 client and with several, after a warm-up."""
    asyncio.run(send(server, CLIENTS, CLIENTS * 2))
    for clients, count in ((1, max(requests // 4, 1)), (CLIENTS, requests)):
        time.sleep(driver.PAUSE_SECONDS)
        start = time.perf_counter()
        server.latencies.setdefault(clients, []).extend(asyncio.run(send(server, clients, count)))
        server.rates.setdefault(clients, []).append(count / (time.perf_counter() - start))


async def send(server: Served, clients: int, count: int) -> list[float]:
    """Send requests, each client one after the other: the seconds of each."""
    numbers, seconds = iter(range(count)), []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=clients)) as session:

        async def client() -> None:
            for number_ in numbers:
                start = time.perf_counter()
                async with session.post(server.address + server.path, json=server.body(number_)) as answer:
                    text = await answer.read()
                if answer.status != 200:
                    raise RuntimeError(f"{server.name}: {answer.status} {text[:200]!r}")
                seconds.append(time.perf_counter() - start)

        await asyncio.gather(*(client() for _ in range(clients)))
    return seconds


async def stream(address: str, clients: int, words: int) -> tuple[float, list[float]]:
    """Stream one text to each of some clients at once: (words/s of all together, seconds to each one's first word)."""
    first_words: list[float] = []
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=clients)) as session:

        async def client(i: int) -> int:
            start, received = time.perf_counter(), 0
            body = {"prompt": prompt(i), "max_tokens": words, "seed": i, "stream": True}
            async with session.post(f"{address}/v1/completions", json=body) as answer:
                async for line in answer.content:
                    if line.startswith(b"data: {") and (text := json.loads(line[6:])["choices"][0]["text"]):
                        if not received:
                            first_words.append(time.perf_counter() - start)
                        received += len(text.split())
            return received

        start = time.perf_counter()
        counts = await asyncio.gather(*(client(i) for i in range(clients)))
        seconds = time.perf_counter() - start
    if any(count != words for count in counts):
        raise RuntimeError(f"streams of {sorted(set(counts))} words instead of {words}")
    return sum(counts) / seconds, first_words


def row(server: Served) -> list[str | None]:
    """Return a table row."""
    one, many = (1000 * np.array(server.latencies[clients]) for clients in (1, CLIENTS))
    half, most = np.percentile(many, 50), np.percentile(many, 99)
    return [
        server.name,
        number(median(server.rates[1])),
        f"{np.percentile(one, 50):.1f}",
        number(median(server.rates[CLIENTS])),
        f"{half:.0f}",
        f"{most:.0f}",
        f"{most / half:.1f}",
    ]


def _streams(batch: Peer, streamed: list[tuple[float, list[float]]], first_words: list[tuple[float, list[float]]]) -> str:
    rates = [rate for rate, _ in streamed]
    batches = [ROWS * STREAMED_WORDS / seconds for seconds in (answer["cases"][f"batch: {ROWS}"] for answer in batch.answers)]
    fraction = median(rate / whole for rate, whole in zip(rates, batches, strict=False))
    milliseconds = 1000 * np.array([seconds for _, each in first_words for seconds in each])
    whole = number(median(batches))
    rows = [
        [
            f"{STREAMS} clients x {STREAMED_WORDS} words",
            f"{number(median(rates))} words/s",
            f"{fraction or 0:.0%} of the engine's batch of {ROWS} rows in its own process (median over the rounds; batch: {whole} words/s)",
        ],
        [
            f"{CLIENTS} clients: time to the first word",
            f"p50 {np.percentile(milliseconds, 50):.0f} ms, p99 {np.percentile(milliseconds, 99):.0f} ms",
            "",
        ],
    ]
    return table(STREAM_HEADINGS, rows)


def _note(requests: int) -> str:
    return (
        f"{WORDS} words a request, each with its own prompt and seed; {requests} requests of {CLIENTS} clients in a round. "
        "The clients are one process on the same machine, and use its cores too."
    )
