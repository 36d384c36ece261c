"""Make the pictures of the documentation with headless Chromium, from this checkout as it is.

usage: docs_pictures.py [NAME ...]

They show what somebody sees who ran `make repro` and `make cookbook`: the pages of `make ui`, `make serve` and `make plots`, and the
report. Each picture is a part of a page, 1280 pixels wide at most.
"""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import requests
from PIL import Image
from selenium import webdriver
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By

PROJECT = Path(__file__).parent.parent
sys.path[:0] = [str(PROJECT / "src"), str(PROJECT / "tests")]

from browser import CHROMIUM, DRIVER, chromium, resize  # noqa: E402
from drift_reports import logged  # noqa: E402
from lstm_lm.config import loading  # noqa: E402
from lstm_lm.serving.prompts.files import PromptWriter  # noqa: E402
from lstm_lm.text import splits  # noqa: E402
from lstm_lm.tracking.views import catalog  # noqa: E402
from lstm_lm.ui import png  # noqa: E402

FOLDER = PROJECT / "docs"
WIDTH = 1280
BUTTON = 80  # pixels at the bottom of MLflow's pages
MARGIN = 20  # pixels around a part of a page
MAX_BYTES = 80_000
PATIENCE = 90  # seconds for a page or a server, on a machine that does other things too
FIRST = "run make repro and make cookbook first"
PROMPT, SEED = "to be or not to", 11  # of the server's page
QUESTIONS = ("write an email to my boss about", "how do i reset my password", "the best pizza near the airport", "tell me a joke about")


class Window:
    """A browser's window.

    Attributes:
        driver: the browser.
    """

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def open(self, address: str, *awaited: str, height: int = 900) -> None:
        """Open a page in a window of 1280 x `height` pixels and wait for texts on it."""
        resize(self.driver, WIDTH, height)
        self.driver.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
        self.driver.get("about:blank")
        self.driver.get(address)
        wait_until(lambda: all(text in self.text() for text in awaited), f"{awaited} at {address}")

    def text(self) -> str:
        """Return what is to be read on the page, with single spaces."""
        return " ".join(str(self.run("return document.body.innerText")).split())

    def run(self, script: str, *arguments: Any) -> Any:
        """Run JavaScript and return its result."""
        return self.driver.execute_script(script, *arguments)

    def box(self, *selectors: str) -> tuple[float, float, float, float]:
        """Return the smallest box around the first elements with these CSS selectors: left, top, right, bottom in pixels."""
        script = "return arguments[0].map((each) => document.querySelector(each).getBoundingClientRect().toJSON())"
        boxes = self.run(script, selectors)
        ends = [[each[side] for each in boxes] for side in ("left", "top", "right", "bottom")]
        return min(ends[0]), min(ends[1]), max(ends[2]), max(ends[3])

    def take(self, box: tuple[float, float, float, float]) -> Image.Image:
        """Return a part of the window, once nothing moves there any more."""
        before, image = b"", self.driver.get_screenshot_as_png()
        deadline = time.monotonic() + PATIENCE
        while image != before and time.monotonic() < deadline:
            time.sleep(1)
            before, image = image, self.driver.get_screenshot_as_png()
        left, top, right, bottom = (round(side) for side in box)
        whole = Image.open(io.BytesIO(image))
        return whole.crop((max(left, 0), max(top, 0), min(right, whole.width), min(bottom, whole.height)))


class Servers:
    """The servers of this checkout, each started when it is first asked for.

    Args:
        stack: ends them.
    """

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack

    @cached_property
    def mlflow(self) -> str:
        """The address of MLflow's pages."""
        return self._stack.enter_context(serving("ui", r"http://\S+(?=/#/)"))

    @cached_property
    def model(self) -> str:
        """The address of the served model."""
        return self._stack.enter_context(serving("serve", r"(?<=Ready: )http://\S+"))

    def ask(self, path: str, **values: str) -> dict[str, Any]:
        """Return MLflow's answer to a request of its API."""
        answer = requests.get(f"{self.mlflow}/ajax-api/2.0/mlflow/{path}", params=values, timeout=PATIENCE)
        if not answer.ok:
            raise SystemExit(f"error: MLflow answers {path} {values} with {answer.status_code}: {FIRST}")
        return dict(answer.json())

    @cached_property
    def experiment(self) -> str:
        """The id of the MLflow experiment with the trainings."""
        name = loading.load().tracking.experiment
        return str(self.ask("experiments/get-by-name", experiment_name=name)["experiment"]["experiment_id"])

    @cached_property
    def trainings(self) -> list[str]:
        """The names of all trainings in MLflow, of which there must be two: the pictures compare."""
        body = {"experiment_ids": [self.experiment]}
        answer = requests.post(f"{self.mlflow}/ajax-api/2.0/mlflow/runs/search", json=body, timeout=PATIENCE).json()
        names = [run["info"]["run_name"] for run in answer.get("runs", [])]
        if len(names) < 2:
            raise SystemExit(f"error: MLflow has {len(names)} trainings: {FIRST}")
        return names

    def view(self, title: str) -> str:
        """Return the address of a saved view of the trainings."""
        return f"{self.mlflow}/{dict(catalog.links(self.experiment, loading.load().tracking.experiment))[title]}"


def wait_until(condition: Callable[[], object], what: str) -> None:
    """Wait for a condition, or exit with an error that says what did not come."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise SystemExit(f"error: not within {PATIENCE} s: {what}")
        time.sleep(0.2)


@contextmanager
def serving(command: str, ready: str) -> Iterator[str]:
    """Start a server of this checkout on a free port, and stop it at the end.

    Args:
        command: of cli.py.
        ready: a pattern of what it prints once it answers: its address.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    with tempfile.NamedTemporaryFile("r", encoding="utf-8") as log:
        arguments = [sys.executable, "src/cli.py", command, "--port", port]
        with Path(log.name).open("wb") as output:
            process = subprocess.Popen(arguments, cwd=PROJECT, stdout=output, stderr=output, start_new_session=True)

        def address() -> str | None:
            printed = Path(log.name).read_text(encoding="utf-8")
            if process.poll() is not None:
                raise SystemExit(f"error: {command} ended: {printed.strip()}")
            found = re.search(ready, printed)
            return found[0] if found else None

        try:
            wait_until(address, f"{command} is ready")
            yield str(address())
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                process.wait(PATIENCE)


def leaderboard(window: Window, servers: Servers) -> Image.Image:
    """The first page of `make ui`: from its title to the last training."""
    window.open(servers.view("Leaderboard"), "test/bits_per_character", *servers.trainings)
    left, top, right, _ = window.box("main")
    bottom = window.run("return Math.max(...[...document.querySelectorAll('.ag-row')].map((row) => row.getBoundingClientRect().bottom))")
    return window.take((left, top, right, bottom + MARGIN))


def compare(window: Window, servers: Servers) -> Image.Image:
    """The curves of the trainings."""
    window.open(
        servers.view("Compare trainings"), "parameter_count", *(f"{name} (train/loss)" for name in servers.trainings), height=1150 + BUTTON
    )
    return _take_page(window)


def samples(window: Window, servers: Servers) -> Image.Image:
    """The samples of the trainings, side by side."""
    window.open(servers.view("Samples side by side"), "Group by: sample", "Compare: text", *servers.trainings, height=750 + BUTTON)
    return _take_page(window)


def version(window: Window, servers: Servers) -> Image.Image:
    """The champion in the model registry."""
    name = loading.load().tracking.registered_model
    number = servers.ask("registered-models/alias", name=name, alias="champion")["model_version"]["version"]
    address = f"{servers.mlflow}/#/models/{name}/versions/{number}?workflowType=machine_learning"
    window.open(address, f"Version {number}", "champion", "perplexity", height=900 + BUTTON)
    return _take_page(window)


def _take_page(window: Window) -> Image.Image:
    """Return a page of MLflow without its navigation, and without its lowest part, on which the button of the assistant lies."""
    left, top, right, bottom = window.box("main")
    return window.take((left, top, right, bottom - BUTTON))


def report(window: Window, servers: Servers) -> Image.Image:
    """The beginning of the report."""
    _open_report(window)
    return window.take((0, 0, WIDTH, window.box("figure#training-loss")[3] + MARGIN))


def passage(window: Window, servers: Servers) -> Image.Image:
    """The passage of the report whose words are colored by surprise."""
    _open_report(window)
    window.run("document.querySelector('figure#passage').scrollIntoView({block: 'center', behavior: 'instant'})")
    left, top, right, bottom = window.box("figure#passage")
    return window.take((left - MARGIN, top - MARGIN, right + MARGIN, bottom + MARGIN))


def _open_report(window: Window) -> None:
    window.open((PROJECT / "reports/report.html").as_uri(), "Reproduction", height=1200)
    wait_until(lambda: window.run("return document.body.dataset.ready") == "true", "the report's charts are drawn")


def page(window: Window, servers: Servers) -> Image.Image:
    """The server's page: a generated text, and the most probable words at one place of it."""
    fragment = f"#prompt={PROMPT.replace(' ', '%20')}&max_tokens=60&temperature=0.8&seed={SEED}"
    window.open(f"{servers.model}/{fragment}", "Generate", height=1000)
    resize(window.driver, 960, 1000)
    wait_until(lambda: window.run("return document.querySelectorAll('#columns .word').length") >= 60, "the text on the server's page")
    words = window.driver.find_elements(By.CSS_SELECTOR, "#columns .word")
    ActionChains(window.driver).move_to_element(words[16]).perform()
    wait_until(lambda: window.driver.find_elements(By.CSS_SELECTOR, "#alternatives button"), "the words that are probable there")
    return window.take((0, 0, 960, 1000))


def plots(window: Window, servers: Servers) -> Image.Image:
    """The page of `make plots`."""
    # With the template that holds its JavaScript, as `make setup` makes it.
    subprocess.run([sys.executable, "scripts/plots_page.py"], cwd=PROJECT, check=True)
    subprocess.run([sys.executable, "src/cli.py", "plots"], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    window.open((PROJECT / "dvc_plots/index.html").as_uri(), "this checkout", height=1000)
    wait_until(lambda: window.driver.find_elements(By.CSS_SELECTOR, ".vega-embed svg, .vega-embed canvas"), "the charts of make plots")
    return window.take((0, 0, WIDTH, 900))


def drift(window: Window, servers: Servers) -> Image.Image:
    """The beginning of the drift report: to prompts from the validation text, questions of another kind come in the second half."""
    documents = splits.load(PROJECT / "data/vocab/splits.json")["validation"]
    words = " ".join((PROJECT / "data/raw" / span.document).read_text(encoding="utf-8") for span in documents).split()
    prompts = [" ".join(words[start : start + 3 + start % 8]) for start in range(0, 24_000, 20)]
    prompts[600::3] = [f"{QUESTIONS[i % len(QUESTIONS)]} {words[20 * i]}" for i in range(200)]
    with tempfile.TemporaryDirectory() as folder:
        writer = PromptWriter(Path(folder), 10**7)
        writer.write([each.encode() for each in logged(prompts)])
        writer.close()
        subprocess.run([sys.executable, "src/cli.py", "drift", folder], cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    window.open((PROJECT / "reports/drift.html").as_uri(), "Measures", height=1200)
    wait_until(lambda: window.run("return document.body.dataset.ready") == "true", "the charts of the drift report are drawn")
    return window.take((0, 0, WIDTH, window.box("figure#course-surprisal")[3] + MARGIN))


PICTURES: Mapping[str, Callable[[Window, Servers], Image.Image]] = {
    "leaderboard": leaderboard,
    "compare": compare,
    "samples": samples,
    "version": version,
    "report": report,
    "passage": passage,
    "plots": plots,
    "page": page,
    "drift": drift,
}


def save(image: Image.Image, path: Path) -> int:
    """Write a PNG with as many colors as fit into `MAX_BYTES`, and return its size in bytes.

    Raises:
        SystemExit: it is too large with 16 colors.
    """
    for colors in (256, 128, 64, 32, 16):
        small = png.encode(image, colors)
        if len(small) <= MAX_BYTES:
            path.write_bytes(small)
            return len(small)
    raise SystemExit(f"error: {path.name} has more than {MAX_BYTES:,} bytes: show less of the page")


def main() -> int:
    """Make the pictures that the command line names, or all, and return the exit code."""
    names = sys.argv[1:] or list(PICTURES)
    unknown = [name for name in names if name not in PICTURES]
    if unknown:
        print(f"error: no such picture: {', '.join(unknown)}: choose from {', '.join(PICTURES)}", file=sys.stderr)
        return 1
    if not (CHROMIUM and DRIVER):
        print("error: chromium or chromedriver is missing: install the packages chromium and chromium-driver", file=sys.stderr)
        return 1
    if not (PROJECT / "reports/report.html").exists():
        print(f"error: reports/report.html is missing: {FIRST}", file=sys.stderr)
        return 1
    os.chdir(PROJECT)
    with ExitStack() as stack:
        window, servers = Window(stack.enter_context(chromium())), Servers(stack)
        for name in names:
            image = PICTURES[name](window, servers)
            size = save(image, FOLDER / f"{name}.png")
            print(f"docs/{name}.png: {image.width} x {image.height}, {size / 1000:.0f} kB", flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
