"""The page at / in headless Chromium: one server with two models and a key, one browser."""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium import webdriver
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from http_server import Server, make_project, serving, wait_until

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
KEY = {"LSTM_LM_API_KEY": "secret"}
HEADERS = {"Authorization": "Bearer secret"}
ARGUMENTS = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--lang=en"]
pytestmark = [pytest.mark.slow, pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="needs chromium and chromedriver")]


class Page:
    """The page, as somebody uses it.

    Attributes:
        driver: the browser.
        server: that the page comes from.
    """

    def __init__(self, driver: webdriver.Chrome, server: Server) -> None:
        self.driver, self.server = driver, server

    def open(self, fragment: str = "", width: int = 1280, dark: bool = False) -> None:
        """Open the page anew, with the key kept in the tab."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        self.driver.get("about:blank")
        self.driver.get(f"{self.server.address}/{fragment}")
        wait_until(lambda: self.one("#app").is_displayed() or self.one("#key-form").is_displayed())

    def one(self, selector: str) -> WebElement:
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def all(self, selector: str) -> list[WebElement]:
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def script(self, code: str, *arguments: Any) -> Any:
        return self.driver.execute_script(code, *arguments)

    def keys(self, *keys: str) -> None:
        """Press keys wherever the focus is."""
        ActionChains(self.driver).send_keys(*keys).perform()

    def fill(self, selector: str, text: str) -> None:
        field = self.one(selector)
        field.clear()
        field.send_keys(text)

    def generate(self, prompt: str, **values: str) -> list[str]:
        """Generate with the values of some options, and return the texts with their prompts."""
        self.script("document.getElementById('more').open = true")
        self.fill("#prompt", prompt)
        for name, value in values.items():
            self.fill(f"#option-{name}", value)
        self.one("#generate").click()
        return self.wait()

    def wait(self) -> list[str]:
        """Wait until all texts are complete, and return them."""
        wait_until(lambda: bool(self.all(".column")) and self.is_idle(), 30)
        return self.texts()

    def is_idle(self) -> bool:
        return self.one("#stop").get_attribute("aria-disabled") == "true"

    def texts(self) -> list[str]:
        return [str(self.script("return arguments[0].textContent", text)) for text in self.all("#columns .text")]

    def facts(self) -> list[str]:
        return [facts.text for facts in self.all("#columns .column > .quiet")]

    def complete(self, prompt: str, **values: Any) -> str:
        """What the server answers to others."""
        answer = self.server.post("/v1/completions", {"prompt": prompt, **values}, **HEADERS).json()
        return prompt + str(answer["choices"][0]["text"])

    def rows(self) -> float:
        """How many texts the server generates now."""
        metrics = requests.get(f"{self.server.address}/metrics", headers=HEADERS, timeout=10).text
        return sum(map(float, re.findall(r"^lstm_lm_rows(?:\{.*\})? (\S+)$", metrics, re.MULTILINE)))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, empty_store: Path, tiny_saved_models: Path) -> Iterator[Server]:
    folder = make_project(tmp_path_factory.mktemp("page"), empty_store)
    models = [str(tiny_saved_models / f"{seed}/saved_model") for seed in (1, 2)]
    with serving(folder, ["--model", models[0], "--compare", models[1]], **KEY) as started:
        yield started


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    with webdriver.Chrome(options=options, service=Service(str(DRIVER))) as started:
        started.set_page_load_timeout(30)
        yield started


@pytest.fixture(scope="module")
def signed_in(driver: webdriver.Chrome, server: Server) -> Page:
    """The page after the key was entered."""
    page = Page(driver, server)
    page.open()
    assert page.one("#key-form").is_displayed()
    assert not page.one("#app").is_displayed()
    page.fill("#key", "wrong")
    page.keys(Keys.ENTER)
    wait_until(lambda: page.one("#key-error").text == "The API key is wrong.")
    assert page.script("return document.activeElement.id") == "key"
    page.keys("secret", Keys.ENTER)
    wait_until(lambda: page.one("#app").is_displayed())
    assert not page.one("#key-form").is_displayed()
    # A failed request is logged by the browser itself, so the log before this point says nothing about the page.
    assert {entry["source"] for entry in driver.get_log("browser")} <= {"network"}
    return page


@pytest.fixture
def page(signed_in: Page) -> Iterator[Page]:
    """The page, opened anew. It must leave no error in the browser's log."""
    signed_in.open()
    yield signed_in
    assert [entry["message"] for entry in signed_in.driver.get_log("browser") if "status of 400" not in entry["message"]] == []


def test_the_key_is_kept_in_the_tab_only(page):
    assert page.one("#app").is_displayed()
    assert page.script("return [sessionStorage.length, localStorage.length, document.cookie]") == [1, 0, ""]
    assert "secret" not in page.driver.current_url


def test_controls_are_those_of_the_table(page):
    table = requests.get(f"{page.server.address}/v1/options", headers=HEADERS, timeout=5).json()
    for row in table["options"]:
        name = table["names"][row["name"]]
        field = page.one(f"#option-{name}")
        assert page.one(f'label[for="option-{name}"]').get_attribute("textContent").lower() == row["name"].replace("_", " ")
        assert row["help"][1:] in page.one(f"#option-{name}-hint").get_attribute("textContent")
        if row["type"] != "bool":
            assert [float(field.get_attribute(bound)) for bound in ("min", "max")] == [row["minimum"], row["maximum"]]
    assert page.one("#option-temperature").is_displayed()
    assert not page.one("#option-min_p").is_displayed()
    page.one("#more summary").click()
    assert page.one("#option-min_p").is_displayed()


def test_two_models_continue_a_prompt_side_by_side(page):
    texts = page.generate("Thou art", max_tokens="30", temperature="0.9", seed="3")
    expected = [page.complete("Thou art", model=model, max_tokens=30, temperature=0.9, seed=3) for model in ("lstm_lm", "saved_model")]
    assert texts == expected
    assert texts[0] != texts[1]
    first, second = (column.rect for column in page.all("#columns .column"))
    assert (first["y"], first["width"]) == (second["y"], second["width"])
    for facts in page.facts():
        assert re.fullmatch(r"30 words · first word after [\d,]+ ms · [\d,]+ words/s · seed 3", facts), facts
    # A screen reader reads each text once.
    spoken = page.one("#spoken").get_attribute("textContent")
    assert [spoken.count(text.removeprefix("Thou art")) for text in texts] == [1, 1]


def test_words_appear_as_they_are_generated_until_they_are_stopped(page):
    page.script("document.getElementById('more').open = true")
    page.one('#models input[value="saved_model"]').click()
    page.fill("#prompt", "to be")
    page.fill("#option-max_tokens", "1000")
    page.fill("#option-n", "64")
    page.one("#generate").click()
    wait_until(lambda: len(page.all("#columns .word")) > 64)
    assert not page.is_idle()
    page.one("#stop").click()
    wait_until(page.is_idle)
    count = len(page.all("#columns .word"))
    assert 64 < count < 64_000
    assert page.facts()[0].startswith(f"stopped · {count:,} words · ")
    assert 1 <= len(page.texts()) <= 64  # those that have begun
    assert all(text.startswith("to be ") for text in page.texts())
    wait_until(lambda: page.rows() == 0, 5)
    assert page.one("#generate-error").text == ""


def test_alternatives_are_shown_on_hover_with_their_probabilities(page):
    page.generate("thou art", max_tokens="8", seed="2")
    word = page.all(".column:first-child .word")[3]
    ActionChains(page.driver).move_to_element(word).perform()
    wait_until(lambda: page.one("#alternatives").is_displayed())
    before = page.script(
        "const range = document.createRange(); range.selectNodeContents(arguments[0].parentElement); "
        "range.setEndBefore(arguments[0]); return range.toString()",
        word,
    )
    assert re.fullmatch(r"thou art \S+ \S+ \S+ ", before)
    answer = page.server.post("/v1/next", {"prompt": before, "k": 5, "model": "lstm_lm"}, **HEADERS).json()
    best = [(each["word"], f"{100 * each['probability']:.1f} %") for each in answer["data"][0]["words"]]
    shown = [tuple(button.text.split("\n")) for button in page.all("#alternatives button")]
    assert shown[:5] == best
    assert [button.text.split("\n")[0] for button in page.all("#alternatives .taken")] == [word.text]
    page.keys(Keys.ESCAPE)
    ActionChains(page.driver).move_to_element(page.one("#prompt")).perform()
    wait_until(lambda: not page.one("#alternatives").is_displayed())


def test_the_keyboard_alone_chooses_an_alternative_and_the_text_continues_from_there(page):
    page.script("document.getElementById('prompt').focus()")
    page.keys("king")
    page.one("#prompt").send_keys(Keys.CONTROL, Keys.ENTER)
    [before, _] = page.wait()
    words = page.all(".column:first-child .word")
    stops = []
    while page.script("return !document.activeElement.matches('.word')"):
        page.keys(Keys.TAB)
        stops.append(page.script("return document.activeElement.id || document.activeElement.tagName"))
        assert len(stops) < 20
    assert stops[:4] == ["INPUT", "INPUT", "option-max_tokens", "option-temperature"]
    assert stops[-3:-1] == ["generate", "stop"]
    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.driver.switch_to.active_element == words[2]
    assert page.script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert page.one("#alternatives").is_displayed()
    page.keys(Keys.ENTER, Keys.ARROW_DOWN)
    button = page.driver.switch_to.active_element
    chosen = button.get_attribute("data-token").strip()
    assert re.fullmatch(rf"{re.escape(chosen)}, [\d.]+ %(, in this text)?", button.get_attribute("aria-label"))
    page.keys(Keys.ENTER)
    expected = " ".join([*before.split()[:3], chosen])
    wait_until(lambda: page.one("#prompt").get_attribute("value") == expected)
    wait_until(lambda: bool(page.texts()) and page.texts()[0].startswith(expected) and page.is_idle())
    assert len(page.texts()[0].split()) == 4 + 40
    # The browser's Back button returns to the text before.
    page.driver.back()
    wait_until(lambda: bool(page.texts()) and page.texts()[0] == before and page.is_idle())


def test_a_link_reproduces_a_text(page):
    page.one('#models input[value="lstm_lm"]').click()
    prompt = "to be & not\n#é thou + art 100%"
    texts = page.generate(prompt, max_tokens="12", temperature="1.5", min_p="0.01", stop="zounds")
    page.script("Object.defineProperty(navigator, 'clipboard', {value: undefined})")  # as on a page from another machine
    page.one("#copy-link").click()
    wait_until(lambda: page.one("#link").is_displayed())
    link = page.one("#link").get_attribute("value")
    assert link == page.driver.current_url
    assert "secret" not in link
    fragment = link.removeprefix(f"{page.server.address}/")
    page.open(fragment)
    assert page.wait() == texts
    assert page.one("#prompt").get_attribute("value") == prompt
    assert [box.is_selected() for box in page.all("#models input")] == [False, True]
    assert page.one("#note").text == ""
    page.open(fragment.replace("fingerprint=fp_", "fingerprint=fp_0"))
    page.wait()
    wait_until(lambda: "other weights" in page.one("#note").text)


def test_what_the_server_refuses_is_one_line_next_to_the_button(page):
    page.one("#generate").click()
    assert page.one("#generate-error").text == "Type a prompt first: the model continues it."
    page.one('#models input[value="saved_model"]').click()
    page.fill("#prompt", "thou art")
    page.fill("#option-top_p", "2")
    page.one("#generate").click()
    wait_until(lambda: page.one("#generate-error").text == "top_p = 2: must be a number above 0 and at most 1")
    assert page.one("#option-top_p").get_attribute("aria-invalid") == "true"
    assert page.script("return document.activeElement.id") == "option-top_p"
    error, button = page.one("#generate-error").rect, page.one("#generate").rect
    assert abs(error["y"] + error["height"] / 2 - button["y"] - button["height"] / 2) < 5
    page.fill("#option-top_p", "0.9")
    page.one("#generate").click()
    assert page.wait()[0].startswith("thou art ")
    assert page.one("#generate-error").text == ""


def test_beam_searches_and_samples(page):
    page.one('#models input[value="saved_model"]').click()
    texts = page.generate("thou art", max_tokens="6", beam_width="3", n="2")
    assert len(texts) == 2
    assert texts[0] == page.complete("thou art", max_tokens=6, beam_width=3)
    assert page.facts()[0].startswith("12 words · ")


def test_a_text_is_scored(page):
    text = "Thou art the zounds king,\nto be (or zounds) don\u2019t"
    page.one("#generate-tab").send_keys(Keys.ARROW_RIGHT)
    assert page.script("return document.activeElement.id") == "score-tab"
    page.fill("#text", text)
    page.one("#score").click()
    wait_until(lambda: len(page.all("#score-columns .column")) == 2)
    answer = page.server.post("/v1/score", {"text": text}, **HEADERS).json()["data"][0]
    column = page.one("#score-columns .column")
    facts = dict(zip(*([each.text for each in column.find_elements(By.CSS_SELECTOR, tag)] for tag in ("dt", "dd")), strict=True))
    assert facts == {
        "perplexity": f"{answer['perplexity']:.1f}",
        "adjusted perplexity": f"{answer['adjusted_perplexity']:.1f}",
        "bits per character": f"{answer['bits_per_character']:.2f}",
        "bits per word": f"{answer['surprisal']:.2f}",
        "words": "10",
        "unknown words": "2 (1 different)",
    }
    assert "Not in the vocabulary: zounds" in column.text
    assert "2 of 10 words are unknown. Its surprisal is that of “any unknown word”, so perplexity looks too good." in column.text
    # The text is as it was pasted, and says in numbers what the colours say.
    scored = page.script("const copy = arguments[0].querySelector('.scored').cloneNode(true); "
                         "copy.querySelectorAll('small').forEach((each) => each.remove()); return copy.textContent", column)  # fmt: skip
    assert scored == text
    page.one("#numbers").click()
    numbers = [each.text for each in column.find_elements(By.CSS_SELECTOR, ".token small")]
    assert numbers == [f"{token['surprisal']:.1f}" for token in answer["tokens"][1:]]
    tokens = column.find_elements(By.CSS_SELECTOR, ".token")
    assert tokens[0].get_attribute("title") == "first word: not scored"
    bits = f"{answer['tokens'][3]['surprisal']:.1f} bits"
    assert tokens[3].get_attribute("title") == f"not in the vocabulary; {bits} for any unknown word"
    assert tokens[3].get_attribute("class") == "token unknown"  # no colour: the word itself may be surprising
    assert "13 or more" in page.one("#legend").text
    # A text that is too long or too short does not leave the score of another one.
    page.script("document.getElementById('text').value = 'thou '.repeat(20000)")
    page.one("#text").send_keys("!")
    assert page.one("#text-count").text == "100,001 of at most 100,000 characters"
    page.one("#score").click()
    assert page.one("#score-error").text.startswith("The text has 100,001 characters: must be at most 100,000.")
    assert page.one("#text").get_attribute("aria-invalid") == "true"
    assert not page.one("#scored").is_displayed()
    page.fill("#text", "thou")
    page.one("#score").click()
    wait_until(lambda: page.one("#score-status").get_attribute("textContent") == "1 word: too short to score.")
    assert page.one("#text").get_attribute("aria-invalid") is None


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_into_360_pixels_and_can_be_read(page, dark):
    page.open(width=360, dark=dark)
    page.generate("thou art " * 40 + "k" * 300, max_tokens="30", n="2")
    page.script("document.querySelectorAll('.word')[20].focus()")
    assert page.one("#alternatives").is_displayed()
    assert page.script("return document.documentElement.scrollWidth") <= 360
    box = page.one("#alternatives").rect
    assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    page.one("#score-tab").click()
    page.fill("#text", "thou art " * 20 + "k" * 300 + " zounds")
    page.one("#score").click()
    wait_until(lambda: bool(page.all("#score-columns .token")))
    assert page.script("return document.documentElement.scrollWidth") <= 360
    for selector in ("#score", ".hint", ".token.level-2", "#text", "dt", "#generate-tab"):
        assert contrast(page, selector) >= 4.5, selector
    assert contrast(page, ".token.unknown", "outlineColor") >= 3


def contrast(page: Page, selector: str, name: str = "color") -> float:
    """The contrast of a text, or of a line of it, with what is behind it, as WCAG 2 defines it."""
    pairs = page.script(
        """
        const parse = (color) => color.match(/[\\d.]+/g).map(Number);
        let element = [...document.querySelectorAll(arguments[0])].find((each) => each.checkVisibility());
        const text = parse(getComputedStyle(element)[arguments[1]]);
        for (; element; element = element.parentElement) {
          const back = parse(getComputedStyle(element).backgroundColor);
          if (back.length === 3 || back[3] > 0) return [text, back];
        }
        """,
        selector,
        name,
    )
    bright, dim = sorted((luminance(color[:3]) for color in pairs), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(color: list[float]) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (each / 255 for each in color)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_control_has_a_name(page):
    page.generate("thou art", max_tokens="3")
    nameless = page.script(
        "return [...document.querySelectorAll('button, input, textarea, [role=button], [role=tab], section, [role=group]')]"
        ".filter((each) => !each.hidden && !(each.labels?.length || each.getAttribute('aria-label') || "
        "each.getAttribute('aria-labelledby') || each.textContent.trim())).map((each) => each.outerHTML)"
    )
    assert nameless == []
    ids = page.script("return [...document.querySelectorAll('[id]')].map((each) => each.id)")
    assert len(ids) == len(set(ids))
    referenced = page.script(
        "return ['aria-describedby', 'aria-controls', 'aria-labelledby', 'for'].flatMap((name) => "
        "[...document.querySelectorAll(`[${name}]`)].flatMap((each) => each.getAttribute(name).split(' ')))"
    )
    assert set(referenced) <= set(ids)


def test_a_server_that_ends_leaves_the_text_so_far_and_nothing_came_from_elsewhere(page):
    """The last test: it ends the server."""
    page.generate("thou art", max_tokens="3")
    origins = page.script("return performance.getEntriesByType('resource').map((entry) => new URL(entry.name).origin)")
    assert set(origins) == {page.server.address}
    requested = {
        json.loads(entry["message"])["message"]["params"]["request"]["url"]
        for entry in page.driver.get_log("performance")
        if '"Network.requestWillBeSent"' in entry["message"]
    }
    assert {url for url in requested if not url.startswith((page.server.address, "about:", "data:"))} == set()
    page.script("document.getElementById('more').open = true")
    page.one('#models input[value="saved_model"]').click()
    page.fill("#option-max_tokens", "1000")
    page.fill("#option-n", "64")
    page.one("#generate").click()
    wait_until(lambda: len(page.all("#columns .word")) > 64)
    page.server.process.kill()
    page.server.process.wait()
    wait_until(page.is_idle)
    assert page.one("#generate-error").text == "The server closed the connection before the answer was complete."
    assert page.facts()[0].startswith("incomplete · ")
    assert page.texts()[0].startswith("thou art ")
    page.one("#generate").click()
    wait_until(lambda: page.one("#generate-error").text == "The server does not answer.")
    assert all("net::ERR" in entry["message"] for entry in page.driver.get_log("browser"))
