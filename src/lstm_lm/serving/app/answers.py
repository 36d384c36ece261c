"""Responses in JSON that can hold whatever was sent, half a surrogate pair included."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fastapi import Response


def encode(content: Any) -> bytes:
    """Return compact JSON in UTF-8. Numbers must be finite."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", errors="replace")


class JsonAnswer(Response):
    """A response with a JSON body."""

    media_type = "application/json"

    def __init__(self, content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(encode(content), status, headers)
