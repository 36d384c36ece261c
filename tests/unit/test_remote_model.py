import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from lstm_lm.commands.remote_model import RemoteModel, named
from lstm_lm.errors import UserError
from lstm_lm.generation.options import GenerationOptions

EVENT = b'data: {"choices": [{"index": 0, "text": " to", "finish_reason": null}]}\n\n'


class Answering(BaseHTTPRequestHandler):
    """Another server than ours, or ours when something fails: it answers every request with the same bytes."""

    status: ClassVar[int]
    content: ClassVar[bytes]
    promised: ClassVar[int]  # bytes that are missing at the end
    requests: ClassVar[list[dict[str, str]]]

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.requests.append(dict(self.headers))
        self.send_response(self.status)
        self.send_header("Location", "http://127.0.0.1:9/")
        self.send_header("Content-Length", str(len(self.content) + self.promised))
        self.end_headers()
        self.wfile.write(self.content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def answering(status: int, content: bytes, promised: int = 0) -> Iterator[tuple[str, list[dict[str, str]]]]:
    """Start such a server: (its address, the headers of the requests that it got)."""
    handler = type("Handler", (Answering,), {"status": status, "content": content, "promised": promised, "requests": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", handler.requests  # type: ignore[attr-defined]  # see `type` above
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def failure(url: str) -> str:
    """What is reported when a text is asked for, in one line."""
    with pytest.raises(UserError) as raised:
        list(RemoteModel(url, "secret").complete("to be", GenerationOptions()))
    assert "\n" not in str(raised.value)
    return str(raised.value).replace(url, "URL")


@pytest.mark.parametrize(
    ("status", "content", "promised", "message"),
    [
        (404, b"<html>not found</html>", 0, "URL is no server of this project: it answers with status 404: check --url"),
        (500, b'{"error": "no"}', 0, "URL is no server of this project: it answers with status 500: check --url"),
        (302, b"", 0, "URL is no server of this project: it answers with status 302: check --url"),
        (200, b"<html>hello</html>", 0, "URL: the server ended its answer too early: try again"),
        (200, b"data: nonsense\n\n", 0, "URL is no server of this project: its answer has another form: check --url"),
        (200, b'data: {"choices": [{}]}\n\n', 0, "URL is no server of this project: its answer has another form: check --url"),
        (200, EVENT, 0, "URL: the server ended its answer too early: try again"),
        (200, EVENT, 5, "URL: the connection was lost before the answer was complete: see the server's log"),
        (
            400,
            b'{"error": {"message": "max_tokens = 2000: must be at most 1000", "param": "max_tokens"}}',
            0,
            "the server at URL refuses the request: --max-words = 2000: must be at most 1000",
        ),
        (
            200,
            EVENT + b'data: {"error": {"message": "the deadline came"}}\n\n',
            0,
            "the server at URL refuses the request: the deadline came",
        ),
    ],
)
def test_an_answer_that_is_none_is_one_line(status: int, content: bytes, promised: int, message: str) -> None:
    with answering(status, content, promised) as (url, _):
        assert failure(url) == message


def test_without_a_server_the_message_says_how_to_start_one(free_port: int) -> None:
    expected = "no server answers at URL: Connection refused: start one with: make serve"
    assert failure(f"http://127.0.0.1:{free_port}") == expected


def test_a_server_without_encryption_is_reported() -> None:
    with answering(200, b"") as (url, _):
        assert failure(url.replace("http", "https")).startswith("URL: no secure connection: ")


def test_the_key_is_sent_and_neither_a_proxy_nor_netrc_interferes(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with answering(200, b'{"data": [{"words": []}]}') as (url, requests):
        assert RemoteModel(url, " secret\n").next_words("to be", 3) == {"words": []}
        RemoteModel(url, None).next_words("to be", 3)
    assert [headers.get("Authorization") for headers in requests] == ["Bearer secret", None]


@pytest.mark.parametrize("url", ["", "127.0.0.1:5001", "ftp://host", "http://", "http://host:nonsense", "http://[::1"])
def test_an_address_that_is_none_is_reported(url: str) -> None:
    with pytest.raises(UserError, match=r"must be the address of a server, such as http://127\.0\.0\.1:5001$"):
        RemoteModel(url, None)


def test_a_key_that_cannot_be_sent_is_reported() -> None:
    with pytest.raises(UserError, match=r"^the API key contains characters that cannot be sent: check --api-key, or LSTM_LM_API_KEY$"):
        RemoteModel("http://host", "schlüssel")


def test_a_key_without_a_server_is_refused_unless_it_is_always_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LSTM_LM_API_KEY", raising=False)
    assert named(None, None) is None
    with pytest.raises(UserError, match="--api-key is the key of a server: add --url"):
        named(None, "secret")
    monkeypatch.setenv("LSTM_LM_API_KEY", "secret")
    assert named(None, "secret") is None
    assert isinstance(named("http://127.0.0.1:1", "secret"), RemoteModel)
