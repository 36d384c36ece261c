"""reports/report.html in headless Chromium, opened as a file: that of a real run, and one whose texts try to run as code."""

import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

import drift_reports
import report_files
from browser import chromium, needs_browser, resize
from http_server import wait_until
from lstm_lm.serving.prompts import page as drift_page
from lstm_lm.serving.prompts import verdict
from lstm_lm.ui.report import draw, inputs, numbers, passage

pytestmark = [pytest.mark.slow, needs_browser]


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run whose names, words and samples are HTML and JavaScript."""
    folder = tmp_path_factory.mktemp("attacked")
    report_files.write(folder)
    draw.draw(inputs.load(folder), folder)
    return folder / draw.FILE


def show(driver: webdriver.Chrome, path: Path, width: int) -> None:
    """Open a report in a window of some width, and wait until its charts are drawn."""
    resize(driver, width)
    driver.get_log("browser")
    driver.get_log("performance")
    driver.get(path.as_uri())
    wait_until(lambda: driver.execute_script("return document.body.dataset.ready") == "true", 30)


def check(driver: webdriver.Chrome, path: Path) -> None:
    """All charts are drawn, nothing is wider than the window, nothing was loaded, and the console is empty."""
    drawn, places, width, inner = driver.execute_script(
        "return [document.querySelectorAll('[data-drawn] > svg').length, document.querySelectorAll('[data-chart]').length,"
        " document.documentElement.scrollWidth, document.documentElement.clientWidth]"
    )
    assert places > 0
    assert (drawn, width) == (places, inner)
    messages = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
    requested = [each["params"]["request"]["url"] for each in messages if each["method"] == "Network.requestWillBeSent"]
    assert [address for address in requested if not address.startswith("data:")] == [path.as_uri()]
    assert driver.get_log("browser") == []


def text(driver: webdriver.Chrome, selector: str) -> str:
    return " ".join(driver.find_element(By.CSS_SELECTOR, selector).text.split())


@pytest.mark.parametrize("width", [1280, 360])
def test_the_report_of_a_run_shows_its_result(driver: webdriver.Chrome, finished_project: Path, width: int) -> None:
    path = finished_project / draw.FILE
    show(driver, path, width)
    check(driver, path)
    test = json.loads((finished_project / "reports/metrics.json").read_text())["test"]
    head = text(driver, "header")
    interval = numbers.interval(test["perplexity_low"], test["perplexity_high"])
    assert f"{numbers.perplexity(test['perplexity'])} test perplexity per word 95% interval {interval}" in head
    assert f"Kneser-Ney ({numbers.perplexity(test['kneser_ney_perplexity'])})" in head
    details = json.loads((finished_project / "reports/details.json").read_text())
    assert text(driver, "h1") == details["run"]["name"]
    assert details["run"]["commit"] in text(driver, "#reproduction")
    picture = driver.find_element(By.CSS_SELECTOR, "#model img")
    assert (picture.get_property("naturalWidth"), picture.get_property("complete")) == (1980, True)
    for word in driver.find_elements(By.CSS_SELECTOR, ".surprise > span")[:5]:
        assert word.text in [each["text"] for each in details["passage"]["words"]]


def test_texts_never_run_as_code(driver: webdriver.Chrome, attacked: Path) -> None:
    show(driver, attacked, 1280)
    words = driver.find_elements(By.CSS_SELECTOR, ".surprise > span")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", words[3])
    hover(driver, words[3])
    assert text(driver, ".readout") == f"“{report_files.ATTACKS[1]}”: this model 4.5 bits, Kneser-Ney 9.0 bits"
    assert len(driver.find_elements(By.CSS_SELECTOR, ".surprise > .marked")) == 2
    point = driver.find_element(By.CSS_SELECTOR, "#documents svg .mark-symbol path")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", point)
    hover(driver, point)
    wait_until(lambda: report_files.ATTACKS[1] in text(driver, "#vg-tooltip-element"))
    assert driver.execute_script("return window.attacked") is None
    assert driver.find_elements(By.CSS_SELECTOR, "img") == []
    check(driver, attacked)
    # What the page itself would not stop, its policy does.
    driver.execute_script("document.body.insertAdjacentHTML('beforeend', arguments[0])", report_files.ATTACKS[1])
    wait_until(lambda: bool(driver.get_log("browser")))
    assert driver.execute_script("return window.attacked") is None


@pytest.mark.parametrize("width", [1280, 360])
def test_the_report_of_drift_shows_its_measures_and_runs_no_prompt(driver: webdriver.Chrome, tmp_path: Path, width: int) -> None:
    made = drift_reports.make_report()
    drift_page.write(made, tmp_path)
    show(driver, tmp_path / drift_page.FILE, width)
    check(driver, tmp_path / drift_page.FILE)
    assert text(driver, "#verdict") == verdict.verdict(made.measures, len(made.distinct.prompts), "word").sentence
    rows = driver.find_elements(By.CSS_SELECTOR, "#measures tbody tr")
    assert [[cell.text for cell in row.find_elements(By.XPATH, "./*")] for row in rows] == [
        [cell.strip() for cell in row] for row in verdict.rows(made.measures, "word")
    ]
    assert "<script>alert(2)</script>" in text(driver, "#unknown-words")


def test_the_map_zooms_in_and_back(driver: webdriver.Chrome, attacked: Path) -> None:
    show(driver, attacked, 1280)
    start = places(driver)
    more, _, reset = driver.find_elements(By.CSS_SELECTOR, "#map button")
    driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", more)
    more.click()
    wait_until(lambda: places(driver) != start)
    reset.click()
    wait_until(lambda: places(driver) == start)


def places(driver: webdriver.Chrome) -> Any:
    """Where the marks of the map are."""
    return driver.execute_script(
        "return [...document.querySelectorAll('#map .mark-symbol path')].map((path) => path.getAttribute('transform'))"
    )


def hover(driver: webdriver.Chrome, element: Any) -> None:
    webdriver.ActionChains(driver).move_to_element(element).perform()


def test_surprise_is_darker_the_more_it_is(driver: webdriver.Chrome, attacked: Path) -> None:
    """Read in grey too: each color of the passage is darker than the one before."""
    show(driver, attacked, 800)
    check(driver, attacked)
    levels = len(passage.WORD_THRESHOLDS) + 1
    colors = [
        driver.execute_script("return getComputedStyle(document.querySelector('.legend .level-' + arguments[0])).backgroundColor", level)
        for level in range(levels)
    ]
    brightness = [
        sum(weight * int(part) for weight, part in zip((0.2126, 0.7152, 0.0722), color[4:-1].split(","), strict=True)) for color in colors
    ]
    assert all(before - after > 10 for before, after in pairwise(brightness))
