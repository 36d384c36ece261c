"""Before every request is handled: whether it may come in, and a body that is neither too large nor too slow."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lstm_lm.serving.app.problems import Problem
from lstm_lm.serving.app.settings import KEY_VARIABLE, ServerSettings

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
CLOSE = {"Connection": "close"}
DRAINED = 4  # times the largest body: so much is read before the answer, for clients that read it only when they have sent all


class Door:
    """Checks requests before the application sees them."""

    def __init__(self, app: ASGIApp, settings: ServerSettings, key: bytes | None, open_paths: Collection[str]) -> None:
        """Wrap an application.

        Args:
            app: what is inside.
            settings: of the server.
            key: that clients must send; None: none.
            open_paths: that need no key.
        """
        self.app, self.settings, self.key, self.open_paths = app, settings, key, frozenset(open_paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with what is wrong."""
        headers = Headers(scope=scope)
        try:
            self._check_host(headers)
            self._check_origin(scope["method"], headers)
            if scope["path"] not in self.open_paths:
                self._check_key(headers)
            with_body = await self._with_body(headers, receive)
        except Problem as problem:
            await problem.answer(scope["path"])(scope, receive, send)
            return
        if with_body is not None:
            await self.app(scope, with_body, send)

    def _check_host(self, headers: Headers) -> None:
        """Refuse pages of other sites that lead their own name to this server (DNS rebinding)."""
        host = headers.get("host", "").lower()
        if "*" not in self.settings.hosts and host not in self.settings.hosts:
            raise Problem(421, f"Host {host[:100]!r} is none of this server's names: start it with --allowed-hosts to add names")

    def _check_origin(self, method: str, headers: Headers) -> None:
        """Refuse pages of other sites that send requests to this server: it allows no cross-origin requests (CORS)."""
        origin = headers.get("origin")
        if method in SAFE_METHODS or origin is None or "*" in self.settings.origins or origin.lower() in self.settings.origins:
            return
        raise Problem(403, f"Origin {origin[:100]!r}: requests from pages of other sites are not allowed")

    def _check_key(self, headers: Headers) -> None:
        if self.key is None:
            return
        scheme, _, given = headers.get("authorization", "").partition(" ")
        # compare_digest takes the same time for every wrong key.
        if not hmac.compare_digest(given.strip().encode("latin-1"), self.key) or scheme.lower() != "bearer":
            wrong = "the API key is wrong" if given else "an API key is needed"
            message = f"{wrong}: send the header Authorization: Bearer KEY, with the server's {KEY_VARIABLE}"
            raise Problem(401, message, code="invalid_api_key", headers={"WWW-Authenticate": "Bearer"})

    async def _with_body(self, headers: Headers, receive: Receive) -> Receive | None:
        """Read the body, and return what passes it on; None if the client left before its end."""
        if "content-length" not in headers and "transfer-encoding" not in headers:
            return receive
        limit = self.settings.max_body_bytes
        if "expect" in headers and int(headers.get("content-length", 0)) > limit:
            raise _too_large(limit)
        try:
            async with asyncio.timeout(self.settings.max_body_seconds):
                body, is_complete = await _read(receive, limit)
        except TimeoutError:
            seconds = f"{self.settings.max_body_seconds:g} s"
            raise Problem(408, f"the body did not arrive within {seconds}", headers=CLOSE) from None
        if body is None:
            raise _too_large(limit)
        if not is_complete:
            return None
        messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

        async def pass_on() -> Message:
            return messages.pop() if messages else await receive()

        return pass_on


def _too_large(limit: int) -> Problem:
    return Problem(413, f"the body is too large: at most {limit} bytes are allowed", headers=CLOSE)


async def _read(receive: Receive, limit: int) -> tuple[bytes | None, bool]:
    """Read a body: (None if it is too large; whether the client stayed to its end)."""
    parts, size = [], 0
    while size <= DRAINED * limit:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"", False
        size += len(message.get("body", b""))
        if size <= limit:
            parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return (b"".join(parts) if size <= limit else None), True
