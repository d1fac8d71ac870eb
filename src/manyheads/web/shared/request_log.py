"""The log of a server: written by a thread, because who reads it may not."""

from __future__ import annotations

import logging
import queue
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

_LINE = "%(asctime)s %(message)s"
_MOST = 10_000  # lines that wait to be written; further ones are lost
_END = 2.0  # seconds for those that are left at the end
# python-multipart warns of each damaged form.
_LEVELS = {
    "manyheads.web": logging.INFO, "uvicorn.error": logging.ERROR, "python_multipart": logging.ERROR
}  # fmt: skip


@contextmanager
def request_log() -> Iterator[None]:
    """Write a line for each request, and the server's own troubles, to stderr.

    Where stderr is a pipe that nobody reads, lines are lost, and the server answers on.
    """
    handler = _Waiting(logging.StreamHandler(sys.stderr))
    loggers = {logging.getLogger(name): level for name, level in _LEVELS.items()}
    before = {logger: (logger.level, logger.propagate) for logger in loggers}
    for logger, level in loggers.items():
        logger.addHandler(handler)
        logger.setLevel(level)
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (level, propagates) in before.items():
            logger.removeHandler(handler)
            logger.setLevel(level)
            logger.propagate = propagates
        handler.close()


class _Waiting(logging.Handler):
    """Hands records to another handler in a thread, and drops what that does not take."""

    def __init__(self, to: logging.Handler) -> None:
        super().__init__()
        to.setFormatter(logging.Formatter(_LINE))
        self._to = to
        self._lines: queue.Queue[logging.LogRecord | None] = queue.Queue(_MOST)
        self._thread = threading.Thread(target=self._write, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(queue.Full):
            self._lines.put_nowait(record)

    def close(self) -> None:
        with suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(_END)
        super().close()

    def _write(self) -> None:
        while (record := self._lines.get()) is not None:
            self._to.handle(record)
