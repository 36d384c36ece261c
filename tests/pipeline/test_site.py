"""The documentation site: built strictly, complete, like the pages on GitHub, and nothing in it comes from another host."""

import functools
import json
import re
import threading
from collections import Counter
from collections.abc import Iterator
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from markdown_it import MarkdownIt
from selenium.webdriver.common.by import By

from browser import chromium, needs_browser, resize
from conftest import PROJECT, run
from http_server import wait_until

pytest.importorskip("mkdocs", reason="make site installs it")
pytestmark = pytest.mark.slow
# Tags whose addresses a browser loads. Links that somebody clicks may lead anywhere.
LOADING = {"object": "data"} | dict.fromkeys(("audio", "embed", "iframe", "img", "script", "source", "video"), "src")
LOADING_LINKS = {"stylesheet", "icon", "preload", "modulepreload", "preconnect", "dns-prefetch", "prefetch", "manifest"}
FOREIGN = re.compile(r"(https?:)?//", re.IGNORECASE)
COUNTED = ("h1", "h2", "h3", "li", "table", "tr", "pre", "img", "a")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site") / "site"
    command = ["python", "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    printed = run(command, PROJECT, NO_MKDOCS_2_WARNING="true").stdout
    assert "WARNING" not in printed, printed
    return folder


class Page(HTMLParser):
    """A page, read.

    Attributes:
        loaded: addresses that a browser loads.
        counts: how many elements of a kind the article has, without those that the theme or the API reference adds.
        text: what can be read in the article.
    """

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.counts: Counter[str] = Counter()
        self.text = ""
        self.in_article = "<article" not in html
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        kinds = values.get("class", "").split()
        if tag == "article":
            self.in_article = True
        elif self.in_article and "headerlink" not in kinds:
            self.counts[tag] += 1
        if tag in LOADING:
            self.loaded.append(values.get(LOADING[tag], ""))
        self.loaded += [part.split()[0] for part in values.get("srcset", "").split(",") if part.strip()]
        if tag == "link" and LOADING_LINKS & set(values.get("rel", "").split()):
            self.loaded.append(values["href"])

    def handle_endtag(self, tag: str) -> None:
        if tag == "article":
            self.in_article = False

    def handle_data(self, data: str) -> None:
        if self.in_article:
            self.text += data


def read(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def test_pages_load_nothing_from_another_host(site: Path) -> None:
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for path in pages:
        assert read(path).loaded
        assert not [address for address in read(path).loaded if FOREIGN.match(address)], path
        if path.name != "404.html":
            assert "Content-Security-Policy" in path.read_text(encoding="utf-8"), path
    for path in site.rglob("*.css"):
        loaded = re.findall(r"""(?:url\(|@import)\s*["']?([^"')\s]+)""", path.read_text(encoding="utf-8"))
        assert not [address for address in loaded if FOREIGN.match(address)], path


@pytest.mark.parametrize(
    ("page", "source"),
    [
        ("index.html", "README.md"),
        ("project/CONTRIBUTING.html", "CONTRIBUTING.md"),
        ("project/benchmarks/index.html", "benchmarks/README.md"),
        *[
            (path.relative_to(PROJECT / "docs").with_suffix(".html").as_posix(), path.relative_to(PROJECT).as_posix())
            for path in sorted((PROJECT / "docs").rglob("*.md"))
        ],
    ],
    ids=lambda value: value,
)
def test_a_page_has_the_same_parts_as_on_github(site: Path, page: str, source: str) -> None:
    """MkDocs' Markdown differs from GitHub's: without an empty line before it, a list or a table would be plain text, for example."""
    text = (PROJECT / source).read_text(encoding="utf-8")
    github = Page(MarkdownIt("commonmark").enable("table").render(text)).counts
    shown = read(site / page).counts
    assert {tag: shown[tag] for tag in COUNTED} == {tag: github[tag] for tag in COUNTED}


def test_the_api_reference_shows_signatures_and_docstrings(site: Path) -> None:
    page = read(site / "reference/api/lstm_lm.model.html")
    for text in ("unrolled", "Take one step from the gates' sums.", "float32 [batch, hidden]", "Hochreiter & Schmidhuber 1997"):
        assert text in page.text
    html = (site / "reference/api/lstm_lm.model.html").read_text(encoding="utf-8")
    names = set(re.findall(r'id="(lstm_lm\.[\w.]+)"', html))
    assert "lstm_lm.model.language_model.LanguageModel.encode" in names
    assert not [name for name in names if "._" in name]
    # One line of a docstring for several parameters gives each a row with its type.
    assert re.search(r"recurrent\s+Tensor\s+see kernel", re.sub(r"\s+", " ", page.text))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@needs_browser
def test_a_browser_shows_diagrams_finds_words_and_asks_no_other_host(site: Path, address: str) -> None:
    with chromium("--window-size=1280,900") as driver:
        size = "const box = document.querySelector('div.mermaid')?.getBoundingClientRect(); return box ? [box.width, box.height] : [0, 0]"
        for root in (address, site.as_uri()):
            driver.get(f"{root}/index.html")
            wait_until(lambda: min(driver.execute_script(size)) > 50)
            driver.get(f"{root}/reference/api/lstm_lm.model.html")
            driver.find_element(By.CSS_SELECTOR, "[data-md-component=search-query]").click()
            wait_until(lambda: driver.find_element(By.CSS_SELECTOR, ".md-search-result__meta").text == "Type to start searching")
            driver.find_element(By.CSS_SELECTOR, "[data-md-component=search-query]").send_keys("confidence intervals")
            wait_until(lambda: "How a model is scored" in driver.find_element(By.CSS_SELECTOR, ".md-search-result__list").text)
        for path in ("reference/performance.html", "explanation/architecture.html", "index.html"):  # wide tables and code scroll in place
            for width in (800, 360):
                driver.execute_cdp_cmd(
                    "Emulation.setDeviceMetricsOverride", {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": True}
                )
                driver.get(f"{address}/{path}")
                assert driver.execute_script("return document.documentElement.scrollWidth") <= width, path
        events = [json.loads(entry["message"])["message"] for entry in driver.get_log("performance")]
        asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
        assert len(asked) > 20
        assert not [url for url in asked if not url.startswith((address, site.as_uri(), "data:", "blob:"))]
        assert not [entry["message"] for entry in driver.get_log("browser") if entry["level"] == "SEVERE"]


@needs_browser
def test_pictures_are_on_white_paper_in_dark_mode_too(address: str) -> None:
    style = "const style = getComputedStyle(document.querySelector('article img')); return [style.backgroundColor, style.paddingLeft]"
    for mode, expected in (("light", ["rgba(0, 0, 0, 0)", "0px"]), ("dark", ["rgb(255, 255, 255)", "12px"])):
        with chromium() as driver:
            features = [{"name": "prefers-color-scheme", "value": mode}]
            driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
            for width in (1280, 360):
                resize(driver, width)
                driver.get(f"{address}/tutorial.html")
                assert driver.execute_script(style) == expected
                assert driver.execute_script("return document.querySelector('article img').getBoundingClientRect().right") < width
