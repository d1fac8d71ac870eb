"""Which process a number means: one that has ended may have left its number to another."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

_PROC = Path("/proc")
_STATE, _STARTED = 0, 19  # fields of /proc/PID/stat after the name, which may hold anything

# Of Windows' kernel32: what may be asked of a process, and what it answers.
_QUERY = 0x1000  # PROCESS_QUERY_LIMITED_INFORMATION
_STILL_ACTIVE = 259
_ACCESS_DENIED = 5
_NOT_TOLD = "?"


def process_start(pid: int) -> str | None:
    """When the process `pid` started, as text to compare; None if there is no such process.

    One that has ended and is not yet waited for counts as none. Where the system does not tell
    when a process started, as Windows of another user's, its presence alone is told.
    """
    if pid <= 0:
        return None
    if sys.platform == "win32":
        return start_on_windows(pid, windows_kernel())
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


def start_on_windows(pid: int, kernel: Any) -> str | None:
    """The same by the functions of Windows, such as `windows_kernel` gives.

    A process that has ended is there while another one holds it; its exit code tells. One that
    ended with the code 259 is taken for one at work.
    """
    from ctypes import wintypes

    process = kernel.OpenProcess(_QUERY, False, pid)
    if not process:
        return _NOT_TOLD if kernel.last_error() == _ACCESS_DENIED else None
    try:
        code = wintypes.DWORD()
        if kernel.GetExitCodeProcess(process, ctypes.byref(code)) and code.value != _STILL_ACTIVE:
            return None
        times = [wintypes.FILETIME() for _ in range(4)]  # of its start, and three others
        if not kernel.GetProcessTimes(process, *map(ctypes.byref, times)):
            return _NOT_TOLD
        return str(times[0].dwHighDateTime << 32 | times[0].dwLowDateTime)
    finally:
        kernel.CloseHandle(process)


def windows_kernel() -> Any:
    """The functions of Windows that tell of a process, with the types of their arguments.

    A handle is as wide as an address; without its type, ctypes would cut it to 32 bits.
    """
    assert sys.platform == "win32"
    from ctypes import wintypes

    kernel: Any = ctypes.WinDLL("kernel32", use_last_error=True)
    time = ctypes.POINTER(wintypes.FILETIME)
    kernel.OpenProcess.argtypes = (wintypes.DWORD, wintypes.BOOL, wintypes.DWORD)
    kernel.OpenProcess.restype = wintypes.HANDLE
    kernel.GetExitCodeProcess.argtypes = (wintypes.HANDLE, ctypes.POINTER(wintypes.DWORD))
    kernel.GetProcessTimes.argtypes = (wintypes.HANDLE, time, time, time, time)
    kernel.CloseHandle.argtypes = (wintypes.HANDLE,)
    kernel.last_error = ctypes.get_last_error
    return kernel
