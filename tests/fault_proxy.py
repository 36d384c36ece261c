"""A proxy on 127.0.0.1 between an MLflow client and its server, which harms calls as a test says."""

from __future__ import annotations

import http.client
import threading
import time
from enum import Enum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType

NOT_FORWARDED = ("host", "connection", "transfer-encoding", "content-length")  # headers of one connection, not of a message
UPSTREAM_SECONDS = 120
SLOW_SECONDS = 3.0


class Fault(Enum):
    """What the proxy does to a call."""

    SLOW = "each call takes seconds"
    ERROR = "each call is answered with 500 and not forwarded"
    CLOSED = "each connection is closed without an answer"
    LOST = "every other call is forwarded and its answer dropped"


class FaultProxy(ThreadingHTTPServer):
    """The proxy, running while the context is entered.

    Args:
        upstream: port of the server on 127.0.0.1.

    Attributes:
        fault: what to do to the calls from now on, or None.
        harmed: the calls that were harmed, such as "POST /api/2.0/mlflow/runs/create".
    """

    daemon_threads = True

    def __init__(self, upstream: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.upstream = upstream
        self.fault: Fault | None = None
        self.harmed: list[str] = []
        self._calls = 0
        self._lock = threading.Lock()

    @property
    def address(self) -> str:
        """The proxy's address, to be used in place of the server's."""
        return f"http://127.0.0.1:{self.server_port}"

    def __enter__(self) -> FaultProxy:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, error: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that are gone."""

    def fault_of(self, call: str) -> Fault | None:
        """Return what to do to a call, and remember it."""
        with self._lock:
            fault = self.fault
            self._calls += 1
            if fault is Fault.LOST and self._calls % 2:
                return None
            if fault is not None:
                self.harmed.append(call)
            return fault


class _Handler(BaseHTTPRequestHandler):
    server: FaultProxy
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        pass

    def _pass_on(self) -> None:
        body = self._body()
        fault = self.server.fault_of(f"{self.command} {self.path.partition('?')[0]}")
        if fault is Fault.CLOSED:
            return self._drop()
        if fault is Fault.ERROR:
            return self._answer(500, [("Content-Type", "application/json")], b'{"error_code": "INTERNAL_ERROR", "message": "harmed"}')
        if fault is Fault.SLOW:
            time.sleep(SLOW_SECONDS)
        try:
            connection = http.client.HTTPConnection("127.0.0.1", self.server.upstream, timeout=UPSTREAM_SECONDS)
            headers = {name: value for name, value in self.headers.items() if name.lower() not in NOT_FORWARDED}
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            content = response.read()
            connection.close()
        except (OSError, http.client.HTTPException):  # the server is gone, and so is the client's connection to it
            return self._drop()
        if fault is Fault.LOST:
            return self._drop()
        return self._answer(response.status, response.getheaders(), content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass_on

    def _drop(self) -> None:
        self.close_connection = True

    def _answer(self, status: int, headers: list[tuple[str, str]], content: bytes) -> None:
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in NOT_FORWARDED:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body
