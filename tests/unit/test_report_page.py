"""The page of the report: complete, the same each time, and safe whatever the texts hold."""

import json
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

import report_files
from conftest import PROJECT, run
from lstm_lm.ui.report import draw, inputs, page, scripts
from report_files import report_inputs, with_details


@pytest.fixture(autouse=True)
def short_script(monkeypatch: pytest.MonkeyPatch) -> None:
    """Vega is bundled in the browser test: here it would take a second for each test."""
    monkeypatch.setattr(scripts, "script", lambda: "window.drawn = true;")


class Elements(HTMLParser):
    """The elements of a page, with their attributes, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def ids(self) -> list[str]:
        return [attributes["id"] or "" for _, attributes in self.elements if "id" in attributes]


def test_the_page_has_every_section_in_order_and_every_chart_its_place() -> None:
    found = Elements(page.page(report_inputs()))
    sections = [attributes["id"] for tag, attributes in found.elements if tag == "section"]
    assert sections == [
        *("training", "held-out", "where", "probabilities", "vocabulary", "passage-section"),
        *("progress", "embeddings", "generated", "data", "reproduction"),
    ]
    links = [attributes["href"] for tag, attributes in found.elements if tag == "a"]
    assert links == [f"#{section}" for section in sections]
    charts = json.loads(
        found.text[found.text.index('{"config"') :].partition("\nwindow.drawn")[0].strip().removesuffix("window.drawn = true;")
    )
    places = [attributes["data-chart"] for _, attributes in found.elements if "data-chart" in attributes]
    assert places == list(charts["charts"])
    assert len(places) == 12
    assert len(found.ids()) == len(set(found.ids()))
    for tag, attributes in found.elements:
        if "data-chart" in attributes:
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
        assert tag not in ("link", "img", "iframe") or attributes.get("href") == "data:,", attributes


def test_the_calibration_is_not_among_the_figures_of_the_vocabulary() -> None:
    figures = {section.id: [figure.id for row in section.rows for figure in row] for section in page.sections(report_inputs())}
    assert (figures["probabilities"], figures["vocabulary"]) == (["calibration"], ["rank-frequency"])


def test_the_head_has_the_result_its_interval_and_the_baselines() -> None:
    text = re.sub(r"\s+", " ", Elements(page.page(report_inputs())).text)
    for shown in (
        "148.4 test perplexity per word",
        "95% interval 141.0 to 155.8",
        "33% below Kneser-Ney (221.4) and 70% below unigrams (492.7).",
        "Trained on 1,000 words of 2 documents, 4.0 passes. The weights are those of epoch 2, the best on validation text.",
        "parameters12,345",
        "artifact of the run, put in place of the checkout's: git checkout 0123abc make repro",
        "The checkout had uncommitted changes",
    ):
        assert shown in text.replace("  ", " "), shown


def test_texts_are_escaped() -> None:
    html = page.page(report_inputs())
    assert html.count("<script") == 2
    assert "<img" not in html
    assert "onmouseover" not in {name for _, attributes in Elements(html).elements for name in attributes}
    for attack in report_files.ATTACKS:
        assert attack not in html


def test_the_same_files_give_the_same_bytes() -> None:
    assert page.page(report_inputs()) == page.page(report_inputs())


@pytest.mark.parametrize("name", report_files.details())
def test_any_value_of_the_details_may_be_missing(name: str) -> None:
    assert "test perplexity" in page.page(with_details(**{name: None}))


def test_a_run_of_which_nothing_else_is_known_has_a_page() -> None:
    html = page.page(report_inputs(details={}, run={}, history=[], training_samples=[], samples=[], metrics={"test": {"loss": 1.0}}))
    text = Elements(html).text
    assert "unnamed run" in text
    assert "models/history.csv has no rows" in text
    assert "None" not in text


def test_without_baselines_nothing_is_compared() -> None:
    metrics = {
        split: {name: value for name, value in of_split.items() if not name.startswith(("kneser", "unigram", "gain"))}
        for split, of_split in report_files.metrics().items()
    }
    details = report_files.details()
    for groups in (details["documents"], details["frequency_bands"], details["positions"]):
        for group in (group for of_split in groups.values() for group in of_split):
            group["kneser_ney_loss"] = group["unigram_loss"] = None
    for word in details["passage"]["words"]:
        word["kneser_ney_bits"] = None
    text = Elements(page.page(report_inputs(metrics=metrics, details=details))).text
    assert "Kneser-Ney" not in text
    assert "no n-gram baselines" in text


def test_a_vocabulary_of_five_has_a_page() -> None:
    places = [{"word": word, "x": 0.0, "y": float(i), "count": 5} for i, word in enumerate("abcd")]
    changed = with_details(
        unit="char", map=places, rank_frequency={"points": [{"rank": 1, "count": 5}], "cut": {"rank": 5, "count": 1}, "types": 5}
    )
    assert "the vocabulary has all of them" in Elements(page.page(changed)).text


def test_it_is_drawn_from_the_files_without_tensorflow_or_mlflow(tmp_path: Path) -> None:
    report_files.write(tmp_path)
    code = "import sys; from lstm_lm.ui.report import page; print(*sorted({'tensorflow', 'mlflow', 'pandas'} & set(sys.modules)))"
    done = run([sys.executable, "-c", code], tmp_path, PYTHONPATH=str(PROJECT / "src"))
    assert done.stdout.strip() == ""
    read = inputs.load(tmp_path)
    draw.draw(read, tmp_path)
    assert read.history == report_inputs().history
    assert (tmp_path / draw.FILE).read_text(encoding="utf-8") == page.page(read)
