"""The presets of the project, and loading presets."""

import pytest

from conftest import PROJECT
from lstm_lm.config import keys, loading, presets
from lstm_lm.errors import UserError


def test_every_preset_is_valid_and_contains_only_what_it_or_another_preset_changes():
    """A value of params.yaml is there if another preset changes it, which may have been written into params.yaml before."""
    values = loading.read(PROJECT / "params.yaml")
    assert "cookbook" in presets.names(PROJECT / "presets")
    for name in presets.names(PROJECT / "presets"):
        changes = presets.load(name, PROJECT / "presets")
        loading.check(keys.with_changes(values, changes))
        for key, value in changes.items():
            section, _, last = key.partition(".")
            others = [presets.load(other, PROJECT / "presets") for other in presets.names(PROJECT / "presets") if other != name]
            elsewhere = any(other.get(key, value) != value for other in others)
            unused = key == "evaluate_sample.ngram_mixture"  # excludes model.ngrams
            assert values[section][last] != value or elsewhere or unused, key


TIMED = ("quick", "best", "char", "subword", "ptb", "ptb-best", "wikitext2", "wikitext2-best")


@pytest.mark.parametrize("name", TIMED)
def test_a_preset_with_minutes_trains_for_less_than_an_hour_and_has_no_epochs(name):
    changes = presets.load(name, PROJECT / "presets")
    assert changes["train.epochs"] is None
    assert 0 < changes["train.minutes"] < 60


@pytest.mark.parametrize(("short", "long"), [("ptb", "ptb-best"), ("wikitext2", "wikitext2-best")])
def test_a_short_and_a_long_preset_read_and_score_the_same_text(short, long):
    of_text = [
        {key: value for key, value in presets.load(name, PROJECT / "presets").items() if not key.startswith(("model.", "train."))}
        for name in (short, long)
    ]
    assert of_text[0] == of_text[1]
    assert presets.load(short, PROJECT / "presets")["train.minutes"] < presets.load(long, PROJECT / "presets")["train.minutes"]


def test_every_preset_is_in_the_table_of_the_docs():
    page = (PROJECT / "docs/how-to/run-experiments.md").read_text()
    rows = "".join(line.split("|")[1] for line in page.splitlines() if line.startswith("| `"))
    assert {name for name in (*TIMED, "cookbook", "smoke") if f"`{name}`" not in rows} == set()


def test_a_preset_may_be_empty(tmp_path):
    (tmp_path / "same.yaml").write_text("{}")
    assert presets.load("same", tmp_path) == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("train: 3", "presets/x.yaml: train: must be a mapping of keys to values"),
        ("- a", "must contain the sections"),
        ("a: [", "not valid"),
    ],
)
def test_an_invalid_preset_is_a_one_line_error(tmp_path, monkeypatch, text, message):
    (tmp_path / "presets").mkdir()
    (tmp_path / "presets/x.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=message):
        presets.load("x")
    with pytest.raises(UserError, match=r"PRESET=y: there is no presets/y\.yaml; the presets are x"):
        presets.load("y")


@pytest.mark.parametrize("name", ["cookbook", "smoke"])
def test_a_preset_with_epochs_does_not_keep_the_minutes_of_another(name):
    changes = presets.load(name, PROJECT / "presets")
    assert changes["train.epochs"] > 0
    assert changes["train.minutes"] is None


@pytest.mark.parametrize("name", sorted(path.stem for path in (PROJECT / "presets").glob("*.yaml")))
def test_a_preset_is_possible_whatever_mixture_params_yaml_asks_for(name):
    changes = {"evaluate_sample.ngram_mixture": "auto", **presets.load(name, PROJECT / "presets")}
    loading.check(keys.with_changes(loading.read(PROJECT / "params.yaml"), changes))
