"""The page at / and its files: static, from this server only."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fastapi import FastAPI, Request, Response

from lstm_lm.serving.app.problems import Problem

FOLDER = Path(__file__).parent / "page"
INDEX = "index.html"
ROUTE = "page"  # name of the routes of the files
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
}
# The page loads nothing from elsewhere, runs no code but its own files, and no other page may frame it.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; "
    "manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


class PageFile:
    """A file of the page, kept in memory."""

    def __init__(self, path: Path) -> None:
        """Read it."""
        self.content = path.read_bytes()
        self.headers = {**HEADERS, "ETag": f'"{hashlib.sha256(self.content).hexdigest()[:16]}"'}
        self.type = TYPES[path.suffix]

    async def get(self, request: Request) -> Response:
        """Return the file, or 304 if the browser has it."""
        if request.headers.get("if-none-match") == self.headers["ETag"]:
            return Response(status_code=304, headers=self.headers)
        return Response(self.content, headers=self.headers, media_type=self.type)


def paths(folder: Path = FOLDER) -> dict[str, Path]:
    """Return the files of the page by the paths under which they are served."""
    files = {
        f"/{file.relative_to(folder).as_posix()}": file for file in sorted(folder.rglob("*")) if file.is_file() and file.suffix in TYPES
    }
    return {"/": files[f"/{INDEX}"], **files} if f"/{INDEX}" in files else files


def add(app: FastAPI, folder: Path = FOLDER) -> list[str]:
    """Add the page to an application.

    Returns:
        Its paths.
    """
    found = paths(folder)
    for path, file in found.items():
        app.add_api_route(path, PageFile(file).get, methods=["GET", "HEAD"], include_in_schema=False, name=ROUTE)
    if "/" not in found:
        app.add_api_route("/", _missing, methods=["GET", "HEAD"], include_in_schema=False)
    return ["/", *found]


async def _missing() -> Response:
    raise Problem(404, "this installation has no page: use the API, such as /v1/completions")
