"""The routes of the studio's Runs: list them, begin, stop and resume one, and watch it."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse
from pydantic import BaseModel, ConfigDict

from manyheads.core.text import option
from manyheads.errors import RunError
from manyheads.run.progress_file import read_progress
from manyheads.study.folder import RunFolder
from manyheads.web.studio.live_runs import LiveRuns
from manyheads.web.studio.place_words import PlaceWords
from manyheads.web.studio.run_catalog import RunCatalog
from manyheads.web.studio.run_forms import forms_of, in_words, run_arguments
from manyheads.web.studio.run_processes import RunProcesses, StudioProcess, interrupt_group
from manyheads.web.studio.tagged_answers import TaggedAnswer
from manyheads.web.studio.workspace import StudioPlace

# A report is one file with scripts and styles inside, so it has rules of its own, and no origin.
REPORT_RULES = (
    "sandbox allow-scripts; default-src 'none'; style-src 'unsafe-inline'; "
    "script-src 'unsafe-inline'; img-src data:; font-src data:; frame-ancestors 'none'; "
    "base-uri 'none'"
)


class FilledForm(BaseModel):
    """A form as a page sends it: its kind, its fields, and the name of the run folder."""

    model_config = ConfigDict(extra="forbid")

    kind: str
    values: dict[str, str] = {}
    out: str


class NamedRun(BaseModel):
    """A run by its name."""

    model_config = ConfigDict(extra="forbid")

    run: str


def run_router(
    desk: StudioPlace, catalog: RunCatalog, processes: RunProcesses, live: LiveRuns
) -> APIRouter:
    """The routes under /api/runs and /api/commands of the place's runs."""
    router = APIRouter(prefix="/api")
    words = PlaceWords(desk.place)

    def told(process: StudioProcess) -> dict[str, Any]:
        out, err = processes.printed(process.number)
        return {
            "number": process.number, "kind": process.kind, "run": process.run,
            "at_work": process.at_work, "code": process.code,
            "command": words.told(in_words(process.arguments)),
            "out": words.told(out), "err": words.told(err),
        }  # fmt: skip

    @router.get("/runs")
    def runs(request: Request) -> Response:
        """All runs, the latest change first, and the studio's own commands at work."""
        entries = [each.document for each in catalog.entries()]
        names = {each["name"] for each in entries}
        begun = [
            {"name": each.run, "kind": each.kind, "date": each.begun, "state": "starting"}
            for each in processes.all()
            if each.at_work and each.kind in ("fit", "sweep") and each.run not in names
        ]
        return TaggedAnswer.of({"runs": [*begun, *entries]}).response(request)

    @router.get("/runs/forms")
    def forms() -> dict[str, Any]:
        """The forms that begin a run, for the data that are open."""
        return forms_of(desk)

    @router.post("/runs/plan")
    def plan(form: FilledForm) -> dict[str, Any]:
        """Begin to plan what the form asks for, as the command does with `dry_run`."""
        arguments = run_arguments(desk, form.kind, form.values, form.out)
        made = processes.start("plan", [*arguments, *option("dry_run")], form.out)
        return told(made) | {"would": words.told(in_words(arguments))}

    @router.post("/runs/start")
    def start(form: FilledForm) -> dict[str, Any]:
        """Begin the run that the form asks for."""
        arguments = run_arguments(desk, form.kind, form.values, form.out)
        if (former := live.process(form.out)) is not None and former.at_work:
            raise RunError(
                f"{form.out} to be free", "a command at work in it", "wait for it, or stop it"
            )
        made = processes.start(form.kind, arguments, form.out)
        catalog.look_again()
        live.forget(form.out)
        return told(made)

    @router.post("/runs/stop")
    def stop(named: NamedRun) -> dict[str, Any]:
        """Stop a run as Ctrl-C does, whoever began it; the same command resumes it."""
        process = live.process(named.run)
        if process is not None and process.at_work:
            processes.stop(process.number)
        else:
            progress = read_progress(catalog.path(named.run))
            if progress is None or not progress["alive"]:
                raise RunError(
                    "a run at work", f"{named.run}, which is not", "there is none to stop"
                )
            interrupt_group(int(progress["process"]["pid"]))
        live.forget(named.run)
        return {"run": named.run}

    @router.post("/runs/resume")
    def resume(named: NamedRun) -> dict[str, Any]:
        """Go on with a run by the command that began it."""
        former = live.process(named.run)
        progress = None
        with suppress(RunError):  # one that never came to a folder
            progress = read_progress(catalog.path(named.run))
        if (former is not None and former.at_work) or (progress and progress["alive"]):
            raise RunError(f"{named.run} to be free", "a command at work in it", "watch that one")
        found = live.resumption(named.run)
        if found is None:
            raise RunError(
                f"a record of the command that began {named.run}", "none",
                "repeat the command where it was begun",
            )  # fmt: skip
        arguments, folder = found
        made = processes.start(arguments[0], arguments, named.run, folder=folder)
        catalog.look_again()
        live.forget(named.run)
        return told(made)

    @router.get("/runs/live")
    def watch(run: str, request: Request) -> Response:
        """How far a run is, what leads and its curves; 304 if nothing has changed."""
        return live.answer(run).response(request)

    @router.get("/runs/advice")
    def advice(run: str) -> dict[str, Any]:
        """The recommendation of a finished study, in sentences."""
        from manyheads.findings.study_findings import read_findings

        found = read_findings(RunFolder(catalog.path(run))).recommendation
        return {"confidence": found.confidence, "sentences": list(found.sentences)}

    @router.get("/runs/report")
    def report(run: str) -> FileResponse:
        """The report of a run, under rules of its own."""
        file = RunFolder(catalog.path(run)).report
        if not file.is_file():
            raise RunError("a report in the run folder", "none", "finish the run first")
        return FileResponse(
            file, media_type="text/html; charset=utf-8",
            headers={"Content-Security-Policy": REPORT_RULES, "Cache-Control": "no-cache"},
        )  # fmt: skip

    @router.get("/commands/{number}")
    def command(number: str) -> dict[str, Any]:
        """How a command goes that the studio has started, and what it prints."""
        return told(processes.get(number))

    @router.post("/commands/{number}/stop")
    def stop_command(number: str) -> dict[str, Any]:
        """Stop such a command as Ctrl-C does."""
        processes.stop(number)
        return told(processes.get(number))

    return router
