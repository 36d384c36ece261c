"""Addresses without the secrets in them."""

import os
import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote

HIDDEN = "***"
SECRET_VARIABLES = (
    "MLFLOW_TRACKING_PASSWORD",
    "MLFLOW_TRACKING_TOKEN",
    "PGPASSWORD",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "DATABRICKS_TOKEN",
)
SECRET_NAMES = re.compile("pass|token|secret|key|sig", re.IGNORECASE)  # of a query's values
MIN_SECRET_LENGTH = 4  # characters; shorter strings also occur by chance
# Up to white space, without the quotes and brackets in which JSON and YAML put it: a password inside may have them.
ADDRESS = re.compile(r"""[A-Za-z][A-Za-z0-9+.-]*://\S+?(?=["'<>()\[\]{},;]*(?:\s|$))""")


def mask(address: str) -> str:
    """An address that may be shown and stored: without user, password, the values of its query, and its fragment unless that is a path.

    A password that holds `@`, `/`, `?` or `#` as they are, which no standard allows, is hidden too: all up to the last `@` goes.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        return address
    return f"{scheme}://{_mask_rest(rest)}"


def mask_values(values: Any) -> Any:
    """A parsed YAML or JSON value with each string in it masked."""
    if isinstance(values, dict):
        return {key: mask_values(value) for key, value in values.items()}
    if isinstance(values, list):
        return [mask_values(value) for value in values]
    return mask(values) if isinstance(values, str) else values


def mask_all(text: str) -> str:
    """A text in which each address is masked, such as a message of another program."""
    return ADDRESS.sub(lambda match: mask(match[0]), text)


def mask_secrets(text: str, addresses: Iterable[str] = ()) -> str:
    """A text in which each address is masked, and each secret of the environment and of some addresses, wherever it occurs.

    Args:
        text: such as the message of a driver, which may repeat a password alone.
        addresses: whose secrets to look for.
    """
    secrets = {os.environ.get(name, "") for name in SECRET_VARIABLES}
    for address in addresses:
        text = text.replace(address, mask(address))
        secrets |= _secrets(address)
    text = mask_all(text)
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= MIN_SECRET_LENGTH:
            text = text.replace(secret, HIDDEN)
    return text


def _secrets(address: str) -> set[str]:
    """The password of an address, and the secret values of its query, as they are and unescaped."""
    rest = address.partition("://")[2]
    user, _, place = rest.rpartition("@")
    values = [user.partition(":")[2]]
    for item in place.partition("?")[2].split("&"):
        name, _, value = item.partition("=")
        if SECRET_NAMES.search(name):
            values.append(value)
    return {*values, *map(unquote, values)} if not rest.startswith("/") else set()


def _mask_rest(rest: str) -> str:
    """Mask what follows `://`."""
    location = re.split(r"[/?#]", rest, maxsplit=1)[0]
    _, colon, port = location.rpartition(":")
    is_password = bool(colon) and not port.isdecimal() and not port.endswith("]")  # not a port, nor a part of an IPv6 address
    before_query = re.split(r"[?#]", rest, maxsplit=1)[0]
    end = (rest if is_password else before_query if colon else location).rfind("@")
    hidden = "" if end < 0 else f"{HIDDEN}@"
    rest, mark, fragment = rest[end + 1 :].partition("#")
    fragment = fragment if mark and fragment.startswith("/") and "=" not in fragment else HIDDEN  # MLflow's pages: #/experiments/1
    rest, question, query = rest.partition("?")
    return f"{hidden}{rest}{question}{_mask_values(query) if question else ''}{mark}{fragment if mark else ''}"


def _mask_values(query: str) -> str:
    """A query without its values; what has no name is a value."""
    parts = [part.partition("=") for part in query.split("&")]
    return "&".join(f"{name}={HIDDEN}" if equals else HIDDEN for name, equals, _ in parts)
