"""The application of `manyheads studio`: its pages, and the routes behind them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from importlib import resources
from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool

from manyheads.errors import ManyheadsError
from manyheads.web.shared.error_answers import add_error_answers, error_answer
from manyheads.web.shared.static_pages import add_page, add_static
from manyheads.web.studio.data_routes import data_router
from manyheads.web.studio.live_runs import TRAINING, LiveRuns
from manyheads.web.studio.place_words import PlaceWords
from manyheads.web.studio.run_catalog import RunCatalog
from manyheads.web.studio.run_processes import RunProcesses, StudioProcess
from manyheads.web.studio.run_routes import run_router
from manyheads.web.studio.tried_models import TriedModels
from manyheads.web.studio.understand_routes import understand_router
from manyheads.web.studio.use_routes import use_router
from manyheads.web.studio.workspace import StudioPlace

_NOT_THERE = ("the name of ", "the number of ")  # what was expected where there is none
_PARTS = ("shared", "service", "studio")  # Use shows the page of a service

Ended = Callable[[Sequence[StudioProcess]], object]


def studio_app(
    place: str | Path, desk: StudioPlace | None = None, *, ended: Ended | None = None
) -> FastAPI:
    """The studio on the folder `place`, without guards; `guarded` and `run_server` complete it.

    At its end, what it has started is asked to stop; `ended` gets the runs among that, which the
    same commands resume. Raises `DataError` unless `place` is a folder.
    """
    desk = desk or StudioPlace(Path(place))
    processes = RunProcesses(desk.own / "commands", desk.place)
    catalog = RunCatalog(desk)
    live, models = LiveRuns(desk, catalog, processes), TriedModels()

    @asynccontextmanager
    async def life(_: FastAPI) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(models.close)
        stopped = await run_in_threadpool(processes.close)
        if ended is not None:
            ended([each for each in stopped if each.kind in TRAINING])

    app = FastAPI(
        title="manyheads studio", docs_url=None, redoc_url=None, lifespan=life,
        description="Data, runs and models of a folder.",
    )  # fmt: skip
    add_error_answers(app)
    _add_words(app, PlaceWords(desk.place))

    @app.get("/api/place")
    def told_place() -> dict[str, str]:
        """The name of the folder that the studio is opened on."""
        return {"place": desk.place.name or "/"}

    app.include_router(run_router(desk, catalog, processes, live))
    app.include_router(use_router(desk, catalog, processes, models))
    app.include_router(data_router(desk))
    app.include_router(understand_router(desk))
    web = resources.files("manyheads.web")
    for name in _PARTS:
        add_static(app, name, web / name / "static")
    add_page(app, "/", web / "studio" / "static" / "index.html")
    return app


def _add_words(app: FastAPI, words: PlaceWords) -> None:
    """Answer errors without the paths of the machine; what is not there is 404."""

    def known(_: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, ManyheadsError)
        missing = str(getattr(error, "expected", "")).startswith(_NOT_THERE)
        status = getattr(error, "status", 404 if missing else 400)
        wait = getattr(error, "wait", None)  # where there is no place for more just now
        headers = {"Retry-After": str(wait)} if status == 503 and wait else None
        return error_answer(status, words.told(str(error)), headers)

    app.add_exception_handler(ManyheadsError, known)
