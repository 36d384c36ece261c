import json

import pytest
from starlette.datastructures import Headers

from lstm_lm.serving.app import bodies
from lstm_lm.serving.app.problems import Problem


def headers(**values: str) -> Headers:
    return Headers({name.replace("_", "-"): value for name, value in values.items()})


@pytest.mark.parametrize("value", ["application/json", "Application/JSON; charset=UTF-8", 'application/json; charset="utf-8"'])
def test_json_in_utf8_is_accepted(value: str) -> None:
    assert bodies.check_media_type(headers(content_type=value)) == "application/json"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "the request has no Content-Type: must be application/json"),
        ({"content_type": " "}, "no Content-Type"),
        ({"content_type": "text/csv"}, "Content-Type text/csv: must be application/json"),
        ({"content_type": "application/json; charset=latin-1"}, "charset=latin-1: only charset=utf-8 is supported"),
        ({"content_type": "application/json; boundary=x"}, "boundary=x"),
        ({"content_type": "application/json", "content_encoding": "gzip"}, "Content-Encoding gzip: send the body uncompressed"),
    ],
)
def test_other_bodies_are_refused_by_their_headers(given: dict[str, str], message: str) -> None:
    with pytest.raises(Problem, match=message) as caught:
        bodies.check_media_type(headers(**given))
    assert caught.value.status == 415


def test_an_object_is_parsed() -> None:
    assert bodies.parse_object('\ufeff{"a": ["é", NaN]}'.encode())["a"][0] == "é"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "not valid JSON"),
        (b"{", "not valid JSON: Expecting property name"),
        (b"[1]", "the body is a list: must be a JSON object"),
        (b"null", "the body is null"),
        (b"\xff{}", "the body is not UTF-8: byte 0 is wrong"),
        (b'{"a": ' + b"[" * 100_000, "nested too deep"),
        (b'{"a": ' + b"[" * 100 + b"]" * 100 + b"}", "nested too deep: at most 64 levels"),
        (b'{"a": ' + b"1" * 5000 + b"}", "a number has too many digits"),
    ],
)
def test_what_is_no_object_is_refused_in_one_line(body: bytes, message: str) -> None:
    with pytest.raises(Problem, match=message) as caught:
        bodies.parse_object(body)
    assert caught.value.status == 400


def test_many_brackets_are_not_deep() -> None:
    value = {"data": [[str(number)] for number in range(1000)]}
    assert bodies.parse_object(json.dumps(value).encode()) == value


def test_wrong_values_are_shown_short_and_without_half_surrogate_pairs() -> None:
    assert bodies.shown([1, "é"]) == '[1, "é"]'
    assert bodies.shown("a" * 1000) == '"' + "a" * 96 + "..."
    bodies.shown("\ud800").encode()
