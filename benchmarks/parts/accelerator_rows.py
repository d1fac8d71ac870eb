"""Rows of the benchmark `accelerator`, measured in children that print each as it is known."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.machine import ROOT

ABSENT = "not installed"
_MARK = "row "  # before each row that a child prints
_GLANCE = 0.2  # seconds between two looks at what a child has printed
_COMPLAINT = 160  # characters of what a failed child wrote


class Row(NamedTuple):
    """One measurement: of which `part`, of `what`, its `value` with the unit, and a `note`."""

    part: str
    what: str
    value: str
    note: str = ""


def measured(
    part: str,
    what: str,
    function: str,
    seconds: float,
    environment: Mapping[str, str],
    arguments: Mapping[str, Any],
) -> Iterator[Row]:
    """Yield the rows that "module.function" of this package prints in a process of its own.

    After `seconds` the child is ended; what it had measured stays. A child that fails, or is ended,
    yields a row of `what` it was to measure, with its last line.
    """
    module, _, name = function.rpartition(".")
    command = [
        sys.executable,
        "-m",
        f"benchmarks.parts.{module}",
        name,
        json.dumps(dict(arguments)),
    ]
    with tempfile.TemporaryDirectory() as folder:
        # Into files, because what a child leaves running would keep a pipe open.
        output, complaints = Path(folder, "output"), Path(folder, "complaints")
        with output.open("ab") as told, complaints.open("ab") as complained:
            child = subprocess.Popen(
                command,
                cwd=ROOT,
                env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=complained,
                start_new_session=True,
            )
        until, seen = time.monotonic() + seconds, 0
        code, late = None, False
        try:
            while code is None and not late:
                time.sleep(_GLANCE)
                code, late = child.poll(), time.monotonic() > until
                rows = _rows(output)
                yield from (Row(part, *row) for row in rows[seen:])
                seen = len(rows)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)
            child.wait()
        if code is None:
            yield Row(part, what, "–", f"ended after {seconds:.0f} s")
        elif code:
            said = complaints.read_text(encoding="utf-8", errors="replace").split("\n")
            last = [line.strip() for line in said if line.strip()][-1:]
            yield Row(part, what, "–", f"failed: {''.join(last)[:_COMPLAINT]}")


def _rows(output: Path) -> list[list[str]]:
    """The rows in what a child has printed, of whole lines."""
    lines = output.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return [json.loads(line.removeprefix(_MARK)) for line in lines if line.startswith(_MARK)]


def tell(what: str, value: str, note: str = "") -> None:
    """Print a row, in a child that `measured` reads."""
    print(_MARK + json.dumps([what, value, note.replace("|", "/")]), flush=True)


def call(functions: Mapping[str, Any]) -> None:
    """What a module does when `measured` runs it: call the function that is named."""
    functions[sys.argv[1]](**json.loads(sys.argv[2]))
