"""A place with small images, and a client of the studio's routes on it."""

from __future__ import annotations

import asyncio
import csv
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from PIL import Image

from manyheads.data.data_settings import ImageSettings
from manyheads.errors import ManyheadsError
from manyheads.run.pipeline import run_study
from manyheads.run.plan import RunOptions
from manyheads.study.space import Grid
from manyheads.web.studio.data_routes import data_router
from manyheads.web.studio.understand_routes import understand_router
from manyheads.web.studio.workspace import StudioPlace
from tests.small_study import small_settings
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


def coloured_photos(place: Path, *, each: int = 16, wrong: int = 2) -> dict[str, str]:
    """Noisy pictures of one colour for each class, and photos.csv, which labels some of them wrong.

    Returns the right class of each image with a wrong label, by its name.
    """
    random = np.random.default_rng(0)
    rows: list[list[str]] = []
    right: dict[str, str] = {}
    for split, count in (("train", each), ("validation", each // 2)):
        for channel, label in enumerate(CLASSES):
            folder = place / "pictures" / split
            folder.mkdir(parents=True, exist_ok=True)
            for number in range(count):
                pixels = random.integers(0, 90, (64, 64, 3))
                pixels[..., channel] += 150
                name = f"pictures/{split}/{label}-{number:02d}.png"
                Image.fromarray(pixels.astype(np.uint8)).save(place / name)
                given = label
                if number < wrong:
                    given = CLASSES[(channel + 1) % len(CLASSES)]
                    right[name] = label
                rows.append([name, given, split])
    with (place / "photos.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["path", "label", "split"], *rows])
    return right


def small_run(place: Path, data: str, run: str, *, models: bool = True, **changes: Any) -> None:
    """A finished study of data of the place, on a small backbone with random weights."""
    settings = small_settings(
        place / data, image=ImageSettings(size=64), epochs=30,
        grid=Grid((0.01,), (16,), (0.0, 0.5)), **changes,
    )  # fmt: skip
    run_study(settings, place / run, options=RunOptions(models=models))


class StudioClient:
    """Asks the routes of a place as a page does: JSON there and back."""

    def __init__(self, place: Path) -> None:
        self.desk = StudioPlace(place)
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
