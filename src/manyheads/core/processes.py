"""Which process a number means: one that has ended may have left its number to another."""

from __future__ import annotations

import os
import subprocess
from contextlib import suppress
from pathlib import Path

_PROC = Path("/proc")
_STATE, _STARTED = 0, 19  # fields of /proc/PID/stat after the name, which may hold anything


def process_start(pid: int) -> str | None:
    """When the process `pid` started, as text to compare; None if there is no such process.

    One that has ended and is not yet waited for counts as none. Where the system does not tell
    when a process started, its presence alone is told.
    """
    if pid <= 0:
        return None
    if _PROC.joinpath("self").exists():
        try:
            stat = _PROC.joinpath(str(pid), "stat").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return None
        fields = stat.rpartition(")")[2].split()
        return None if fields[_STATE] in "ZX" else fields[_STARTED]
    if os.name == "posix":
        with suppress(OSError, subprocess.SubprocessError):
            told = subprocess.run(
                ["ps", "-o", "state=,lstart=", "-p", str(pid)],
                capture_output=True, encoding="utf-8", errors="replace", timeout=5, check=False,
            ).stdout.split(maxsplit=1)  # fmt: skip
            return told[1].strip() if len(told) == 2 and told[0][0] != "Z" else None
    return None


def is_same_process(pid: int, started: str | None) -> bool:
    """Whether the process `pid` is at work, and is the one that `started` then."""
    found = process_start(pid)
    return found is not None and found == started
