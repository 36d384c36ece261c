import math

import numpy as np
import pytest

from drift_reports import make_prompts, scored
from lstm_lm.serving.prompts import comparison, report
from lstm_lm.serving.prompts.comparison import CHARACTERS, KNOWN_SURPRISAL, SURPRISAL, UNKNOWN


def test_measures_are_those_of_a_plain_computation() -> None:
    found, prompts, nats = scored(["thou art zounds", "thou art zounds", "the king", "king zounds zounds art"], 1)
    measured = comparison.compare(prompts, nats, prompts, nats, 1)
    words = unknown = places = characters = known = 0
    bits = known_bits = 0.0
    for tokens, costs, count in zip(found.tokens, nats, found.counts, strict=True):
        words += count * len(tokens)
        unknown += count * tokens.count("zounds")
        for token, cost in zip(tokens[1:], costs, strict=True):
            places += count
            bits += count * cost / math.log(2)
            characters += count * (len(token) + 1)
            known += count * (token != "zounds")
            known_bits += count * cost / math.log(2) * (token != "zounds")
    expected = {UNKNOWN: unknown / words, SURPRISAL: bits / places, KNOWN_SURPRISAL: known_bits / known, CHARACTERS: characters / places}
    for name, value in expected.items():
        assert measured[name].prompts.value == pytest.approx(value)
        assert measured[name].validation.value == pytest.approx(value)
        assert measured[name].difference.value == pytest.approx(0)
        assert measured[name].difference.low <= 0 <= measured[name].difference.high


def test_a_real_difference_is_beyond_chance() -> None:
    _, validation, other = scored(make_prompts(400, 0.05, 2), 2)
    _, strange, nats = scored(make_prompts(400, 0.15, 1), 1, mean=5.5)
    measured = comparison.compare(strange, nats, validation, other, 1)
    assert measured[UNKNOWN].is_beyond_chance
    assert measured[SURPRISAL].difference.low > 0
    assert measured[SURPRISAL].difference.value == pytest.approx(0.5 / math.log(2), abs=0.15)


def test_chance_is_rarely_taken_for_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comparison, "SAMPLES", 200)
    alarms = 0
    for seed in range(0, 120, 2):
        (_, prompts, nats), (_, validation, other) = (scored(make_prompts(60, 0.05, each), each) for each in (seed, seed + 1))
        alarms += comparison.compare(prompts, nats, validation, other, seed)[SURPRISAL].is_beyond_chance
    assert alarms <= 8  # of 60: 3 are expected at 95%


def test_repetitions_are_no_evidence() -> None:
    _, validation, other = scored(make_prompts(400, 0.05, 2), 2)
    _, few, nats = scored(make_prompts(60, 0.05, 1), 1)
    often = comparison.Texts(few.ids, few.unknown, few.characters, [100] * len(few.ids), few.documents)
    once, repeated = (comparison.compare(each, nats, validation, other, 1)[SURPRISAL].prompts for each in (few, often))
    assert (once.low, once.high) == pytest.approx((repeated.low, repeated.high))


def test_naming_unknown_words_has_its_cost() -> None:
    _, prompts, nats = scored(["thou zounds art", "the king"], 1)
    charged = report.charged(prompts, nats, 3.0)
    assert [(after - before).tolist() for after, before in zip(charged, nats, strict=True)] == [pytest.approx([3, 0]), pytest.approx([0])]


def test_what_cannot_be_computed_is_no_number() -> None:
    _, prompts, nats = scored(["thou", "zounds"], 1)
    _, validation, other = scored(make_prompts(50, 0.05, 2), 2)
    measured = comparison.compare(prompts, nats, validation, other, 1)
    assert math.isnan(measured[SURPRISAL].prompts.value)
    assert not measured[SURPRISAL].is_beyond_chance
    assert measured[UNKNOWN].prompts.value == 0.5
    assert np.isfinite(measured[SURPRISAL].validation.value)
