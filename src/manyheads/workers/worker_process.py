"""A process that hosts a worker: it ends with its driver, and the driver learns when it ends."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import queue
import shutil
import signal
import sys
import threading
import types
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from typing import Any

from manyheads.workers.worker_host import WorkerHost, as_message

_SPAWN = multiprocessing.get_context("spawn")  # a fork would lack the threads of OpenVINO and numba


class WorkerProcess:
    """A process, and the futures of what it was asked, in order."""

    def __init__(self, name: str, cores: int, folder: str) -> None:
        self._ours, theirs = _SPAWN.Pipe()
        arguments = theirs, name, cores, folder
        self._process = _SPAWN.Process(target=_serve, args=arguments, name=name, daemon=True)
        with _undisturbed():
            self._process.start()
        assert self._process.pid is not None
        self._pid = self._process.pid
        theirs.close()  # so that the connection ends with the process
        self._lock = threading.Lock()
        self._asked: deque[Future[Any]] = deque()
        self._is_over = False
        self._receiver = threading.Thread(target=self._receive, name=name, daemon=True)
        self._receiver.start()

    def ask(self, method: str, *arguments: Any) -> Future[Any]:
        """Let the worker's host call a method of its own; raises what pickling raises."""
        message, future = pickle.dumps((method, arguments)), Future[Any]()
        with self._lock:
            if not self._is_over:
                self._asked.append(future)
                with suppress(OSError):  # then `_receive` learns it too
                    self._ours.send_bytes(message)
                return future
        future.set_exception(EOFError("the worker has ended"))
        return future

    def end(self) -> None:
        """Kill it, and what it has started."""
        self._process.kill()
        self._receiver.join()

    def _receive(self) -> None:
        try:
            while True:
                answer = self._ours.recv_bytes()
                with self._lock:
                    future = self._asked.popleft()
                try:
                    future.set_result(pickle.loads(answer))
                except Exception as error:
                    future.set_exception(error)
        except (EOFError, OSError):
            with suppress(OSError, AttributeError):  # what it has started ends too
                os.killpg(self._pid, signal.SIGKILL)
            self._process.kill()
            self._process.join()
            reason = EOFError(f"the worker has ended with {_exit_words(self._process.exitcode)}")
            with self._lock:
                self._is_over = True
                left = list(self._asked)
                self._asked.clear()
            self._ours.close()
            for future in left:
                future.set_exception(reason)


def _exit_words(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exit code {code}"
    with suppress(ValueError):
        return signal.Signals(-code).name
    return f"signal {-code}"


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Start a process that Ctrl-C does not reach, and that does not run the user's script again."""
    masked = hasattr(signal, "pthread_sigmask")
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if masked else None
    script = sys.modules["__main__"]
    # A spawned process would import it, to find what is defined there: a script without
    # `if __name__ == "__main__"` would start workers of its own.
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
        if before is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _serve(connection: Connection, name: str, cores: int, folder: str) -> None:
    """What the process does: it answers until the driver ends, by whatever death."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)  # a group, which ends as a whole
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()

    def listen() -> None:
        try:
            while True:
                messages.put(connection.recv_bytes())
        except (EOFError, OSError):
            shutil.rmtree(folder, ignore_errors=True)  # the driver could not, if it was killed
            if hasattr(os, "setpgid"):
                os.killpg(0, signal.SIGKILL)
            os._exit(1)

    threading.Thread(target=listen, name="driver", daemon=True).start()
    host = WorkerHost(name, cores, _mapped)
    while True:
        method, arguments = pickle.loads(messages.get())
        connection.send_bytes(as_message(getattr(host, method)(*arguments)))


def _mapped(path: str) -> Any:
    import joblib

    return joblib.load(path, mmap_mode="r")
