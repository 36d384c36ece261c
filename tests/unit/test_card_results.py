import math
from typing import Any

import pytest

from card_inputs import DETAILS, METRICS, run_files
from lstm_lm.ui.report import card_results
from lstm_lm.ui.report.inputs import GeneratedText


def rows(table: str) -> dict[str, list[str]]:
    """Return the rows of a Markdown table by their first cells."""
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines() if line.startswith("|")]
    return {row[0]: row[1:] for row in cells}


def test_the_numbers_are_those_of_metrics_json() -> None:
    table = rows(card_results.metric_table(run_files()))
    assert table["test, 43,628 words"] == ["166.4", "158.7 to 174.4", "315.0", "1.587"]
    assert table["test, Kneser-Ney n-grams"] == ["250.7", "", "474.7", "1.700"]
    assert "test, unigrams" not in table
    assert "0.410 nats per word (95% interval 0.384 to 0.433)" in card_results.evaluation(run_files())


def test_without_intervals_and_baselines_none_are_shown() -> None:
    bare = {"test": {name: METRICS["test"][name] for name in ("perplexity", "adjusted_perplexity", "bits_per_character", "words")}}
    assert card_results.result_line(run_files(metrics=bare)) == "Perplexity 166.4 per word on the test text, 1.587 bits per character"
    assert "Kneser-Ney" not in card_results.evaluation(run_files(metrics=bare))


@pytest.mark.parametrize(
    ("same_text", "words"),
    [(True, "the same test text."), (False, "another test text, so that the two cannot be compared."), (None, "is not known.")],
)
def test_the_champion_is_compared_only_on_the_same_text(same_text: bool | None, words: str) -> None:
    champion = {
        "name": "version 1, default",
        "perplexity": 170.1,
        "perplexity_low": 160.0,
        "perplexity_high": 180.2,
        "same_text": same_text,
    }
    text = card_results.evaluation(run_files({"references": {"champion": champion, "parent": None}}))
    assert "version 1, default: perplexity 170.1 (95% interval 160.0 to 180.2)" in text
    assert words in text
    assert "started from" not in text


def test_a_reference_without_metrics_is_not_compared() -> None:
    text = card_results.evaluation(run_files({"references": {"champion": {"name": "version 1", "perplexity": None, "same_text": True}}}))
    assert "The champion when this was evaluated, version 1: its perplexity is not known." in text


def test_bands_show_the_perplexity_of_their_losses() -> None:
    table = rows(card_results.bands(run_files()))
    for band in DETAILS["frequency_bands"]["test"][:2]:
        assert table[band["label"]][1:] == [
            f"{math.exp(loss):,.{2 if loss < 4 else 0}f}" for loss in (band["loss"], band["kneser_ney_loss"])
        ]
    assert table["unknown"][2] == "-"
    assert table["1 to 100"][:2] == ["198", "202.2"]


def limits(details: dict[str, Any] | None = None, metrics: dict[str, dict[str, float]] | None = None) -> str:
    return card_results.limits(run_files(details, metrics))


def test_limits_are_computed_from_the_run() -> None:
    text = limits()
    assert "8.48% of the test words are not in the vocabulary (7,388 words)" in text
    assert "rare words worst: perplexity 45,490 (below 10 occurrences in the training text), against 15.96 (10,000 and more)" in text
    assert "context" not in text  # 198 words at the start say too little
    assert "by 0.269 nats per word" in text
    assert "Greedy decoding repeats itself: 62% of the 4-grams" in text
    assert "Sampled text repeats" not in text
    assert "expected calibration error" not in text


def test_what_is_no_limit_of_the_run_is_not_listed() -> None:
    text = limits({"frequency_bands": None, "positions": {}}, {"test": {**METRICS["test"], "oov_rate": 0.0}})
    assert "vocabulary" not in text
    assert "worst" not in text
    assert "context" not in text
    assert "Not measured" in text


def test_poor_calibration_and_repetitive_samples_are_limits() -> None:
    metrics = {"test": METRICS["test"], "samples": {**METRICS["samples"], "repetition_4": 0.2}}
    text = limits({"calibration": {"test": {"expected_calibration_error": 0.13}}}, metrics)
    assert "off by 13.0% on average" in text
    assert "Sampled text repeats 20.00% of its 4-grams of words, test text 0.32%" in text


def test_copying_is_compared_with_test_text() -> None:
    assert "copies no more sequences of 8 words" in card_results.memorization(run_files())
    copying = {"test": METRICS["test"], "samples": {**METRICS["samples"], "copied_8": 0.3}}
    text = card_results.memorization(run_files(metrics=copying))
    assert "copies more sequences of 8 words from the training text than test text does: 30.00% of them, against 0.00%" in text
    assert rows(text)["4-grams of words copied from the training text"] == ["2.84%", "3.06%"]


@pytest.mark.parametrize(
    ("copied", "of_test", "more"),
    [(0.0002, 0.0, "hardly more"), (0.03, 0.02, "hardly more"), (0.03, 0.01, "more"), (0.01, 0.01, "no more")],
)
def test_copying_is_more_only_by_a_margin(copied: float, of_test: float, more: str) -> None:
    files = run_files(metrics={"samples": {**METRICS["samples"], "copied_8": copied, "test_text_copied_8": of_test}})
    assert f"copies {more} sequences of 8 words" in card_results.memorization(files)


def test_statistics_name_their_unit() -> None:
    table = rows(card_results.memorization(run_files({"unit": "char"})))
    assert table["distinct pairs of characters per character"][0] == "0.850"
    assert "4-grams of characters repeated within a text" in table


@pytest.mark.parametrize(("late", "says"), [(5.0, True), (5.3, False)])
def test_context_is_a_limit_only_if_the_gain_over_kneser_ney_grows(late: float, says: bool) -> None:
    bins = [
        {"start": 0, "end": 100, "words": 2500, "loss": 5.3, "kneser_ney_loss": 5.7},
        {"start": 100, "end": 900, "words": 20_000, "loss": late, "kneser_ney_loss": late + 0.4 + 0.2 * says},
    ]
    text = limits({"positions": {"test": bins}})
    sentence = (
        "It needs context: its gain over Kneser-Ney is 0.400 nats per word at positions 1 to 100 of a document, and 0.600 at 101 to 900."
    )
    assert (sentence in text) == says
    assert ("context" in text) == says


def test_the_calibration_of_a_part_of_the_test_text_says_so() -> None:
    part = {**DETAILS["calibration"]["test"], "words": 10_000}
    assert "Measured on 10,000 words spread over the test text." in card_results.calibration(run_files({"calibration": {"test": part}}))
    whole = {"calibration": {"test": {**part, "words": METRICS["test"]["words"]}}}
    assert "spread" not in card_results.calibration(run_files(whole))
    assert "counting `<unk>` as a guess" in card_results.calibration(run_files(whole))


def test_calibration_is_told_in_one_sentence() -> None:
    text = card_results.calibration(run_files())
    assert "right for 14.4% of the test text; the right one is 33.1% within the 5 most probable, 43.3% within the 10 most probable" in text
    assert "0.0135" in text


def test_repeated_ngrams_are_those_that_occurred_earlier_in_their_text() -> None:
    assert card_results.repeated_ngrams(["a b c d a b c d".split(), "a b c d".split()]) == pytest.approx(1 / 6)
    assert card_results.repeated_ngrams([["a", "b"]]) is None


def test_greedy_samples_without_repetition_are_no_limit() -> None:
    files = run_files()
    varied = [GeneratedText("Greedy", "thou art", " one of the many that we have seen before")]
    assert "Greedy" not in card_results.limits(type(files)(files.metrics, files.details, samples=varied))
