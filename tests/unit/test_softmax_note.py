import numpy as np
import pytest
from ruamel.yaml import YAML

from conftest import PROJECT
from lstm_lm.config import keys, loading, sizes
from lstm_lm.config.schema import Params
from lstm_lm.ui import softmax_note

PERFORMANCE = PROJECT / "docs/reference/performance.md"


@pytest.fixture
def speedups(monkeypatch: pytest.MonkeyPatch) -> None:
    sizes = (10_000, 40_000, 100_000, 250_000)
    by_kind = {"adaptive": (2.0, 2.0, 4.0, 8.0), "sampled": (0.5, 2.0, 6.0, 20.0)}
    float32 = {kind: dict(zip(sizes, values, strict=True)) for kind, values in by_kind.items()}
    bfloat16 = {kind: {size: value / 4 for size, value in values.items()} for kind, values in float32.items()}
    monkeypatch.setattr(softmax_note, "SPEEDUPS", {"float32": float32, "bfloat16": bfloat16})


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
            "with a vocabulary of 250,000: training would be about 20 times as fast with train.sampled_words: 8192, "
            "or 8 times with model.adaptive_cutoffs: [50000, 150000] and model.tie_weights: false (docs/",
        ),
        ({}, 1_000_000, "bfloat16", "training would be about 5 times as fast with train.sampled_words: 8192 (docs/"),
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


@pytest.mark.usefixtures("speedups")
def test_what_the_line_advises_are_valid_parameters() -> None:
    line = softmax_note.note(settings(), 250_000, "float32")
    assert line is not None
    first, second = line.partition(" with a vocabulary of 250,000: ")[2].removesuffix(f" ({softmax_note.PAGE})").split(", or ")
    for advice in (first, second):
        changes = YAML(typ="safe").load("\n".join(advice.partition(" with ")[2].split(" and ")))
        assert changes
        sizes.check_vocabulary_size(loading.check(keys.with_changes(loading.read(PROJECT / "params.yaml"), changes)), 250_000)


def test_the_speeds_are_those_of_the_table() -> None:
    section = PERFORMANCE.read_text(encoding="utf-8").partition("<!-- bench:softmax -->")[2].partition("<!-- /bench:softmax -->")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in section.splitlines() if line.startswith("|")][2:]
    assert rows, f"{PERFORMANCE.name} has no rows between the markers bench:softmax: make bench SECTIONS=softmax writes them"
    measured: dict[str, dict[str, dict[int, float]]] = {}
    for vocabulary, precision, _, _, adaptive, _, sampled in rows:
        for kind, ratio in (("adaptive", adaptive), ("sampled", sampled)):
            if ratio:
                measured.setdefault(precision, {}).setdefault(kind, {})[int(vocabulary.replace(",", ""))] = float(ratio.split()[0])
    assert measured == softmax_note.SPEEDUPS, f"SPEEDUPS must be {measured}"


def test_speeds_are_interpolated_over_rising_vocabularies_in_both_precisions() -> None:
    assert set(softmax_note.SPEEDUPS) == {"float32", "bfloat16"}
    for by_kind in softmax_note.SPEEDUPS.values():
        assert set(by_kind) == {"adaptive", "sampled"}
        assert all(len(values) > 1 and np.all(np.diff(list(values)) > 0) for values in by_kind.values())


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("changes", "size", "expected"),
    [
        ({}, 8_084, None),
        ({}, 250_000, "training would be about "),
        ({"model.adaptive_cutoffs": [50_000, 150_000]}, 250_000, None),
        (SAMPLED, 10_000, "train.sampled_words: 8192 hardly pays"),
        (SAMPLED, 250_000, None),
    ],
)
def test_every_line_appears_with_the_measured_speeds(changes: dict[str, object], size: int, expected: str | None, precision: str) -> None:
    line = softmax_note.note(settings(**changes), size, precision)
    assert (line is None) if expected is None else (line is not None and expected in line)


def test_an_adaptive_softmax_hardly_pays_with_a_small_vocabulary() -> None:
    small = settings(**{"model.adaptive_cutoffs": [200, 600]})
    lines = [line for precision in softmax_note.SPEEDUPS if (line := softmax_note.note(small, 1_000, precision))]
    assert lines and all(line.startswith("model.adaptive_cutoffs hardly pays with a vocabulary of 1,000: the exact") for line in lines)
