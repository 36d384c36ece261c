"""Logged prompts and a drift report for tests, without a model."""

from collections.abc import Sequence

import numpy as np

from lstm_lm.serving.prompts import comparison, texts
from lstm_lm.serving.prompts.files import LoggedPrompt
from lstm_lm.serving.prompts.report import DriftReport, UnknownWord, most_surprising, periods
from lstm_lm.serving.prompts.texts import Texts
from lstm_lm.text.tokenization.tokenizer import Tokenizer

WORDS = ["<unk>", "the", "king", "and", "thou", "art"]
TOKENIZER = Tokenizer(True, "-'")


def logged(prompts: Sequence[str], start: int = 0) -> list[LoggedPrompt]:
    """Prompts, one a minute."""
    times = [f"2026-11-{1 + i // 1440:02}T{i // 60 % 24:02}:{i % 60:02}:00.000+00:00" for i in range(start, start + len(prompts))]
    return [
        LoggedPrompt(time, f"id-{i}", "lstm_lm", "", prompt, 0, ()) for i, (time, prompt) in enumerate(zip(times, prompts, strict=True))
    ]


def scored(prompts: Sequence[str], seed: int, mean: float = 5.0) -> tuple[texts.DistinctPrompts, Texts, list[np.ndarray]]:
    """Prompts with made-up costs, normally distributed."""
    found = texts.distinct(logged(prompts), TOKENIZER)
    encoded = texts.encode(found, TOKENIZER, WORDS)
    generator = np.random.default_rng(seed)
    return found, encoded, [np.maximum(generator.normal(mean, 1, len(ids) - 1), 0.1) for ids in encoded.ids]


def make_prompts(number: int, unknown: float, seed: int) -> list[str]:
    """Different prompts of 3 to 9 words, of which a fraction is unknown: the number of the prompt, and HTML."""
    generator = np.random.default_rng(seed)
    made = []
    for i in range(number):
        size = int(generator.integers(3, 10))
        words = [str(word) for word in generator.choice(WORDS[1:], size)]
        made.append(
            " ".join("<script>alert(1)</script>" if generator.random() < unknown else word for word in words) + f" p{i}" * (i % 7 == 0)
        )
    return list(dict.fromkeys(made))


def make_report(number: int = 300, unknown: float = 0.2, mean: float = 6.0) -> DriftReport:
    """A report of prompts that are harder than the validation text."""
    found, prompts, nats = scored(make_prompts(number, unknown, 1), 1, mean)
    _, validation, other_nats = scored(make_prompts(400, 0.05, 2), 2)
    return DriftReport(
        unit="word",
        requests=sum(found.counts) + 3,
        times=("2026-11-01T00:00:00.000+00:00", "2026-11-30T23:59:00.000+00:00"),
        distinct=found,
        damaged=1,
        other_models=2,
        measures=comparison.compare(prompts, nats, validation, other_nats, 1),
        lengths={0.1: 3, 0.5: 6, 0.9: 9, 1.0: 10},
        periods=periods(found, prompts, nats),
        words=[UnknownWord("<script>alert(2)</script>", 40, 0), UnknownWord("hotspur", 12, 3)],
        surprising=most_surprising(found, nats),
        prompt_bits=np.array([each.mean() for each in nats]),
        piece_bits=np.array([each.mean() for each in other_nats]),
        validation_words=2400,
    )
