"""The routes of the studio's Data: open a data set, look at it, and decide about its images."""

from __future__ import annotations

import shlex
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from manyheads.backbones.backbone_catalogue import RECOMMENDED
from manyheads.data.splits import SPLITS
from manyheads.errors import DataError
from manyheads.web.studio.background_task import BackgroundTask
from manyheads.web.studio.data_checking import AskedCheck, checked_findings, known_findings
from manyheads.web.studio.data_findings import TITLES, CheckFindings, finding_page, summary
from manyheads.web.studio.data_listing import data_choices
from manyheads.web.studio.opened_data import OpenedData
from manyheads.web.studio.pictures import PictureCache, thumbnail_response, words_response
from manyheads.web.studio.workspace import StudioPlace

_QUICK = 0.7  # seconds that a request waits for work that may be done at once
_PAGE = 200  # images or findings of one answer
_STEPS = 100  # of the log that a page shows
_MOST = 100_000  # images of one decision


class OpenBody(BaseModel):
    """Which data to open, by their name in the place."""

    name: str = Field(max_length=4096)


class CheckBody(BaseModel):
    """What to look for, and by which backbone."""

    labels: bool = False
    similar: bool = False
    backbone: str = Field("xception", max_length=200)
    image_size: int | None = Field(None, ge=32, le=2048)
    weights: str | None = Field(None, max_length=40)


class DecideBody(BaseModel):
    """A decision about images of the data `of`, by their numbers."""

    of: str = Field(max_length=64)
    kind: str = Field(max_length=40)
    images: list[int] = Field(max_length=_MOST)
    value: str = Field("", max_length=1000)


class StepBody(BaseModel):
    """The data whose last step is meant."""

    of: str = Field(max_length=64)


class ManifestBody(StepBody):
    """The name of a new manifest; None: the usual one."""

    name: str | None = Field(None, max_length=255)


class _Desk:
    """What the routes share: the place, its thumbnails, and the check of what is open."""

    def __init__(self, desk: StudioPlace, pictures: PictureCache) -> None:
        self.place, self.pictures = desk, pictures
        self._lock = threading.Lock()
        self._check: tuple[str, BackgroundTask[CheckFindings]] | None = None

    def opened(self, token: str | None = None) -> OpenedData:
        """The opened data, which must be those of the `token`."""
        opened = self.place.opened()
        if opened is None:
            raise DataError("data that are open", "none", "open a folder or a manifest first")
        if token is not None:
            opened.require(token)
        return opened

    def check(self, opened: OpenedData) -> BackgroundTask[CheckFindings] | None:
        """The check of the opened data in this process, ended or not."""
        with self._lock:
            known = self._check
        return known[1] if known is not None and known[0] == opened.token else None

    def begin_check(self, opened: OpenedData, asked: AskedCheck) -> None:
        """Begin a check; raises `DataError` while another one is at work."""
        own = self.place.own
        with self._lock:
            if self._check is not None and self._check[1].running:
                raise DataError(
                    "no other check at work", "one", "wait until it has ended, or stop it"
                )
            task = self.place.begin(
                f"checking {opened.name}", lambda job: checked_findings(own, opened, asked, job)
            )
            self._check = opened.token, task
        task.wait(_QUICK)

    def findings(self, opened: OpenedData) -> CheckFindings | None:
        """What the last check found, of this process or of an earlier one."""
        task = self.check(opened)
        if task is not None and task.result is not None:
            return task.result
        return known_findings(self.place.own, opened)

    def check_document(self, opened: OpenedData) -> dict[str, Any]:
        """How far the check is, and what the last one found."""
        task, found = self.check(opened), self.findings(opened)
        return {
            "task": None if task is None else task.document,
            "found": None if found is None else summary(opened, found),
        }

    def state(self) -> dict[str, Any]:
        """What is open, or being opened."""
        opening = self.place.opening
        if opening is None:
            return {"current": None, "opening": None}
        opening.wait(_QUICK)
        if opening.running or opening.error is not None:
            return {"current": None, "opening": opening.document}
        opened = opening.finished()
        return {
            "opening": None,
            "current": self.document(opened) | {"check": self.check_document(opened)},
        }

    def document(self, opened: OpenedData) -> dict[str, Any]:
        """The opened data with what was decided, as plain data; nothing grows with the images."""
        view, log, dataset = opened.view, opened.log, opened.dataset
        counts = view.counts()
        steps, undone = log.steps, log.undone
        written = opened.written
        used = opened.name if written is None else self.place.name_of(written)
        return {
            "name": opened.name,
            "token": opened.token,
            "title": dataset.name,
            "layout": dataset.layout,
            "images": len(dataset),
            "splits": list(SPLITS),
            "divided": dataset.divided is not None,
            "left_out": dataset.left_out,
            "remarks": list(dataset.remarks),
            "classes": [
                {"name": name, "counts": counts[place].tolist(), "new": place >= given}
                for given in [len(dataset.classes)]
                for place, name in enumerate(view.classes)
            ],
            "changed": int(view.changed.sum()),
            "out": int(view.out.sum()),
            "missing": view.missing,
            "problem": opened.problem,
            "steps": [{"words": each.words, "when": each.when} for each in steps[-_STEPS:]],
            "step_count": len(steps),
            "redo": undone[-1].words if undone else None,
            "manifest": None if written is None else self.place.name_of(written),
            "commands": [
                shlex.join(["manyheads", "check", used, "--labels"]),
                shlex.join(["manyheads", "fit", used]),
            ],
        }


def data_router(desk: StudioPlace, pictures: PictureCache | None = None) -> APIRouter:
    """The routes under /api/data of the place's data sets.

    Thumbnails are kept in `pictures`, which may be shared. Routes raise `ManyheadsError`s. When
    the application ends, what is at work in the place is stopped.
    """

    @asynccontextmanager
    async def life(_: Any) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(desk.close)

    router = APIRouter(prefix="/api/data", lifespan=life)
    own = _Desk(desk, pictures or PictureCache())
    _add_reading(router, own)
    _add_deciding(router, own)
    return router


def _add_reading(router: APIRouter, own: _Desk) -> None:
    @router.get("")
    def state() -> dict[str, Any]:
        return own.state() | {"backbones": list(RECOMMENDED)}

    @router.get("/choices")
    def choices() -> dict[str, Any]:
        return {"choices": [vars(each) for each in data_choices(own.place.place)]}

    @router.post("/open")
    def open_data(body: OpenBody) -> dict[str, Any]:
        own.place.open(body.name)
        return own.state()

    @router.post("/open/stop")
    def stop_opening() -> dict[str, Any]:
        if (opening := own.place.opening) is not None:
            opening.stop()
        return own.state()

    @router.get("/images")
    def images(
        of: str,
        split: str | None = None,
        label: str | None = None,
        state: str = "all",
        start: Annotated[int, Query(ge=0)] = 0,
        count: Annotated[int, Query(ge=1, le=_PAGE)] = 60,
    ) -> dict[str, Any]:
        opened = own.opened(of)
        found = opened.chosen(split, label, state)
        shown = found[start : start + count].tolist()
        return {"total": len(found), "images": [opened.image(image) for image in shown]}

    @router.get("/pictures/{number}")
    def picture(number: int, of: str, request: Request, size: int = 192) -> Response:
        try:
            opened = own.opened(of)
        except DataError:  # of a page that still shows the data that were open before
            return words_response("of other data")
        (image,) = opened.known([number])
        path, digest = opened.dataset.paths[image], opened.dataset.digests[image]
        return thumbnail_response(request, own.pictures, path, digest, size)

    @router.get("/check")
    def check() -> dict[str, Any]:
        return own.check_document(own.opened())

    @router.get("/findings")
    def findings(
        of: str,
        kind: str,
        start: Annotated[int, Query(ge=0)] = 0,
        count: Annotated[int, Query(ge=1, le=_PAGE)] = 24,
        settled: bool = False,
    ) -> dict[str, Any]:
        opened = own.opened(of)
        found = own.findings(opened)
        if found is None or kind not in TITLES:
            raise DataError(f"findings of a check ({', '.join(TITLES)})", "none", "check first")
        return finding_page(opened, found, kind, start, count, all_=settled)


def _add_deciding(router: APIRouter, own: _Desk) -> None:
    def answer(opened: OpenedData, words: str) -> dict[str, Any]:
        state = own.document(opened) | {"check": own.check_document(opened)}
        return {"current": state, "said": words}

    @router.post("/check")
    def begin_check(body: CheckBody) -> dict[str, Any]:
        asked = AskedCheck(**body.model_dump())
        asked.require()
        opened = own.opened()
        own.begin_check(opened, asked)
        return own.check_document(opened)

    @router.post("/check/stop")
    def stop_check() -> dict[str, Any]:
        opened = own.opened()
        if (task := own.check(opened)) is not None:
            task.stop()
            task.wait(_QUICK)
        return own.check_document(opened)

    @router.post("/decide")
    def decide(body: DecideBody) -> dict[str, Any]:
        opened = own.opened(body.of)
        step = opened.decide(body.kind, body.images, body.value)
        return answer(opened, step.words)

    @router.post("/undo")
    def undo(body: StepBody) -> dict[str, Any]:
        opened = own.opened(body.of)
        return answer(opened, f"Undone: {opened.log.undo().words}")

    @router.post("/redo")
    def redo(body: StepBody) -> dict[str, Any]:
        opened = own.opened(body.of)
        return answer(opened, f"Done again: {opened.log.redo().words}")

    @router.post("/manifest")
    def manifest(body: ManifestBody) -> dict[str, Any]:
        opened = own.opened(body.of)
        file = opened.manifest(body.name or None)
        if file is None:
            raise DataError("something decided", "nothing", "the data themselves are what to use")
        return answer(opened, f"Written: {own.place.name_of(file)}")
