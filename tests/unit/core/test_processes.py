"""A process is known by its number and its start, here and on Windows."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from manyheads.core.processes import is_same_process, process_start, start_on_windows

HANDLE = 0x7FFF_0000_0044  # wider than 32 bits
DENIED, NO_SUCH = 5, 87


class WindowsCalls:
    """What Windows answers of one process, and which handles are open."""

    def __init__(
        self, *, handle: int = HANDLE, error: int = 0, code: int = 259, start: int = 0
    ) -> None:
        self.handle, self.code, self.start = handle, code, start
        self.times_told = 1
        self.asked: list[tuple[int, bool, int]] = []
        self.open: list[int] = []
        self.kernel = SimpleNamespace(
            OpenProcess=self._opened, GetExitCodeProcess=self._ended,
            GetProcessTimes=self._times, CloseHandle=self._closed, last_error=lambda: error,
        )  # fmt: skip

    def _opened(self, access: int, inherited: bool, pid: int) -> int:
        self.asked.append((access, inherited, pid))
        self.open += [self.handle] if self.handle else []
        return self.handle

    def _ended(self, handle: int, code: Any) -> int:
        assert handle in self.open
        code._obj.value = self.code
        return 1

    def _times(self, handle: int, started: Any, *others: Any) -> int:
        assert handle in self.open
        assert len(others) == 3
        started._obj.dwHighDateTime, started._obj.dwLowDateTime = divmod(self.start, 1 << 32)
        return self.times_told

    def _closed(self, handle: int) -> int:
        self.open.remove(handle)
        return 1


def test_this_process_is_at_work_and_no_other_of_its_number() -> None:
    started = process_start(os.getpid())
    assert started is not None
    assert is_same_process(os.getpid(), started)
    assert not is_same_process(os.getpid(), "once")
    assert not is_same_process(os.getpid(), None)


def test_one_that_has_ended_is_none() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert process_start(child.pid) is None
    assert process_start(0) is None
    assert process_start(-1) is None


def test_windows_tells_when_a_process_started() -> None:
    calls = WindowsCalls(start=133_775_000_000_000_001)
    assert start_on_windows(4242, calls.kernel) == "133775000000000001"
    assert calls.asked == [(0x1000, False, 4242)]
    assert calls.open == []


@pytest.mark.parametrize(
    ("calls", "found"),
    [
        (WindowsCalls(handle=0, error=NO_SUCH), None),
        (WindowsCalls(handle=0, error=DENIED), "?"),
        (WindowsCalls(code=0, start=7), None),  # it has ended, and its parent holds it
        (WindowsCalls(code=1, start=7), None),
        (WindowsCalls(start=7), "7"),
    ],
)
def test_windows_tells_what_is_not_there_any_more(calls: WindowsCalls, found: str | None) -> None:
    assert start_on_windows(8, calls.kernel) == found
    assert calls.open == []


def test_a_start_that_windows_does_not_tell_leaves_the_presence() -> None:
    calls = WindowsCalls(start=7)
    calls.times_told = 0
    assert start_on_windows(8, calls.kernel) == "?"
    assert calls.open == []


@pytest.mark.skipif(sys.platform != "win32", reason="the calls of Windows")
def test_the_calls_take_a_whole_handle() -> None:
    from ctypes import wintypes

    from manyheads.core.processes import windows_kernel

    assert windows_kernel().OpenProcess.restype is wintypes.HANDLE
    assert ctypes.sizeof(wintypes.HANDLE) == ctypes.sizeof(ctypes.c_void_p)
