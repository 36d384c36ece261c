"""MLflow's pages in headless Chromium, as somebody sees them who types `make ui` and opens the address that it prints.

One server over a project with two trainings, and one browser with a new profile, for all tests. `make repro` has registered the first
model; the second one, of an experiment, is the champion because it was promoted on purpose.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException
from selenium.webdriver.common.by import By

from browser import chromium, needs_browser, resize
from conftest import PROJECT, client, environment, move_copy, run_id, runs
from conftest import run as run_command
from http_server import wait_until
from lstm_lm.tracking.views import catalog

pytestmark = [pytest.mark.slow, needs_browser]
PATIENCE = 60  # seconds for a page, on a machine that does other things too
MODE = "?workflowType=machine_learning"
ROWS = r"""
const cells = {};
for (const cell of document.querySelectorAll('.ag-row .ag-cell[col-id]')) {
    const row = cell.closest('.ag-row').getAttribute('row-index');
    (cells[row] ??= {})[cell.getAttribute('col-id')] = cell.innerText.trim().split('\n').pop();  // before it: a color
}
return Object.entries(cells).sort(([a], [b]) => a - b).map(([_, row]) => row);
"""


class Pages:
    """MLflow's pages in a browser.

    Attributes:
        driver: the browser.
        folder: of the project.
        log: what `cli.py ui` has printed.
        opening: the address that it prints.
    """

    def __init__(self, driver: webdriver.Chrome, folder: Path, log: Path) -> None:
        self.driver, self.folder, self.log = driver, folder, log
        self.opening = log.read_text().splitlines()[-1].strip()

    def open(self, fragment: str, *awaited: str, width: int = 1280, height: int = 900) -> None:
        """Open a page and wait for texts on it.

        Args:
            fragment: the address after that of the server, such as `#/models`.
            awaited: texts that are there once the page is complete.
            width: of the page in pixels.
            height: of the page in pixels. MLflow draws only what is in sight.
        """
        resize(self.driver, width, height)
        self.driver.get("about:blank")
        self.driver.get(f"{self.opening.partition('#')[0]}{fragment}")
        self.wait_for(*awaited)

    def wait_for(self, *texts: str) -> None:
        """Wait for texts on the page."""
        try:
            wait_until(lambda: all(text in self.text() for text in texts), PATIENCE)
        except AssertionError:
            pytest.fail(f"not on the page: {[text for text in texts if text not in self.text()]}; there is: {self.text()[:3000]}")

    def text(self) -> str:
        """What is to be read on the page, with single spaces."""
        return " ".join(str(self.driver.execute_script("return document.body.innerText")).split())

    def texts(self, selector: str) -> list[str]:
        """The texts of the elements with this CSS selector."""
        try:
            return [element.text for element in self.driver.find_elements(By.CSS_SELECTOR, selector)]
        except StaleElementReferenceException:
            return self.texts(selector)

    def click(self, text: str) -> None:
        """Click a link."""
        self.driver.find_element(By.PARTIAL_LINK_TEXT, text).click()

    def rows(self) -> list[dict[str, str]]:
        """The rows of a table, from the top: {id of a column in sight: text}."""
        return list(self.driver.execute_script(ROWS))


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, finished_experiment: Path) -> Iterator[Pages]:
    folder = move_copy(finished_experiment, tmp_path_factory.mktemp("pages") / "project")
    run_command([sys.executable, "src/cli.py", "promote", "slow"], folder)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    log = folder.parent / "ui.log"
    with log.open("wb") as file:
        command = [sys.executable, str(PROJECT / "src/cli.py"), "ui", "--port", port]
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(),
            stdout=file,
            stderr=file,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 (processes in the background ignore SIGINT)
        )
    try:

        def is_ready() -> bool:
            assert process.poll() is None, log.read_text()
            return f":{port}/#/" in log.read_text()

        wait_until(is_ready, 180)
        with chromium() as driver:
            yield Pages(driver, folder, log)
    finally:
        os.killpg(process.pid, signal.SIGINT)
        code = process.wait(60)
    assert code == 130


def run_page(pages: Pages) -> str:
    """The fragment of the page of the run whose model is in the checkout."""
    return f"#/experiments/1/runs/{run_id(pages.folder)}"


def place_of(pages: Pages, text: str) -> float:
    """The distance of a text from the top of the page, in pixels."""
    return float(pages.driver.find_element(By.XPATH, f"//p[contains(., '{text}')]").rect["y"])


def shown_after(text: str, name: str) -> float:
    """The number after the name of a metric."""
    [number] = re.findall(rf"(?<!\S){re.escape(name)} ([\d.]+)", text)
    return float(number)


@pytest.fixture(scope="module")
def trainings(pages: Pages) -> list[Any]:
    """The MLflow runs, the best on test text first."""
    return sorted(runs(pages.folder), key=lambda run: float(run.data.metrics["test/perplexity"]))


@pytest.fixture(scope="module")
def measured(pages: Pages) -> dict[str, dict[str, float]]:
    """reports/metrics.json of the checkout: the results of the model of `make repro`, which is version 1."""
    return dict(json.loads((pages.folder / "reports/metrics.json").read_text()))


def test_the_first_click_opens_the_leaderboard(pages: Pages, trainings: list[Any]) -> None:
    fragment = f"#{pages.opening.partition('#')[2]}"
    pages.open(fragment, "Model registry", *(run.info.run_name for run in trainings), width=2400)
    assert pages.texts("[data-testid=saved-views-trigger]") == ["Leaderboard"]
    wait_until(lambda: len(pages.rows()) == len(trainings) > 1, PATIENCE)
    shown = pages.rows()
    for row, run in zip(shown, trainings, strict=True):
        assert row["attributes.`Run Name`"] == run.info.run_name
        for metric in ("test/perplexity", "validation/perplexity", "test/bits_per_character", "test/adjusted_perplexity"):
            assert float(row[f"metrics.`{metric}`"]) == pytest.approx(run.data.metrics[metric], rel=1e-6), metric
        for parameter in ("text", "parameter_count", "train.epochs", "vocab.unit", "train.learning_rate"):
            assert row[f"params.`{parameter}`"] == run.data.params[parameter], parameter
    # No digest of a dataset, no commit, no source, no user.
    assert not {column for row in shown for column in row} & {f"attributes.`{name}`" for name in ("Dataset", "Version", "Source", "User")}


def test_a_usual_window_shows_the_text_and_what_compares_all_models_of_it(pages: Pages, trainings: list[Any]) -> None:
    pages.open(f"#{pages.opening.partition('#')[2]}", *(run.info.run_name for run in trainings), width=1280)
    wait_until(lambda: len(pages.rows()) == len(trainings), PATIENCE)
    for column in ("params.`text`", "params.`vocab.unit`", "metrics.`test/perplexity`", "metrics.`test/bits_per_character`"):
        box = pages.driver.find_element(By.CSS_SELECTOR, f'.ag-header-cell[col-id="{column}"]').rect
        assert box["x"] + box["width"] <= 1250, column
    [note] = [each for each in pages.driver.find_elements(By.CSS_SELECTOR, "p") if each.text.startswith("LSTM language models, ")]
    assert note.rect["height"] < 40  # one line: the rest is folded away


def test_neither_the_mode_for_agents_nor_an_assistant_nor_a_banner_is_in_the_way(pages: Pages) -> None:
    pages.open(f"#{pages.opening.partition('#')[2]}", "Leaderboard")
    pages.click("Model registry")
    pages.wait_for("Registered Models", "lstm_lm")
    for selector, absent in (("body", "Ask questions about"), ("nav", "Evaluation"), ("[role=dialog]", "race")):
        assert absent not in "".join(pages.texts(selector)), selector
    assert "Model registry" in "".join(pages.texts("nav"))
    pages.open("#/", "Experiments")
    assert "collects usage data" not in pages.text()


def test_the_menu_lists_the_views_and_the_description_links_to_them(pages: Pages) -> None:
    pages.open(f"#{pages.opening.partition('#')[2]}", "Leaderboard")
    pages.driver.find_element(By.CSS_SELECTOR, "[data-testid=saved-views-trigger]").click()
    titles = [view.title for view in catalog.VIEWS]
    pages.wait_for(*titles)
    listed = [line for line in "\n".join(pages.texts("[role=menu], [role=dialog]")).splitlines() if line in titles]
    assert listed == titles


def test_the_comparison_shows_curves_metrics_and_what_differs_of_all_trainings(pages: Pages, trainings: list[Any]) -> None:
    names = [run.info.run_name for run in trainings]
    pages.open(catalog.COMPARISON.address("1"), "Parameters that differ", *names, width=1280, height=3200)
    expected = ["train/loss vs validation/loss", "validation/perplexity", "test/gain_over_kneser_ney", "Metrics", "Parameters that differ"]
    expected += ["train/learning_rate", "train/gradient_norm", "train/words_per_second"]
    wait_until(lambda: set(expected) <= set(pages.texts("h4")), PATIENCE)
    titles = [title for title in pages.texts("h4") if title]
    assert sorted(set(titles)) == sorted(titles)
    curves = [f"{name} ({split}/loss)" for name in names for split in ("train", "validation")]
    pages.wait_for(
        "Loss (nats per token), perplexity (log scale)", "parameter_count", *curves, *(f"{name} (validation/perplexity)" for name in names)
    )
    values = [run.data.params["train.learning_rate"] for run in trainings]
    assert re.search(rf"train\.learning\S*\s+{values[0]}\s+{values[1]}\s", pages.text())
    perplexities = [f"{run.data.metrics['test/adjusted_perplexity']:.2f}" for run in trainings]
    assert re.search(rf"test/adjusted_perplexity\s+{perplexities[0]}\s+{perplexities[1]}\s", pages.text())
    resize(pages.driver, 800, 3200)
    wait_until(lambda: sum(trainings_in_sight(pages, names)) == len(names), PATIENCE)


def trainings_in_sight(pages: Pages, names: list[str]) -> list[bool]:
    """Whether each training is in sight in the table of parameters that differ, of which a narrow window shows a part."""
    table = pages.driver.find_element(By.XPATH, "//*[text()='Parameters that differ']/ancestor::*[.//*[text()='Compare by']][1]")
    right = min(table.rect["x"] + table.rect["width"], 800) - 20
    return [table.rect["x"] < table.find_element(By.XPATH, f".//*[text()='{name}']").rect["x"] < right for name in names]


def test_samples_are_side_by_side(pages: Pages, trainings: list[Any]) -> None:
    pages.open(
        catalog.SAMPLES.address("1"),
        "Group by: sample",
        "Compare: text",
        *(run.info.run_name for run in trainings),
        width=2000,
        height=3200,
    )
    prompts = set()
    for run in trainings:
        table = json.loads((pages.folder / f"mlartifacts/lstm_lm/{run.info.run_id}/artifacts/samples.json").read_text())
        assert table["columns"][:2] == ["sample", "text"]
        label, text = table["data"][0][:2]
        prompts.add(label)
        pages.wait_for(label, text)
    assert prompts


def headline(measured: dict[str, dict[str, float]]) -> str:
    """The beginning of the first line of a note and of a card."""
    test = measured["test"]
    interval = f"95% interval {test['perplexity_low']:.2f} to {test['perplexity_high']:.2f}"
    result = f"Perplexity {test['perplexity']:.2f} per word on the test text ({interval})"
    return f"{result}, {test['bits_per_character']:.3f} bits per character"


def test_the_page_of_a_run_begins_with_its_result(pages: Pages, measured: dict[str, dict[str, float]]) -> None:
    pages.open(f"{run_page(pages)}{MODE}", headline(measured), "Test text:", "validation/perplexity", height=2400)
    assert place_of(pages, headline(measured)) < 300
    text = pages.text()
    for split in ("test", "validation"):
        for name in ("perplexity", "adjusted_perplexity", "bits_per_character", "oov_rate"):
            assert shown_after(text, f"{split}/{name}") == pytest.approx(measured[split][name], rel=1e-6), (split, name)
    files = json.loads((pages.folder / "data/vocab/splits.json").read_text())
    for split in ("test", "validation"):
        assert f"{split.capitalize()} text: {', '.join(span['document'] for span in files[split])}." in text
    assert "Registered models lstm_lm v1" in text
    assert "No description" not in text


def test_the_artifacts_of_a_run_are_a_report_and_a_model_card(pages: Pages, measured: dict[str, dict[str, float]]) -> None:
    pages.open(f"{run_page(pages)}/artifacts/model_card.md{MODE}", "report.html", "Model card", headline(measured), "Intended use")
    pages.open(f"{run_page(pages)}/artifacts/report.html{MODE}", "report.html", "model_card.md")
    frames = (By.CSS_SELECTOR, "iframe")
    wait_until(lambda: len(pages.driver.find_elements(*frames)) == 1, PATIENCE)
    pages.driver.switch_to.frame(pages.driver.find_element(*frames))
    try:
        pages.wait_for("Report of a language model", f"{measured['test']['perplexity']:.2f} test perplexity per word")
        drawn = "return document.querySelectorAll('svg, canvas').length"  # its scripts run
        wait_until(lambda: int(pages.driver.execute_script(drawn)) > 3, PATIENCE)
    finally:
        pages.driver.switch_to.default_content()


def test_the_system_metrics_of_a_run_are_curves(pages: Pages) -> None:
    pages.open(
        f"{run_page(pages)}/system-metrics{MODE}", "cpu_utilization_percentage", "system_memory_usage_percentage", "Time", height=2400
    )


def test_the_datasets_of_a_run_list_their_files(pages: Pages) -> None:
    files = json.loads((pages.folder / "data/vocab/splits.json").read_text())
    pages.open(f"{run_page(pages)}{MODE}", "Datasets own text: training", height=1600)
    pages.driver.find_element(By.XPATH, "//*[(self::button or self::a or @role='button') and contains(., 'text: training (')]").click()
    pages.wait_for("3 datasets used")
    for split, context in (("train", "training"), ("validation", "validation"), ("test", "test")):
        name = f"own text: {context} ({len(files[split])} file{'' if len(files[split]) == 1 else 's'})"
        drawer = "//*[@role='dialog']"
        pages.driver.find_element(By.XPATH, f"{drawer}//*[contains(text(), '{name}')]").click()
        words = sum(span["stop"] - span["start"] for span in files[split])
        pages.wait_for(f"words: {words:,} files: {len(files[split])}", *(f"{span['document']}: " for span in files[split]))
        unlisted = {span["document"] for other in files for span in files[other] if other != split}
        assert not [document for document in unlisted if f"{document}: " in pages.texts("[role=dialog]")[0]]


def test_the_page_of_a_logged_model_links_metrics_datasets_and_versions(pages: Pages, measured: dict[str, dict[str, float]]) -> None:
    [output] = client(pages.folder).get_run(run_id(pages.folder)).outputs.model_outputs
    pages.open(f"#/experiments/1/models/{output.model_id}{MODE}", headline(measured), "Model versions lstm_lm v1", height=2400)
    text = pages.text()
    assert place_of(pages, headline(measured)) < 300
    assert re.search(r"More: model_card\.md\. .{0,20}Metrics \(8\)", text), text[:1000]
    for split in ("test", "validation"):
        name = re.escape(f"{split}/perplexity")
        [row] = re.findall(rf"{name} own text: {split} \(1 file\) \(#\w+\) .*? ([\d.]+) {split}/adjusted_perplexity", text)
        assert float(row) == pytest.approx(measured[split]["perplexity"], rel=1e-6)
    assert "Datasets used own text: test (1 file)" in text
    assert "generation.temperature 0.8" in text


def test_the_registry_says_which_version_is_the_champion(pages: Pages, measured: dict[str, dict[str, float]]) -> None:
    pages.open(f"#/models{MODE}", "Registered Models", "Version 2", "@ champion : Version 2")
    assert pages.texts("[role=dialog]") == []
    pages.open(f"#/models/lstm_lm{MODE}", "Version 1", "Version 2", "The alias champion marks the version to serve", height=2400)
    rows = re.search(r"Version 2 (?P<second>.*) Version 1 (?P<first>.*)", pages.text())
    assert rows is not None
    for row, alias, other, name in ((rows["second"], "champion", "previous", "slow"), (rows["first"], "previous", "champion", "params")):
        assert f"@ {alias}" in row
        assert f"@ {other}" not in row
        assert f"run : {name}" in row
    assert "history" not in pages.text() and "through" not in pages.text()  # the record of what was promoted is not for people
    assert f"ppl : {measured['test']['perplexity']:.4g}" in rows["first"]
    assert f"Perplexity {measured['test']['perplexity']:.2f} per word" in rows["first"]


def test_the_page_of_a_version_begins_with_its_result_and_its_alias(pages: Pages, measured: dict[str, dict[str, float]]) -> None:
    pages.open(f"#/models/lstm_lm/versions/1{MODE}", headline(measured), "@ previous", "lstm_lm.champion_reason", height=3200)
    assert re.search(rf"ppl {measured['test']['perplexity']:.4g}\b", pages.text())
    assert place_of(pages, headline(measured)) < 400
    [perplexity] = [each.data.metrics["test/perplexity"] for each in runs(pages.folder) if each.info.run_id != run_id(pages.folder)]
    pages.open(f"#/models/lstm_lm/versions/2{MODE}", f"Perplexity {perplexity:.2f} per word", "@ champion", "promoted", height=3200)
    assert re.search(r"lstm_lm.previous_champion 1\b", pages.text())


def test_nothing_is_printed_after_the_address(pages: Pages) -> None:
    pages.open("#/experiments", "lstm_lm")
    assert pages.log.read_text().splitlines()[-1].strip() == pages.opening
