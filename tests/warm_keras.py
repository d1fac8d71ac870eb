"""Children with Keras that are there at once.

A child of `keras_process` imports Keras first, for seconds, and the tests call some hundreds. Here
a nursery for each backend has imported it, and forks for each call; the fork runs the very program
that a child of its own would. Tests that start manyheads as a process have children as users have
them, and those of `keras_process` itself run both ways.
"""

from __future__ import annotations

import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import NoReturn

import pytest

from manyheads.core import children, keras_process, openvino_runtime
from manyheads.core.job import Job
from manyheads.errors import Interrupted

_PATIENCE = 0.05  # seconds between two looks at `stop`
_AT_IMPORT = ("KERAS_", "TF_", "JAX_", "XLA_", "OMP_", "PYTHON")  # read before a fork
_SERVE = "import sys; sys.path[:] = {}; from tests import warm_keras; warm_keras.serve({!r})"


@contextmanager
def warm_keras(folder: Path) -> Iterator[None]:
    """Let the children of `keras_process` be forks; `folder` is for the nurseries' sockets."""
    with ExitStack() as stack:
        nurseries: dict[tuple[tuple[str, str], ...], _Nursery] = {}
        lock = threading.Lock()

        def run(
            command: Sequence[str],
            what: str,
            *,
            message: str,
            environment: Mapping[str, str],
            job: Job,
        ) -> children.CompletedProgram:
            read = sorted(each for each in environment.items() if each[0].startswith(_AT_IMPORT))
            with lock:
                if (key := tuple(read)) not in nurseries:
                    nursery = _Nursery(folder / f"{len(nurseries)}", environment)
                    nurseries[key] = stack.enter_context(nursery)
            return nurseries[key].run(command[-1], what, message, environment, job)

        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(keras_process, "children", SimpleNamespace(run=run))
        yield


class _Nursery:
    """A process that has imported Keras in `environment`, and forks."""

    def __init__(self, address: Path, environment: Mapping[str, str]) -> None:
        self._address = str(address)
        self._calls = socket.socket(socket.AF_UNIX)
        self._calls.bind(self._address)
        self._calls.listen()
        path = [entry for entry in sys.path if entry]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _SERVE.format(path, self._calls.fileno())],
            env=environment, pass_fds=[self._calls.fileno()], stdin=subprocess.PIPE,
        )  # fmt: skip

    def __enter__(self) -> _Nursery:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()  # the end of its stdin ends it
        self._calls.close()

    def run(
        self,
        program: str,
        what: str,
        message: str,
        environment: Mapping[str, str],
        job: Job,
    ) -> children.CompletedProgram:
        """What `children.run` does, in a fork."""
        with ExitStack() as stack:
            request, given, output, complaints = (
                stack.enter_context(tempfile.TemporaryFile("w+", encoding="utf-8"))
                for _ in range(4)
            )
            child = {
                "program": program,
                "environment": dict(environment),
                "folder": str(Path.cwd()),
            }
            for file, text in ((request, json.dumps(child)), (given, message)):
                file.write(text)
                file.seek(0)
            call = stack.enter_context(socket.socket(socket.AF_UNIX))
            call.connect(self._address)
            files = (request, given, output, complaints)
            socket.send_fds(call, [b"."], [file.fileno() for file in files])
            answers = stack.enter_context(call.makefile())
            pid = int(answers.readline())
            while not select.select([call], [], [], _PATIENCE)[0]:
                if job.stopped:
                    os.kill(pid, signal.SIGKILL)
                    answers.readline()
                    raise Interrupted(what, "the same command starts it again")
            code = int(answers.readline())
            output.seek(0)
            complaints.seek(0)
            return children.CompletedProgram(code, output.read(), complaints.read())


def serve(listening: int) -> None:
    """Import Keras, and fork for each call on the socket until stdin ends."""
    openvino_runtime.silence()
    importlib.import_module("keras")
    with socket.socket(fileno=listening) as calls:
        while sys.stdin not in select.select([calls, sys.stdin], [], [])[0]:
            call, _ = calls.accept()
            with call:
                if not os.fork():
                    _attend(call)
            with suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass


def _attend(call: socket.socket) -> NoReturn:
    """Run what the call asks for in another fork, and tell how it ended."""
    _, files, _, _ = socket.recv_fds(call, 1, 4)
    pid = os.fork()
    if not pid:
        os._exit(_child(files))
    call.sendall(f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    call.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def _child(files: list[int]) -> int:
    request, *standard = files
    for number, file in enumerate(standard):
        os.dup2(file, number)
    sys.stdin = os.fdopen(0, encoding="utf-8")
    with os.fdopen(request, encoding="utf-8") as file:
        asked = json.load(file)
    os.environ.clear()
    os.environ.update(asked["environment"])
    os.chdir(asked["folder"])
    try:
        exec(asked["program"], {"__name__": "__main__"})
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0
