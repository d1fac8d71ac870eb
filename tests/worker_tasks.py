"""Functions that tests give to workers; a worker finds them here by their names."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.core import machine
from manyheads.core.places import full_disk
from manyheads.errors import DataError


def scaled(context: Any, unit: int) -> int:
    """A product, which takes a few milliseconds."""
    time.sleep(0.002)
    return context * unit


def with_pid(context: float, unit: int) -> tuple[int, int]:
    """The unit and the process that has it for so many seconds."""
    time.sleep(context)
    return unit, os.getpid()


def noted(context: tuple[str, float], unit: int) -> int:
    """Leave a line about each call in the file of the context, and take so many seconds."""
    with Path(context[0]).open("a") as file:
        file.write(f"{unit} {os.getpid()}\n")
    time.sleep(context[1])
    return unit


def share_and_sum(context: dict[str, np.ndarray], unit: np.ndarray) -> tuple[np.ndarray, bool]:
    """A sum of arrays, and whether the one in the context may be written."""
    large = context["large"]
    return large[:5] + unit, large.flags.writeable


def cores_seen(_context: None, _unit: int) -> int:
    """The cores that a worker may use."""
    time.sleep(0.05)
    return machine.cores()


def raising(_context: None, unit: int) -> int:
    """Raise an error at the third unit."""
    if unit == 2:
        raise DataError("a unit that can be used", "the third", "leave it out")
    return unit


class Unsendable(Exception):
    """An exception that cannot be made again from its text."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__(f"{one} and {two}")


def raising_unsendable(_context: None, _unit: int) -> int:
    """Raise what cannot be sent."""
    raise Unsendable(1, 2)


def unsendable(_context: None, _unit: int) -> Any:
    """Return what cannot be sent."""
    return threading.Lock()


def dying_once(context: str, unit: int) -> int:
    """Die at the first call for each unit of which there is no file yet."""
    mark = Path(context) / str(unit)
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return unit


def deadly(context: str, unit: int) -> int:
    """Die of the unit 3, every time, and leave a line."""
    if unit == 3:
        with Path(context).open("a") as file:
            file.write("died\n")
        os.kill(os.getpid(), signal.SIGKILL)
    return unit


def slow_at_first(context: str, unit: int) -> int:
    """Take half a minute for the unit 0 at the first call, and hardly any time for others."""
    mark = Path(context)
    if unit == 0 and not mark.exists():
        mark.touch()
        time.sleep(30)
    time.sleep(0.02)
    return unit


def refusing_first(context: str) -> str:
    """Refuse the first worker that asks."""
    try:
        Path(context).mkdir()
    except FileExistsError:
        return ""
    return "it is the first"


def full_at_first(context: str) -> str:
    """Fail as a machine whose disk is full, for the first worker that asks."""
    if refusing_first(context):
        raise full_disk(Path("/cache"))
    return ""


def refusing(_context: Any) -> str:
    """Refuse every worker."""
    return "it is one of them"


def accepting(context: tuple[str, float]) -> str:
    """Accept every worker, and leave a line."""
    with Path(context[0]).open("a") as file:
        file.write(f"check {os.getpid()}\n")
    return ""


def after_refusal(_context: str, unit: int) -> tuple[int, int]:
    """The unit and the process that had it."""
    time.sleep(0.02)
    return unit, os.getpid()
