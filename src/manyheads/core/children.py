"""Other programs, run so that a request to stop, and Ctrl-C, end them too."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from manyheads.core.job import SILENT, Job

_PATIENCE = 0.2  # seconds between two looks at the job


class CompletedProgram(NamedTuple):
    """The exit code of a program, and what it wrote on stdout and stderr."""

    code: int
    output: str
    complaints: str


def run(
    command: Sequence[str],
    what: str,
    *,
    message: str = "",
    environment: Mapping[str, str] | None = None,
    job: Job = SILENT,
) -> CompletedProgram:
    """Run `command` to its end with `message` on its stdin, as a step of `job` that `what` names.

    Raises `Interrupted`, with `what` in its text, when `job` is stopped; the program ends with it.
    """
    with (
        job.step(what),
        subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
            encoding="utf-8",
            errors="replace",
        ) as child,
    ):
        unsent: str | None = message
        try:
            while True:
                try:
                    output, complaints = child.communicate(unsent, timeout=_PATIENCE)
                    return CompletedProgram(child.returncode, output, complaints)
                except subprocess.TimeoutExpired:
                    unsent = None
                job.check(what, "the same command starts it again")
        finally:
            child.kill()
