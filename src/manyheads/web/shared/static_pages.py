"""Files of a package that an application sends: each by its exact name, read when it starts."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import PurePosixPath
from typing import NamedTuple

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".webmanifest": "application/manifest+json",
}
"""The kinds of files that are sent; others in a folder are not."""


class StaticFile(NamedTuple):
    """The content of a file, its type, and a tag that changes with the content."""

    content: bytes
    type: str
    tag: str

    def answer(self, request: Request) -> Response:
        """The file, or word that the client's copy is still it."""
        headers = {"ETag": self.tag, "Cache-Control": "no-cache"}
        known = request.headers.get("if-none-match", "")
        if self.tag in (each.strip().removeprefix("W/") for each in known.split(",")):
            return Response(status_code=304, headers=headers)
        return Response(self.content, media_type=self.type, headers=headers)


def add_static(app: FastAPI, name: str, folder: Traversable) -> None:
    """Send the files in and below `folder` under `/static/NAME/`.

    `folder` is a `Path`, or a folder of a package. Its files are read now; a request names one of
    them or is answered with 404, so that no name leads anywhere else.
    """
    files = {
        path: _file(path, each.read_bytes())
        for path, each in _below(folder)
        if PurePosixPath(path).suffix in TYPES
    }

    async def static_file(path: str, request: Request) -> Response:
        if path not in files:
            raise HTTPException(404)
        return files[path].answer(request)

    app.add_api_route(
        f"/static/{name}/{{path:path}}", static_file, methods=["GET", "HEAD"],
        include_in_schema=False,
    )  # fmt: skip


def add_page(app: FastAPI, address: str, file: Traversable) -> None:
    """Send one file, such as a folder's `index.html`, at `address`."""
    known = _file(file.name, file.read_bytes())

    async def page(request: Request) -> Response:
        return known.answer(request)

    app.add_api_route(address, page, methods=["GET", "HEAD"], include_in_schema=False)


def _file(path: str, content: bytes) -> StaticFile:
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return StaticFile(content, TYPES[PurePosixPath(path).suffix], tag)


def _below(folder: Traversable, before: str = "") -> Iterator[tuple[str, Traversable]]:
    for each in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if each.is_dir():
            yield from _below(each, f"{before}{each.name}/")
        elif each.is_file():
            yield f"{before}{each.name}", each
