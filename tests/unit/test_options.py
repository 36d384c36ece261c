import dataclasses
import json

import numpy as np
import pytest

from lstm_lm.generation import options
from lstm_lm.generation.options import GenerationOptions

ROWS = options.by_name()


@pytest.mark.parametrize("row", options.options(), ids=lambda row: row.name)
def test_every_row_is_complete_and_its_default_is_allowed(row):
    assert row.check(row.default) == row.default
    assert type(row.default) is row.type
    assert row.help
    assert row.help == row.help.strip(" .")
    assert row.off is None or row.check(row.off) == row.off
    assert (row.minimum is None) == (row.maximum is None) == (row.type is bool)
    if row.looks_back:
        assert row.default == row.off  # by default, no option needs the text so far
    if row.served_maximum is not None:
        assert row.default <= row.served_maximum < row.maximum


def test_the_defaults_equal_those_of_the_served_model():
    defaults = {
        "max_words": 40,
        "temperature": 0.8,
        "top_k": 0,
        "top_p": 1.0,
        "seed": 1,
        "min_p": 0.0,
        "repetition_penalty": 1.0,
        "no_repeat_ngram": 0,
        "stop_at_sentence_end": False,
        "samples": 1,
        "beam_width": 1,
    }
    assert defaults.items() <= dataclasses.asdict(GenerationOptions()).items()
    # Any other option is off by default.
    assert all(row.default == row.off for row in options.options() if row.name not in defaults)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"top_p": 2}, "top_p = 2: must be above 0 and at most 1"),
        ({"top_p": 0}, "top_p = 0: must be above 0 and at most 1"),
        ({"max_words": -1}, "max_words = -1: must be from 0 to 100000"),
        ({"temperature": 100.5}, "temperature = 100.5: must be from 0 to 100"),
        ({"temperature": float("nan")}, "temperature = nan: must be from 0 to 100"),
        ({"temperature": "hot"}, "temperature = 'hot': must be a number from 0 to 100"),
        ({"temperature": None}, "temperature = None: must be a number from 0 to 100"),
        ({"top_k": 1.0}, "top_k = 1.0: must be a whole number from 0 to 2147483647"),
        ({"top_k": True}, "top_k = True: must be a whole number from 0 to 2147483647"),
        ({"seed": 2**31}, "seed = 2147483648: must be from 0 to 2147483647"),
        ({"repetition_penalty": 0}, "repetition_penalty = 0: must be from 0.01 to 100"),
        ({"stop_at_sentence_end": 1}, "stop_at_sentence_end = 1: must be true or false"),
        ({"samples": 3, "beam_width": 2}, "samples = 3: must be at most beam_width, which is 2"),
    ],
)
def test_an_invalid_value_is_rejected_in_one_line(values, message):
    with pytest.raises(ValueError) as error:
        options.check(values)
    assert str(error.value) == message


def test_an_unknown_option_is_rejected_and_the_known_ones_are_listed():
    with pytest.raises(ValueError, match=r"^top_q: there is no such option; the options are max_words, .*, beam_width$"):
        options.check({"top_q": 1})


def test_valid_values_are_converted_to_the_type_of_their_option():
    checked = options.check({"top_k": np.int64(5), "temperature": 1, "min_p": np.float32(0.5), "samples": 3})
    assert checked == GenerationOptions(top_k=5, temperature=1.0, min_p=0.5, samples=3)
    assert {type(value) for value in (checked.temperature, checked.min_p)} == {float}
    assert type(checked.top_k) is int
    assert options.check({"samples": 3, "beam_width": 3}).beam_width == 3
    assert options.check({}) == GenerationOptions()


def test_the_served_table_is_json_and_has_the_limits_of_the_server():
    table = json.loads(json.dumps(options.served_table()))
    rows = {row["name"]: row for row in table["options"]}
    assert list(rows) == list(ROWS)
    assert rows["max_words"]["maximum"] == 1000
    assert rows["top_p"] == {
        "name": "top_p",
        "type": "float",
        "default": 1.0,
        "minimum": 0,
        "maximum": 1,
        "exclusive_minimum": True,
        "off": 1.0,
        "looks_back": False,
        "sets_rows": False,
        "help": ROWS["top_p"].help,
    }
    assert [name for name, row in rows.items() if row["looks_back"]] == ["repetition_penalty", "no_repeat_ngram"]
    assert [name for name, row in rows.items() if row["sets_rows"]] == ["samples", "beam_width"]
    assert table["sentence_ends"] == [".", "!", "?", "<eos>"]


def test_sentence_ends_are_looked_up_in_the_vocabulary():
    assert options.sentence_end_ids(["<unk>", "a", ".", "?", "..", "<eos>"]) == [2, 3, 5]
    assert options.sentence_end_ids(["<unk>", "a", "b"]) == []
