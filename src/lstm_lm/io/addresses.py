"""Addresses without the secrets in them."""

import re

HIDDEN = "***"
ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://\S+")


def mask(address: str) -> str:
    """An address that may be shown and stored: without user, password, the values of its query, and its fragment unless that is a path.

    A password that holds `@`, `/`, `?` or `#` as they are, which no standard allows, is hidden too: all up to the last `@` goes.
    """
    scheme, separator, rest = address.partition("://")
    if not separator:
        return address
    return f"{scheme}://{_mask_rest(rest)}"


def mask_all(text: str) -> str:
    """A text in which each address is masked, such as a message of another program."""
    return ADDRESS.sub(lambda match: mask(match[0]), text)


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
