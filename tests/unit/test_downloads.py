import errno
import gzip
import hashlib
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from faulty_server import FaultyServer, drip, endless, faulty_server, make_certificate, respond, serve_ranges
from lstm_lm.errors import UserError
from lstm_lm.io.downloads import Limits, download

BODY = bytes(range(256)) * 4000
QUICK = Limits(connect=2, stall=0.5, retries=2, backoff=0.01, wait=2, bytes=4_000_000)


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as server:
        yield server


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "download"


def check_fetched(url: str, path: Path, body: bytes = BODY, limits: Limits = QUICK) -> None:
    assert download(url, path, limits) == hashlib.sha256(body).hexdigest()
    assert path.read_bytes() == body


def failure(url: str, path: Path, limits: Limits = QUICK) -> str:
    """The message of a download that fails; nothing is left of it."""
    with pytest.raises(UserError) as error:
        download(url, path, limits)
    assert not list(path.parent.iterdir())
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_broken_connection_is_resumed_where_it_broke(server: FaultyServer, path: Path) -> None:
    check_fetched(server.put("/a", serve_ranges(BODY, breaks_after=600_000)), path)
    assert [headers.get("Range") for _, headers in server.requests] == [None, "bytes=600000-"]


def test_a_file_that_changed_meanwhile_is_fetched_from_the_start(server: FaultyServer, path: Path) -> None:
    new = BODY[::-1]
    check_fetched(server.put("/a", serve_ranges(BODY, breaks_after=600_000), serve_ranges(new, etag='"2"')), path, new)


def test_without_ranges_a_broken_download_starts_again(server: FaultyServer, path: Path) -> None:
    check_fetched(server.put("/a", respond(BODY, sent=9000, ETag='"1"'), respond(BODY)), path)
    assert all("Range" not in headers for _, headers in server.requests)


def test_a_rest_that_is_not_the_one_asked_for_is_not_used(server: FaultyServer, path: Path) -> None:
    wrong = respond(BODY[5:], 206, Content_Range=f"bytes 5-{len(BODY) - 1}/{len(BODY)}")
    check_fetched(server.put("/a", serve_ranges(BODY, breaks_after=9000), wrong, respond(BODY)), path)


def test_a_connection_that_always_breaks_is_given_up(server: FaultyServer, path: Path) -> None:
    url = server.put("/a", respond(BODY, sent=9000))
    message = failure(url, path)
    assert message.startswith(f"{url}: the connection broke after 9,000 of 1,024,000 bytes")
    assert message.endswith("also after 2 retries: run this again later")
    assert len(server.requests) == 3


def test_a_chunked_response_that_ends_early_is_noticed(server: FaultyServer, path: Path) -> None:
    def broken(handler: Any) -> None:
        respond(Content_Length=None, Transfer_Encoding="chunked")(handler)
        handler.wfile.write(b"5\r\nhello\r\n")

    handler_version = "HTTP/1.1"
    server.RequestHandlerClass = type("Http11", (server.RequestHandlerClass,), {"protocol_version": handler_version})  # type: ignore[misc]
    assert "the connection broke after 5 bytes" in failure(server.put("/a", broken), path)


@pytest.mark.slow
def test_a_stalled_and_a_slow_server_are_given_up(server: FaultyServer, path: Path) -> None:
    assert "no answer in time" in failure(server.put("/stalled", drip(b"a", every=30)), path)
    assert "only 20 bytes/s arrive, less than 1,000" in failure(server.put("/slow", drip(b"a" * 1000, every=0.05)), path).replace(
        "19", "20"
    )


@pytest.mark.parametrize(("status", "reason"), [(404, "Not Found"), (403, "Forbidden"), (401, "Unauthorized"), (410, "Gone")])
def test_a_refusal_is_reported_without_a_retry(server: FaultyServer, path: Path, status: int, reason: str) -> None:
    url = server.put("/a", respond(b"<html>", status))
    assert failure(url, path).startswith(f"{url}: the server answered {status} {reason}")
    assert len(server.requests) == 1


def test_a_busy_server_is_tried_again_and_given_up(server: FaultyServer, path: Path) -> None:
    check_fetched(server.put("/well", respond(b"", 503), respond(b"", 429, Retry_After=1), respond(BODY)), path)
    url = server.put("/busy", respond(b"", 500))
    assert failure(url, path) == f"{url}: the server answered 500 Internal Server Error, also after 2 retries: run this again later"
    url = server.put("/later", respond(b"", 429, Retry_After=3600))
    assert failure(url, path) == f"{url}: the server answered 429 Too Many Requests and asks to wait 3,600 s: run this again then"
    check_fetched(server.put("/odd", respond(b"", 503, Retry_After="soon"), respond(BODY)), path)


def test_redirects_are_followed_up_to_a_limit(server: FaultyServer, path: Path) -> None:
    server.put("/b", respond(BODY))
    check_fetched(server.put("/a", respond(b"x" * 99, 302, Location="/b")), path)
    url = server.put("/loop", respond(b"", 301, Location="/loop"))
    assert failure(url, path).startswith(f"{url}: redirects more than 10 times")
    check_fetched(server.put("/long", respond(b"", 307, Location="/b", Content_Length=10**12)), path)


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/a", "data:,words"])
def test_a_redirect_to_another_scheme_is_refused(server: FaultyServer, path: Path, target: str) -> None:
    url = server.put("/a", respond(b"", 302, Location=target))
    assert failure(url, path) == f"{url}: redirects from http to {target.partition(':')[0]}, which is not followed: {target}"


def test_https_needs_a_trusted_certificate_and_stays_https(
    server: FaultyServer, path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = make_certificate(tmp_path_factory.mktemp("certificate"))
    with faulty_server((certificate, key)) as secure:
        url = secure.put("/a", respond(BODY))
        message = failure(url, path)
        assert "certificate verify failed" in message
        assert "REQUESTS_CA_BUNDLE=" in message
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
        check_fetched(url, path)
        path.unlink()
        for target in (server.put("/b", respond(BODY)), "file:///etc/passwd"):
            assert "redirects from https to" in failure(secure.put("/a", respond(b"", 302, Location=target)), path)
    assert not server.requests


def test_an_endless_or_too_large_file_is_refused(server: FaultyServer, path: Path) -> None:
    assert "is larger than 4,000,000 bytes: download it yourself" in failure(server.put("/a", endless(b"word " * 9999)), path)
    assert "has 5,000,000 bytes, more than 4,000,000" in failure(server.put("/a", respond(b"", Content_Length=5_000_000)), path)
    bomb = gzip.compress(bytes(5_000_000))
    assert len(bomb) < 10_000
    assert "is larger than 4,000,000 bytes" in failure(server.put("/a", respond(bomb, Content_Encoding="gzip")), path)
    huge = Limits(bytes=2**62)
    assert "are free on the disk" in failure(server.put("/a", respond(b"", Content_Length=2**61)), path, huge)


def test_a_compressed_transfer_is_decoded_and_checked(server: FaultyServer, path: Path) -> None:
    packed = gzip.compress(BODY)
    check_fetched(server.put("/a", respond(packed, Content_Encoding="gzip")), path)
    path.unlink()
    half = respond(packed[:-20], Content_Encoding="gzip", Content_Length=None)
    assert "the compressed content ends early" in failure(server.put("/a", half), path)
    assert "is not gzip" in failure(server.put("/a", respond(BODY, Content_Encoding="gzip")), path)
    assert "Content-Encoding br" in failure(server.put("/a", respond(BODY, Content_Encoding="br")), path)


def test_an_unreachable_server_is_reported(free_port: int, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    url = f"http://127.0.0.1:{free_port}/a"
    assert failure(url, path) == f"{url}: could not be fetched: Connection refused, also after 2 retries: run this again later"
    assert "is not a complete address" in failure("http://:80/a", path)
    monkeypatch.setenv("HTTP_PROXY", f"http://me:secret@127.0.0.1:{free_port}")
    monkeypatch.setenv("NO_PROXY", "")
    message = failure("http://example.invalid/a", path)
    assert "the proxy cannot be used, which HTTP_PROXY or HTTPS_PROXY names: Connection refused" in message
    assert "secret" not in message


def test_a_proxy_of_the_environment_is_used(server: FaultyServer, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url)
    monkeypatch.setenv("NO_PROXY", "")
    server.put("http://example.invalid/a", respond(BODY))
    check_fetched("http://example.invalid/a", path)


def test_credentials_are_sent_but_not_shown_nor_passed_on(server: FaultyServer, path: Path) -> None:
    with faulty_server() as other:
        server.put("/a?token=secret", respond(b"", 302, Location=other.put("/b", respond(b"", 404))))
        message = failure(f"http://me:secret@127.0.0.1:{server.server_port}/a?token=secret", path)
        assert message.startswith(f"http://***@127.0.0.1:{server.server_port}/a?token=***: the server answered 404")
        assert server.requests[0][1]["Authorization"].startswith("Basic ")
        assert "Authorization" not in other.requests[0][1]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")])
def test_nothing_is_left_of_an_interrupted_download(
    server: FaultyServer, path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    class Full:
        """A file that takes 100,000 bytes."""

        def __init__(self, file: IO[bytes]) -> None:
            self.file = file

        def write(self, data: bytes) -> int:
            if self.file.tell() > 100_000:
                raise error
            return self.file.write(data)

        def __getattr__(self, name: str) -> Any:
            return getattr(self.file, name)

    from lstm_lm.io import downloads

    original = downloads._State
    monkeypatch.setattr(downloads, "_State", lambda file: original(Full(file)))  # type: ignore[arg-type]
    with pytest.raises(type(error)):
        download(server.put("/a", respond(BODY)), path, QUICK)
    assert not path.exists()


def test_memory_does_not_depend_on_the_size(server: FaultyServer, path: Path) -> None:
    chunk = b"word " * 20_000

    def large(handler: Any) -> None:
        respond(Content_Length=300 * len(chunk))(handler)
        for _ in range(300):
            handler.wfile.write(chunk)

    url = server.put("/a", large)
    tracemalloc.start()
    try:
        download(url, path, Limits())
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()
    assert path.stat().st_size == 30_000_000
