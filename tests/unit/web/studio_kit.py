"""A place with small images, and a client of the studio's routes on it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse

from manyheads.errors import ManyheadsError
from manyheads.web.studio.data_routes import data_router
from manyheads.web.studio.understand_routes import understand_router
from manyheads.web.studio.workspace import Workspace
from tests.strategies import distinct_image

CLASSES = ("cat", "dog", "owl")


def small_photos(place: Path, *, each: int = 4, name: str = "photos", size: int = 40) -> Path:
    """Folders of so many images of each class in two splits, below `place`."""
    for split in ("train", "validation"):
        for label in CLASSES:
            folder = place / name / split / label
            folder.mkdir(parents=True)
            for number in range(each):
                image = distinct_image(f"{split} {label} {number}", size)
                image.save(folder / f"{number}.png")
    return place / name


class StudioClient:
    """Asks the routes of a place as a page does: JSON there and back."""

    def __init__(self, place: Path) -> None:
        self.desk = Workspace(place)
        self._app = FastAPI()
        self._app.include_router(data_router(self.desk))
        self._app.include_router(understand_router(self.desk))
        self._app.add_exception_handler(ManyheadsError, _refused)

    def ask(self, method: str, address: str, **options: Any) -> httpx.Response:
        """The answer of an address under /api."""

        async def sent() -> httpx.Response:
            transport = httpx.ASGITransport(self._app)
            async with httpx.AsyncClient(transport=transport, base_url="http://studio") as client:
                return await client.request(method, f"/api/{address}", **options)

        return asyncio.run(sent())

    def get(self, address: str, status: int = 200, **query: Any) -> Any:
        """The JSON of an address under /api."""
        answer = self.ask("GET", address, params=query)
        assert answer.status_code == status, answer.text
        return answer.json()

    def post(self, address: str, status: int = 200, **body: Any) -> Any:
        """The JSON that comes back for a body."""
        answer = self.ask("POST", address, json=body)
        assert answer.status_code == status, answer.text
        return answer.json()

    def open(self, name: str) -> dict[str, Any]:
        """Open data and return their state."""
        self.post("data/open", name=name)
        self.desk.opened()
        return self.state()

    def state(self) -> dict[str, Any]:
        """The state of the data that are open."""
        return self.get("data")["current"]

    def number(self, name: str) -> int:
        """The number of an image by its name."""
        opened = self.desk.opened()
        assert opened is not None
        return opened.places[name]

    def decide(self, kind: str, *names: str, value: str = "", status: int = 200) -> Any:
        """Decide about images by their names."""
        of, images = self.state()["token"], [self.number(name) for name in names]
        return self.post("data/decide", status, of=of, kind=kind, images=images, value=value)


async def _refused(_: Request, error: Exception) -> JSONResponse:
    return JSONResponse({"error": str(error)}, 400)
