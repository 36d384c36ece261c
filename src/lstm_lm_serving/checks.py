"""What a request must fulfil, checked before any work is done for it. The bounds come from the table of generation options."""

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from lstm_lm_serving.errors import Refused

MAX_SHOWN_CHARACTERS = 80  # of a wrong value in a message
MAX_BIAS = 100.0
Table = dict[str, Any]  # as in assets/generation_options.json of the SavedModel


def check_options(params: Mapping[str, Any], table: Table) -> dict[str, Any]:
    """Return the value of every option, from the params or by default, converted to its type.

    Raises:
        Refused: a value is not allowed.
    """
    options = {row["name"]: check_value(params.get(row["name"], row["default"]), row) for row in table["options"]}
    if unknown := [name for name in params if name not in options]:
        raise refused(f"{unknown[0]}: there is no such option; the options are {', '.join(options)}", unknown[0])
    if 1 < options["beam_width"] < options["samples"]:
        raise refused(
            f"samples = {options['samples']} with beam_width = {options['beam_width']}: must be at most beam_width, "
            "because they are the best texts of the beam",
            "samples",
        )
    return options


def looks_back(options: Mapping[str, Any], table: Table) -> bool:
    """Whether any option that is on needs the words so far. The model has them in float32, in which 1.00000001 is off, too."""
    return any(row["looks_back"] and bool(np.float32(options[row["name"]]) != row["off"]) for row in table["options"])


def check_value(value: Any, row: Table) -> Any:
    """Check one value against its row of the table, and return it as the option's type.

    Raises:
        Refused: it is not allowed.
    """
    name, minimum, maximum = row["name"], row["minimum"], row["maximum"]
    if row["type"] == "bool":
        if type(value).__name__ not in ("bool", "bool_"):  # NumPy's too, as MLflow makes them
            raise refused(f"{name} = {shown(value)}: must be {allowed_values(row)}", name)
        return bool(value)
    is_whole, allowed = row["type"] == "int", f"must be {allowed_values(row)}"
    if isinstance(value, bool) or not hasattr(value, "__index__" if is_whole else "__float__"):
        raise refused(f"{name} = {shown(value)}: {allowed}", name)
    number = value.__index__() if is_whole else float(value)
    is_above = number > minimum if row["exclusive_minimum"] else number >= minimum
    if not (is_above and number <= maximum and math.isfinite(number)):
        raise refused(f"{name} = {number if is_whole else format(number, 'g')}: {allowed}", name)
    return number


def allowed_values(row: Table) -> str:
    """Return the values that a row of the table allows, as the end of a sentence with "must be"."""
    if row["type"] == "bool":
        return "true or false"
    minimum, maximum = row["minimum"], row["maximum"]
    bounds = f"above {minimum} and at most {maximum}" if row["exclusive_minimum"] else f"from {minimum} to {maximum}"
    return f"a {'whole ' if row['type'] == 'int' else ''}number {bounds}"


def check_prompts(prompts: Sequence[Any], table: Table, punctuation_is_enough: bool) -> list[bytes]:
    """Return prompts in UTF-8; the model normalizes them itself.

    Args:
        prompts: of one request.
        table: for the limits.
        punctuation_is_enough: a prompt without any letter or digit is allowed.
    Raises:
        Refused: there are none or too many, or one is not allowed.
    """
    if not 1 <= len(prompts) <= table["max_prompts"]:
        raise refused(f"{len(prompts)} prompts: must be 1 to {table['max_prompts']} in a request", "prompt")
    for row, cell in enumerate(prompts):
        if not isinstance(cell, str):
            raise refused(f"prompt of row {row} = {shown(cell)}: must be a string", "prompt")
        if len(cell) > table["max_prompt_characters"]:
            raise refused(f"prompt of row {row} has {len(cell)} characters: must be at most {table['max_prompt_characters']}", "prompt")
        if not any(c.isalnum() or (punctuation_is_enough and not c.isspace()) for c in cell):
            raise refused(f"prompt of row {row} = {shown(cell)}: must contain at least one word", "prompt")
    return [cell.encode("utf-8", errors="replace") for cell in prompts]


def check_stops(stops: Any, max_stops: int, max_characters: int) -> tuple[str, ...]:
    """Return the stop strings of a text.

    Raises:
        Refused: there are too many, or one is not allowed.
    """
    if not isinstance(stops, str | Sequence):
        raise refused(f"stop = {shown(stops)}: must be a string or a list of strings", "stop")
    stops = [stops] if isinstance(stops, str) else stops
    if len(stops) > max_stops:
        raise refused(f"stop has {len(stops)} strings: must be at most {max_stops}", "stop")
    for stop in stops:
        if not (isinstance(stop, str) and 1 <= len(stop) <= max_characters):
            raise refused(f"stop = {shown(stop)}: must be a string of 1 to {max_characters} characters", "stop")
    return tuple(map(str, stops))


def check_number(name: str, value: Any, minimum: int, maximum: int) -> int:
    """Return a whole number that is no option of the table.

    Raises:
        Refused: it is not allowed.
    """
    row = {"name": name, "type": "int", "minimum": minimum, "maximum": maximum, "exclusive_minimum": False}
    number: int = check_value(value, row)
    return number


def check_bias(bias: Mapping[Any, Any], ids: Mapping[str, int], max_entries: int) -> dict[int, float]:
    """Return the bias of words by their ids.

    Args:
        bias: by words or by ids as strings.
        ids: the id of each word of the vocabulary.
        max_entries: of the bias.
    Raises:
        Refused: a key or a value is not allowed, or there are too many.
    """
    if len(bias) > max_entries:
        raise refused(f"logit_bias has {len(bias)} entries: must be at most {max_entries}", "logit_bias")
    checked = {}
    for key, value in bias.items():
        number = ids.get(str(key)) if str(key) in ids else _id(str(key), len(ids))
        if not number:  # <unk> is never generated
            known = f", such as {shown(str(key).lower())}," if str(key).lower() in ids else ""
            allowed = f"must be a word of the vocabulary{known} or an id from 1 to {len(ids) - 1}"
            raise refused(f"logit_bias of {shown(key)}: {allowed}", "logit_bias")
        if isinstance(value, bool) or not hasattr(value, "__float__") or not -MAX_BIAS <= float(value) <= MAX_BIAS:
            raise refused(f"logit_bias of {shown(key)} = {shown(value)}: must be a number from {-MAX_BIAS:g} to {MAX_BIAS:g}", "logit_bias")
        checked[number] = float(value)
    return checked


def refused(message: str, param: str | None = None) -> Refused:
    """Return the error with its message on one line, whatever control characters were sent; `param` as in `Refused`."""
    return Refused("".join(c if c.isprintable() else " " for c in message), param)


def counted(number: int, noun: str) -> str:
    """Return a number with what it counts, whose plural ends in s: `1 word`, `2000 words`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def shown(value: Any) -> str:
    """Return a wrong value as messages show it: in JSON, in which most requests come."""
    try:
        # A null of JSON arrives as None or, in a column of strings, as NaN.
        text = "null" if value is None or value != value else json.dumps(value, ensure_ascii=False)  # noqa: PLR0124
    except (TypeError, ValueError, RecursionError):  # of a caller in Python
        text = repr(value)
    return text if len(text) <= MAX_SHOWN_CHARACTERS else text[: MAX_SHOWN_CHARACTERS - 3] + "..."


def _id(key: str, size: int) -> int | None:
    return int(key) if key.isascii() and key.isdigit() and len(key) < 10 and int(key) < size else None
