"""The bodies of requests: media type, UTF-8 and JSON, each checked before anything else sees it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from starlette.datastructures import Headers

from lstm_lm.serving.app.problems import Problem

JSON = "application/json"
MAX_DEPTH = 64  # of nested lists and objects
TOO_DEEP = f"the JSON is nested too deep: at most {MAX_DEPTH} levels"
MAX_SHOWN = 100  # characters of a wrong value


def check_media_type(headers: Headers, allowed: Sequence[str] = (JSON,)) -> str:
    """Return the media type of a body, which must be UTF-8 and not compressed.

    Raises:
        Problem: 415.
    """
    expected = f"must be {' or '.join(allowed)}"
    given = headers.get("content-type", "")
    if not given.strip():
        raise Problem(415, f"the request has no Content-Type: {expected}")
    media_type, *parameters = (part.strip() for part in given.split(";"))
    if media_type.lower() not in allowed:
        raise Problem(415, f"Content-Type {media_type[:MAX_SHOWN]}: {expected}")
    for parameter in filter(None, parameters):
        name, _, value = parameter.partition("=")
        if name.strip().lower() != "charset" or value.strip().strip('"').lower() not in ("utf-8", "utf8"):
            raise Problem(415, f"Content-Type parameter {parameter[:MAX_SHOWN]}: only charset=utf-8 is supported")
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding != "identity":
        raise Problem(415, f"Content-Encoding {encoding[:MAX_SHOWN]}: send the body uncompressed")
    return media_type.lower()


def decode(body: bytes) -> str:
    """Return a body as text.

    Raises:
        Problem: it is not UTF-8.
    """
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Problem(400, f"the body is not UTF-8: byte {error.start} is wrong") from None


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object that a body holds.

    Raises:
        Problem: it is no JSON object, or nested too deep.
    """
    text = decode(body)
    try:
        value = json.loads(text)
    except RecursionError:
        raise Problem(400, TOO_DEEP) from None
    except json.JSONDecodeError as error:
        raise Problem(400, f"the body is not valid JSON: {error.msg} at character {error.pos}") from None
    except ValueError:  # a whole number of thousands of digits
        raise Problem(400, "the body is not valid JSON: a number has too many digits") from None
    if not isinstance(value, dict):
        raise Problem(400, f"the body is {_kind(value)}: must be a JSON object")
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise Problem(400, TOO_DEEP)
    return value


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level and depth <= MAX_DEPTH:
        depth += 1
        level = [child for parent in level for child in _children(parent)]
    return depth


def _children(value: Any) -> Iterator[Any]:
    children = value.values() if isinstance(value, dict) else value
    return (child for child in children if isinstance(child, dict | list) and child)


def _kind(value: Any) -> str:
    names = {list: "a list", str: "a string", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "null")


def shown(value: Any) -> str:
    """Return a value of a request, as a message shows it."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        text = type(value).__name__
    text = re.sub(r"[\ud800-\udfff]", "\ufffd", text)
    return text if len(text) <= MAX_SHOWN else f"{text[: MAX_SHOWN - 3]}..."
