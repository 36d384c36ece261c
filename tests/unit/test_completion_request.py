import re
from typing import Any

import pytest

from lstm_lm.generation import options
from lstm_lm.serving.app.completion_request import NAMES, UNSUPPORTED, Completions, RequestChecker, in_their_names
from lstm_lm.serving.app.problems import Problem

CHECKER = RequestChecker(options.served_table())


def check(**body: Any) -> Completions:
    return CHECKER.check({"prompt": "to be", **body})


def test_a_prompt_alone_takes_the_defaults_and_a_seed_of_its_own() -> None:
    wanted = check()
    [text] = wanted.texts
    assert (text.prompt, text.stop, text.best_of, text.logprobs, text.logit_bias, text.echo) == ("to be", (), 0, None, {}, False)
    assert text.options == {"seed": wanted.seed}
    assert (wanted.samples, wanted.stream, wanted.include_usage, wanted.logprobs, wanted.model) == (1, False, False, False, None)
    assert len({check().seed for _ in range(20)}) > 1


def test_every_option_of_the_table_is_a_parameter() -> None:
    values: dict[str, Any] = {row.name: row.default for row in options.options()}
    wanted = check(**{NAMES.get(name, name): value for name, value in values.items()})
    assert wanted.texts[0].options == values
    assert wanted.seed == values["seed"]


def test_openai_parameters_reach_the_engine() -> None:
    wanted = check(
        prompt=["a", "b"], n=2, best_of=3, max_tokens=5, stop="x", logprobs=0, echo=True, logit_bias={"king": 1.5}, user="me", seed=7,
        stream=True, stream_options={"include_usage": True}, temperature=1, model="m", suffix=None, presence_penalty=0.0,
    )  # fmt: skip
    assert [text.prompt for text in wanted.texts] == ["a", "b"]
    text = wanted.texts[0]
    assert text.options == {"samples": 2, "max_words": 5, "seed": 7, "temperature": 1.0}
    assert (text.stop, text.best_of, text.logprobs, text.logit_bias, text.echo) == (("x",), 3, 0, {"king": 1.5}, True)
    assert (wanted.samples, wanted.stream, wanted.include_usage, wanted.logprobs, wanted.model) == (2, True, True, True, "m")
    assert check(stop=["x", "y"]).texts[0].stop == ("x", "y")
    assert check(temperature=None).texts[0].options.keys() == {"seed"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"prompt": [1, 2]}, "prompt = [1, 2]: must be a string or a list of strings, not token ids"),
        ({"prompt": [[1]]}, "prompt = [[1]]: must be"),
        ({"prompt": None}, "prompt = null: must be"),
        ({"prompt": []}, "prompt = []: must be a string or a list of strings, not token ids, at least one"),
        ({"temperature": -1}, "temperature = -1: must be a number from 0 to 100"),
        ({"temperature": float("nan")}, "temperature = NaN: must be a number from 0 to 100"),
        ({"temperature": "1"}, 'temperature = "1": must be a number from 0 to 100'),
        ({"temperature": True}, "temperature = true: must be a number from 0 to 100"),
        ({"top_p": 0}, "top_p = 0: must be a number above 0 and at most 1"),
        ({"max_tokens": 1001}, "max_tokens = 1001: must be a whole number from 0 to 1000"),
        ({"max_tokens": 2.5}, "max_tokens = 2.5: must be a whole number"),
        ({"n": 0}, "n = 0: must be a whole number from 1 to 256"),
        ({"n": True}, "n = true: must be a whole number"),
        ({"n": 10**30}, "n = 1000000000000000000000000000000: must be a whole number"),
        ({"n": 3, "best_of": 2}, "best_of = 2: must be at least n, which is 3"),
        ({"logprobs": 6}, "logprobs = 6: must be a whole number from 0 to 5"),
        ({"logprobs": True}, "logprobs = true: must be a whole number from 0 to 5"),
        ({"stop": 5}, "stop = 5: must be a string or a list of strings"),
        ({"stream": "yes"}, 'stream = "yes": must be true or false'),
        ({"stream_options": {"include_usage": True}}, "stream_options: only allowed with stream = true"),
        ({"stream": True, "stream_options": {"x": True}}, 'stream_options: there is no "x"'),
        ({"logit_bias": {"of": 1, "king": 101}}, 'logit_bias of "king" = 101: must be a number from -100 to 100'),
        ({"logit_bias": [1]}, "logit_bias = [1]: must be an object of words with numbers from -100 to 100"),
        ({"stream": True, "stream_options": {"include_usage": 1}}, 'stream_options of "include_usage" = 1: must be true or false'),
        ({"stop_at_sentence_end": 1}, "stop_at_sentence_end = 1: must be true or false"),
        ({"frequency_penalty": 0.5}, "frequency_penalty is not supported: use repetition_penalty"),
        ({"max_words": 5}, "max_words is not supported: use max_tokens"),
        ({"samples": 1}, "samples is not supported: use n"),
        ({"temprature": 1}, '"temprature": there is no such parameter; there are beam_width, best_of'),
    ],
)
def test_a_wrong_parameter_is_named(body: dict[str, Any], message: str) -> None:
    with pytest.raises(Problem, match=re.escape(message)) as caught:
        check(**body)
    assert caught.value.status == 400
    assert caught.value.param in {*body, "best_of"}


def test_no_prompt_is_refused() -> None:
    with pytest.raises(Problem, match="prompt is missing: must be a string or a list of strings"):
        CHECKER.check({})


@pytest.mark.parametrize("name", sorted(set(UNSUPPORTED) - set(NAMES)))
def test_what_the_model_lacks_is_refused_unless_it_has_no_effect(name: str) -> None:
    check(**{name: None})
    with pytest.raises(Problem, match=f"{name} is not supported"):
        check(**{name: 1})


def test_messages_of_the_engine_use_the_names_of_the_protocol() -> None:
    assert in_their_names("max_words x samples = 9 words, max_texts") == "max_tokens x n = 9 words, max_texts"
    assert in_their_names('prompt of row 0 = "": must') == 'prompt = "": must'
    assert in_their_names('prompt of row 1 = "": must', 2) == 'prompt[1] = "": must'


def test_the_schema_describes_every_parameter() -> None:
    properties = CHECKER.schema["properties"]
    assert {"prompt", "max_tokens", "n", "top_k", "stop", "logit_bias"} <= set(properties)
    assert CHECKER.schema["required"] == ["prompt"]
