"""Around every request: its id, a line in the access log, its metrics, and an answer even if a handler fails."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from lstm_lm.serving.app import log, page, records
from lstm_lm.serving.app.metrics import Metrics
from lstm_lm.serving.app.problems import Problem
from lstm_lm.serving.app.records import Record

ID_HEADER = "x-request-id"
ID = re.compile(r"[\w.:/+=-]{1,128}", re.ASCII)
OTHER = "other"  # path of requests without a route: made-up paths must not become metrics
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}
MAX_PATH = 200  # characters in the log


class Observing:
    """The outermost layer of the server."""

    def __init__(self, app: ASGIApp, metrics: Metrics, routes: Sequence[BaseRoute]) -> None:
        """Wrap an application.

        Args:
            app: what is inside.
            metrics: of this process.
            routes: of the application: a request that is refused before it reaches one is counted for its path too.
        """
        self.app, self.metrics, self.routes = app, metrics, routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        if scope["type"] != "http":
            return
        given = Headers(scope=scope).get(ID_HEADER, "")
        record = Record(given if ID.fullmatch(given) else secrets.token_hex(8))
        scope[records.KEY] = record
        has_started = False

        async def observed_send(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                record.status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[ID_HEADER] = record.id
                headers["x-content-type-options"] = "nosniff"
            await send(message)

        try:
            await self.app(scope, receive, observed_send)
        except Exception as error:
            log.event("request failed", logging.ERROR, error, request_id=record.id)
            if not has_started:
                problem = Problem(500, f"internal error: see the server's log for request {record.id}")
                await problem.answer(scope["path"])(scope, receive, observed_send)
        finally:
            self._finish(scope, record)

    def _route(self, scope: Scope) -> BaseRoute | None:
        """Return the route that a request is for, with any method."""
        found: BaseRoute | None = scope.get("route")
        return found or next((route for route in self.routes if route.matches(scope)[0] != Match.NONE), None)

    def _finish(self, scope: Scope, record: Record) -> None:
        method = scope["method"] if scope["method"] in METHODS else OTHER
        route = self._route(scope)
        self.metrics.record(method, getattr(route, "path", OTHER), record)
        # Every visit of the page asks for a dozen files.
        is_page_file = getattr(route, "name", "") == page.ROUTE and record.status < 400
        log.event(
            "request",
            logging.DEBUG if is_page_file else logging.INFO,
            request_id=record.id,
            method=method,
            path=scope["path"][:MAX_PATH],
            status=record.status,
            ms=round(1000 * record.seconds(), 1),
            words=record.words,
        )
