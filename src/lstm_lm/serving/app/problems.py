"""What is wrong with a request, in one line, in the form that the client of each protocol expects."""

from __future__ import annotations

from typing import Any

from fastapi import Response

from lstm_lm.serving.app.answers import JsonAnswer
from lstm_lm_serving.errors import Busy, Cancelled, Expired, Refused, ServingError

MAX_MESSAGE = 500  # characters
OPENAI_PATHS = "/v1/"
CODES = {  # of MLflow's protocol, by status
    400: "BAD_REQUEST",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "ENDPOINT_NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    408: "REQUEST_TIMEOUT",
    409: "ABORTED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    421: "MISDIRECTED_REQUEST",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL_ERROR",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
OPENAI_TYPES = {401: "authentication_error", 403: "permission_error", 404: "not_found_error", 429: "rate_limit_error"}


class Problem(Exception):
    """A request that is not answered as wanted.

    Attributes:
        status: of HTTP.
        message: one line.
        param: the name of the parameter that is wrong, if it is one.
        code: in OpenAI's protocol, for programs; None: none.
        headers: more headers of the answer.
    """

    def __init__(
        self, status: int, message: str, param: str | None = None, code: str | None = None, headers: dict[str, str] | None = None
    ) -> None:
        self.status, self.message, self.param, self.code = status, one_line(message), param, code
        self.headers = headers or {}
        super().__init__(self.message)

    def answer(self, path: str) -> Response:
        """Return the response to a request for a path."""
        return JsonAnswer(self.content(path), self.status, self.headers)

    def content(self, path: str) -> dict[str, Any]:
        """Return the body of the response, ready for JSON."""
        if not path.startswith(OPENAI_PATHS):
            return {"error_code": CODES.get(self.status, "BAD_REQUEST"), "message": self.message}
        usual = "invalid_request_error" if self.status < 500 else "server_error"
        kind = OPENAI_TYPES.get(self.status, usual)
        return {"error": {"message": self.message, "type": kind, "param": self.param, "code": self.code}}


def from_engine(error: ServingError) -> Problem:
    """Return the problem for what the engine raised."""
    if isinstance(error, Busy):
        return Problem(429, str(error), code="busy", headers={"Retry-After": str(max(1, round(error.retry_after)))})
    if isinstance(error, Refused):
        return Problem(400, str(error), error.param)
    if isinstance(error, Expired):
        return Problem(504, str(error), code="deadline_exceeded")
    if isinstance(error, Cancelled):
        return Problem(503, "the request was cancelled")
    return Problem(503, "the server is shutting down: send the request again", headers={"Retry-After": "5"})


def one_line(text: str) -> str:
    """Replace what would break the line, and cut what is too long."""
    line = "".join(character if character.isprintable() else " " for character in text)
    return line if len(line) <= MAX_MESSAGE else f"{line[: MAX_MESSAGE - 3]}..."
