"""The page at / in headless Chromium: one server with two models and a key, one browser."""

import json
import re
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from selenium import webdriver
from selenium.webdriver import ActionChains, Keys
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

from browser import chromium, needs_browser, resize
from conftest import TINY_VOCABULARY
from http_server import Server, make_project, serving, wait_until

KEY = {"LSTM_LM_API_KEY": "secret"}
HEADERS = {"Authorization": "Bearer secret"}
VOCABULARY = len(TINY_VOCABULARY)
pytestmark = [pytest.mark.slow, needs_browser]


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
        resize(self.driver, width)
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
        if len(text) > 100:  # typing it would take seconds
            self.script("arguments[0].value = arguments[1]; arguments[0].dispatchEvent(new Event('input'))", field, text)
            return
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
        return [
            str(text) for text in self.script("return [...document.querySelectorAll('#columns .text')].map((text) => text.textContent)")
        ]

    def words(self) -> int:
        return int(self.script("return document.querySelectorAll('#columns .word').length"))

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
    arguments = ["--model", models[0], "--compare", models[1], "--log-prompts", "prompts"]
    with serving(folder, arguments, in_terminal=True, **KEY) as started:
        yield started


@pytest.fixture(scope="module")
def driver() -> Iterator[webdriver.Chrome]:
    with chromium() as started:
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
    assert page.script("return document.activeElement.id") == "prompt"
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


def test_the_example_is_a_prompt_of_which_the_model_knows_all_words(page):
    # Of those in params.yaml: "thou art more" has a word that the small model lacks.
    assert page.one("#prompt").get_attribute("placeholder") == "The model continues this text, such as: to be or not to"


def test_controls_are_those_of_the_table(page):
    table = requests.get(f"{page.server.address}/v1/options", headers=HEADERS, timeout=5).json()
    labels = {"no_repeat_ngram": "no repeated n-grams"}
    for row in table["options"]:
        name = table["names"][row["name"]]
        label = page.one(f'label[for="option-{name}"]').get_attribute("textContent").lower()
        assert label == labels.get(row["name"], row["name"].replace("_", " "))
        hint = page.one(f"#option-{name}-hint").get_attribute("textContent")
        assert row["help"][1:] in hint
        if row["type"] != "bool" and row["maximum"] < 2**31 - 1:
            assert hint.endswith(f"{row['maximum']})")
    assert page.one("#option-temperature").is_displayed()
    assert not page.one("#option-min_p").is_displayed()
    page.one("#more summary").click()
    assert page.one("#option-min_p").is_displayed()
    assert page.one("#about").text.startswith(f"lstm_lm: vocabulary of {VOCABULARY} words · saved_model: ")
    assert page.one("#about").text.endswith(" · this server keeps the prompts it gets")


def test_two_models_continue_a_prompt_side_by_side(page):
    texts = page.generate("Thou art", max_tokens="30", temperature="0.9", seed="3")
    expected = [page.complete("Thou art", model=model, max_tokens=30, temperature=0.9, seed=3) for model in ("lstm_lm", "saved_model")]
    assert texts == expected
    assert texts[0] != texts[1]
    first, second = (column.rect for column in page.all("#columns .column"))
    assert (first["y"], first["width"]) == (second["y"], second["width"])
    # Two models share the processor: times would not compare them.
    assert page.facts() == ["30 words · seed 3"] * 2
    assert page.one("#note").text == ""
    assert not page.one("#score-this").is_displayed()
    # A screen reader reads each text once.
    spoken = page.one("#spoken").get_attribute("textContent")
    assert [spoken.count(text.removeprefix("Thou art")) for text in texts] == [1, 1]
    assert [text.get_attribute("aria-label") for text in page.all("#columns .text")] == ["Text 1 of lstm_lm", "Text 1 of saved_model"]
    greedy = {"max_tokens": 1, "temperature": 0}
    prompt = next(one for one in TINY_VOCABULARY[1:] if page.complete(one, **greedy) == page.complete(one, model="saved_model", **greedy))
    page.generate(prompt, max_tokens="1", temperature="0")
    assert page.one("#note").text == "Both models generated the same text."


@contextmanager
def slowly(server: Server, condition: Callable[[], bool]) -> Iterator[None]:
    """Let a server run for moments until a condition is true, and stand still in the block."""
    deadline = time.monotonic() + 60
    server.process.send_signal(signal.SIGSTOP)
    try:
        while not condition():
            assert time.monotonic() < deadline
            server.process.send_signal(signal.SIGCONT)
            time.sleep(0.02)
            server.process.send_signal(signal.SIGSTOP)
        yield
    finally:
        server.process.send_signal(signal.SIGCONT)


def start_long_texts(page: Page, prompt: str) -> None:
    """Start texts that take about 20 s: without the two penalties, this model generates all 256,000 words in less than one."""
    page.script("document.getElementById('more').open = true")
    page.one('#models input[value="saved_model"]').click()
    page.fill("#prompt", prompt)
    for name, value in {"max_tokens": "1000", "n": "256", "no_repeat_ngram": "5", "repetition_penalty": "1.1"}.items():
        page.fill(f"#option-{name}", value)
    page.one("#generate").click()


def test_words_appear_as_they_are_generated_until_they_are_stopped(page):
    start_long_texts(page, "to be")
    with slowly(page.server, lambda: page.words() > 64 and len(page.texts()) > 1):
        assert not page.is_idle()
        page.one("#stop").click()
    wait_until(page.is_idle)
    count = page.words()
    assert 64 < count < 256_000
    assert page.facts()[0].startswith(f"stopped · {count:,} words · ")
    assert 1 <= len(page.texts()) <= 256  # those that have begun
    assert all(text.startswith("to be ") for text in page.texts())
    # The texts have numbers, and what is about all of them is above them.
    assert [place.text for place in page.all("#columns .place")[:2]] == ["1.", "2."]
    for selector in ("#copy-text", "#alternatives-hint", ".column > .quiet"):
        assert page.one(selector).rect["y"] < page.one("#columns .text").rect["y"], selector
    assert page.one("#spoken").text == ""
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
    assert page.one("#alternatives p").text == "Most probable words here (✓ = in the text)"
    bars = [bar.rect["width"] for bar in page.all("#alternatives .bar")]
    assert bars[0] > 200  # the longest one is as wide as the list
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
    assert stops[-7:-2] == ["generate", "next", "stop", "copy-text", "copy-link"]
    page.keys(Keys.ARROW_RIGHT, Keys.ARROW_RIGHT)
    assert page.driver.switch_to.active_element == words[2]
    assert page.script("return getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert page.one("#alternatives").is_displayed()
    page.keys(Keys.ESCAPE)
    assert not page.one("#alternatives").is_displayed()
    assert page.driver.switch_to.active_element == words[2]
    page.keys(Keys.ENTER, Keys.ARROW_DOWN)
    button = page.driver.switch_to.active_element
    chosen = button.get_attribute("data-token").strip()
    assert re.fullmatch(rf"{re.escape(chosen)}, [\d.]+ %(, in this text)?", button.get_attribute("aria-label"))
    [seed] = re.findall(r"seed=(\d+)", page.driver.current_url)
    page.keys(Keys.ENTER)
    expected = " ".join([*before.split()[:3], chosen])
    wait_until(lambda: page.one("#prompt").get_attribute("value") == expected)
    wait_until(lambda: bool(page.texts()) and page.texts()[0].startswith(expected) and page.is_idle())
    assert len(page.texts()[0].split()) == 4 + 40
    assert page.driver.switch_to.active_element == page.one("#columns .word")
    assert not page.one("#alternatives").is_displayed()
    assert f"seed={seed}&" in page.driver.current_url
    # The browser's Back button returns to the text before.
    page.driver.back()
    wait_until(lambda: bool(page.texts()) and page.texts()[0] == before and page.is_idle())


def test_next_words_are_appended_to_the_prompt(page):
    page.one('#models input[value="saved_model"]').click()
    page.fill("#prompt", "thou art")
    page.one("#next").click()
    wait_until(lambda: page.one("#next-words").is_displayed())
    assert page.one("#next-title").text == "Most probable next words after “thou art”"
    answer = page.server.post("/v1/next", {"prompt": "thou art", "k": 5}, **HEADERS).json()
    best = [(each["word"], f"{100 * each['probability']:.1f} %") for each in answer["data"][0]["words"]]
    assert [tuple(button.text.split("\n")) for button in page.all("#next-columns button")] == best
    page.all("#next-columns button")[1].click()
    expected = f"thou art {best[1][0]}"
    wait_until(lambda: page.one("#next-title").text.endswith(f"“{expected}”"))
    assert page.one("#prompt").get_attribute("value") == expected
    wait_until(lambda: page.driver.switch_to.active_element == page.one("#next-columns button"))
    page.one("#prompt").send_keys(" king")
    assert not page.one("#next-words").is_displayed()


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
    assert re.search(r"max_tokens=12&.*stop=zounds", link)
    assert not re.search("top_p|beam_width|stop_at", link)  # defaults
    fragment = link.removeprefix(f"{page.server.address}/")
    page.open(fragment)
    assert page.wait() == texts
    assert page.one("#prompt").get_attribute("value") == prompt
    assert [box.is_selected() for box in page.all("#models input")] == [False, True]
    assert page.one("#note").text == ""
    page.open(fragment.replace("fingerprint=fp_", "fingerprint=fp_0"))
    page.wait()
    wait_until(lambda: "other weights" in page.one("#note").text)


def test_what_is_refused_is_said_where_it_is_wrong_and_costs_no_text(page):
    page.one("#generate").click()
    assert page.one("#generate-error").text == "Type a prompt first: the model continues it."
    assert page.script("return document.activeElement.id") == "prompt"
    error, button = page.one("#generate-error").rect, page.one("#generate").rect
    assert abs(error["y"] + error["height"] / 2 - button["y"] - button["height"] / 2) < 5
    for box in page.all("#models input"):
        box.click()
    page.fill("#prompt", "thou art")
    page.one("#generate").click()
    assert page.one("#generate-error").text == "Choose a model."
    assert page.driver.switch_to.active_element == page.one("#models input")
    page.keys(Keys.SPACE)
    texts = page.generate("thou art", max_tokens="9")
    assert page.one("#generate-error").text == ""
    address = page.driver.current_url
    for name, value, message in (
        ("top_p", "2", "Top p = 2: must be a number above 0 and at most 1"),
        ("temperature", "0,5", "Temperature = 0,5: must be a number from 0 to 100, with a point: 0.5"),
        ("max_tokens", "1,000", "Max words = 1,000: must be a whole number from 0 to 1000, without commas"),
        ("no_repeat_ngram", "abc", "No repeated n-grams = abc: must be a whole number from 0 to 100"),
    ):
        page.fill(f"#option-{name}", value)
        page.one("#generate").click()
        assert page.one(f"#option-{name}-error").text == message
        assert page.one(f"#option-{name}").get_attribute("aria-invalid") == "true"
        assert page.script("return document.activeElement.id") == f"option-{name}"
        page.one("#defaults").click()
        assert page.one(f"#option-{name}-error").text == ""
    # What only the server knows is called as on the page too.
    page.fill("#option-n", "3")
    page.fill("#option-beam_width", "2")
    page.one("#generate").click()
    wait_until(lambda: page.one("#option-n-error").text.startswith("Samples = 3 with Beam width = 2: must be at most Beam width"))
    page.one("#defaults").click()
    page.fill("#prompt", "thou " * 2001)
    page.one("#generate").click()
    wait_until(lambda: page.one("#generate-error").text.startswith("Prompt has 10005 characters: must be at most 10000"))
    assert page.one("#prompt").get_attribute("aria-invalid") == "true"
    assert (page.texts(), page.driver.current_url) == (texts, address)
    assert page.one("#generated").is_displayed()


def test_beam_searches_and_samples(page):
    page.one('#models input[value="saved_model"]').click()
    page.generate("thou art", max_tokens="3", n="4")
    assert page.one("#spoken").get_attribute("textContent") == "4 texts are complete."
    texts = page.generate("thou art", max_tokens="6", beam_width="3", n="2")
    assert len(texts) == 2
    assert texts[0] == page.complete("thou art", max_tokens=6, beam_width=3)
    assert page.facts()[0].startswith("12 words · ")
    assert "seed" not in page.facts()[0]
    assert page.one("#note").text.startswith("A beam search reports no other words.")
    assert not page.one("#alternatives-hint").is_displayed()
    page.one("#defaults").click()
    [text] = page.generate("thou art", max_tokens="30", stop="art")
    assert page.facts()[0].endswith("ended at the stop text") or "art" not in text.removeprefix("thou art")
    page.one("#score-this").click()
    assert page.script("return document.activeElement.id") == "text"
    assert page.one("#text").get_attribute("value") == text
    wait_until(lambda: page.one("#scored").is_displayed())


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
    page.fill("#text", "thou " * 20_000 + "!")
    assert page.one("#text-count").text == "100,001 of at most 100,000 characters"
    page.one("#score").click()
    assert page.one("#score-error").text.startswith("The text has 100,001 characters: must be at most 100,000.")
    assert page.one("#text").get_attribute("aria-invalid") == "true"
    assert not page.one("#scored").is_displayed()
    page.fill("#text", "zounds")
    page.one("#score").click()
    wait_until(lambda: page.one("#score-status").get_attribute("textContent") == "1 word: too short to score.")
    assert page.one("#text").get_attribute("aria-invalid") is None
    assert not page.all("#scored .warning")  # about a perplexity that is not there


@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_into_360_pixels_and_can_be_read(page, dark):
    page.open(width=360, dark=dark)
    page.generate("thou art " * 40 + "k" * 300, max_tokens="30", n="2")
    page.script("document.querySelectorAll('.word')[20].focus()")
    assert page.one("#alternatives").is_displayed()
    assert page.script("return document.documentElement.scrollWidth") <= 360
    box = page.one("#alternatives").rect
    assert box["x"] >= 0 and box["x"] + box["width"] <= 360
    # The list is at the lower edge, and does not cover its word.
    word, bottom = (
        page.script("return arguments[0].getBoundingClientRect().toJSON()", each)
        for each in (page.all(".word")[20], page.one("#alternatives"))
    )
    assert bottom["bottom"] == 900
    assert word["bottom"] < bottom["top"]
    page.one("#score-tab").click()
    page.fill("#text", "thou art " * 20 + "k" * 300 + " zounds")
    page.one("#score").click()
    wait_until(lambda: bool(page.all("#score-columns .token")))
    assert page.script("return document.documentElement.scrollWidth") <= 360
    for selector in ("#score", ".hint", ".token.level-2", "#text", "dt", "#generate-tab"):
        assert contrast(page, selector) >= 4.5, selector
    assert contrast(page, ".token.unknown", "outlineColor") >= 3
    page.one("#generate-tab").click()
    assert contrast(page, ".word", "textDecorationColor") >= 3


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
    start_long_texts(page, "thou art")
    wait_until(lambda: page.words() > 64)
    page.server.process.send_signal(signal.SIGINT)
    stop_by_keyboard(page.server)
    wait_until(page.is_idle)
    # Which of the two depends on whether the engine or the connection is closed first.
    messages = ("the server is shutting down: send the request again", "The server closed the connection before the answer was complete.")
    assert page.one("#generate-error").text in messages
    assert page.facts()[0].startswith("incomplete · ")
    assert page.texts()[0].startswith("thou art ")
    texts, address = page.texts(), page.driver.current_url
    page.one("#generate").click()
    wait_until(lambda: page.one("#generate-error").text == "The server does not answer.")
    assert (page.texts(), page.driver.current_url) == (texts, address)
    assert page.one("#generated").is_displayed()
    assert all("net::ERR" in entry["message"] for entry in page.driver.get_log("browser"))


def log_lines(server: Server) -> str:
    """Return the log of a server, each line whole that was broken for a window of 80 columns."""
    return re.sub(r"\n {10}(?=\S)", " ", server.log.read_text())


def stop_by_keyboard(server: Server) -> None:
    """Press Ctrl-C for the second time and wait until the server ends. Its terminal shows lines for people."""
    wait_until(lambda: "Press Ctrl-C again to stop now" in log_lines(server), 60)
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(60) == 0
    wait_until(lambda: "Stopping now" in server.log.read_text(), 60)
    lines = log_lines(server).splitlines()
    loading = [line for line in lines if line.startswith("Loading ")]
    assert [line.partition(": ")[0] for line in loading] == ["Loading lstm_lm", "Loading saved_model"]
    assert f"Ready: {server.address} (Ctrl-C stops)" in lines
    stamped = [line.partition("  ")[2] for line in lines if re.match(r"\d\d:\d\d:\d\d  ", line)]
    assert "Stopping: waiting up to 30 s for 1 request. Press Ctrl-C again to stop now" in stamped
    assert any(re.fullmatch(r"POST /v1/completions  200  [\d,]+ ms  [\d,]+ words", line) for line in stamped)
    assert not [line for line in lines if line.startswith("{") or "style.css" in line]
