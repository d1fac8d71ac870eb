"""The routes of the studio's Understand: what a finished run found, and on which images."""

from __future__ import annotations

import shlex
import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from manyheads.core.job import Job
from manyheads.errors import DataError, ManyheadsError, RunError
from manyheads.findings.held_out_comparison import compare_held_out
from manyheads.run.run_answers import RunAnswers, read_answers
from manyheads.run.run_folders import last_change, run_folders
from manyheads.web.studio.background_task import BackgroundTask
from manyheads.web.studio.opened_data import OpenedData
from manyheads.web.studio.pictures import PictureCache, thumbnail_response, words_response
from manyheads.web.studio.run_documents import relabelling_document, run_document
from manyheads.web.studio.run_looks import ModelLooks
from manyheads.web.studio.workspace import StudioPlace

_QUICK = 0.7  # seconds that a request waits for a run that is read
_KEPT = 4  # runs whose answers are kept
_PAGE = 200  # images of one answer
_NAME = 4096


class DoubtBody(BaseModel):
    """A decision about an image of a run, by its place among the held-out images."""

    run: str = Field(max_length=_NAME)
    image: int = Field(ge=0)
    kind: str = Field(max_length=40)
    value: str = Field("", max_length=1000)


@dataclass(frozen=True)
class UnderstoodRun:
    """A finished run's answers, and what its page shows first."""

    answers: RunAnswers
    document: dict[str, Any]

    @classmethod
    def read(cls, name: str, path: Path, job: Job) -> UnderstoodRun:
        """Read the run in `path`; raises what `read_answers` raises."""
        answers = read_answers(name, path, job)
        with job.step("measuring the answers"):
            return cls(answers, run_document(answers))


class _Runs:
    """The runs that were read last, each read once in a thread."""

    def __init__(self, desk: StudioPlace, pictures: PictureCache) -> None:
        self.place, self.pictures, self.looks = desk, pictures, ModelLooks()
        self._lock = threading.Lock()
        self._read: OrderedDict[tuple[str, float], BackgroundTask[UnderstoodRun]] = OrderedDict()

    def reading(self, name: str) -> BackgroundTask[UnderstoodRun]:
        """The reading of a run, begun now or before; raises what `StudioPlace.run` raises."""
        path = self.place.run(name)
        key = name, last_change(path)
        with self._lock:
            task = self._read.get(key)
            if task is None:
                task = self.place.begin(
                    f"reading {name}", lambda job: UnderstoodRun.read(name, path, job)
                )
                self._read[key] = task
            self._read.move_to_end(key)
            while len(self._read) > _KEPT:
                self._read.popitem(last=False)[1].stop()
            return task

    def forget(self, name: str) -> None:
        """Read a run anew next time: what went wrong may have been mended."""
        with self._lock:
            for key in [key for key in self._read if key[0] == name]:
                del self._read[key]

    def answers(self, name: str) -> RunAnswers:
        """The answers of a run, once they are read; raises what reading raises."""
        return self.reading(name).finished().answers

    def opened(self) -> OpenedData | None:
        """The data that are open; None if there are none, or they cannot be used."""
        try:
            return self.place.opened()
        except ManyheadsError:
            return None

    def image(self, run: RunAnswers, place: int, opened: OpenedData | None) -> dict[str, Any]:
        """What a page shows of a held-out image, as plain data."""
        numbers = self.numbers(run, place, opened)
        now = [] if opened is None else [opened.image(number) for number in numbers]
        return {
            "image": place,
            "name": run.names[place] if run.names else f"image {place + 1}",
            "label": run.classes[run.labels[place]],
            "predicted": run.classes[run.predicted[place]],
            "given": float(run.given[place]),
            "confidence": float(run.confidence[place]),
            "doubtful": bool(run.doubted[place]),
            "file": run.file(place) is not None,
            "now": now[0]["label"] if now and not now[0]["out"] else None,
            "out": bool(now and now[0]["out"]),
            "known": len(numbers),
        }

    @staticmethod
    def numbers(run: RunAnswers, place: int, opened: OpenedData | None) -> list[int]:
        """The numbers of a held-out image's content in the opened data."""
        if opened is None or run.digests is None:
            return []
        return opened.with_content(run.digests[place])


def understand_router(desk: StudioPlace, pictures: PictureCache | None = None) -> APIRouter:
    """The routes under /api/understand of the place's runs.

    A run is named by the parameter `run`, and its held-out images by their place. Thumbnails are
    kept in `pictures`, which may be shared. Routes raise `ManyheadsError`s.
    """
    router = APIRouter(prefix="/api/understand")
    runs = _Runs(desk, pictures or PictureCache())
    _add_run(router, runs)
    _add_images(router, runs)
    return router


def _add_run(router: APIRouter, runs: _Runs) -> None:
    @router.get("/runs")
    def names() -> dict[str, Any]:
        found = sorted(run_folders(runs.place.place), key=last_change, reverse=True)
        return {"runs": [runs.place.name_of(path) for path in found[:_PAGE]]}

    @router.get("/run")
    def told(run: str) -> dict[str, Any]:
        task = runs.reading(run)
        if not task.wait(_QUICK):
            return {"task": task.document, "found": None}
        if task.error is not None:
            runs.forget(run)
        understood = task.finished()
        opened = runs.opened()
        answers = understood.answers
        known = sum(
            bool(runs.numbers(answers, place, opened)) for place in range(len(answers.labels))
        )
        return {
            "task": None,
            "found": understood.document
            | {
                "data": _data_name(runs.place, answers),
                "open": None if opened is None else opened.name,
                "known": known,
            },
        }

    @router.get("/compare")
    def compare(a: str, b: str) -> dict[str, Any]:
        before, after = runs.answers(a), runs.answers(b)
        if before.folder.path == after.folder.path:
            raise RunError("two runs to compare", f"{a} twice", "choose another one")
        both = before.findings is not None and after.findings is not None
        command = shlex.join(["manyheads", "compare", a, b]) if both else None
        return relabelling_document(compare_held_out(before.held_out, after.held_out), command)


def _add_images(router: APIRouter, runs: _Runs) -> None:
    @router.get("/images")
    def images(
        run: str,
        label: str | None = None,
        answer: str | None = None,
        start: Annotated[int, Query(ge=0)] = 0,
        count: Annotated[int, Query(ge=1, le=_PAGE)] = 24,
    ) -> dict[str, Any]:
        answers, opened = runs.answers(run), runs.opened()
        if label is not None and answer is not None:
            found = answers.taken_for(label, answer)
        else:
            found = answers.wrong()
        shown = found[start : start + count].tolist()
        return {
            "total": len(found),
            "images": [runs.image(answers, place, opened) for place in shown],
        }

    @router.get("/pictures/{image}")
    def picture(image: int, run: str, request: Request, size: int = 192) -> Response:
        answers = runs.answers(run)
        path = answers.file(_known(answers, image))
        if path is None or answers.digests is None:
            return words_response("no such file any more")
        digest = answers.digests[image].hex()
        return thumbnail_response(request, runs.pictures, path, digest, size)

    @router.get("/pictures/{image}/explanation")
    def explanation(image: int, run: str) -> dict[str, Any]:
        answers = runs.answers(run)
        path = answers.file(_known(answers, image))
        if path is None:
            raise DataError(
                "the file of this image", "none with its content any more", "restore the data"
            )
        return runs.looks.explanation(runs.place.run(run), path)

    @router.post("/decide")
    def decide(body: DoubtBody) -> dict[str, Any]:
        answers = runs.answers(body.run)
        opened = runs.opened()
        numbers = runs.numbers(answers, _known(answers, body.image), opened)
        if opened is None or not numbers:
            name = _data_name(runs.place, answers)
            remedy = "open data that hold it" if name is None else f"open {name} under Data"
            raise DataError(
                "data that are open and hold this image",
                "none" if opened is None else f"{opened.name}, which does not",
                remedy,
            )
        step = opened.decide(body.kind, numbers, body.value)
        return {"said": step.words, "image": runs.image(answers, body.image, opened)}


def _known(answers: RunAnswers, image: int) -> int:
    if not 0 <= image < len(answers.labels):
        raise RunError(
            f"the number of an image from 0 to {len(answers.labels) - 1}",
            f"{image}",
            "load the page again",
        )
    return image


def _data_name(desk: StudioPlace, answers: RunAnswers) -> str | None:
    """The name of the run's data in the place; None if they lie elsewhere."""
    data = Path(answers.settings.data)
    if not data.is_relative_to(desk.place) or not data.exists():
        return None
    return desk.name_of(data)
