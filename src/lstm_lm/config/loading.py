"""Reading and checking params.yaml. Every value is in the file: the code has no defaults of its own."""

from pathlib import Path
from typing import Any

from pydantic import BaseModel
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from lstm_lm.config import messages
from lstm_lm.config.schema import Params
from lstm_lm.errors import UserError


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check a parameter file.

    Args:
        path: a YAML 1.2 file, in which `3e-3` is a number.
    Raises:
        UserError: one line with the key, its value and what is allowed.
    """
    return check(read(path), path)


def check(values: dict[str, Any], path: str | Path = "params.yaml") -> Params:
    """Validate the values of a parameter file.

    Args:
        values: `{section: {key: value}}`, as `read` returns them.
        path: how messages refer to the file.
    Raises:
        UserError: one line with the file, the key, its value and what is allowed.
    """
    return messages.validate(Params, values, path)


def read(path: str | Path, model: type[BaseModel] = Params) -> dict[str, Any]:
    """Read a YAML file without checking its values.

    Args:
        model: whose fields the file should hold, for the message about a file that holds no keys.
    Raises:
        UserError: the file cannot be read, or is not a mapping.
    """
    try:
        # The text is read here, because the YAML parser's errors would name the file by its absolute path.
        text = Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not valid YAML: {error}") from None
    return parse(text, path, model)


def parse(text: str, path: str | Path, model: type[BaseModel] = Params) -> dict[str, Any]:
    """Parse the text of such a file. Arguments and errors are those of `read`."""
    try:
        values = YAML(typ="safe").load(text)
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else "?"
        raise UserError(f"{path}: line {line}: not valid YAML: {error.problem}") from None
    except (YAMLError, ValueError, RecursionError) as error:  # such as an impossible date, or an integer with thousands of digits
        raise UserError(f"{path}: not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(values, dict):
        raise UserError(f"{path}: must contain the {'sections' if model is Params else 'keys'} {', '.join(model.model_fields)}")
    return values
