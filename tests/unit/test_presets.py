"""The presets of the project, and loading presets."""

import pytest

from conftest import PROJECT
from lstm_lm.config import keys, loading, presets
from lstm_lm.errors import UserError


def test_every_preset_is_valid_and_contains_only_what_differs_from_params_yaml():
    values = loading.read(PROJECT / "params.yaml")
    assert "cookbook" in presets.names(PROJECT / "presets")
    for name in presets.names(PROJECT / "presets"):
        changes = presets.load(name, PROJECT / "presets")
        loading.check(keys.with_changes(values, changes))
        for key, value in changes.items():
            section, _, last = key.partition(".")
            assert values[section][last] != value, key


def test_a_preset_may_be_empty():
    assert presets.load("quick", PROJECT / "presets") == {}


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
