"""How long the runs of a study took, kept so that its report can say it: `times.json`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from time import monotonic

from manyheads.core.records import read_record, write_record
from manyheads.errors import DiskError, RunError
from manyheads.study.folder import RunFolder

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class RunTimes:
    """The `seconds` that the `runs` of a study took together; `ended` is when the last one did.

    In UTC (ISO 8601). Runs that were killed, and those that had nothing to train, do not count.
    """

    seconds: float = 0.0
    runs: int = 0
    ended: str = ""


def read_times(folder: RunFolder) -> RunTimes | None:
    """The times of the study in `folder`; None where none are known, or their file is damaged."""
    with suppress(RunError):
        return read_record(
            folder.times, RunTimes, FORMAT, what="the times of a study's runs",
            remedy="delete it",
        )  # fmt: skip
    return None


@contextmanager
def timed(folder: RunFolder) -> Iterator[None]:
    """Add the time of the block to the times of the study in `folder`, however it ends."""
    began = monotonic()
    try:
        yield
    finally:
        former = read_times(folder) or RunTimes()
        times = RunTimes(
            seconds=round(former.seconds + monotonic() - began, 3),
            runs=former.runs + 1,
            ended=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        with suppress(DiskError):  # a full disk has an error of its own to tell
            write_record(folder.times, times, FORMAT)
