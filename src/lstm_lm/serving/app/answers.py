"""Responses in JSON that can hold whatever was sent, half a surrogate pair included."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import Response

PIECE_ITEMS = 500  # that are encoded at once, in about a millisecond


def encode(content: Any) -> bytes:
    """Return compact JSON in UTF-8. Numbers must be finite."""
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode("utf-8", errors="replace")


def encode_list(items: Sequence[Any]) -> bytes:
    """Return a list of any length as JSON, encoded in pieces: each of them holds all other threads up."""
    pieces = [encode(items[start : start + PIECE_ITEMS])[1:-1] for start in range(0, len(items), PIECE_ITEMS)]
    return b"[" + b",".join(pieces) + b"]"


class JsonAnswer(Response):
    """A response with a JSON body."""

    media_type = "application/json"

    def __init__(self, content: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(encode(content), status, headers)
