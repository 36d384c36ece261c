import re
import sys

import pytest

from lstm_lm.ui import results

METRICS = {
    "loss": 5.109,
    "perplexity": 165.5,
    "perplexity_low": 160.12,
    "perplexity_high": 171.33,
    "oov_rate": 0.0848,
    "adjusted_perplexity": 313.4,
    "bits_per_character": 1.586,
    "words": 43628,
    "kneser_ney_loss": 5.524,
    "kneser_ney_perplexity": 250.66,
    "kneser_ney_adjusted_perplexity": 474.66,
    "kneser_ney_bits_per_character": 1.7,
}


def test_held_out_rows_include_intervals_and_baselines_that_exist() -> None:
    basic_metrics = {name: value for name, value in METRICS.items() if not name.endswith(("_low", "_high")) and "kneser" not in name}
    rows = results.held_out_rows({"validation": basic_metrics, "test": METRICS, "samples": {"words": 3}}, compare_in=["test"])
    assert rows == [
        ["validation", "43,628", "5.109", "165.50", "", "8.48%", "313.4", "1.586"],
        ["test", "43,628", "5.109", "165.50", "160.12-171.33", "8.48%", "313.4", "1.586"],
        ["  Kneser-Ney n-grams", "", "5.524", "250.66", "", "", "474.7", "1.700"],
    ]
    assert len(results.held_out_rows({"other, test": METRICS})) == 1


def test_the_table_of_held_out_results_is_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    results.show_held_out({"validation": METRICS, "test": METRICS}, "word", compare_in=["test"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["held-out", "results"]
    assert len(lines) == 4
    assert len(set(map(len, lines))) == 1


@pytest.mark.parametrize("width", [80, 60])
def test_the_tables_fit_into_a_narrow_window(width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    results.show_held_out({"this checkout, validation": METRICS, "test": METRICS}, "char", compare_in=["test"])
    samples = {"words": 6400, "repetition_4": 0.001, "distinct_1": 0.2, "distinct_2": 0.2, "copied_4": 0.12, "copied_8": 0.1}
    results.show_generated_text({"samples": samples}, "char")
    results.show_text_score(METRICS, 12, "subword")
    printed = re.sub(r"\x1b\[\d*m", "", capsys.readouterr().out)  # removes bold and dim
    assert max(map(len, printed.splitlines())) <= width
    assert "perplexity" in printed and "165.50" in printed


def test_generated_text_is_compared_with_test_text() -> None:
    samples = {"words": 6400, "repetition_4": 0.001, "distinct_1": 0.2, "copied_4": 0.12, "test_text_copied_4": 0.09}
    assert results.generated_text_rows({"samples": samples}, "word") == [
        ["generated, 6,400 words", "0.10%", "0.200", "-", "12.00%", "-"],
        ["as much test text", "-", "-", "-", "9.00%", "-"],
    ]
    assert results.generated_text_rows({"test": METRICS}, "word") == []


def test_the_generalization_gap_is_shown_as_a_sentence() -> None:
    gap = {"validation": {"training_text_loss": 4.3, "generalization_gap": 0.75}}
    assert results.generalization_line(gap, "word") == "loss on training text: 4.300 nats per word; on validation text: 0.750 more"
    assert results.generalization_line({"test": METRICS}, "word") is None


@pytest.mark.parametrize(
    ("changes", "start"),
    [
        ({}, None),  # better, and there is no interval
        ({"gain_over_kneser_ney_low": 0.3}, None),
        ({"gain_over_kneser_ney_low": -0.1}, "not clearly better than counting n-grams (Kneser-Ney): try "),
        ({"loss": 5.6, "gain_over_kneser_ney_low": -0.2}, "worse than counting n-grams (Kneser-Ney): try "),
        ({"loss": 5.6}, "worse than counting n-grams (Kneser-Ney): try "),
    ],
)
def test_a_model_that_is_no_better_than_counting_is_reported(changes: dict[str, float], start: str | None) -> None:
    line = results.kneser_ney_line({"test": METRICS | changes})
    assert (line or "").startswith(start or "") and (line is None) == (start is None)
    assert line is None or line.endswith("see docs/how-to/train-on-your-own-text.md#short-texts")


def test_without_baselines_there_is_nothing_to_be_better_than() -> None:
    assert results.kneser_ney_line({"test": {"loss": 5.0}}) is None
    assert results.kneser_ney_line({}) is None


def test_a_model_of_characters_is_not_reported_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    samples = {"words": 6400, "repetition_4": 0.001, "distinct_1": 0.2, "copied_4": 0.12, "copied_8": 0.1}
    everything = {"validation": METRICS | {"training_text_loss": 4.3, "generalization_gap": 0.75}, "test": METRICS, "samples": samples}
    results.show_held_out(everything, "char", compare_in=["test"])
    results.show_generated_text(everything, "char")
    results.show_text_score(METRICS, 12, "char")
    results.show_surprisal([("a", None, True), ("b", 1.5, False)], "char")
    printed = capsys.readouterr().out + str(results.generalization_line(everything, "char"))
    assert "word" not in printed
    assert "generated, 6,400 characters" in printed and "nats per character" in printed and "unknown characters" in printed


def test_models_of_different_units_are_not_compared_in_one_column(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {"char, test": METRICS, "this checkout, test": METRICS, "default, test": METRICS}
    results.show_models(rows, {"char, test": "char", "this checkout, test": "word", "default, test": "word"})
    first, second, line = capsys.readouterr().out.strip().split("\n\n")
    assert first.split()[:3] == ["held-out", "results", "characters"] and first.count("\n") == 1
    assert second.split()[:3] == ["held-out", "results", "words"] and second.count("\n") == 2
    assert line == "Loss and perplexity are per character or per word: between these, only bits/char can be compared."
    results.show_models(rows, dict.fromkeys(rows, "word"))
    assert len(capsys.readouterr().out.strip().splitlines()) == 4
