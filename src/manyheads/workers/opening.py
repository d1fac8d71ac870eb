"""Workers by the word that asks for them: a number of processes, or a Ray cluster."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from manyheads.core.workers import Workers
from manyheads.errors import SettingError
from manyheads.workers.local_workers import LocalCrew
from manyheads.workers.unit_dispatch import DispatchedWorkers

MOST = 1024
HELP = (
    "a number of processes of this machine, ray, or the address of a Ray cluster: ray://HOST:PORT"
)


def workers_asked(given: int | str | Workers | None) -> int | str | Workers | None:
    """What is `given` as `workers`: a number, `ray` or an address, workers or None; starts nothing.

    Raises `SettingError` for anything else.
    """
    if given is None or hasattr(given, "map"):
        return given
    text = str(given).strip()
    if text.isdecimal() and not isinstance(given, bool) and 1 <= int(text) <= MOST:
        return int(text)
    host, colon, port = text.removeprefix("ray://").rpartition(":")
    if text == "ray" or (host and colon and port.isdecimal() and 0 < int(port) < 65_536):
        return text
    raise SettingError(
        f"`workers` as a number from 1 to {MOST}, ray, or ray://HOST:PORT", repr(given),
        "give 2 for two processes of this machine, or leave out `workers`",
    )  # fmt: skip


def planned_words(given: int | str | Workers) -> tuple[str, int]:
    """What workers will be, in words, and their number, 0 if only the cluster knows it."""
    if isinstance(given, int):
        return LocalCrew(given).words, given
    return (f"those of {as_asked(given)}" if isinstance(given, str) else given.words), 0


@contextmanager
def opened_workers(given: int | str | Workers | None) -> Iterator[Workers | None]:
    """The workers that are asked for, until the context ends; None for none.

    Processes start with the first work, a cluster is sought at once. Workers that are open already
    stay open. Raises `SettingError` for what are no workers, `MissingExtraError` without Ray, and
    `RunError` where no cluster answers or it has other versions.
    """
    asked = workers_asked(given)
    if asked is None or not isinstance(asked, int | str):
        yield asked
        return
    if isinstance(asked, int):
        crew = LocalCrew(asked)
    else:
        from manyheads.workers.ray_workers import RayCrew

        crew = RayCrew(str(asked))
    workers = DispatchedWorkers(crew, str(asked))
    try:
        yield workers
    finally:
        workers.cancel()


def as_asked(given: int | str | Workers | None) -> str:
    """How workers were asked for; "" for none."""
    if given is None or isinstance(given, int | str):
        return "" if given is None else str(given)
    return given.asked
