"""A model behind a server of `cli.py serve`."""

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies_environment

import typer
from pydantic import BaseModel

from lstm_lm.commands.server_answers import EVENT, Entries, Failure, ModelFacts, NextWords, Score, one_line
from lstm_lm.commands.text_printer import Part
from lstm_lm.errors import UserError
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.io.addresses import mask
from lstm_lm.serving.app.option_names import NAMES
from lstm_lm.serving.app.settings import KEY_VARIABLE, ServerSettings

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS = 10
ANSWER_SECONDS = ServerSettings.request_seconds + 30  # longer than a server takes for any request
MAX_ANSWER_BYTES = 256 * 2**20
MAX_EVENT_BYTES = 2**20  # also of an error
READ_BYTES = 65_536
SERVER_FAILURES = (500, 502, 503, 504)  # also of a proxy in front of one of this project's servers
REDIRECTS = range(300, 400)
FLAGS = {name: f"--{option.replace('_', '-')}" for option, name in NAMES.items()}

ARGUMENTS = ("prompt", "text")  # without flags
URL_HELP = "address of a running server to ask, such as http://127.0.0.1:5001"
KEY_HELP = f"key of that server; better set {KEY_VARIABLE}, because others can read a command line"
Url = Annotated[str | None, typer.Option(help=URL_HELP, show_default=False)]
ApiKey = Annotated[str | None, typer.Option(help=KEY_HELP, envvar=KEY_VARIABLE, show_default=False)]
Entry = TypeVar("Entry", bound=BaseModel)


class ServerRefusal(UserError):
    """A server of this project does not do what it is asked for."""


class RemoteModel:
    """Sends requests to a server."""

    def __init__(self, url: str, api_key: str | None) -> None:
        """Prepare requests; none is sent yet.

        Args:
            url: address of the server, with or without /v1 at the end.
            api_key: that the server asks for, or None.

        Raises:
            UserError: the address is none, or the key cannot be sent.
        """
        self.url = url.strip().rstrip("/").removesuffix("/v1")
        self._shown_url = mask(self.url)
        self._key = (api_key or "").strip()
        try:
            parts = urlsplit(self.url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise UserError(f"--url = {mask(url)!r}: must be the address of a server, such as http://127.0.0.1:5001")
        if not (self._key.isascii() and self._key.isprintable()):
            raise UserError(f"the API key contains characters that cannot be sent: check --api-key, or {KEY_VARIABLE}")
        self._is_local = parts.hostname in ("localhost", "127.0.0.1", "::1")

    def complete(self, prompt: str, generation: GenerationOptions, stop: Sequence[str] = ()) -> Iterator[Part]:
        """Continue a prompt, as `local_model.complete`.

        Raises:
            UserError: no server answers, or it refuses the request.
        """
        options = {NAMES.get(name, name): value for name, value in asdict(generation).items()}
        body = {"prompt": prompt, **options, "stop": list(stop), "echo": True, "stream": True}
        incomplete = set(range(generation.samples))
        with self._request("/v1/completions", body) as response:
            if not response.headers.get("Content-Type", "").startswith("text/event-stream"):
                raise ValueError("no stream of events")
            for data in _events(_read(response, MAX_ANSWER_BYTES)):
                if data == b"[DONE]":
                    break
                event = EVENT.validate_json(data)
                if isinstance(event, Failure):
                    raise self._refusal(event)
                for choice in event.choices:
                    if choice.index not in incomplete:
                        raise ValueError(f"text {choice.index} is none that was asked for, or complete already")
                    if is_last := choice.finish_reason is not None:
                        incomplete.remove(choice.index)
                    yield Part(choice.index, choice.text, is_last)
            if incomplete:
                raise UserError(f"{self._shown_url}: the server ended its answer too early: try again")

    def score(self, text: str) -> Score:
        """Return how well the model predicts a text.

        Raises:
            UserError: no server answers, or it refuses the request.
        """
        return self._ask("/v1/score", {"text": text}, Score)

    def next_words(self, prompt: str, k: int) -> NextWords:
        """Return the most probable next words.

        Raises:
            UserError: no server answers, or it refuses the request.
        """
        return self._ask("/v1/next", {"prompt": prompt, "k": k}, NextWords)

    def tokens(self, prompt: str) -> list[tuple[str, bool]]:
        """Return the tokens of a prompt, each with whether the model knows it; none if the server refuses the prompt.

        Raises:
            UserError: no server answers.
        """
        try:
            return [(token.token, not token.unknown) for token in self.score(prompt).tokens]
        except ServerRefusal:  # the request for a text says what is wrong
            return []

    def sentence_ends(self) -> list[str]:
        """Return the words after which the model's option stop_at_sentence_end ends a text.

        Raises:
            UserError: no server answers.
        """
        return self._ask("/v1/models", None, ModelFacts).sentence_ends

    def _ask(self, path: str, body: Mapping[str, Any] | None, kind: type[Entry]) -> Entry:
        """Return the first entry of an answer with a list."""
        with self._request(path, body) as response:
            answer = Entries.model_validate_json(b"".join(_read(response, MAX_ANSWER_BYTES)))
            return kind.model_validate(answer.data[0])

    @contextmanager
    def _request(self, path: str, body: Mapping[str, Any] | None) -> Iterator["requests.Response"]:
        """Send a request, with a body or to get something, and yield the answer, unless it is an error.

        A ValueError in the block says that the answer has another form.
        """
        import requests
        from urllib3.exceptions import HTTPError, LocationValueError, ProtocolError, ReadTimeoutError

        try:
            with self._send(path, body) as response:
                if response.status_code != 200:
                    raise self._error(response)
                yield response
        except (requests.Timeout, ReadTimeoutError, TimeoutError):
            raise UserError(f"{self._shown_url}: the server does not answer in time: see its log") from None
        except requests.exceptions.SSLError as error:
            raise UserError(f"{self._shown_url}: no secure connection: {_reason(error)}: check --url") from None
        except requests.ConnectionError as error:
            raise self._no_answer(error) from None
        except ProtocolError:
            raise self._lost() from None
        except (requests.exceptions.InvalidURL, LocationValueError):  # also that of a proxy; requests lets the second one through
            raise self._not_sendable() from None
        except (requests.RequestException, HTTPError, ValueError):
            raise self._other_server(f"its answer to {path} has another form") from None

    @contextmanager
    def _send(self, path: str, body: Mapping[str, Any] | None) -> Iterator["requests.Response"]:
        """Send a request and yield the response, whose body is still to be read."""
        import requests

        def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
            if self._key:
                request.headers["Authorization"] = f"Bearer {self._key}"
            return request

        with requests.Session() as session:
            session.trust_env = not self._is_local  # a proxy does not lead back to this machine
            # Even if it does not follow a redirect, requests would read its body to the end, and parse the address.
            session.get_redirect_target = lambda resp: None  # type: ignore[method-assign]
            # A function as `auth` also keeps requests from sending a password of ~/.netrc in place of the key.
            with session.request(
                "GET" if body is None else "POST",
                f"{self.url}{path}",
                json=body,
                auth=authorize,
                stream=True,
                timeout=(CONNECT_SECONDS, ANSWER_SECONDS),
                allow_redirects=False,
            ) as response:
                yield response

    def _other_server(self, problem: str) -> UserError:
        return UserError(f"{self._shown_url} is no server of this project: {problem}: check --url")

    def _not_sendable(self) -> UserError:
        """Return the error for an address, or a proxy's, that no request can be sent to.

        Without the words of the library: they repeat the address, or a part of it that may belong to a password.
        """
        proxies = {} if self._is_local else getproxies_environment()
        kind = next((kind for kind in (urlsplit(self.url).scheme, "all") if kind in proxies), None)
        also = f", and the address of the proxy in {kind}_proxy" if kind else ""
        return UserError(f"{self._shown_url}: no request can be sent there: check --url{also}")

    def _lost(self) -> UserError:
        return UserError(f"{self._shown_url}: the connection was lost before the answer was complete: see the server's log")

    def _no_answer(self, error: "requests.ConnectionError") -> UserError:
        """Return the error for a request that got no answer."""
        from http.client import HTTPException, RemoteDisconnected

        from urllib3.exceptions import ProtocolError

        wrapped = error.args[0] if error.args else None
        cause = wrapped.args[-1] if isinstance(wrapped, ProtocolError) else None
        if isinstance(cause, RemoteDisconnected | ConnectionError):
            return self._lost()
        if isinstance(cause, HTTPException):
            return self._other_server("it does not speak HTTP")
        return UserError(f"no server answers at {self._shown_url}: {_reason(error)}: start one with: make serve")

    def _error(self, response: "requests.Response") -> UserError:
        """Return the error for a status that is none of a complete answer."""
        status = response.status_code
        if status in REDIRECTS and (target := one_line(mask(response.headers.get("Location", "")))):
            return self._other_server(f"it redirects to {target}")
        try:
            return self._refusal(Failure.model_validate_json(b"".join(_read(response, MAX_EVENT_BYTES))))
        except ValueError:
            if status in SERVER_FAILURES:
                return UserError(f"{self._shown_url}: the server failed with status {status}: see its log, or check --url")
            return self._other_server(f"it answers with status {status}")

    def _refusal(self, failure: Failure) -> ServerRefusal:
        """Return the error for what the server says, with flags in place of the protocol's names."""
        error = failure.error
        if error.code == "invalid_api_key":
            wrong = "does not accept this API key" if self._key else "needs an API key"
            return ServerRefusal(f"the server at {self._shown_url} {wrong}: set {KEY_VARIABLE} to the key that it was started with")
        message, name = error.message, error.param
        if isinstance(name, str) and name not in ARGUMENTS and message.startswith(f"{name} = "):
            message = FLAGS.get(name, f"--{name.replace('_', '-')}") + message.removeprefix(name)
        return ServerRefusal(f"the server at {self._shown_url} refuses the request: {message}")


def named(url: str | None, api_key: str | None) -> RemoteModel | None:
    """Return the server that the flags name; None: the model in models/saved_model is meant.

    Raises:
        UserError: the address is none, or there is a key but no server.
    """
    if url is not None:
        return RemoteModel(url, api_key)
    if api_key and api_key != os.environ.get(KEY_VARIABLE):
        raise UserError("--api-key is the key of a server: add --url with its address")
    return None


def _read(response: "requests.Response", max_bytes: int) -> Iterator[bytes]:
    """Yield the body of a response as it arrives.

    Raises:
        TimeoutError: it takes too long, even if something arrives now and then.
        ValueError: it is longer than any answer of this project's servers.
    """
    size, waited = 0, 0.0
    while True:
        started = time.monotonic()
        part = response.raw.read1(READ_BYTES, decode_content=True)
        waited += time.monotonic() - started  # not the time that whoever reads our output takes
        if not part:
            return
        size += len(part)
        if waited > ANSWER_SECONDS:
            raise TimeoutError
        if size > max_bytes:
            raise ValueError("too long")
        yield part


def _events(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the data of server-sent events.

    Raises:
        ValueError: a line is longer than any event of this project's servers.
    """
    line = b""
    for part in parts:
        *lines, line = (line + part).split(b"\n")
        if len(line) > MAX_EVENT_BYTES:
            raise ValueError("too long")
        for each in lines:
            if each.startswith(b"data:"):
                yield each.removeprefix(b"data:").strip()


def _reason(error: Exception) -> str:
    """Return the cause of a failed connection without the names of Python objects that requests wraps it in."""
    found = re.findall(r"\[(?:Errno|SSL)[^\]]*\] ([^'\"\\()]+)", str(error))
    return found[-1].strip() if found else "no connection"
