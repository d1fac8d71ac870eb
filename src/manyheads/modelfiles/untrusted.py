"""Files of others are opened in a child with bounds: what kills or hangs it is an error here."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from manyheads.core import keras_process
from manyheads.core.job import SILENT, Job
from manyheads.core.keras_process import Answer
from manyheads.errors import InputError, ManyheadsError

Refusal = Callable[[str], InputError]

_SECONDS = 120  # of a processor, for one file
_COPIES = 6  # of a file's arrays at once: a network and the one inside it, checked and written
_ROOM = 1 << 30  # bytes beyond what a file itself can fill


def call(
    function: Callable[..., Answer],
    arguments: dict[str, Any],
    refusal: Refusal,
    job: Job = SILENT,
) -> Answer:
    """What `keras_process.call` does, for a function that opens a file of others.

    If the child dies, of a file that makes a library crash, fill the memory or run for ever, then
    `refusal` of what was found is raised.
    """
    with refused(refusal):
        return keras_process.call(function, arguments, job=job)


@contextmanager
def refused(refusal: Refusal) -> Iterator[None]:
    """Turn the death of a child, which is a plain `ManyheadsError`, into `refusal`."""
    try:
        yield
    except ManyheadsError as error:
        if type(error) is not ManyheadsError:
            raise
        raise refusal(f"one that cannot be read to its end ({error.found})") from error


def bound(file: Path) -> None:
    """Let this process, a child, use no more time and memory from here on than `file` may take."""
    if sys.platform == "win32":  # which has no such bounds
        return
    import resource

    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = int(used.ru_utime + used.ru_stime) + _SECONDS
    memory = _virtual_memory() + _COPIES * file.stat().st_size + _ROOM
    for what, limit in (
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_CORE, 0),
    ):
        hard = resource.getrlimit(what)[1]
        if hard == resource.RLIM_INFINITY or limit < hard:
            with suppress(ValueError, OSError):  # a system that has not this bound
                resource.setrlimit(what, (limit, hard))


def _virtual_memory() -> int:
    import resource

    with suppress(OSError, ValueError, IndexError):
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        return pages * resource.getpagesize()
    return 1 << 34
