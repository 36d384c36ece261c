"""A file from an http(s) address: complete, or not at all."""

import hashlib
import shutil
import time
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import IO, TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from lstm_lm.errors import UserError
from lstm_lm.io.addresses import mask

if TYPE_CHECKING:
    import requests

CHUNK = 2**18  # bytes, read at once
RETRY_STATUSES = (408, 429, 500, 502, 503, 504)
LOGIN_STATUSES = (401, 403, 407)


@dataclass(frozen=True)
class Limits:
    """How long to wait for a server, and for how much.

    Attributes:
        connect: seconds to wait for a connection.
        stall: seconds without a byte after which a connection is given up.
        min_rate: bytes per second, averaged over `stall` seconds, below which a connection is given up.
        retries: how often to try again without having got further.
        backoff: seconds before the first retry; doubled for each further one.
        wait: the longest Retry-After that is obeyed, in seconds.
        redirects: how many to follow.
        bytes: the largest file.
    """

    connect: float = 10
    stall: float = 60
    min_rate: float = 1000
    retries: int = 4
    backoff: float = 0.5
    wait: float = 120
    redirects: int = 10
    bytes: int = 20 * 2**30


class _Retry(Exception):
    """An attempt failed in a way that may pass.

    Args:
        problem: what is wrong, for the user.
        wait: seconds that the server asks to wait.
    """

    def __init__(self, problem: str, wait: float = 0) -> None:
        super().__init__(problem)
        self.wait = wait


@dataclass
class _State:
    """What has arrived so far.

    Attributes:
        file: holds the decoded content.
        sha256: of that content.
        received: bytes of the response's body.
        size: of the whole body in bytes, if the server says it.
        validator: the ETag or date of what has arrived if the server can send the rest of it, else None.
    """

    file: IO[bytes]
    sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256)
    received: int = 0
    size: int | None = None
    validator: str | None = None

    def restart(self) -> None:
        self.file.seek(0)
        self.file.truncate()
        self.sha256, self.received, self.size, self.validator = hashlib.sha256(), 0, None, None

    def write(self, data: bytes) -> None:
        self.file.write(data)
        self.sha256.update(data)


def download(url: str, path: Path, limits: Limits = Limits()) -> str:
    """Download a file, with retries, and return its sha256. After an error there is no file.

    A retry asks for the rest only, if the server says that the file is unchanged. Proxies, certificates and ~/.netrc are those
    of `requests`.

    Args:
        url: an http or https address.
        path: where to write the file, decoded if the server has compressed it for the transfer.
        limits: on time and size.
    Raises:
        UserError: it cannot be fetched, or not completely.
    """
    try:
        with path.open("wb") as file:
            state = _State(file)
            _retry(url, state, limits)
        return state.sha256.hexdigest()
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def _retry(url: str, state: _State, limits: Limits) -> None:
    """Try until everything has arrived."""
    failures, furthest = 0, 0
    while True:
        try:
            return _attempt(url, state, limits)
        except _Retry as problem:
            # A connection that breaks every few minutes still brings a large file, part by part.
            if state.received >= furthest + 2**20:
                failures, furthest = 0, state.received
            failures += 1
            if problem.wait > limits.wait:
                raise UserError(f"{mask(url)}: {problem} and asks to wait {problem.wait:,.0f} s: run this again then") from None
            if failures > limits.retries:
                raise UserError(f"{mask(url)}: {problem}, also after {limits.retries} retries: run this again later") from None
            time.sleep(max(problem.wait, limits.backoff * 2 ** (failures - 1)))


def _attempt(url: str, state: _State, limits: Limits) -> None:
    """Send one request, and read its response to the end."""
    import requests  # here, because most text is not fetched from an address
    import urllib3

    headers = {"Accept-Encoding": "identity"}  # so that a part can be asked for
    if state.received and state.validator:
        headers |= {"Range": f"bytes={state.received}-", "If-Range": state.validator}
    try:
        with requests.Session() as session, closing(_open(session, url, headers, limits)) as response:
            _check_status(url, response)
            _start(url, response, state, limits)
            for data in _decode(url, response, _read(response, state, limits)):
                state.write(data)
                if state.file.tell() > limits.bytes:
                    raise UserError(f"{mask(url)}: is larger than {limits.bytes:,} bytes: download it yourself, to data/own")
    except requests.exceptions.SSLError as error:
        raise UserError(f"{mask(url)}: {_reason(error)}: REQUESTS_CA_BUNDLE=/path/to/ca.pem names certificates to trust") from None
    except requests.exceptions.ProxyError as error:
        raise _Retry(f"the proxy cannot be used, which HTTP_PROXY or HTTPS_PROXY names: {_reason(error)}") from None
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema) as error:
        raise UserError(f"{mask(url)}: is not a complete address: {_reason(error)}") from None
    except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
        if not state.received:
            raise _Retry(f"could not be fetched: {_reason(error)}") from None
        total = f" of {state.size:,}" if state.size is not None else ""
        raise _Retry(f"the connection broke after {state.received:,}{total} bytes ({_reason(error)})") from None


def _open(session: "requests.Session", url: str, headers: dict[str, str], limits: Limits) -> "requests.Response":
    """Send a request, and follow redirects. The response's body is not read yet."""
    address = url
    for _ in range(limits.redirects + 1):
        response = session.get(address, headers=headers, timeout=(limits.connect, limits.stall), stream=True, allow_redirects=False)
        target = session.get_redirect_target(response)
        if target is None:
            return response
        response.close()
        target = urljoin(address, target)
        old, new = urlsplit(address).scheme, urlsplit(target).scheme
        if new not in ("http", "https") or (old == "https" and new == "http"):
            raise UserError(f"{mask(url)}: redirects from {old} to {new}, which is not followed: {mask(target)}")
        address = target
    raise UserError(f"{mask(url)}: redirects more than {limits.redirects} times, the last time to {mask(address)}: correct the address")


def _check_status(url: str, response: "requests.Response") -> None:
    """Raise an error unless the response has content."""
    status = response.status_code
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE):
        return
    answer = f"the server answered {status} {response.reason}"
    if status in RETRY_STATUSES:
        raise _Retry(answer, _retry_after(response))
    login = " (if it needs a login, put it into ~/.netrc)" if status in LOGIN_STATUSES else ""
    raise UserError(f"{mask(url)}: {answer}{login}: correct the address, or run this again later")


def _retry_after(response: "requests.Response") -> float:
    """The seconds that a server asks to wait, 0 if it does not."""
    from urllib3.util import Retry

    try:
        return Retry(retry_after_max=2**31).parse_retry_after(response.headers.get("Retry-After", "0"))
    except Exception:  # not a number or a date: the server's mistake
        return 0


def _start(url: str, response: "requests.Response", state: _State, limits: Limits) -> None:
    """Prepare the state for a response's body: at the beginning, or where an earlier response broke off."""
    headers = response.headers
    is_rest = headers.get("Content-Range", "").startswith(f"bytes {state.received}-")
    if response.status_code == HTTPStatus.PARTIAL_CONTENT and state.validator and is_rest:
        return
    if response.status_code != HTTPStatus.OK:
        state.restart()
        raise _Retry(f"the server answered {response.status_code} {response.reason}")
    state.restart()
    length = headers.get("Content-Length", "")
    state.size = int(length) if length.isdecimal() else None
    etag = headers.get("ETag", "W/")
    if headers.get("Accept-Ranges") == "bytes" and "Content-Encoding" not in headers:
        state.validator = headers.get("Last-Modified") if etag.startswith("W/") else etag
    if state.size is not None:
        if state.size > limits.bytes:
            raise UserError(f"{mask(url)}: has {state.size:,} bytes, more than {limits.bytes:,}: download it yourself, to data/own")
        free = shutil.disk_usage(Path(state.file.name).parent).free
        if state.size > free:
            raise UserError(f"{mask(url)}: has {state.size:,} bytes, but only {free:,} are free on the disk: free some, and run this again")


def _read(response: "requests.Response", state: _State, limits: Limits) -> Iterator[bytes]:
    """Yield a response's body as it arrives."""
    started, before = time.monotonic(), state.received
    while data := response.raw.read1(CHUNK, decode_content=False):
        state.received += len(data)
        yield data
        elapsed = time.monotonic() - started
        if elapsed >= limits.stall:
            rate = (state.received - before) / elapsed
            if rate < limits.min_rate:
                raise _Retry(f"only {rate:,.0f} bytes/s arrive, less than {limits.min_rate:,.0f}")
            started, before = time.monotonic(), state.received
    if state.size is not None and state.received != state.size:
        raise _Retry(f"the connection broke after {state.received:,} of {state.size:,} bytes")


def _decode(url: str, response: "requests.Response", parts: Iterator[bytes]) -> Iterator[bytes]:
    """Yield a body without its Content-Encoding, in parts of bounded size."""
    encoding = response.headers.get("Content-Encoding", "identity").lower()
    if encoding == "identity":
        yield from parts
        return
    if encoding not in ("gzip", "x-gzip"):
        raise UserError(f"{mask(url)}: comes with Content-Encoding {encoding}, which was not asked for: download it yourself, to data/own")
    decoder = zlib.decompressobj(wbits=31)
    for part in parts:
        try:
            data = decoder.decompress(part, CHUNK)
            while data:
                yield data
                data = decoder.decompress(decoder.unconsumed_tail, CHUNK)
        except zlib.error:
            raise _Retry("the server sent what is not gzip, in spite of its Content-Encoding") from None
    if not decoder.eof:
        raise _Retry("the compressed content ends early")


def _reason(error: BaseException) -> str:
    """The innermost cause of a library's error, in one line and without the address."""
    seen = [error]
    while True:
        inner = getattr(seen[-1], "reason", None) or seen[-1].__cause__ or seen[-1].__context__
        inner = inner if isinstance(inner, BaseException) else next((a for a in seen[-1].args if isinstance(a, BaseException)), None)
        if inner is None or inner in seen:
            break
        seen.append(inner)
    for cause in reversed(seen):
        if "timeout" in type(cause).__name__.lower() or "timed out" in str(cause):
            return "no answer in time"
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror
    return str(seen[-1]).splitlines()[0] if str(seen[-1]) else type(seen[-1]).__name__
