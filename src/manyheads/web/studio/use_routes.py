"""The routes of the studio's Use: try a finished model, export it, and open its test set once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict

from manyheads.core.text import option
from manyheads.errors import ManyheadsError, MissingExtraError, RunError, SettingError
from manyheads.findings.test_log import read_test_log, repeat_warning
from manyheads.models.card import model_files, side_files
from manyheads.models.export.formats import FORMATS, format_named
from manyheads.study.folder import RunFolder
from manyheads.web.studio.place_words import PlaceWords
from manyheads.web.studio.run_catalog import RunCatalog
from manyheads.web.studio.run_forms import in_words, operand
from manyheads.web.studio.run_processes import RunProcesses, StudioProcess
from manyheads.web.studio.tried_models import TriedModels
from manyheads.web.studio.workspace import StudioPlace

_EXPORTS = "export"  # the folder in a run folder


class ExportAsked(BaseModel):
    """Which run's model is to be written in which format."""

    model_config = ConfigDict(extra="forbid")

    run: str
    format: str


class TestAsked(BaseModel):
    """The run whose test images are to be used, and its name as the user has typed it."""

    __test__ = False  # not a test, whatever pytest thinks of the name
    model_config = ConfigDict(extra="forbid")

    run: str
    typed: str


def use_router(
    desk: StudioPlace, catalog: RunCatalog, processes: RunProcesses, models: TriedModels
) -> APIRouter:
    """The routes under /api/use of the place's finished runs, whose `models` are tried."""
    router = APIRouter(prefix="/api/use")
    words = PlaceWords(desk.place)

    @router.get("")
    def about(run: str) -> dict[str, Any]:
        """What can be done with a run's model, and the commands that do it."""
        path = catalog.path(run)
        model = RunFolder(path).best
        return {
            "run": run,
            "model": model.is_file(),
            "formats": [_format(name, path, run) for name in FORMATS],
            "test": _test(desk, path),
            "testing": _number(processes.of_run(run, "test")),
            "exporting": _number(processes.of_run(run, "export")),
            "commands": {
                name: in_words([name, operand(run), *more])
                for name, more in {"serve": (), "predict": ("PHOTO.jpg",), "test": ()}.items()
            },
        }

    @router.get("/models")
    def tried(run: str) -> Response:
        """What a service tells of its models, of a run's: it is opened if it is not."""
        return Response(models.facts(run, catalog.path(run)), media_type="application/json")

    @router.post("/predict")
    async def predict(
        run: str,
        request: Request,
        top: Annotated[int | None, Query(ge=1, le=1_000_000)] = None,
        unknown: Annotated[float | None, Query(gt=0, le=0.5)] = None,
        explain: bool = False,
    ) -> Response:
        """The answers to images, as a service of the run's model gives them."""
        path = await run_in_threadpool(catalog.path, run)
        return await models.answer(run, path, request, top=top, unknown=unknown, explain=explain)

    @router.post("/export")
    def export(asked: ExportAsked) -> dict[str, Any]:
        """Begin to write a run's model in another format."""
        path = catalog.path(asked.run)
        format_named(asked.format)
        _require_idle(processes, asked.run, "export")
        command = ["export", operand(desk.name_of(path)), *option("format", asked.format)]
        made = processes.start("export", [*command, *option("json")], asked.run)
        return {"number": made.number, "command": words.told(in_words(made.arguments))}

    @router.get("/file")
    def exported(run: str, format: str, name: str) -> FileResponse:
        """A file of a model that was exported, to be downloaded."""
        files = _files(format_named(format).target(catalog.path(run) / _EXPORTS))
        file = next((each for each in files if each.name == name), None)
        if file is None:
            raise RunError("the name of an exported file", repr(name[:100]), "export it first")
        return FileResponse(file, filename=file.name, media_type="application/octet-stream")

    @router.post("/test")
    def test(asked: TestAsked) -> dict[str, Any]:
        """Begin to evaluate a run's model on its test images, once its name was typed."""
        path = catalog.path(asked.run)
        if asked.typed.strip() != asked.run:
            raise SettingError(
                f"{asked.run}, typed in full", repr(asked.typed[:100]), "type the name of the run"
            )
        _require_idle(processes, asked.run, "test")
        made = processes.start("test", ["test", operand(desk.name_of(path))], asked.run)
        return {"number": made.number, "command": words.told(in_words(made.arguments))}

    return router


def _number(process: StudioProcess | None) -> str | None:
    """The number of a command that is still at work."""
    return process.number if process is not None and process.at_work else None


def _require_idle(processes: RunProcesses, run: str, kind: str) -> None:
    if _number(processes.of_run(run, kind)) is not None:
        raise RunError(f"no other {kind} of {run}", "one at work", "wait for it")


def _format(name: str, path: Path, run: str) -> dict[str, Any]:
    """A format: what opens it, what is missing for it, and whether it is there already."""
    form = FORMATS[name]
    missing = ""
    try:
        form.require_installed()
    except MissingExtraError as error:
        missing = error.remedy.removeprefix("run: ")
    target = form.target(path / _EXPORTS)
    return {
        "name": name, "opens": form.opens, "missing": missing, "file": target.name,
        "there": target.exists(), "downloads": [each.name for each in _files(target)],
        "command": in_words(["export", operand(run), *option("format", name)]),
    }  # fmt: skip


def _files(target: Path) -> list[Path]:
    """The files of an exported model, with the one that says how to use it; of a folder none."""
    files = [*model_files(target), *side_files(target)]
    return [each for each in files if each.is_file()] if target.is_file() else []


def _test(desk: StudioPlace, path: Path) -> dict[str, Any]:
    """The test images of a run and what is on record of them."""
    run = RunFolder(path)
    try:
        found = read_test_log(run)
        warning = repeat_warning(run)
    except ManyheadsError as error:
        return {"evaluations": [], "warning": PlaceWords(desk.place).told(str(error))}
    return {
        "evaluations": [
            {"number": each.number, "at": each.evaluated_at, "sentences": list(each.sentences)}
            for each in found
        ],
        "warning": warning or "",
    }
