"""Dotted names of parameters: `train.learning_rate` is the key `learning_rate` of the section `train`."""

import json
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


def split(name: str) -> tuple[str, str]:
    """Split `train.learning_rate` into `("train", "learning_rate")`; the key of a bare section is empty."""
    section, _, key = name.partition(".")
    return section, key


def flatten_sections(values: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Flatten `{section: {key: value}}` to `{"section.key": value}`; the values stay as they are."""
    return {f"{section}.{key}": value for section, entries in values.items() for key, value in entries.items()}


def flatten(params: BaseModel) -> dict[str, Any]:
    """Flatten validated parameters for logging.

    Args:
        params: `schema.Params`.
    Returns:
        `{"train.learning_rate": 0.003, ...}`, with lists and mappings as JSON.
    """
    flat = flatten_sections(params.model_dump())
    return {name: json.dumps(value, ensure_ascii=False) if isinstance(value, list | dict) else value for name, value in flat.items()}


def with_changes(values: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of the values with some replaced; the original stays as it is.

    Args:
        values: `{section: {key: value}}`, as `loading.read` returns them.
        changes: `{"train.epochs": 10, ...}`. An unknown name is added, so that validation can report it.
    """
    result = {section: dict(entries) if isinstance(entries, dict) else entries for section, entries in values.items()}
    for name, value in changes.items():
        section, key = split(name)
        entries = result.setdefault(section, {}) if key else None
        if isinstance(entries, dict):
            entries[key] = value
        else:
            result[section] = value
    return result


def parse_value(text: str) -> Any:
    """Read a value as typed on a command line. It is YAML: `0.002`, `null`, `[a, b]`, `{path: data/own}`."""
    try:
        return YAML(typ="safe").load(text)
    except (YAMLError, ValueError, RecursionError):
        return text
