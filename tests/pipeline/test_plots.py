"""`dvc plots` draws this project's curves on a page that needs no network and fits into a window of any width."""

import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By

from browser import chromium, needs_browser, resize
from conftest import COMMIT, PROJECT, copy_project, run

pytestmark = pytest.mark.slow
TITLES = ["Learning rate", "Training loss", "Training text covered by the most frequent tokens", "Validation perplexity"]
EMPTY_PLOTS = ["reports/metrics.json", "reports/vocabulary.json"]  # to DVC; there is nothing to draw
HEADER = "step,words_seen,epoch,loss,learning_rate,gradient_norm,words_per_second,validation_loss,validation_perplexity"


def write_history(folder: Path, loss: float) -> None:
    """Write three epochs of three rows. The last row of each epoch has a perplexity: 50, 40 and 30 times `loss`."""
    rows = [
        f"{step},{step * 100},{(step + 2) // 3},{loss / step},0.1,1.0,1000.0," + ("," if step % 3 else f"1.0,{(60 - step / 3 * 10) * loss}")
        for step in range(1, 10)
    ]
    (folder / "models/history.csv").write_text("\n".join([HEADER, *rows]) + "\n")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the page, a history in its last commit and another one in its working tree."""
    folder = copy_project(tmp_path_factory.mktemp("project"))
    run(["python", "scripts/plots_page.py"], folder)
    (folder / "reports").mkdir(exist_ok=True)
    shutil.copy(PROJECT / "reports/graph.png", folder / "reports/graph.png")
    for name in EMPTY_PLOTS:
        shutil.copy(PROJECT / name, folder / name)
    (folder / "reports/coverage.csv").write_text("vocabulary_size,coverage\n1,0.5\n2,1.0\n")
    write_history(folder, 2)
    # Here, Git stores the history instead of DVC. `dvc plots` can read both.
    run(["git", "add", "--all"], folder)
    run(["git", "add", "--force", "models/history.csv"], folder)
    run(["git", "-c", "user.name=t", "-c", "user.email=t@localhost", "commit", "--quiet", "--message", "history"], folder)
    write_history(folder, 1)
    return folder


@pytest.fixture(scope="module")
def drawn(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page that compares the last commit with the working tree."""
    folder = tmp_path_factory.mktemp("page") / "dvc_plots"
    run(["python", "-m", "dvc", "plots", "diff", "HEAD", "workspace"], project)
    shutil.copytree(project / "dvc_plots", folder)
    return folder / "index.html"


class Page(HTMLParser):
    """The content of a page for a browser: the addresses that it loads, the scripts, and the plots in the scripts."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.addresses: list[str | None] = []
        self.scripts: list[str] = []
        self.in_script = False
        self.feed(path.read_text(encoding="utf-8"))
        specs = [re.search(r"var spec = (.*);\s*vegaEmbed\(", script) for script in self.scripts]
        self.plots = [plot for match in specs if match and (plot := json.loads(match[1]))]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.addresses += [value for name, value in attrs if name in ("src", "href", "data")]
        self.in_script = tag == "script"
        if self.in_script:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.in_script = False

    def handle_data(self, data: str) -> None:
        if self.in_script:
            self.scripts[-1] += data


@pytest.mark.parametrize(("command", "revisions"), [(["show"], ["workspace"]), (["diff", "HEAD"], ["HEAD", "workspace"])])
def test_the_page_is_complete_and_shows_every_plot_once(project: Path, command: list[str], revisions: list[str]) -> None:
    run(["python", "-m", "dvc", "plots", *command], project)
    page = Page(project / "dvc_plots/index.html")
    assert page.addresses
    assert all((project / "dvc_plots" / address).is_file() for address in page.addresses)
    assert "window.vegaEmbed=" in page.scripts[0]
    assert len(page.scripts) == 2 + len(page.plots) + len(EMPTY_PLOTS)  # Vega, the page's own, and one for each plot
    assert sorted(plot["title"]["text"] for plot in page.plots) == TITLES
    for plot in page.plots:
        assert sorted({row["rev"] for row in plot["data"]["values"]}) == revisions


def test_empty_cells_are_not_points_of_a_curve(project: Path) -> None:
    import vl_convert

    printed = run(["python", "-m", "dvc", "plots", "diff", "HEAD", "--targets", "validation perplexity", "--show-vega"], project).stdout
    picture = vl_convert.vegalite_to_svg(json.loads(printed[printed.index("{") :]))
    lines = re.findall(r'aria-roledescription="line mark" d="([^"]*)"', picture)
    assert [re.sub(r"[^A-Z]", "", line) for line in lines] == ["MLL", "MLL"]
    points = re.findall(r'aria-label="[^"]*perplexity: (\d+)[^"]*" role="graphics-symbol" aria-roledescription="point"', picture)
    assert sorted(map(int, points)) == [30, 40, 50, 60, 80, 100]


def test_the_command_compares_the_checkout_with_revisions_whose_results_are_here(project: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(project, tmp_path / "project")
    command = ["make", "--silent", "-o", "setup", "-o", "repository", "plots"]
    printed = run([*command, "EXPERIMENTS=HEAD"], folder).stdout
    assert printed == (folder / "dvc_plots/index.html").as_uri() + "\n"
    for plot in Page(folder / "dvc_plots/index.html").plots:
        assert sorted({row["rev"] for row in plot["data"]["values"]}) == ["HEAD", "workspace"]
    run(command, folder)  # there are no experiments
    for plot in Page(folder / "dvc_plots/index.html").plots:
        assert {row["rev"] for row in plot["data"]["values"]} == {"workspace"}
    # Results of another machine: dvc.lock names them, and neither Git nor DVC's cache has them.
    lock = "schema: '2.0'\nstages:\n  train:\n    cmd: python src/train.py\n    outs:\n"
    lock += "    - {path: models/history.csv, hash: md5, md5: 00000000000000000000000000000000, size: 9}\n"
    run(["git", "rm", "--quiet", "--cached", "models/history.csv"], folder)
    (folder / "dvc.lock").write_text(lock)
    run(["git", "add", "dvc.lock"], folder)
    run([*COMMIT, "lock of another machine"], folder)
    for name, message in (
        ("HEAD", "error: EXPERIMENTS=HEAD: the results of HEAD are not in DVC's cache, because they were made on another machine"),
        ("nonsense", "error: EXPERIMENTS=nonsense: there is no such experiment or Git revision: use one of the last commit (none yet)"),
    ):
        done = run([*command, f"EXPERIMENTS={name}"], folder, check=False)
        assert done.returncode
        assert done.stdout.startswith(message) and done.stdout.count("\n") <= 2  # make adds a line
    (folder / "models/history.csv").unlink()
    assert "models/history.csv is missing: run the pipeline first, with: make repro" in run(command, folder, check=False).stdout


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    """A browser without a network: it could only reach a proxy that does not exist."""
    with chromium("--proxy-server=127.0.0.1:9") as started:
        yield started


@needs_browser
@pytest.mark.parametrize(("width", "charts_a_row"), [(1280, 2), (800, 1), (360, 1)])
def test_the_page_in_a_browser(width: int, charts_a_row: int, driver: webdriver.Chrome, drawn: Path) -> None:
    resize(driver, width)
    driver.get(drawn.as_uri())
    driver.implicitly_wait(10)
    driver.find_element(By.CSS_SELECTOR, "main > div:nth-of-type(4) canvas, main > div:nth-of-type(4) svg")
    assert driver.find_element(By.TAG_NAME, "h1").text == "this checkout, HEAD"
    assert driver.title == "Plots: this checkout, HEAD"
    assert re.match(
        r"Drawn by DVC on \d+ \w+ \d{4} at \d\d:\d\d\. This checkout is shown", driver.find_element(By.CSS_SELECTOR, "header p").text
    )
    text = driver.find_element(By.TAG_NAME, "body").text
    assert "Training graph and inference graph" in text
    assert "workspace" not in text and "graph.png" not in text
    headings = driver.find_elements(By.TAG_NAME, "h2")
    assert sorted(heading.text for heading in headings) == TITLES
    assert len({heading.rect["x"] for heading in headings}) == charts_a_row
    charts = driver.find_elements(By.CSS_SELECTOR, "main canvas, main svg.marks")
    assert len(charts) == len(TITLES)
    assert min(chart.rect["width"] for chart in charts) > 0.7 * width / charts_a_row
    frames = driver.find_elements(By.CSS_SELECTOR, "main > div:not(.pictures)")
    for frame, chart in zip(frames, charts, strict=True):
        assert chart.rect["x"] + chart.rect["width"] <= frame.rect["x"] + frame.rect["width"] - 10  # within the frame's padding
    fonts = driver.execute_script("return [...document.querySelectorAll('h1, h2, p')].map((each) => getComputedStyle(each).fontFamily)")
    assert all("sans-serif" in font for font in fonts)
    pictures = driver.find_elements(By.TAG_NAME, "img")
    assert sorted(str(picture.get_attribute("alt")) for picture in pictures) == ["HEAD", "this checkout"]
    assert all(int(picture.get_property("naturalWidth")) > 0 and 200 < picture.rect["width"] < width for picture in pictures)
    assert driver.execute_script("return document.documentElement.scrollWidth <= innerWidth")
    assert [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"] == []
