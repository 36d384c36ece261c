import json

import pytest

from lstm_lm.generation import options
from lstm_lm_serving import checks
from lstm_lm_serving.errors import Refused
from lstm_lm_serving.saved_model import has_punctuation, read_vocabulary

TABLE = json.loads(json.dumps(options.served_table()))
IDS = {"<unk>": 0, "king": 1, "7": 2, "of": 3}


def test_options_are_completed_by_their_defaults():
    checked = checks.check_options({"max_words": 3, "temperature": 1}, TABLE)
    defaults = {row.name: row.default for row in options.options()}
    assert checked == {**defaults, "max_words": 3, "temperature": 1.0}
    assert isinstance(checked["temperature"], float)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"temperatur": 1}, "temperatur: there is no such option; the options are max_words, "),
        ({"max_words": 2.5}, "max_words = 2.5: must be a whole number from 0 to 1000"),
        ({"top_p": 0}, "top_p = 0: must be a number above 0 and at most 1"),
        ({"samples": 3, "beam_width": 2}, "samples = 3 with beam_width = 2: must be at most beam_width"),
        ({"seed": "\n" * 3}, r'seed = "\n\n\n": must be a whole number'),
    ],
)
def test_a_wrong_option_is_refused_in_one_line(values, message):
    with pytest.raises(Refused) as refused:
        checks.check_options(values, TABLE)
    assert str(refused.value).startswith(message)
    assert "\n" not in str(refused.value)
    assert refused.value.param in values


def test_stop_strings():
    assert checks.check_stops("a", 4, 10) == ("a",)
    assert checks.check_stops(["a", "b"], 4, 10) == ("a", "b")
    for stops, message in (
        (["a"] * 5, "stop has 5 strings: must be at most 4"),
        (["a", ""], 'stop = "": must be a string of 1 to 10 characters'),
        ([None], "stop = null: must be a string"),
        (5, "stop = 5: must be a string or a list of strings"),
        (["a" * 11], "of 1 to 10 characters"),
    ):
        with pytest.raises(Refused, match=message) as refused:
            checks.check_stops(stops, 4, 10)
        assert refused.value.param == "stop"


def test_the_bias_is_given_by_words_or_ids():
    assert checks.check_bias({"king": -100, "3": 5}, IDS, 10) == {1: -100.0, 3: 5.0}
    assert checks.check_bias({"7": 1}, IDS, 10) == {2: 1.0}  # a word before an id
    for bias, message in (
        ({"queen": 1}, 'logit_bias of "queen": must be a word of the vocabulary or an id from 1 to 3'),
        ({"King": 1}, 'logit_bias of "King": must be a word of the vocabulary, such as "king", or an id from 1 to 3'),
        ({"4": 1}, "an id from 1 to 3"),
        ({"<unk>": 1}, "an id from 1 to 3"),
        ({"king": 101}, 'logit_bias of "king" = 101: must be a number from -100 to 100'),
        ({"king": float("nan")}, "must be a number from -100 to 100"),
        ({"king": "1"}, "must be a number from -100 to 100"),
        ({str(n): 1 for n in range(11)}, "logit_bias has 11 entries: must be at most 10"),
    ):
        with pytest.raises(Refused, match=message) as refused:
            checks.check_bias(bias, IDS, 10)
        assert refused.value.param == "logit_bias"


def test_a_prompt_of_punctuation_is_accepted_if_the_vocabulary_has_punctuation(tmp_path):
    (tmp_path / "assets").mkdir()
    for words, expected in ((["king", "'tis", "é"], False), (["king", ","], True), (["k", " ", "'"], False), (["k", " ", "."], True)):
        (tmp_path / "assets/vocabulary.txt").write_text("\n".join(["<unk>", *words]) + "\n", encoding="utf-8")
        assert has_punctuation(read_vocabulary(tmp_path)) == expected
    assert checks.check_prompts(["— "], TABLE, True) == ["— ".encode()]
    for prompts, punctuation_is_enough in ((["—"], False), ([" \n"], True)):
        with pytest.raises(Refused, match="must contain at least one word"):
            checks.check_prompts(prompts, TABLE, punctuation_is_enough)


@pytest.mark.parametrize(
    ("prompts", "message"),
    [
        ([], "0 prompts: must be 1 to 256 in a request"),
        (["a"] * 257, "257 prompts: must be 1 to 256 in a request"),
        (["a", 5], "prompt of row 1 = 5: must be a string"),
        (["a", None], "prompt of row 1 = null: must be a string"),
        (["a" * 10_001], "prompt of row 0 has 10001 characters: must be at most 10000"),
        (["\n"], r'prompt of row 0 = "\n": must contain at least one word'),
    ],
)
def test_a_wrong_prompt_is_refused_as_the_parameter_that_it_is(prompts, message):
    with pytest.raises(Refused) as refused:
        checks.check_prompts(prompts, TABLE, False)
    assert (str(refused.value), refused.value.param) == (message, "prompt")


@pytest.mark.parametrize(("value", "text"), [("a'b", '"a\'b"'), (None, "null"), (float("nan"), "null"), ({1}, "{1}"), (b"x", "b'x'")])
def test_values_are_shown_as_json(value, text):
    assert checks.shown(value) == text
