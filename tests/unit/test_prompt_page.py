"""The drift report: its periods and figures against plain computations, and that no prompt becomes HTML."""

import dataclasses
import math

import numpy as np
import pytest

from drift_reports import TOKENIZER, logged, make_prompts, make_report, scored
from lstm_lm.serving.prompts import charts, page, report
from lstm_lm.text.splits import Span
from lstm_lm.ui.report import scripts


def test_periods_are_in_order_of_time_and_add_up() -> None:
    found, prompts, nats = scored(make_prompts(130, 0.1, 1), 1)
    made = report.periods(found, prompts, nats)
    assert len(made) == len(prompts.ids) // report.MIN_PERIOD
    assert sum(period.prompts for period in made) == len(prompts.ids)
    assert [period.start for period in made] == sorted(period.start for period in made)
    first = made[0].prompts
    assert made[0].surprisal == pytest.approx(np.concatenate(nats[:first]).mean() / math.log(2))
    assert made[0].unknown == pytest.approx(np.concatenate(prompts.unknown[:first]).mean())


def test_the_page_names_the_time_of_all_prompts() -> None:
    first, *others, last = logged(["thou art", "the king", "and", "thou art"])
    assert report.Log([*others, last, first], 0).times() == (first.time, last.time)  # the last one is a repetition
    assert "from 2026-11-01 00:00 to 2026-11-30 23:59 UTC." in page.facts(make_report())[0]


def test_the_most_surprising_prompts_are_long_enough_to_say_something() -> None:
    found, _, nats = scored(["thou art", "the king and thou art", "thou thou thou thou thou thou"], 1)
    nats[0][:], nats[1][:], nats[2][:] = 99, 2, 3
    assert report.most_surprising(found, nats) == [
        ("thou thou thou thou thou thou", pytest.approx(3 / math.log(2))),
        ("the king and thou art", pytest.approx(2 / math.log(2))),
    ]


def test_words_are_counted_in_the_training_text_alone(tmp_path) -> None:
    (tmp_path / "a.txt").write_text("zounds thou zounds art zounds")
    (tmp_path / "held-out.txt").write_text("zounds")
    spans = [Span("a.txt", 0, 2), Span("a.txt", 4, 5)]
    assert report.occurrences({"zounds", "prithee"}, tmp_path, spans, TOKENIZER) == {"zounds": 2, "prithee": 0}


def test_larger_values_are_in_the_last_bin() -> None:
    assert charts.histogram(np.array([0.5, 1.5, 1.6, 7.0]), np.array([0.0, 1.0, 2.0])).tolist() == [0.25, 0.75]


def test_the_page_has_the_measures_and_runs_no_prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "script", lambda: "'the script'")
    made = make_report()
    html = page.render(made)
    assert html == page.render(made)
    assert "alert(" in html
    assert "<script>alert" not in html
    assert page.verdict.verdict(made.measures, len(made.distinct.prompts), "word").sentence in html
    for row in page.verdict.rows(made.measures, "word"):
        assert all(f">{cell}</" in html for cell in row)
    for fact in ("2 prompts went to a model with other weights", "1 line of the log could not be read"):
        assert fact in html
    for identity in ("course-surprisal", "course-unknown", "distribution", "lengths", "unknown-words", "surprising"):
        assert f'<figure id="{identity}">' in html


def test_few_prompts_without_unknown_words_make_a_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scripts, "script", lambda: "'the script'")
    made = make_report(number=2, unknown=0.0)
    html = page.render(report.DriftReport(**{**vars(made), "words": [], "surprising": [], "damaged": 0, "other_models": 0}))
    assert "too few for a verdict" in html
    assert 'id="unknown-words"' not in html


def test_one_surprising_prompt_is_singular() -> None:
    made = make_report()
    one = dataclasses.replace(made, surprising=made.surprising[:1])
    assert "The 1 prompt with the most bits per word" in page.render(one)
