"""Functions that need Keras, called in a child process.

Keras takes its backend once for a whole process, and importing it costs seconds and hundreds of
megabytes. In a child it can be any backend, and the parent stays free of all of them.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from manyheads import errors
from manyheads.core import children, openvino_runtime
from manyheads.core.job import SILENT, Job
from manyheads.core.places import full_disk, lacks_room
from manyheads.errors import ManyheadsError

_log = logging.getLogger(__name__)

Answer = TypeVar("Answer")

# The child takes over the parent's import path, so that a notebook, a checkout and an
# installation all behave alike, and files in the current folder cannot shadow a library.
# Libraries print; only the answer may reach the parent's pipe.
_BOOTSTRAP = """
import json, os, sys
answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)
request = json.load(sys.stdin)
sys.path[:] = request.pop("import_path")
from manyheads.core import keras_process
json.dump(keras_process.answer(**request), answers)
answers.close()
"""


def call(
    function: Callable[..., Answer],
    arguments: dict[str, Any],
    *,
    backend: str = "openvino",
    what: str = "preparing the backbone",
    job: Job = SILENT,
) -> Answer:
    """Call `function` with JSON `arguments` in a child where Keras has `backend`.

    The child imports the module of `function` and finds it there by its name. That module is
    imported here as well, so it imports Keras inside its functions only. `what` says what is
    being done, for whoever watches or stops it. Returns the function's answer, as JSON keeps it. A
    `ManyheadsError` raised there is raised here; whatever else goes wrong is a `ManyheadsError`
    with the last lines that the child wrote. Raises `Interrupted` when `job` is stopped.
    """
    name = f"{function.__module__}:{function.__qualname__}"
    request = {
        "function": name,
        "arguments": arguments,
        "import_path": [entry for entry in sys.path if entry],
    }
    done = children.run(
        [sys.executable, "-P", "-c", _BOOTSTRAP],
        what,
        message=json.dumps(request),
        environment=_environment(backend),
        job=job,
    )
    _log.debug("%s in a child process wrote:\n%s", name, done.complaints)
    if done.code != 0 or not done.output:
        target = Path(str(arguments.get("target", tempfile.gettempdir())))
        if lacks_room(done.complaints, target.parent):
            raise full_disk(target)
        raise ManyheadsError(
            f"Keras on {backend} to run {name}",
            f"exit code {done.code} and: {_last_lines(done.complaints)}",
            "check the memory that is free, and that keras and openvino are installed whole",
        )
    answer = json.loads(done.output)
    if "error" in answer:
        raise getattr(errors, answer["error"])(*answer["details"])
    return answer["result"]


def answer(function: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """What the child sends back: the function's result, or the error that it raised on purpose."""
    openvino_runtime.silence()
    module, _, name = function.partition(":")
    try:
        return {"result": getattr(importlib.import_module(module), name)(**arguments)}
    except ManyheadsError as error:
        details = error.__reduce__()[1]
        return {"error": type(error).__name__, "details": details}


def _environment(backend: str) -> dict[str, str]:
    calm = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore", "PYTHONIOENCODING": "utf-8"}
    return {**os.environ, **calm, "KERAS_BACKEND": backend}


def _last_lines(text: str, count: int = 2) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip(" ^~")]
    return " / ".join(lines[-count:]) or "nothing on stderr"
