"""One line for a mistake in a YAML file: the file, the key, its value, and what is allowed."""

import difflib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from lstm_lm.config.schema import ALLOWED_BY_PATTERN
from lstm_lm.errors import UserError
from lstm_lm.wording import counted

ModelT = TypeVar("ModelT", bound=BaseModel)


def validate(model: type[ModelT], values: Any, path: str | Path) -> ModelT:
    """Validate the values of a file.

    Args:
        model: the schema.
        values: what the file holds.
        path: how messages refer to the file.
    Raises:
        UserError: one line about the first problem, and how many others there are.
    """
    try:
        return model.model_validate(values)
    except ValidationError as error:
        problems = [_locate(details, values, model) for details in error.errors()]
    # A misspelt key is both unknown and missing. The unknown one says more, so it goes first.
    problems.sort(key=lambda problem: problem.details["type"] != "extra_forbidden")
    # Each member of a union reports its own problem with the same value: one of them is enough, and the words that are allowed instead.
    first, others = problems[0], len({problem.key for problem in problems}) - 1
    words = [problem.details["ctx"]["expected"] for problem in problems[1:] if _allows_other_words(problem, first)]
    more = f" (and {others} more)" if others else ""
    raise UserError(f"{path}: {', or '.join([_explain(first), *words])}{more}")


def _allows_other_words(problem: "_Problem", first: "_Problem") -> bool:
    return problem.key == first.key and problem.details["type"] == "literal_error" != first.details["type"]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most similar to a misspelt one, or None if nothing is known."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=0)), None)


def as_json(value: Any) -> str:
    """Format a value for a message."""
    return json.dumps(value, ensure_ascii=False, default=str)


@dataclass(frozen=True)
class _Problem:
    """A pydantic problem, at its place in the file.

    Attributes:
        key: dotted name.
        value: what the file has there.
        known_keys: the keys that the schema allows in the place of the last part of `key`.
    """

    key: str
    value: Any
    known_keys: list[str]
    details: ErrorDetails


def _locate(details: ErrorDetails, values: Any, model: type[BaseModel]) -> _Problem:
    """Find the key and the value that a problem is about.

    pydantic's location also contains the names of union members, which are no keys of the file: they are left out.
    """
    location = details["loc"]
    parts, value = [], values
    for part in location:
        inside_list = isinstance(value, list) and isinstance(part, int) and part < len(value)
        if inside_list or (isinstance(value, dict) and part in value):
            value = value[part]
        elif details["type"] != "missing" or part != location[-1]:
            continue
        parts.append(str(part))
    parents = _models_at(location[:-1], model)
    return _Problem(".".join(parts), value, [name for parent in parents for name in parent.model_fields], details)


def _models_at(location: tuple[int | str, ...], model: type[BaseModel]) -> list[type[BaseModel]]:
    """Return the models that the schema allows at a location: several for a union that is not decided."""
    models = [model]
    for part in location:
        if members := [each for each in models if each.__name__ == part]:  # the tag of a union
            models = members
        else:  # a list's index and a mapping's key are no fields: what they hold is among the models already
            fields = [each.model_fields[part].annotation for each in models if part in each.model_fields]
            models = [model for field in fields for model in _models_in(field)] if fields else models
    return models


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    """Return the models that an annotation names, at any depth."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models_in(argument)]


def _explain(problem: _Problem) -> str:
    explain = _EXPLANATIONS.get(problem.details["type"], _explain_wrong_value)
    return explain(problem)


def _explain_missing_key(problem: _Problem) -> str:
    return f"{problem.key}: missing; every key needs a value"


def _explain_unknown_key(problem: _Problem) -> str:
    near = nearest(str(problem.details["loc"][-1]), problem.known_keys)
    hint = f"; did you mean {near}?" if near else ""
    return f"{problem.key}: unknown key{hint} (known: {', '.join(problem.known_keys)})"


def _explain_failed_check(problem: _Problem) -> str:
    """A check of the schema's own, across keys: its message names them and their values."""
    message = problem.details["msg"].removeprefix("Value error, ")
    return f"{problem.key}: {message}" if problem.key else message


def _explain_pattern(problem: _Problem) -> str:
    return f"{problem.key} = {as_json(problem.value)}: must be {ALLOWED_BY_PATTERN[problem.details['ctx']['pattern']]}"


def _explain_too_short(problem: _Problem) -> str:
    minimum = problem.details["ctx"]["min_length"]
    return f"{problem.key} = {as_json(problem.value)}: must have at least {counted(minimum, 'item')}"


def _explain_not_a_mapping(problem: _Problem) -> str:
    return f"{problem.key} = {as_json(problem.value)}: must be a mapping, such as {{key: value}}"


def _explain_wrong_value(problem: _Problem) -> str:
    return f"{problem.key} = {as_json(problem.value)}: {problem.details['msg'].replace('Input should be', 'must be')}"


_EXPLANATIONS: dict[str, Callable[[_Problem], str]] = {
    "missing": _explain_missing_key,
    "extra_forbidden": _explain_unknown_key,
    "value_error": _explain_failed_check,
    "too_short": _explain_too_short,
    "dict_type": _explain_not_a_mapping,
    "model_type": _explain_not_a_mapping,
    "string_pattern_mismatch": _explain_pattern,
}
