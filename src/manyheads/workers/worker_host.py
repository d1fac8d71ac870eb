"""What a worker does: it tells what it is, and calls functions on a context and a unit."""

from __future__ import annotations

import importlib.metadata
import pickle
import platform
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from manyheads.core import machine
from manyheads.core.workers import WorkerResources
from manyheads.errors import ManyheadsError

_COMPUTING = ("manyheads", "numpy", "numba", "openvino", "keras", "pillow")
_names: list[str] = []


class Reference(NamedTuple):
    """Where a worker finds a context, and the number that tells it from others."""

    number: int
    where: Any


@dataclass(frozen=True)
class Returned:
    """What a function returned."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """The exception that a function raised, and the worker's traceback."""

    error: BaseException
    trace: str

    def again(self) -> BaseException:
        """The exception, to be raised here; its cause shows where it was raised first."""
        self.error.__cause__ = RemoteTraceback(self.trace)
        return self.error


class RemoteTraceback(Exception):
    """Stands in the place of the traceback that an exception had in a worker."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


class WorkerHost:
    """The worker `name` with a share of the `cores`; `load` finds the context of a `Reference`.

    It keeps the context that it had last, so that each comes to it once.
    """

    def __init__(self, name: str, cores: int, load: Callable[[Any], Any]) -> None:
        machine.use_cores(cores)
        _names[:] = [name]
        self._name, self._load = name, load
        self._known: tuple[int, Any] | None = None

    def introduce(self) -> WorkerResources:
        """What this worker is."""
        return WorkerResources(
            name=self._name,
            node=platform.node(),
            processor=machine.processor(),
            versions=computing_versions(),
            cores=machine.cores(),
            memory=machine.memory(),
        )

    def call(
        self, reference: Reference, function: Callable[..., Any], *unit: Any
    ) -> Returned | Raised:
        """What `function(context, *unit)` comes to."""
        try:
            if self._known is None or self._known[0] != reference.number:
                self._known = None  # two contexts may be more than the memory holds
                self._known = (reference.number, self._load(reference.where))
            return Returned(function(self._known[1], *unit))
        except BaseException as error:
            return _raised(error)


def worker_name() -> str:
    """The name of the worker that this process is; "" if it is none."""
    return _names[0] if _names else ""


def computing_versions() -> dict[str, str]:
    """Versions of Python and of what computes, by name."""
    found = {"python": platform.python_version()}
    return found | {name: importlib.metadata.version(name) for name in _COMPUTING}


def as_message(answer: object) -> bytes:
    """The answer of a `WorkerHost` in bytes; `Raised` in its place, if it cannot be sent."""
    try:
        return pickle.dumps(answer)
    except Exception as error:
        return pickle.dumps(_raised(error))


def _raised(error: BaseException) -> Raised:
    trace = "".join(traceback.format_exception(error))
    error.__traceback__ = None
    try:  # some exceptions can be sent, and not be made again
        return pickle.loads(pickle.dumps(Raised(error, trace)))
    except Exception:
        found = f"{type(error).__name__}: {error}"
        problem = ManyheadsError("a worker's function to return", found, "see the cause with debug")
        return Raised(problem, trace)
