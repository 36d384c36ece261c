import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from lstm_lm.serving.app import page


@pytest.fixture
def get(tmp_path: Path) -> Callable[..., httpx.Response]:
    """A function that requests a path of an application with a page."""
    (tmp_path / "js").mkdir()
    (tmp_path / "index.html").write_text("<p>é</p>", encoding="utf-8")
    (tmp_path / "js/app.js").write_text("1")
    (tmp_path / "notes.txt").write_text("not served")
    app = FastAPI()
    assert set(page.add(app, tmp_path)) == {"/", "/index.html", "/js/app.js"}

    async def request(path: str, **headers: str) -> httpx.Response:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page") as client:
            return await client.get(path, headers=headers)

    return lambda path, **headers: asyncio.run(request(path, **headers))


def test_files_are_served_with_their_types_and_a_strict_policy(get: Callable[..., httpx.Response]) -> None:
    for path, kind in (("/", "text/html; charset=utf-8"), ("/js/app.js", "text/javascript; charset=utf-8")):
        response = get(path)
        assert (response.status_code, response.headers["content-type"]) == (200, kind)
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "http:" not in policy and "https:" not in policy and "unsafe" not in policy
    assert get("/").text == "<p>é</p>"


def test_a_browser_that_has_the_file_gets_it_once(get: Callable[..., httpx.Response]) -> None:
    tag = get("/").headers["etag"]
    assert get("/", **{"If-None-Match": tag}).status_code == 304


@pytest.mark.parametrize("path", ["/notes.txt", "/../page.py", "/%2e%2e/page.py", "/js", "/js/"])
def test_nothing_else_is_served(get: Callable[..., httpx.Response], path: str) -> None:
    assert get(path).status_code == 404
