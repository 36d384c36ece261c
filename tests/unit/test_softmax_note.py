import numpy as np
import pytest

from conftest import PROJECT
from lstm_lm.config import keys, loading
from lstm_lm.config.schema import Params
from lstm_lm.ui import softmax_note


@pytest.fixture
def speedups(monkeypatch: pytest.MonkeyPatch) -> None:
    by_kind = {"adaptive": (2.0, 2.0, 4.0, 8.0), "sampled": (0.5, 2.0, 6.0, 20.0)}
    monkeypatch.setattr(softmax_note, "VOCABULARIES", (10_000, 40_000, 100_000, 250_000))
    monkeypatch.setattr(
        softmax_note, "SPEEDUPS", {"float32": by_kind, "bfloat16": {name: [each / 4 for each in by_kind[name]] for name in by_kind}}
    )


def settings(**changes: object) -> Params:
    untied = {"model.tie_weights": False} if "model.adaptive_cutoffs" in changes else {}
    return loading.check(keys.with_changes(loading.read(PROJECT / "params.yaml"), {**untied, **changes}))


SAMPLED, ADAPTIVE = {"train.sampled_words": 8192}, {"model.adaptive_cutoffs": [2000, 6000]}


@pytest.mark.usefixtures("speedups")
@pytest.mark.parametrize(
    ("changes", "size", "precision", "expected"),
    [
        ({}, 40_000, "float32", None),
        (
            {},
            250_000,
            "float32",
            "with a vocabulary of 250,000: training is about 20 times as fast with train.sampled_words: 8192, about 8 times",
        ),
        ({}, 1_000_000, "bfloat16", "training is about 5 times as fast with train.sampled_words: 8192 (docs/"),
        ({}, 100_000, "bfloat16", None),
        (SAMPLED, 10_000, "float32", "train.sampled_words: 8192 hardly pays with a vocabulary of 10,000: the exact softmax (null)"),
        (SAMPLED, 40_000, "float32", None),
        ({"train.sampled_words": 2048}, 10_000, "float32", None),  # as 8,192 of 40,000
        ({"train.sampled_words": 32_768}, 40_000, "float32", "train.sampled_words: 32768 hardly pays"),
        (ADAPTIVE, 10_000, "float32", None),
        (ADAPTIVE, 10_000, "bfloat16", "model.adaptive_cutoffs hardly pays with a vocabulary of 10,000"),
    ],
)
def test_a_line_names_what_another_softmax_gains(changes: dict[str, object], size: int, precision: str, expected: str | None) -> None:
    line = softmax_note.note(settings(**changes), size, precision)
    assert (line is None) if expected is None else (line is not None and expected in line and "\n" not in line)


@pytest.mark.usefixtures("speedups")
def test_speeds_between_the_measured_vocabularies_are_interpolated() -> None:
    assert [softmax_note.speedup("sampled", size, "float32") for size in (10, 10_000, 20_000, 250_000, 10**7)] == pytest.approx(
        [0.5, 0.5, 1.0, 20, 20]
    )


def test_every_measured_vocabulary_has_a_speed_in_both_precisions() -> None:
    assert set(softmax_note.SPEEDUPS) == {"float32", "bfloat16"}
    assert np.all(np.diff(softmax_note.VOCABULARIES) > 0)
    for by_kind in softmax_note.SPEEDUPS.values():
        assert {name: len(values) for name, values in by_kind.items()} == dict.fromkeys(
            ("adaptive", "sampled"), len(softmax_note.VOCABULARIES)
        )


def test_the_default_leaves_nothing_on_the_table() -> None:
    assert all(softmax_note.note(settings(), 8_084, precision) is None for precision in softmax_note.SPEEDUPS)
