import asyncio
import json
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from lstm_lm.serving.app.door import Door
from lstm_lm.serving.app.settings import ServerSettings

SETTINGS = ServerSettings(
    hosts=("127.0.0.1:5001", "localhost"), origins=("http://127.0.0.1:5001",), max_body_bytes=10, max_body_seconds=0.05
)
JSON_TYPE = {"content-type": "application/json"}


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    message = await receive() if scope["method"] == "POST" else {"body": b"ok"}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": message.get("body", message["type"].encode() if "type" in message else b"")})


def call(
    method: str = "GET",
    path: str = "/v1/models",
    body: list[bytes] | None = None,
    key: bytes | None = None,
    settings: ServerSettings = SETTINGS,
    ending: str = "complete",
    **headers: str,
) -> tuple[int, Any, dict[bytes, bytes]]:
    """Send a request through the door; `ending` of the body: complete, left (the client disconnects) or stuck (nothing comes)."""
    sent: list[Message] = []
    given = {"host": "127.0.0.1:5001", **({} if body is None else {"transfer-encoding": "chunked"}), **headers}
    pending = [{"type": "http.request", "body": part, "more_body": True} for part in body or []]

    async def receive() -> Message:
        if pending:
            return pending.pop(0)
        if ending == "stuck":
            await asyncio.sleep(60)
        return {"type": "http.disconnect"} if ending == "left" else {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in given.items()]
    scope = {"type": "http", "method": method, "path": path, "headers": raw}
    asyncio.run(Door(echo, settings, key, ["/healthz"])(scope, receive, send))
    content = b"".join(message.get("body", b"") for message in sent)
    return (sent[0]["status"], content, dict(sent[0]["headers"])) if sent else (0, content, {})


def error(content: bytes) -> str:
    value = json.loads(content)
    return str(value["error"]["message"] if "error" in value else value["message"])


def test_a_request_passes_with_its_body() -> None:
    assert call()[:2] == (200, b"ok")
    assert call("POST", body=[b"01234", b"56789"])[:2] == (200, b"0123456789")


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1:5002", ""])
def test_a_foreign_name_is_refused(host: str) -> None:
    status, content, _ = call(host=host)
    assert status == 421
    assert "none of this server's names" in error(content)
    assert call(host=host, settings=ServerSettings())[0] == 200


def test_pages_of_other_sites_may_not_change_anything() -> None:
    assert call("POST", body=[b"x"], origin="http://127.0.0.1:5001")[0] == 200
    assert call("GET", origin="http://evil.example")[0] == 200  # without CORS headers, the page cannot read the answer
    assert call("POST", body=[b"x"], origin="http://evil.example")[0] == 403
    assert call("POST", body=[b"x"], origin="null")[0] == 403


def test_a_key_is_asked_for_except_where_probes_go() -> None:
    for wrong in ({}, {"authorization": "Bearer wrong"}, {"authorization": "Basic secret"}, {"authorization": "Bearer \xff"}):
        status, content, headers = call(key=b"secret", **wrong)
        assert status == 401
        assert "Authorization: Bearer KEY" in error(content)
        assert headers[b"www-authenticate"] == b"Bearer"
        assert b"secret" not in content
    assert call(key=b"secret", authorization="Bearer secret")[0] == 200
    assert call(key="sécret".encode(), authorization="Bearer sécret".encode().decode("latin-1"))[0] == 200
    assert call(path="/healthz", key=b"secret")[0] == 200


def test_a_large_body_is_refused_with_and_without_its_length() -> None:
    for headers in ({}, {"content-length": "11"}, {"content-length": "999999999", "expect": "100-continue"}):
        status, content, answer_headers = call("POST", body=[b"0123456789", b"x"], **headers)
        assert status == 413
        assert error(content) == "the body is too large: at most 10 bytes are allowed"
        assert answer_headers[b"connection"] == b"close"
    assert call("POST", body=[b"0123456789"] * 1000)[0] == 413  # the end of an endless body is not waited for


def test_a_slow_body_is_refused() -> None:
    status, content, _ = call("POST", body=[b"01"], ending="stuck")
    assert status == 408
    assert error(content) == "the body did not arrive within 0.05 s"


def test_a_client_that_leaves_before_its_body_is_complete_is_not_mistaken_for_one_with_a_short_body() -> None:
    assert call("POST", body=[b"01"], ending="left") == (0, b"", {})
