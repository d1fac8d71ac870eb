"""How much memory decoding may take: a limit that the user sets, shared by all threads."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from manyheads.errors import ImageLimitError, SettingError

VARIABLE = "MANYHEADS_IMAGE_MEMORY"
DEFAULT = 1 << 31  # bytes

_FORM = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)i?b?", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def memory_limit() -> int:
    """The bytes that images being decoded may take, all threads together.

    `MANYHEADS_IMAGE_MEMORY`, such as `4G` or `500M`, or else 2 GiB. It is read at every image, so
    that a program may set it in `os.environ`. Raises `SettingError` if it is no such number.
    """
    return bytes_in(VARIABLE, DEFAULT)


def bytes_in(variable: str, default: int, *, least: int = 1) -> int:
    """The bytes that an environment variable names, such as `4G` or `500M`, or else `default`.

    Raises `SettingError` for what is no such number, or less than `least`.
    """
    text = os.environ.get(variable, "").strip()
    if not text:
        return default
    match = _FORM.fullmatch(text)
    found = int(float(match[1]) * 1024 ** _POWERS[match[2].lower()]) if match else -1
    if found < least:
        raise SettingError(f"{variable} to be a number of bytes", repr(text), "give one, as 4G")
    return found


@contextmanager
def memory_for(needed: int, name: str, what: str) -> Iterator[None]:
    """Wait until `needed` bytes are free of the limit, and hold them inside the context.

    Raises `ImageLimitError` if they are more than the limit altogether; `what` says of what.
    """
    limit = memory_limit()
    if needed > limit:
        raise ImageLimitError(
            f"{name} to take at most {_words(limit)} of memory",
            f"{what}, {_words(needed)} where {VARIABLE} allows {_words(limit)}",
            f"set {VARIABLE}={-(-needed // 1024**3)}G, or make the image smaller",
        )  # fmt: skip
    shared = _shared
    shared.take(needed, limit)
    try:
        yield
    finally:
        shared.give(needed)


class _Shared:
    """The bytes in use; whoever would exceed the limit waits, unless there is nobody else."""

    def __init__(self) -> None:
        self._free, self._used = threading.Condition(), 0

    def take(self, amount: int, limit: int) -> None:
        with self._free:
            self._free.wait_for(lambda: not self._used or self._used + amount <= limit)
            self._used += amount

    def give(self, amount: int) -> None:
        with self._free:
            self._used -= amount
            self._free.notify_all()


_shared = _Shared()


def _anew() -> None:
    # A forked child has none of the threads that would give back what they hold.
    global _shared
    _shared = _Shared()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_anew)


def _words(size: int) -> str:
    return f"{size / 1024**3:,.1f} GiB" if size >= 1 << 29 else f"{size / 1024**2:,.1f} MiB"
