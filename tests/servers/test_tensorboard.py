"""TensorBoard in headless Chromium over the event files of a training, as somebody sees it who types `make tensorboard`."""

import csv
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from selenium import webdriver

from browser import chromium, needs_browser, resize
from conftest import PROJECT, environment
from http_server import wait_until
from lstm_lm.events import ROW_METRICS

pytestmark = [pytest.mark.slow, needs_browser]
PATIENCE = 60  # seconds for a page, on a machine that does other things too
# Some of the pages are made of elements whose content document.querySelectorAll does not enter.
ALL = """
const found = [];
const enter = (root) => {
    found.push(...root.querySelectorAll(arguments[0]));
    for (const element of root.querySelectorAll('*')) if (element.shadowRoot) enter(element.shadowRoot);
};
enter(document);
"""


class Board:
    """TensorBoard in a browser.

    Attributes:
        driver: the browser.
        log: what the command has printed.
        address: the one that it prints.
    """

    def __init__(self, driver: webdriver.Chrome, log: Path) -> None:
        self.driver, self.log = driver, log
        self.address = log.read_text().splitlines()[-1].strip()

    def open(self, page: str) -> None:
        """Open a page in a window in which all of it is visible: what is not would not be loaded."""
        resize(self.driver, 1280, 3000)
        self.driver.get("about:blank")
        self.driver.get(f"{self.address}/#{page}")

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements that fit a selector, wherever they are."""
        return [str(text) for text in self.driver.execute_script(f"{ALL} return found.map((each) => each.textContent.trim());", selector)]

    def choose(self, selector: str, text: str) -> None:
        script = f"{ALL} found.find((each) => each.textContent.trim() === arguments[1]).click();"
        self.driver.execute_script(script, selector, text)

    def data(self, plugin: str, path: str, **query: str) -> Any:
        """What the pages show, as TensorBoard's server sends it to them."""
        return requests.get(f"{self.address}/data/plugin/{plugin}/{path}", params=query, timeout=30).json()


@pytest.fixture(scope="module")
def board(finished_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = tmp_path_factory.mktemp("tensorboard") / "log"
    command = [sys.executable, PROJECT / "src/cli.py", "tensorboard", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=finished_project, env=environment(), stdout=output, stderr=output)
    try:
        wait_until(lambda: "Ready" in log.read_text() or process.poll() is not None, 180)
        assert process.poll() is None, log.read_text()
        # A message of TensorBoard would push the address away.
        assert log.read_text().splitlines() == [
            "starting TensorBoard ...",
            "Ready (Ctrl-C stops). TensorBoard:",
            f"  http://127.0.0.1:{port}",
        ]
        with chromium() as driver:
            yield Board(driver, log)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 128 + signal.SIGTERM


@pytest.fixture(scope="module")
def run(board: Board, finished_project: Path) -> str:
    """The name of the training's run, once TensorBoard has read it."""
    (folder,) = (finished_project / "tensorboard_logs").iterdir()
    wait_until(lambda: len(board.data("scalars", "tags").get(folder.name, {})) == len(ROW_METRICS), PATIENCE)
    return folder.name


def test_curves_have_the_points_of_the_history(board: Board, run: str, finished_project: Path) -> None:
    with (finished_project / "models/history.csv").open(newline="") as file:
        history = list(csv.DictReader(file))
    for tag, column in ROW_METRICS.items():
        expected = [(int(row["step"]), pytest.approx(float(row[column]))) for row in history if row[column]]
        assert [(step, value) for _, step, value in board.data("scalars", "scalars", run=run, tag=tag)] == expected
    board.open("timeseries")
    cards = {}

    def are_complete() -> bool:
        cards.update({text.partition("Alt")[0]: text for text in board.texts("scalar-card")})
        return cards.keys() == ROW_METRICS.keys() and all(run in text for text in cards.values())

    wait_until(are_complete, PATIENCE)
    for tag, column in ROW_METRICS.items():
        last = np.float32([row[column] for row in history if row[column]][-1])  # as event files hold it
        assert f"{last:,.4f}".rstrip("0").rstrip(".") in cards[tag], cards[tag]
    assert any(run in text for text in board.texts("runs-table"))


def test_both_graphs_are_drawn(board: Board, run: str) -> None:
    board.open("graphs")
    for name, block in (("batch-1 inference graph", "Softmax_1"), ("training graph", "gradient_tape")):
        wait_until(lambda name=name: name in board.texts("paper-item"), PATIENCE)
        board.choose("paper-item", name)
        expected = {"ids", "embedding", "lstm_0", "projection", "softmax", block}
        wait_until(lambda expected=expected: expected <= {*board.texts(".nodelabel title")}, PATIENCE)


def test_samples_are_texts(board: Board, run: str, finished_project: Path) -> None:
    with (finished_project / "models/samples.csv").open(newline="") as file:
        samples = list(csv.DictReader(file))
    tags = board.data("text", "tags")[run]
    written = [event for tag in tags for event in board.data("text", "text", run=run, tag=tag)]
    assert sorted((event["step"], event["text"]) for event in written) == sorted(
        (int(sample["step"]), f"<p>{sample['text']}</p>") for sample in samples
    )
    board.open("text")
    first = {sample["text"] for sample in samples if sample["step"] == samples[0]["step"]}
    wait_until(lambda: first <= {*board.texts("p")}, PATIENCE)
    assert "samples" in board.texts(".category-name")
    assert board.log.read_text().splitlines()[-1] == f"  {board.address}"  # nothing has pushed it away
