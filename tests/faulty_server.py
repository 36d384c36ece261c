"""A web server on 127.0.0.1 that answers as a test says, badly if need be."""

from __future__ import annotations

import http.server
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

# Gets the handler after the request's line and headers were read, and sends whatever it wants.
Answer = Callable[["Handler"], None]


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with what `server.answers` has for the path: the first of a list, whose last one stays."""

    server: FaultyServer

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((self.path, dict(self.headers)))
        answers = self.server.answers.get(self.path) or [respond(b"", 404)]
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        with suppress(BrokenPipeError, ConnectionResetError):
            answer(self)
        self.close_connection = True

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        pass


class FaultyServer(http.server.ThreadingHTTPServer):
    """The server: its address, its answers by path, and the requests that came: (path, headers)."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: dict[str, list[Answer]] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.stopping = threading.Event()
        self.scheme = "http"

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.server_port}"

    def put(self, path: str, *answers: Answer) -> str:
        """Set the answers for a path, and return its address."""
        self.answers[path] = list(answers)
        return f"{self.url}{path}"


@contextmanager
def faulty_server(certificate: tuple[Path, Path] | None = None) -> Iterator[FaultyServer]:
    """Run a server. certificate: its certificate and key, for https."""
    server = FaultyServer()
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.scheme = "https"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield server
    finally:
        server.stopping.set()
        server.shutdown()
        thread.join()
        server.server_close()


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """Make a self-signed certificate for 127.0.0.1, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1"]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def respond(body: bytes = b"", status: int = 200, sent: int | None = None, **headers: object) -> Answer:
    """Answer with a body.

    Args:
        body: what the headers describe.
        status: the status code.
        sent: send only so many bytes of the body, and close the connection.
        headers: more of them, with _ for -; None leaves one out.
    """

    def answer(handler: Handler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Length": len(body), **{key.replace("_", "-"): value for key, value in headers.items()}}.items():
            if value is not None:
                handler.send_header(name, str(value))
        handler.end_headers()
        handler.wfile.write(body[:sent])

    return answer


def respond_raw(sent: bytes) -> Answer:
    """Answer with bytes that need not be HTTP."""
    return lambda handler: handler.wfile.write(sent) and None


def hang(body: bytes = b"", **headers: object) -> Answer:
    """Answer with the start of a body, or with nothing at all if it is empty, and keep the connection open."""

    def answer(handler: Handler) -> None:
        if body:
            respond(body, Content_Length=len(body) + 1, **headers)(handler)
        handler.server.stopping.wait()

    return answer


def drip(body: bytes, every: float, **headers: object) -> Answer:
    """Answer with a body, one byte every so many seconds."""

    def answer(handler: Handler) -> None:
        respond(body, sent=0, **headers)(handler)
        for i in range(len(body)):
            if handler.server.stopping.wait(every):
                return
            handler.wfile.write(body[i : i + 1])

    return answer


def endless(chunk: bytes, status: int = 200, **headers: object) -> Answer:
    """Answer with a chunk again and again, without a Content-Length."""

    def answer(handler: Handler) -> None:
        respond(b"", status, Content_Length=None, **headers)(handler)
        while not handler.server.stopping.is_set():
            handler.wfile.write(chunk)

    return answer


def serve_ranges(body: bytes, breaks_after: int | None = None, etag: str = '"1"') -> Answer:
    """Answer as a server that can send a part of a file, and breaks the connection after so many bytes."""

    def answer(handler: Handler) -> None:
        wanted = handler.headers.get("Range")
        if wanted and handler.headers.get("If-Range") == etag:
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            content_range = f"bytes {start}-{len(body) - 1}/{len(body)}"
            respond(body[start:], 206, breaks_after, ETag=etag, Content_Range=content_range)(handler)
        else:
            respond(body, 200, breaks_after, ETag=etag, Accept_Ranges="bytes")(handler)

    return answer
