"""A server for the page of a service: its files, made-up answers, and what a test asks of it."""

from __future__ import annotations

import base64
import hashlib
import io
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, JSONResponse, Response
from fastapi.staticfiles import StaticFiles
from PIL import Image
from starlette.datastructures import UploadFile

import manyheads.web.service
import manyheads.web.shared
from manyheads.core.label_sets import set_text
from manyheads.models.prediction import Prediction
from manyheads.models.prediction_rows import RowForm

CSP = (
    "default-src 'self'; img-src 'self' blob: data:; style-src 'self'; script-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
)
CLASSES = ("dress", "hat", "t-shirt")
THRESHOLDS = (0.4, 0.2, 0.7)
"""Of the labels of `made_up_labels`: an image may be a dress and a hat at once."""
Predict = Callable[[list[tuple[str, bytes]]], list[Prediction]]


def made_up_about(name: str = "clothing", classes: tuple[str, ...] = CLASSES) -> dict[str, Any]:
    """All that can be known of a model."""
    thresholds = np.linspace(0, 1, 51).round(2).tolist()
    risk = [
        {
            "threshold": at,
            "coverage": round(1 - at**2, 4),
            "error": None if at == 1 else round(0.16 * (1 - at) ** 1.5, 4),
        }
        for at in thresholds
    ]
    counts = {each: 300 + 7 * place for place, each in enumerate(classes)}
    return {
        "name": name,
        "classes": list(classes),
        "backbone": "xception",
        "licence": "MIT",
        "image": {"size": 150, "words": "150×150, bicubic"},
        "data": {
            "name": "clothing",
            "images": 3409,
            "splits": {
                "train": {"images": 3068, "classes": counts},
                "validation": {"images": 341, "classes": counts},
            },
        },
        "made": {"date": "2026-11-30", "version": "0.1.0"},
        "expect": {
            "accuracy": {"value": 0.841, "low": 0.803, "high": 0.872},
            "log_loss": {"value": 0.512, "low": 0.44, "high": 0.6},
            "on": "new images like the 341 validation images",
        },
        "risk": risk,
        "risk_on": "341 validation images; mean of 10 seeds",
        "recalls": [
            {"class": each, "images": 34, "value": 0.8, "low": 0.7, "high": 0.9} for each in classes
        ],
        "warnings": [
            "Hardly anything is known of hat: fewer than 10 images of each were held out."
        ],
    }


def made_up_labels() -> dict[str, Any]:
    """All that can be known of a model of several labels per image."""
    about = made_up_about("garments")
    del about["recalls"]
    score = {"value": 0.83, "low": 0.78, "high": 0.87}
    scores = [
        {"label": each, "images": 34, "average_precision": score, "f1": score} for each in CLASSES
    ]
    return about | {"thresholds": list(THRESHOLDS), "labels": scores}


def several_predictions(images: list[tuple[str, bytes]]) -> list[Prediction]:
    """By the mean colour of an image, each label for itself."""
    found = made_up_predictions(images)
    return [each if each.error else _with_labels(each) for each in found]


def _with_labels(found: Prediction) -> Prediction:
    pairs = zip(found.probabilities.items(), THRESHOLDS, strict=True)
    said = tuple(name for (name, chance), least in pairs if chance > least)
    sure = min(p if name in said else 1 - p for name, p in found.probabilities.items())
    return replace(found, label=set_text(said), labels=said, confidence=sure)


def made_up_predictions(images: list[tuple[str, bytes]]) -> list[Prediction]:
    """By the mean colour of an image: red is a dress, green a hat, blue a t-shirt."""
    return [_made_up(name, content) for name, content in images]


def _made_up(name: str, content: bytes) -> Prediction:
    try:
        pixels = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), np.float64)
    except OSError:
        return Prediction(name, None, float("nan"), {}, error="no image: it begins with hello")
    mean = pixels.mean(axis=(0, 1)) + 1
    chances: dict[str, float] = dict(zip(CLASSES, (mean / mean.sum()).tolist(), strict=True))
    label = max(chances, key=chances.__getitem__)
    return Prediction(name, label, chances[label], chances)


@dataclass
class PageServer:
    """A running server: where it is, what it was asked, and how it is to behave."""

    url: str = ""
    models: dict[str, tuple[dict[str, Any], Predict]] = field(default_factory=dict)
    busy: int = 0  # so many requests are answered with 503
    refused: dict[str, int] = field(default_factory=dict)  # a status by the name of an image
    broken: int = 0  # so many requests are answered with 500
    pause: float = 0.0
    asked: list[list[str]] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    contents: set[str] = field(default_factory=set)

    def reset(self) -> None:
        """As if nothing had been asked."""
        self.busy, self.broken, self.pause, self.refused = 0, 0, 0.0, {}
        self.asked, self.queries, self.contents = [], [], set()

    def app(self) -> FastAPI:
        """The application: what the page asks a service for."""
        app = FastAPI(openapi_url=None)
        for part in (manyheads.web.shared, manyheads.web.service):
            folder = Path(str(part.__file__)).parent
            app.mount(f"/static/{folder.name}", StaticFiles(directory=folder / "static"))
        index = Path(str(manyheads.web.service.__file__)).parent / "static" / "index.html"

        @app.middleware("http")
        async def guarded(request: Request, following: Any) -> Response:
            response = await following(request)
            response.headers["Content-Security-Policy"] = CSP
            response.headers["X-Content-Type-Options"] = "nosniff"
            return response

        app.add_api_route("/", lambda: FileResponse(index), response_model=None)
        app.add_api_route("/api/models", self._list)
        app.add_api_route(
            "/models/{name}/predict", self._predict, methods=["POST"], response_model=None
        )
        return app

    def _list(self) -> dict[str, Any]:
        return {"models": [about for about, _ in self.models.values()]}

    async def _predict(self, name: str, request: Request) -> Response:
        form = await request.form(max_files=100)
        files = [each for each in form.getlist("image") if isinstance(each, UploadFile)]
        images = [(each.filename or "", await each.read()) for each in files]
        await form.close()
        self.queries.append(str(request.url.query))
        if self.pause:
            time.sleep(self.pause)  # it is a test's own server
        if self.busy > 0:
            self.busy -= 1
            error = {"error": "expected room in the queue, found none; repeat the request"}
            return JSONResponse(error, 503, {"Retry-After": "1"})
        if self.broken > 0:
            self.broken -= 1
            return JSONResponse({"error": "expected a model, found that it is gone"}, 500)
        for each, _ in images:
            if each in self.refused:
                return JSONResponse({"error": f"{each} is too large"}, self.refused[each])
        self.asked.append([each for each, _ in images])
        self.contents |= {hashlib.sha256(content).hexdigest() for _, content in images}
        about, predict = self.models[name]
        classes = tuple(about["classes"])
        form_of_rows = RowForm(
            classes=classes,
            top=int(request.query_params["top"]),
            unlike="unknown" in request.query_params,
            several="thresholds" in about,
        )
        rows = [form_of_rows.document(each) for each in predict(images)]
        if "explain" in request.query_params:
            for row in rows:
                if "labels" in row:
                    row["explanations"] = [{"map": _map(), "class": e} for e in row["labels"]]
                else:
                    row["explanation"] = {"map": _map(), "class": row["label"]}
        return JSONResponse({"model": name, "predictions": rows})


def _map() -> str:
    content = io.BytesIO()
    Image.new("RGB", (64, 64), (213, 94, 0)).save(content, "PNG")
    return "data:image/png;base64," + base64.b64encode(content.getvalue()).decode()


@contextmanager
def serving(server: PageServer) -> Iterator[PageServer]:
    """Run the server in a thread on a free port of this machine."""
    config = uvicorn.Config(
        server.app(), host="127.0.0.1", port=0, log_level="error", lifespan="off", ws="none"
    )
    running = uvicorn.Server(config)
    thread = threading.Thread(target=running.run, name="page server")
    thread.start()
    try:
        while not running.started:
            assert thread.is_alive()
            time.sleep(0.01)
        port = running.servers[0].sockets[0].getsockname()[1]
        server.url = f"http://127.0.0.1:{port}/"
        yield server
    finally:
        running.should_exit = True
        thread.join()
