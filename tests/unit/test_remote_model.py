import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from conftest import PROJECT, run
from faulty_server import Answer, FaultyServer, drip, endless, faulty_server, hang, respond, respond_raw
from lstm_lm.commands import app, remote_model
from lstm_lm.commands.remote_model import RemoteModel, named
from lstm_lm.errors import UserError

WAIT_SECONDS = 0.5  # of a client in these tests
EVENTS = {"Content_Type": "text/event-stream; charset=utf-8"}
SCORE_PATH, NEXT_PATH, COMPLETIONS_PATH, MODELS_PATH = "/v1/score", "/v1/next", "/v1/completions", "/v1/models"


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode()


def event(index: int, text: str, finish_reason: str | None = None) -> bytes:
    """One part of a text in a stream."""
    return b"data: " + as_json({"choices": [{"index": index, "text": text, "finish_reason": finish_reason}]}) + b"\n\n"


SCORE = {
    "tokens": [{"token": "to", "surprisal": None, "unknown": False}, {"token": "zzyzx", "surprisal": 2.0, "unknown": True}],
    "words": 2,
    "scored_words": 1,
    "unknown_words": ["zzyzx"],
    "surprisal": 2.0,
    "perplexity": 4.0,
    "adjusted_perplexity": 4.0,
    "bits_per_character": 0.5,
    "unknown_rate": 1.0,
}
NEXT = {"words": [{"word": "be", "probability": 0.25, "log_probability": -1.386}], "unknown": 0.5}
STREAM = event(0, "to be") + event(0, " or", "length") + b"data: [DONE]\n\n"
DATA = {SCORE_PATH: SCORE, NEXT_PATH: NEXT, MODELS_PATH: {"id": "lstm_lm", "sentence_ends": ["."]}}
RIGHT = {path: respond(as_json({"object": "list", "data": [each]})) for path, each in DATA.items()} | {
    COMPLETIONS_PATH: respond(STREAM, **EVENTS)
}
# Each command with each request that it sends.
REQUESTS = {
    "sample: score": (["sample", "to zzyzx"], SCORE_PATH),
    "sample: models": (["sample", "to zzyzx", "--stop-at-sentence-end"], MODELS_PATH),
    "sample: completions": (["sample", "to zzyzx"], COMPLETIONS_PATH),
    "next: score": (["next", "to zzyzx"], SCORE_PATH),
    "next: next": (["next", "to zzyzx"], NEXT_PATH),
    "score: score": (["score", "text.txt", "--words"], SCORE_PATH),
}
HTML = b"<!doctype html>\n<html><body>Welcome</body></html>\n"
FORM = "URL is no server of this project: its answer to PATH has another form: check --url"
LOST = "URL: the connection was lost before the answer was complete: see the server's log"
LATE = "URL: the server does not answer in time: see its log"
FAILED = "URL: the server failed with status {}: see its log, or check --url"
STATUS = "URL is no server of this project: it answers with status {}: check --url"
NO_HTTP = "URL is no server of this project: it does not speak HTTP: check --url"
KINDS: dict[str, tuple[Answer, str]] = {
    "a page": (respond(HTML, Content_Type="text/html"), FORM),
    "nothing": (respond(), FORM),
    "no content": (respond(status=204), STATUS.format(204)),
    "not UTF-8": (respond(b'{"data": ["\xff"]}'), FORM),
    "truncated JSON": (respond(as_json({"data": [SCORE | NEXT]})[:-20]), FORM),
    "nested JSON": (respond(b'{"data":' + b"[" * 100_000), FORM),
    "null": (respond(b"null"), FORM),
    "a list": (respond(b"[1, 2]"), FORM),
    "an empty object": (respond(b"{}"), FORM),
    "no data": (respond(b'{"data": []}'), FORM),
    "data that is an object": (respond(b'{"data": {"0": 1}}'), FORM),
    "null as data": (respond(b'{"data": [null]}'), FORM),
    "models of another project": (respond(as_json({"object": "list", "data": [{"id": "other", "object": "model"}]})), FORM),
    "predictions of MLflow": (respond(b'{"predictions": [0.5]}'), FORM),
    "an error of FastAPI": (respond(b'{"detail": "Not Found"}', 404), STATUS.format(404)),
    "an error of MLflow": (respond(b'{"error_code": "BAD_REQUEST", "message": "Invalid input"}', 400), STATUS.format(400)),
    "an error that is a string": (respond(b'{"error": "no"}', 400), STATUS.format(400)),
    "an error with a number as its message": (respond(b'{"error": {"message": 7}}', 400), STATUS.format(400)),
    "a nested error": (respond(b'{"error":' + b"[" * 100_000, 400), STATUS.format(400)),
    "an error that is lost": (respond(b'{"error": {"message": "no"}}', 400, sent=5), LOST),
    "an internal error": (respond(b"Internal Server Error", 500), FAILED.format(500)),
    "an error of a proxy": (respond(HTML, 502), FAILED.format(502)),
    "an endless error": (endless(b"<p>no</p>" * 10_000, 404), STATUS.format(404)),
    "a redirect": (
        respond(status=301, Location="https://me:word@example.org/v1\x1b[2J/score"),
        "URL is no server of this project: it redirects to https://***@example.org/v1 [2J/score: check --url",
    ),
    "a redirect to nowhere": (respond(status=302), STATUS.format(302)),
    "a redirect to no address": (
        respond(status=307, Location="http://[::1\xe9"),
        "URL is no server of this project: it redirects to http://[::1\xe9: check --url",
    ),
    "an endless redirect": (
        endless(b"moved" * 10_000, 308, Location="/"),
        "URL is no server of this project: it redirects to /: check --url",
    ),
    "no answer": (respond_raw(b""), LOST),
    "another protocol": (respond_raw(b"SSH-2.0-OpenSSH_9.6\r\n"), NO_HTTP),
    "too many headers": (respond(**{f"X{number}": "" for number in range(200)}), NO_HTTP),
    "two lengths": (respond(b"", Content_Length="5, 6"), FORM),
    "a broken connection": (respond(as_json({"data": [SCORE]}), sent=20, **EVENTS), LOST),
    "a broken chunk": (
        respond_raw(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n50\r\ndata: {"),
        LOST,
    ),
    "broken compression": (respond(b"nonsense", Content_Encoding="gzip", **EVENTS), FORM),
    "a connection that hangs": (hang(), LATE),
    "a body that hangs": (hang(b'{"data": [', **EVENTS), LATE),
    "a body that drips": (drip(b" " * 1000, WAIT_SECONDS / 5, **EVENTS), LATE),
    "an endless line": (endless(b"data: x" * 10_000, **EVENTS), FORM),
    "an endless body": (endless(b"\n" * 60_000, **EVENTS), FORM),
}
# Answers that are wrong for one path only, in the form of its right answers.
WRONG_SCORES: dict[str, dict[str, Any]] = {
    "a string as words": {"words": "2"},
    "a list as metric": {"perplexity": [4.0]},
    "a number as token": {"tokens": [{"token": 7, "surprisal": None, "unknown": False}] * 2},
    "other tokens": {"tokens": ["to", "zzyzx"]},
    "fewer tokens": {"tokens": []},
    "other scored words": {"scored_words": 2},
    "no rate": {"unknown_rate": None},
    "NaN": {"surprisal": float("nan")},
}
WRONG_NEXT: dict[str, dict[str, Any]] = {
    "a string as probability": {"words": [{"word": "be", "probability": "0.25"}]},
    "a negative probability": {"unknown": -0.5},
    "an infinite probability": {"unknown": float("inf")},
    "pairs": {"words": [["be", 0.25]]},
    "no list": {"words": {"be": 0.25}},
}
EARLY = "URL: the server ended its answer too early: try again"
WRONG_STREAMS = {
    "nonsense": (b"data: nonsense\n\n", FORM),
    "an empty object": (b"data: {}\n\n", FORM),
    "an empty choice": (b'data: {"choices": [{}]}\n\n', FORM),
    "a number as text": (b'data: {"choices": [{"index": 0, "text": 7, "finish_reason": null}]}\n\n', FORM),
    "half a surrogate pair": (b'data: {"choices": [{"index": 0, "text": "\\ud83d", "finish_reason": null}]}\n\n', FORM),
    "a chat": (b'data: {"choices": [{"index": 0, "delta": {"content": " to"}, "finish_reason": null}]}\n\n', FORM),
    "another text": (event(1, " to", "length") + b"data: [DONE]\n\n", FORM),
    "a text that goes on": (event(0, " to", "length") + event(0, " be", "length"), FORM),
    "an error that is a string": (event(0, " to") + b'data: {"error": "no"}\n\n', FORM),
    "nothing": (b"", EARLY),
    "no event": (b"hello\n", EARLY),
    "no text": (b"data: [DONE]\n\n", EARLY),
    "half a text": (event(0, " to"), EARLY),
    "half a text as if whole": (event(0, " to") + b"data: [DONE]\n\n", EARLY),
}


@pytest.fixture(scope="module")
def running_server() -> Iterator[FaultyServer]:
    """The server of all tests."""
    with faulty_server() as running:
        yield running


@pytest.fixture
def server(running_server: FaultyServer) -> FaultyServer:
    """A server that answers as ours does, until a test says otherwise."""
    running_server.requests.clear()
    for path, answer in RIGHT.items():
        running_server.put(path, answer)
    return running_server


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which commands run, with clients that read less than usual."""
    shutil.copy(PROJECT / "params.yaml", tmp_path)
    (tmp_path / "text.txt").write_text("to zzyzx\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("LSTM_LM_API_KEY", raising=False)
    monkeypatch.setattr(remote_model, "MAX_ANSWER_BYTES", 300_000)
    monkeypatch.setattr(remote_model, "MAX_EVENT_BYTES", 100_000)
    return tmp_path


def failure(command: list[str], url: str) -> str:
    """What a command reports, in one line."""
    with pytest.raises(UserError) as raised:
        app.main([*command, "--url", url])
    message = str(raised.value)
    assert message.isprintable()
    return message.replace(url, "URL")


@pytest.mark.parametrize("request_name", REQUESTS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_of_another_server_is_one_line(
    kind: str, request_name: str, server: FaultyServer, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (command, path), (answer, message) = REQUESTS[request_name], KINDS[kind]
    if message == LATE:
        monkeypatch.setattr(remote_model, "ANSWER_SECONDS", WAIT_SECONDS)
    server.put(path, answer)
    assert failure(command, server.url) == message.replace("PATH", path)


@pytest.mark.parametrize("changes", WRONG_SCORES.values(), ids=WRONG_SCORES)
@pytest.mark.parametrize("request_name", ["sample: score", "next: score", "score: score"])
def test_a_score_with_a_wrong_value_is_one_line(request_name: str, changes: dict[str, Any], server: FaultyServer, project: Path) -> None:
    server.put(SCORE_PATH, respond(as_json({"data": [SCORE | changes]})))
    assert failure(REQUESTS[request_name][0], server.url) == FORM.replace("PATH", SCORE_PATH)


@pytest.mark.parametrize("changes", WRONG_NEXT.values(), ids=WRONG_NEXT)
def test_next_words_with_a_wrong_value_are_one_line(changes: dict[str, Any], server: FaultyServer, project: Path) -> None:
    server.put(NEXT_PATH, respond(as_json({"data": [NEXT | changes]})))
    assert failure(["next", "to be"], server.url) == FORM.replace("PATH", NEXT_PATH)


@pytest.mark.parametrize(("content", "message"), WRONG_STREAMS.values(), ids=WRONG_STREAMS)
def test_a_stream_that_is_wrong_is_one_line(content: bytes, message: str, server: FaultyServer, project: Path) -> None:
    server.put(COMPLETIONS_PATH, respond(content, **EVENTS))
    assert failure(["sample", "to be"], server.url) == message.replace("PATH", COMPLETIONS_PATH)


REFUSAL = {"message": "max_tokens = 2000:\n must be\x1b[2J at most 1000", "param": "max_tokens", "code": None}
REFUSED = "the server at URL refuses the request: --max-words = 2000:  must be [2J at most 1000"


@pytest.mark.parametrize(
    "answer",
    [respond(as_json({"error": REFUSAL}), 400), respond(event(0, " to") + b"data: " + as_json({"error": REFUSAL}) + b"\n\n", **EVENTS)],
)
def test_a_refusal_is_reported_with_the_flag_that_it_is_about(answer: Answer, server: FaultyServer, project: Path) -> None:
    server.put(COMPLETIONS_PATH, answer)
    assert failure(["sample", "to be"], server.url) == REFUSED


def test_what_a_server_answers_is_shown(server: FaultyServer, project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    note = "note: the model does not know these tokens of the prompt: zzyzx\n"
    app.main(["sample", "to zzyzx", "--url", f"{server.url}/v1/"])
    assert capsys.readouterr() == ("to be or\n", note)
    app.main(["next", "to zzyzx", "--url", server.url])
    shown = capsys.readouterr()
    assert [line.split() for line in shown.out.splitlines()[1:3]] == [["be", "25.00%"], ["(other", "known", "tokens)", "25.00%"]]
    assert shown.err == note
    server.put(SCORE_PATH, respond(as_json({"data": [SCORE | {"adjusted_perplexity": None}]})))  # greater than JSON allows
    app.main(["score", "text.txt", "--words", "--url", server.url])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines[1:3] == [["to", "-"], ["zzyzx", "2.00", "unknown"]]
    assert [line[:3] for line in lines if line[:2] == ["adjusted", "perplexity"]] == [["adjusted", "perplexity", "inf"]]


def test_a_prompt_that_the_server_does_not_score_is_reported_by_the_next_request(server: FaultyServer, project: Path) -> None:
    refusal = as_json({"error": {"message": "prompt: contains no words", "param": "prompt"}})
    server.put(SCORE_PATH, respond(as_json({"error": {"message": "text: contains no words"}}), 400))
    for command, path in (["sample", "?"], COMPLETIONS_PATH), (["next", "?"], NEXT_PATH):
        server.put(path, respond(refusal, 400))
        assert failure(command, server.url) == "the server at URL refuses the request: prompt: contains no words"


@pytest.fixture(scope="module")
def file_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of `python -m http.server`."""
    command = [sys.executable, "-u", "-m", "http.server", "--bind", "127.0.0.1", "0"]
    folder = tmp_path_factory.mktemp("files")
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().split("(")[1].split(")")[0].rstrip("/")
        process.terminate()


@pytest.mark.slow
@pytest.mark.parametrize("command", [["sample", "to be"], ["next", "to be"], ["score", "text.txt"]], ids=lambda command: command[0])
def test_a_command_ends_with_one_line_and_an_exit_code(command: list[str], file_server: str, project: Path) -> None:
    done = run([sys.executable, str(PROJECT / "src/cli.py"), *command, "--url", file_server], project, check=False)
    assert done.stdout == f"error: {file_server} is no server of this project: it answers with status 501: check --url\n"
    assert done.returncode == 1


def test_without_a_server_the_message_says_how_to_start_one(free_port: int, project: Path) -> None:
    expected = "no server answers at URL: Connection refused: start one with: make serve"
    assert failure(["sample", "to be"], f"http://127.0.0.1:{free_port}") == expected


def test_a_server_without_encryption_is_reported(server: FaultyServer, project: Path) -> None:
    assert failure(["next", "to be"], server.url.replace("http", "https")).startswith("URL: no secure connection: ")


def test_a_password_in_an_address_is_not_shown(server: FaultyServer, project: Path) -> None:
    server.put(SCORE_PATH, respond(status=404))
    with pytest.raises(UserError, match=r"^http://\*\*\*@127\.0\.0\.1:[0-9]+ is no server of this project: it answers with status 404: "):
        app.main(["next", "to be", "--url", server.url.replace("//", "//me:word@")])


def test_the_key_is_sent_and_neither_a_proxy_nor_netrc_interferes(
    server: FaultyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for key in (" secret\n", None):
        assert [each.word for each in RemoteModel(server.url, key).next_words("to be", 3).words] == ["be"]
    assert [headers.get("Authorization") for _, headers in server.requests] == ["Bearer secret", None]


@pytest.mark.parametrize("url", ["", "127.0.0.1:5001", "ftp://host", "http://", "http://host:nonsense", "http://[::1"])
def test_an_address_that_is_none_is_reported(url: str) -> None:
    with pytest.raises(UserError, match=r"must be the address of a server, such as http://127\.0\.0\.1:5001$"):
        RemoteModel(url, None)


@pytest.mark.parametrize("host", [".example", "a..b", f"{'a' * 64}.example"])
def test_an_address_that_cannot_be_asked_is_reported(host: str, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in ("http", "all"):
        monkeypatch.delenv(f"{kind}_proxy", raising=False)
        monkeypatch.delenv(f"{kind.upper()}_PROXY", raising=False)
    assert failure(["next", "to be"], f"http://me:secret@{host}") == f"http://***@{host}: no request can be sent there: check --url"


@pytest.mark.parametrize("proxy", ["http://me:secret@host:99999", "http://me:secret/secret@host", "http://me:secret@a..b"])
@pytest.mark.parametrize("variable", ["https_proxy", "all_proxy"])
def test_a_proxy_that_cannot_be_asked_is_reported_without_its_password(
    variable: str, proxy: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, proxy)
    message = f"URL: no request can be sent there: check --url, and the address of the proxy in {variable}"
    assert failure(["next", "to be"], "https://host.invalid") == message


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
