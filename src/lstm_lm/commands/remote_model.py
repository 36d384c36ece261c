"""A model behind a server of `cli.py serve`."""

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

import typer

from lstm_lm.commands.text_printer import Part
from lstm_lm.errors import UserError
from lstm_lm.generation.options import GenerationOptions
from lstm_lm.serving.app.option_names import NAMES
from lstm_lm.serving.app.settings import KEY_VARIABLE

if TYPE_CHECKING:
    import requests

CONNECT_SECONDS = 10
ANSWER_SECONDS = 330  # longer than a server takes for any request
MAX_SHOWN_CHARACTERS = 300  # of an answer that is none of this project's servers
FLAGS = {name: f"--{option.replace('_', '-')}" for option, name in NAMES.items()}

ARGUMENTS = ("prompt", "text")  # without flags
URL_HELP = "address of a running server to ask, such as http://127.0.0.1:5001"
KEY_HELP = f"key of that server; better set {KEY_VARIABLE}, because others can read a command line"
Url = Annotated[str | None, typer.Option(help=URL_HELP, show_default=False)]
ApiKey = Annotated[str | None, typer.Option(help=KEY_HELP, envvar=KEY_VARIABLE, show_default=False)]


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
        self._key = (api_key or "").strip()
        self._has_answered = False
        try:
            parts = urlsplit(self.url)
            is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_address = False
        if not is_address:
            raise UserError(f"--url = {url!r}: must be the address of a server, such as http://127.0.0.1:5001")
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
        with self._request("/v1/completions", body) as response:
            for event in _events(response):
                if event == "[DONE]":
                    return
                chunk = json.loads(event)
                if "error" in chunk:
                    raise self._refusal(chunk)
                for choice in chunk["choices"]:
                    yield Part(choice["index"], choice["text"], choice["finish_reason"] is not None)
            raise UserError(f"{self.url}: the server ended its answer too early: try again")

    def score(self, text: str) -> dict[str, Any]:
        """Return how well the model predicts a text: the only entry of `data` in the answer of /v1/score.

        Raises:
            UserError: no server answers, or it refuses the request.
        """
        return self._ask("/v1/score", {"text": text})

    def next_words(self, prompt: str, k: int) -> dict[str, Any]:
        """Return the most probable next words: the only entry of `data` in the answer of /v1/next.

        Raises:
            UserError: no server answers, or it refuses the request.
        """
        return self._ask("/v1/next", {"prompt": prompt, "k": k})

    def tokens(self, prompt: str) -> list[tuple[str, bool]]:
        """Return the tokens of a prompt, each with whether the model knows it; none if the server refuses the prompt.

        Raises:
            UserError: no server answers.
        """
        try:
            return [(token["token"], not token["unknown"]) for token in self.score(prompt)["tokens"]]
        except UserError:
            if self._has_answered:  # the request for a text says what is wrong
                return []
            raise

    def sentence_ends(self) -> list[str]:
        """Return the words after which the model's option stop_at_sentence_end ends a text.

        Raises:
            UserError: no server answers.
        """
        return list(self._ask("/v1/models", None)["sentence_ends"])

    def _ask(self, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        with self._request(path, body) as response:
            answer: dict[str, Any] = response.json()["data"][0]
            return answer

    @contextmanager
    def _request(self, path: str, body: Mapping[str, Any] | None) -> Iterator["requests.Response"]:
        """Send a request, with a body or to get something, and yield the answer, unless it is an error."""
        import requests

        def authorize(request: requests.PreparedRequest) -> requests.PreparedRequest:
            if self._key:
                request.headers["Authorization"] = f"Bearer {self._key}"
            return request

        try:
            with requests.Session() as session:
                session.trust_env = not self._is_local  # a proxy does not lead back to this machine
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
                    self._has_answered = True
                    if response.status_code != 200:
                        raise self._error(response)
                    yield response
        except requests.Timeout:
            raise UserError(f"{self.url}: the server does not answer in time: see its log") from None
        except requests.exceptions.SSLError as error:
            raise UserError(f"{self.url}: no secure connection: {_reason(error)}: check --url") from None
        except requests.exceptions.ChunkedEncodingError:
            raise UserError(f"{self.url}: the connection was lost before the answer was complete: see the server's log") from None
        except requests.ConnectionError as error:
            raise UserError(f"no server answers at {self.url}: {_reason(error)}: start one with: make serve") from None
        except (requests.RequestException, ValueError, LookupError, TypeError):
            raise UserError(f"{self.url} is no server of this project: its answer has another form: check --url") from None

    def _error(self, response: "requests.Response") -> UserError:
        try:
            answer = response.json()
            if isinstance(answer["error"]["message"], str):
                return self._refusal(answer)
        except (ValueError, LookupError, TypeError):
            pass
        return UserError(f"{self.url} is no server of this project: it answers with status {response.status_code}: check --url")

    def _refusal(self, answer: Mapping[str, Any]) -> UserError:
        """Return the error for what the server says, with flags in place of the protocol's names."""
        error = answer["error"]
        if error.get("code") == "invalid_api_key":
            wrong = "does not accept this API key" if self._key else "needs an API key"
            return UserError(f"the server at {self.url} {wrong}: set {KEY_VARIABLE} to the key that it was started with")
        message = error["message"][:MAX_SHOWN_CHARACTERS]
        name = error.get("param")
        if isinstance(name, str) and name not in ARGUMENTS and message.startswith(f"{name} = "):
            message = FLAGS.get(name, f"--{name.replace('_', '-')}") + message.removeprefix(name)
        return UserError(f"the server at {self.url} refuses the request: {message}")


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


def _events(response: "requests.Response") -> Iterator[str]:
    """Yield the data of server-sent events."""
    for line in response.iter_lines(chunk_size=None):
        if line.startswith(b"data: "):
            yield line[6:].decode("utf-8")


def _reason(error: Exception) -> str:
    """Return the cause of a failed connection without the names of Python objects that requests wraps it in."""
    found = re.findall(r"\[(?:Errno|SSL)[^\]]*\] ([^'\"\\()]+)", str(error))
    return found[-1].strip() if found else "no connection"
