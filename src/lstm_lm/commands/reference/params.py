"""The reference page of params.yaml: values and comments from the file, types and bounds from its schema."""

import re
from pathlib import Path
from typing import Any

from lstm_lm.commands.reference.tables import table
from lstm_lm.config.schema import Params

INTRODUCTION = """\
# Parameters

All parameters of [params.yaml](../../params.yaml), with their default values. DVC runs a stage again when a parameter in its
section changes. No stage depends on `reporting` or `tracking`. Mistakes are reported before any stage runs.
"""
STAGES = {
    "download": "stage `download`",
    "vocab": "stage `vocab`",
    "batching": "stage `batching`",
    "model": "stage `train`",
    "train": "stage `train`",
    "evaluate_sample": "stage `evaluate-sample`",
    "reporting": "no stage depends on this section",
    "tracking": "no stage depends on this section",
}
PARAMETER = re.compile(r"^  (?P<name>\w+): *(?P<value>.*?)(?: +# (?P<comment>.*))?$")
SECTION = re.compile(r"^(\w+):")
WORDS = {"boolean": "true or false"}  # all other types as JSON Schema names them
SINGULAR = re.compile(r"^(integer|number|string)\b")
LARGE = 2**31 - 1


def page(path: Path = Path("params.yaml")) -> str:
    """Return the page."""
    schema = Params.model_json_schema()
    sections = []
    for section, parameters in read(path).items():
        fields = _resolve(schema["properties"][section], schema)["properties"]
        rows = [[f"`{name}`", f"`{value}`", allowed(fields[name], schema), comment] for name, value, comment in parameters]
        sections.append(f"## {section}\n\n{STAGES[section].capitalize()}.\n\n{table(['parameter', 'value', 'allowed', 'meaning'], rows)}")
    return INTRODUCTION + "\n" + "\n\n".join(sections)


def read(path: Path) -> dict[str, list[tuple[str, str, str]]]:
    """Return (name, value, comment) of every parameter, by section. A comment on the lines before a parameter belongs to it too."""
    sections: dict[str, list[tuple[str, str, str]]] = {}
    parameters: list[tuple[str, str, str]] = []
    before: list[str] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("  #"):
            before.append(line.strip("# ").strip())
        elif match := PARAMETER.match(line):
            comment = _in_one_line([*before, *filter(None, [match["comment"]])])
            parameters.append((match["name"], match["value"], comment))
            before = []
        elif match := SECTION.match(line):
            parameters = sections.setdefault(match[1], [])
    return sections


def _in_one_line(lines: list[str]) -> str:
    """Join the lines of a comment. Spaces that align its columns become a colon."""
    text = ""
    for line in (re.sub(r" {2,}", ": ", line) for line in lines):
        text += line if not text else f" {line}" if text.endswith(":") else f"; {line}"
    return text


def allowed(field: dict[str, Any], schema: dict[str, Any]) -> str:
    """Describe the values that a JSON schema allows."""
    field = _resolve(field, schema)
    if alternatives := field.get("anyOf") or field.get("oneOf"):
        return " or ".join(dict.fromkeys(allowed(each, schema) for each in alternatives))
    if "const" in field:
        return str(field["const"])
    if "enum" in field:
        return ", ".join(str(value) for value in field["enum"])
    if field.get("type") == "object":
        return "{" + ", ".join(f"{name}: {allowed(each, schema)}" for name, each in field["properties"].items()) + "}"
    if field.get("type") == "array":
        return "list of " + SINGULAR.sub(r"\1s", allowed(field["items"], schema))
    bounds = ", ".join(_bounds(field))
    return f"{WORDS.get(field['type'], field['type'])} {bounds}".strip()


def _bounds(field: dict[str, Any]) -> list[str]:
    low, above = field.get("minimum"), field.get("exclusiveMinimum")
    high, below = field.get("maximum"), field.get("exclusiveMaximum")
    if low is not None and high is not None and high < LARGE:
        return [f"from {low:g} to {high:g}"]
    bounds = [f"≥ {low:g}"] if low is not None else [f"> {above:g}"] if above is not None else []
    if below is not None and below < LARGE:
        bounds.append(f"< {below:g}")
    elif high is not None and high < LARGE:
        bounds.append(f"≤ {high:g}")
    return bounds


def _resolve(field: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    reference = field.get("$ref")
    return schema["$defs"][reference.rpartition("/")[2]] if reference else field
